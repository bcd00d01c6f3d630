"""The RDS API as far as one create-snapshot goes, over TLS on 127.0.0.1.

DescribeDBSnapshots always answers "not found", CreateDBSnapshot always "creating": every invocation is the same.
It refuses what is not signed and what does not name a snapshot, and counts, so that the driver can tell that every
runtime made both calls each time, over one connection.

    rds_stub.py CERTIFICATE KEY      prints its port, serves until its standard input ends
"""

import json
import os
import socket
import ssl
import sys
import threading
from urllib.parse import parse_qs

import http_server

NAMESPACE = "http://rds.amazonaws.com/doc/2014-10-31/"
REQUEST_ID = "0f0e0d0c-0b0a-4009-8807-060504030201"

NOT_FOUND = f"""<ErrorResponse xmlns="{NAMESPACE}">
  <Error><Type>Sender</Type><Code>DBSnapshotNotFound</Code><Message>DBSnapshot {{id}} not found.</Message></Error>
  <RequestId>{REQUEST_ID}</RequestId>
</ErrorResponse>"""

CREATED = f"""<CreateDBSnapshotResponse xmlns="{NAMESPACE}">
  <CreateDBSnapshotResult>
    <DBSnapshot>
      <DBSnapshotIdentifier>{{id}}</DBSnapshotIdentifier>
      <DBSnapshotArn>arn:aws:rds:us-east-1:000000000000:snapshot:{{id}}</DBSnapshotArn>
      <DBInstanceIdentifier>{{instance}}</DBInstanceIdentifier>
      <DbiResourceId>db-HOLDFASTBENCH0000000000000</DbiResourceId>
      <SnapshotType>manual</SnapshotType>
      <Status>creating</Status>
      <PercentProgress>0</PercentProgress>
      <Engine>postgres</Engine>
      <EngineVersion>16.4</EngineVersion>
      <AllocatedStorage>100</AllocatedStorage>
      <AvailabilityZone>us-east-1a</AvailabilityZone>
      <Encrypted>true</Encrypted>
      <KmsKeyId>arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000</KmsKeyId>
      <InstanceCreateTime>2026-01-01T00:00:00Z</InstanceCreateTime>
      <MasterUsername>postgres</MasterUsername>
      <Port>5432</Port>
      <StorageType>gp3</StorageType>
      <VpcId>vpc-00000000</VpcId>
      <TagList>{{tags}}</TagList>
    </DBSnapshot>
  </CreateDBSnapshotResult>
  <ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>
</CreateDBSnapshotResponse>"""

counts = {"connections": 0, "DescribeDBSnapshots": 0, "CreateDBSnapshot": 0, "refused": 0}
counting = threading.Lock()


def count(what):
    with counting:
        counts[what] += 1


def respond(request):
    """Status and XML for one request."""
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    action, snapshot = form.get("Action"), form.get("DBSnapshotIdentifier")
    signed = request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 ")
    if not signed or not snapshot or action not in counts:
        count("refused")
        return 403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>bench</Message></Error></ErrorResponse>"
    count(action)
    if action == "DescribeDBSnapshots":
        return 404, NOT_FOUND.format(id=snapshot)
    return 200, CREATED.format(id=snapshot, instance=form["DBInstanceIdentifier"], tags=tag_list(form))


def tag_list(form):
    tags = []
    while (key := form.get(f"Tags.Tag.{len(tags) + 1}.Key")) is not None:
        value = form[f"Tags.Tag.{len(tags) + 1}.Value"]
        tags.append(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")
    return "".join(tags)


def converse(raw, context):
    """One connection, until the client closes it."""
    try:
        with context.wrap_socket(raw, server_side=True) as connection:
            buffer = bytearray()
            counted = False
            while data := connection.recv(65536):
                buffer += data
                while request := http_server.take_request(buffer):
                    if request.path == "/counts":
                        connection.sendall(http_server.answer(200, json.dumps(counts).encode()))
                        continue
                    if not counted:
                        count("connections")
                        counted = True
                    status, xml = respond(request)
                    kind = [("Content-Type", "text/xml"), ("x-amzn-RequestId", REQUEST_ID)]
                    connection.sendall(http_server.answer(status, xml.encode(), kind))
    except OSError:
        pass  # A runtime that is ended closes without a word.


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def main():
    certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=end_with_input, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    while True:
        raw, _ = listener.accept()
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=converse, args=(raw, context), daemon=True).start()


if __name__ == "__main__":
    main()
