"""create-snapshot in Python: the same two calls and the same answer as functions/create-snapshot."""

import json
import time

import boto3

rds = boto3.client("rds")


def handler(event, _context):
    started = time.monotonic()
    request = event["request"]
    snapshot_id = f"holdfast-{event['operationId']}"
    wait = round(min(10 * 1.08 ** max(event["poll"] - 1, 0), 600))
    calls = 1
    try:
        found = rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot_id)["DBSnapshots"][0]
    except rds.exceptions.DBSnapshotNotFoundFault:
        tags = request["tags"] | {
            "holdfast:operation": event["operationId"],
            "holdfast:database": request["databaseId"],
            "holdfast:tier": request["tier"],
            "holdfast:verdict": "UNPROVEN",
        }
        calls += 1
        found = rds.create_db_snapshot(
            DBSnapshotIdentifier=snapshot_id,
            DBInstanceIdentifier=request["databaseId"],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )["DBSnapshot"]
    message = f"{found['DBSnapshotIdentifier']} is being taken"
    duration_ms = round((time.monotonic() - started) * 1000)
    print(json.dumps({"level": "INFO", "message": "answered", "function": "create-snapshot",
                      "operation.id": event["operationId"], "duration_ms": duration_ms,
                      "aws.calls": calls, "progress": message}))
    return {
        "status": "WAITING",
        "waitSeconds": wait,
        "progress": {"stage": "snapshot", "percent": found["PercentProgress"], "message": message},
        "apiCalls": calls,
    }
