"""Walks the local RDS with boto3: create, snapshot, copy to another Region with boto3's own PreSignedUrl, page, delete.

usage: rds_smoke.py DATABASE
"""
import sys

import boto3
from botocore.exceptions import ClientError

database = sys.argv[1]
home = boto3.client("rds", region_name="us-east-1")
west = boto3.client("rds", region_name="us-west-2")
quick = {"Delay": 1, "MaxAttempts": 60}
key = boto3.client("kms", region_name="us-east-1").create_key()["KeyMetadata"]["Arn"]

home.create_db_instance(
    DBInstanceIdentifier=database,
    DBInstanceClass="db.t4g.medium",
    Engine="postgres",
    AllocatedStorage=20,
    MasterUsername="smoke",
    MasterUserPassword="not-a-secret-1",
    StorageEncrypted=True,
    KmsKeyId=key,
    Tags=[{"Key": "Environment", "Value": "smoke & test"}],
)
home.get_waiter("db_instance_available").wait(DBInstanceIdentifier=database, WaiterConfig=quick)
for number in range(3):
    home.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier=f"{database}-{number}")
    home.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier=f"{database}-{number}", WaiterConfig=quick)
    home.get_waiter("db_instance_available").wait(DBInstanceIdentifier=database, WaiterConfig=quick)

pages = home.get_paginator("describe_db_snapshots").paginate(
    DBInstanceIdentifier=database, SnapshotType="manual", PaginationConfig={"PageSize": 20}
)
found = [snapshot["DBSnapshotIdentifier"] for page in pages for snapshot in page["DBSnapshots"]]
assert sorted(found) == [f"{database}-{number}" for number in range(3)], found

source = home.describe_db_snapshots(DBSnapshotIdentifier=f"{database}-0")["DBSnapshots"][0]["DBSnapshotArn"]
west.copy_db_snapshot(
    SourceDBSnapshotIdentifier=source,
    TargetDBSnapshotIdentifier=f"{database}-copy",
    KmsKeyId="alias/holdfast",
    SourceRegion="us-east-1",
    Tags=[{"Key": "Copied", "Value": "yes"}],
)
west.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier=f"{database}-copy", WaiterConfig=quick)
copy = west.describe_db_snapshots(DBSnapshotIdentifier=f"{database}-copy")["DBSnapshots"][0]
assert copy["SourceRegion"] == "us-east-1" and copy["Encrypted"], copy
assert {"Key": "Copied", "Value": "yes"} in copy["TagList"], copy

for action, wanted in [
    (lambda: home.describe_db_instances(DBInstanceIdentifier=f"{database}-gone"), "DBInstanceNotFound"),
    (lambda: home.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier=f"{database}-0"), "DBSnapshotAlreadyExists"),
    (lambda: home.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier="not--allowed"), "InvalidParameterValue"),
]:
    try:
        action()
        raise SystemExit(f"{wanted} was expected")
    except ClientError as error:
        assert error.response["Error"]["Code"] == wanted, error

west.delete_db_snapshot(DBSnapshotIdentifier=f"{database}-copy")
home.delete_db_instance(DBInstanceIdentifier=database, SkipFinalSnapshot=True)
home.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier=database, WaiterConfig=quick)
