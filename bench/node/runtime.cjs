// The least a Lambda runtime client in Node can be: `node runtime.cjs <function.js>`.
// The official one (aws-lambda-ric) builds curl and a C++ add-on with cmake; this one starts sooner than it, so
// what is measured errs on Node's side.
"use strict";
const http = require("node:http");
const path = require("node:path");

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, what, body, headers = {}) {
  return new Promise((resolve, reject) => {
    if (body !== undefined) headers["Content-Length"] = Buffer.byteLength(body);
    const request = http.request(
      { host, port, agent, method, path: `/2018-06-01/runtime/${what}`, headers },
      (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(parts).toString() }));
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

function report(what, error) {
  const body = JSON.stringify({ errorType: error.name, errorMessage: error.message, stackTrace: [String(error.stack)] });
  return call("POST", what, body, { "Lambda-Runtime-Function-Error-Type": error.name });
}

async function main() {
  let handler;
  try {
    ({ handler } = require(path.resolve(process.argv[2])));
  } catch (error) {
    await report("init/error", error);
    process.exit(1);
  }
  for (;;) {
    const next = await call("GET", "invocation/next");
    const id = next.headers["lambda-runtime-aws-request-id"];
    process.env._X_AMZN_TRACE_ID = next.headers["lambda-runtime-trace-id"];
    try {
      const answer = await handler(JSON.parse(next.body), { awsRequestId: id });
      await call("POST", `invocation/${id}/response`, JSON.stringify(answer), { "Content-Type": "application/json" });
    } catch (error) {
      await report(`invocation/${id}/error`, error);
    }
  }
}

main();
