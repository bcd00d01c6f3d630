"""As much HTTP/1.1 as the two servers need: one request from a byte stream, one answer as bytes.

Python's own http.server spends more time on a request than the functions under test do.
"""

MOST = 1 << 20


class Request:
    """One request, whole."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body


def take_request(buffer):
    """The first whole request in `buffer`, cut from it; None when it is not all there yet.

    Header names are in lower case. Bodies have a length or come in chunks.
    """
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return _not_yet(buffer)
    start, *lines = buffer[:head_end].decode("latin-1").split("\r\n")
    method, path, _version = start.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body_start = head_end + 4
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunked = _take_chunks(buffer, body_start)
        if chunked is None:
            return _not_yet(buffer)
        body, end = chunked
    else:
        end = body_start + int(headers.get("content-length", 0))
        if len(buffer) < end:
            return _not_yet(buffer)
        body = bytes(buffer[body_start:end])
    del buffer[:end]
    return Request(method, path, headers, body)


def _not_yet(buffer):
    if len(buffer) > MOST:
        raise ValueError("a request larger than this server takes")


def _take_chunks(buffer, at):
    body = bytearray()
    while True:
        line_end = buffer.find(b"\r\n", at)
        if line_end < 0:
            return None
        size = int(bytes(buffer[at:line_end]).split(b";")[0], 16)
        at = line_end + 2
        if len(buffer) < at + size + 2:
            return None
        body += buffer[at:at + size]
        at += size + 2
        if size == 0:
            return bytes(body), at


def answer(status, body=b"", headers=()):
    """An answer as bytes; the connection stays open."""
    lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
