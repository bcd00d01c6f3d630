"""Schedules one start of the backup workflow a moment from now, with the template's own role.

usage: schedule.py DATABASE ROLE_NAME STATE_MACHINE_ARN
"""
import datetime
import json
import sys

import boto3

database, role, machine = sys.argv[1:]
role_arn = boto3.client("iam").get_role(RoleName=role)["Role"]["Arn"]
at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
boto3.client("scheduler").create_schedule(
    Name=f"test-{database}",
    ScheduleExpression=at.strftime("at(%Y-%m-%dT%H:%M:%S)"),
    FlexibleTimeWindow={"Mode": "OFF"},
    Target={
        "Arn": machine,
        "RoleArn": role_arn,
        "Input": json.dumps({"databaseId": database, "runId": at.strftime("%Y-%m-%dT%H:%M:%SZ")}),
    },
)
