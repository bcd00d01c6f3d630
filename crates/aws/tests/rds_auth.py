"""Prints, as a JSON list, the token that botocore's generate_db_auth_token makes for each case read from stdin.

With `now` in a case, botocore's clock stands still there.
"""

import datetime
import json
import sys

import botocore.auth
import botocore.session


def token(case):
    if case["now"]:
        now = datetime.datetime.fromisoformat(case["now"])
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: now
    client = botocore.session.Session().create_client(
        "rds",
        region_name=case["region"],
        aws_access_key_id=case["accessKeyId"],
        aws_secret_access_key=case["secretAccessKey"],
        aws_session_token=case["sessionToken"],
    )
    return client.generate_db_auth_token(DBHostname=case["host"], Port=case["port"], DBUsername=case["user"])


json.dump([token(case) for case in json.load(sys.stdin)], sys.stdout)
