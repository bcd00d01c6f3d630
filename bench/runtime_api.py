"""The Lambda runtime API (2018-06-01) for one process, and that process.

Times are taken here, at the API's socket: it is where Lambda itself takes them.
"""

import json
import os
import selectors
import signal
import socket
import time
import uuid

import http_server

VERSION = "/2018-06-01/runtime/"
PATIENCE = 30.0  # seconds for one step, however slow the machine


class Broken(Exception):
    """A function did not do what it should."""


class Function:
    """A started function. Use with `with`: the process is ended by its id, whatever happens."""

    def __init__(self, name, command, environment, log):
        self.name = name
        self._log = log
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._waiting = None  # the connection that asked for `next`
        port = self._listener.getsockname()[1]
        environment = environment | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"}
        # posix_spawn: the least that lies between this moment and the function's first instruction.
        self.started = time.perf_counter()
        self.pid = os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def ready(self):
        """Waits until the function asks for an event; the moment it did."""
        if self._waiting is None:
            arrived = self._serve(lambda request: request.path == VERSION + "invocation/next")
            self._waiting = arrived[1]
            return arrived[2]
        return time.perf_counter()

    def invoke(self, event):
        """Hands out one event (JSON as bytes); the answer and the seconds from handing it out to having the answer."""
        self.ready()
        request_id = str(uuid.uuid4())
        headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", request_id),
            ("Lambda-Runtime-Deadline-Ms", int(time.time() * 1000) + 60_000),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:create-snapshot"),
            ("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0"),
        ]
        whole = http_server.answer(200, event, headers)
        asked, self._waiting = self._waiting, None
        handed = time.perf_counter()
        asked.sendall(whole)
        path = f"{VERSION}invocation/{request_id}/response"
        request, connection, answered = self._serve(lambda request: request.path == path)
        connection.sendall(http_server.answer(202, b'{"status":"OK"}\n'))
        return json.loads(request.body), answered - handed

    def peak_memory(self):
        """The most memory the process ever had resident, in bytes (VmHWM). It must be waiting for an event."""
        self.ready()
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        raise Broken(f"{self.name}: the kernel does not say VmHWM")

    def _serve(self, wanted):
        """Waits for the wanted request: it, its connection, and when it was there."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for key, _ in self._selector.select(0.5):
                if key.data is None:
                    self._accept()
                    continue
                data = key.fileobj.recv(65536)
                arrived = time.perf_counter()
                if not data:
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()
                    continue
                key.data.extend(data)
                if request := http_server.take_request(key.data):
                    if wanted(request):
                        return request, key.fileobj, arrived
                    self._refuse(request)
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                raise Broken(f"{self.name} ended by itself; it wrote: {self._tail()}")
        raise Broken(f"{self.name} did nothing for {PATIENCE:.0f} s; it wrote: {self._tail()}")

    def _accept(self):
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection, selectors.EVENT_READ, bytearray())

    def _refuse(self, request):
        """Init errors, function errors and anything out of turn end the benchmark."""
        raise Broken(f"{self.name}: {request.method} {request.path}: {request.body.decode(errors='replace')[:600]}")

    def _tail(self):
        try:
            return self._log.read_text(errors="replace")[-2000:].strip() or "nothing"
        except OSError:
            return "nothing"
