"""Prints every line that the functions have logged."""
import boto3

logs = boto3.client("logs")
for group in logs.describe_log_groups(logGroupNamePrefix="/holdfast/")["logGroups"]:
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
        for event in page["events"]:
            print(event["message"])
