"""The three functions: how each is started, what it trusts the stub by, and how large its package is."""

import os
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

# Nothing of the caller's: no settings of its own for AWS, no home folder, no proxy.
COMMON = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_SESSION_TOKEN": "bench",
    "AWS_LAMBDA_FUNCTION_NAME": "create-snapshot",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
}


@dataclass
class Contender:
    """One function under test."""

    name: str
    made_of: str
    command: list
    environment: dict
    package_bytes: int


def all_three(binary, node, python, work, stub_url):
    """Rust, Node and Python, in this order; the packages are written to `work`."""
    ca = str(work / "ca.pem")
    common = COMMON | {"AWS_ENDPOINT_URL_RDS": stub_url, "HOME": str(work / "home")}
    (work / "home").mkdir(exist_ok=True)
    return [
        _rust(binary, work, common | {"AWS_CA_BUNDLE": ca}),
        _node(node, work, common | {"NODE_EXTRA_CA_CERTS": ca}),
        _python(python, work, common | {"AWS_CA_BUNDLE": ca}),
    ]


def _rust(binary, work, environment):
    size = _zip(work / "rust.zip", [(binary, "bootstrap")])
    return Contender("Rust", "the release build, lambda_runtime", [str(binary)], environment, size)


def _node(node, work, environment):
    bundle = work / "node" / "index.js"
    runtime = Path(__file__).parent / "node" / "runtime.cjs"
    version = _output(node, "-p", "process.versions.node")
    sdk = _output(node, "-p", "require(process.argv[1]).version",
                  str(work / "node" / "node_modules/@aws-sdk/client-rds/package.json"))
    made_of = f"Node {version}, AWS SDK {sdk} bundled and minified by esbuild, runtime client: a minimal loop"
    size = _zip(work / "node.zip", [(bundle, "index.js")])
    return Contender(f"Node {version.split('.')[0]}", made_of, [node, str(runtime), str(bundle)], environment, size)


def _python(python, work, environment):
    packages, runtime = work / "python" / "task", work / "python" / "runtime"
    version = _output(python, "-c", "import platform; print(platform.python_version())")
    boto3, client = _installed(packages, "boto3"), _installed(runtime, "awslambdaric")
    files = [
        (path, str(path.relative_to(packages)))
        for path in sorted(packages.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    environment = environment | {
        "PYTHONPATH": os.pathsep.join([str(packages), str(runtime)]),
        "_HANDLER": "function.handler",
    }
    return Contender(
        f"Python {'.'.join(version.split('.')[:2])}",
        f"Python {version}, boto3 {boto3}, runtime client: awslambdaric {client}",
        [python, "-m", "awslambdaric", "function.handler"],
        environment,
        _zip(work / "python.zip", files),
    )


def _zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for source, name in files:
            package.write(source, name)
    return path.stat().st_size


def _output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _installed(folder, name):
    [info] = folder.glob(f"{name}-*.dist-info")
    return info.name.removeprefix(f"{name}-").removesuffix(".dist-info")
