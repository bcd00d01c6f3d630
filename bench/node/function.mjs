// create-snapshot in Node: the same two calls and the same answer as functions/create-snapshot.
import {
  CreateDBSnapshotCommand,
  DBSnapshotNotFoundFault,
  DescribeDBSnapshotsCommand,
  RDSClient,
} from "@aws-sdk/client-rds";

const rds = new RDSClient({});

export const handler = async (event) => {
  const started = performance.now();
  const { operationId, request, poll } = event;
  const id = `holdfast-${operationId}`;
  const waitSeconds = Math.round(Math.min(10 * 1.08 ** Math.max(poll - 1, 0), 600));
  let calls = 1;
  let found;
  try {
    const answer = await rds.send(new DescribeDBSnapshotsCommand({ DBSnapshotIdentifier: id }));
    found = answer.DBSnapshots[0];
  } catch (error) {
    if (!(error instanceof DBSnapshotNotFoundFault)) throw error;
    const tags = {
      ...request.tags,
      "holdfast:operation": operationId,
      "holdfast:database": request.databaseId,
      "holdfast:tier": request.tier,
      "holdfast:verdict": "UNPROVEN",
    };
    calls += 1;
    const answer = await rds.send(
      new CreateDBSnapshotCommand({
        DBSnapshotIdentifier: id,
        DBInstanceIdentifier: request.databaseId,
        Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
      }),
    );
    found = answer.DBSnapshot;
  }
  const message = `${found.DBSnapshotIdentifier} is being taken`;
  const duration_ms = Math.round(performance.now() - started);
  console.log(JSON.stringify({
    level: "INFO", message: "answered", function: "create-snapshot",
    "operation.id": operationId, duration_ms, "aws.calls": calls, progress: message,
  }));
  return {
    status: "WAITING",
    waitSeconds,
    progress: { stage: "snapshot", percent: found.PercentProgress, message },
    apiCalls: calls,
  };
};
