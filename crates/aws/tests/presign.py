"""Prints, as a JSON list, the PreSignedUrl that botocore puts into CopyDBSnapshot for each case read from stdin.

Nothing is sent: the call is answered before it leaves. With `now` in a case, botocore's clock stands still there.
"""

import datetime
import json
import sys
import types

import botocore.auth
import botocore.session


def presigned(case):
    if case["now"]:
        now = datetime.datetime.fromisoformat(case["now"])
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: now
    client = botocore.session.Session().create_client(
        "rds",
        region_name=case["to"],
        endpoint_url=case["endpoint"],
        aws_access_key_id=case["accessKeyId"],
        aws_secret_access_key=case["secretAccessKey"],
        aws_session_token=case["sessionToken"],
    )
    urls = []

    def answer(params, **_):
        urls.append(params["body"]["PreSignedUrl"])
        return types.SimpleNamespace(status_code=200), {}

    client.meta.events.register_last("before-call.rds.CopyDBSnapshot", answer)
    client.copy_db_snapshot(
        SourceDBSnapshotIdentifier=case["source"],
        TargetDBSnapshotIdentifier=case["target"],
        KmsKeyId=case["kmsKeyId"],
        Tags=[{"Key": key, "Value": value} for key, value in case["tags"]],
        SourceRegion=case["from"],
    )
    (url,) = urls
    return url


json.dump([presigned(case) for case in json.load(sys.stdin)], sys.stdout)
