"""Measures create-snapshot in Rust beside the same two calls in Node and Python, and prints one table.

`make bench` runs it (tools/bench installs and builds what it needs first); docs/benchmarks.md says what is measured.
"""

import argparse
import contextlib
import fcntl
import json
import os
import platform
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import certificates
import contenders
import report
from runtime_api import Broken, Function

OPERATION = "prod-db-20261120t060000z-3f9a1c2b7d"
EVENT = {
    "operationId": OPERATION,
    "request": {
        "databaseId": "prod-db",
        "runId": "2026-11-20T06:00:00Z",
        "tier": "daily",
        "targetRegions": [{"region": "us-west-2", "kmsKeyId": "alias/holdfast"}],
        "tags": {"Environment": "production"},
        "validation": {
            "enabled": True,
            "instanceClasses": ["db.t4g.medium", "db.t3.medium"],
            "assertions": [],
            "allowMissingTables": [],
        },
        "deadlineMinutes": 720.0,
    },
    "poll": 1,
}
ANSWER = {
    "status": "WAITING",
    "waitSeconds": 10,
    "progress": {"stage": "snapshot", "percent": 0, "message": f"holdfast-{OPERATION} is being taken"},
    "apiCalls": 2,
}
UNMEASURED = 20  # warm invocations before the measured ones
BLOCK = 20  # warm invocations in a row before the next contender has its turn


def main():
    settings = arguments()
    work = settings.work
    with alone(work):
        run(settings, work)


def run(settings, work):
    """One whole run: everything measured, then printed."""
    certificates.make(work)
    for log in work.glob("*.log"):
        log.unlink()
    with stub(work) as url:
        three = contenders.all_three(settings.binary, settings.node, settings.python, work, url)
        show_setting(three, settings)
        measured = {one.name: measure_nothing_yet(one) for one in three}
        measure_cold(three, measured, settings.cold, work)
        measure_warm(three, measured, settings.warm, work)
        check_counts(url, work, three, settings)
    (work / "result.json").write_text(json.dumps(measured, indent=1))
    print(report.table(measured))
    print("\nAims of the Rust function:")
    for met, sentence in report.aims(measured):
        print(f"  {'pass' if met else 'MISS'}  {sentence}")


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--cold", type=at_least_one, default=20, help="cold starts of each (default 20)")
    parser.add_argument("--warm", type=at_least_one, default=200, help="warm invocations of each (default 200)")
    parser.add_argument("--binary", type=Path, required=True, help="the built create-snapshot")
    parser.add_argument("--node", required=True, help="the Node to measure")
    parser.add_argument("--python", required=True, help="the Python to measure")
    parser.add_argument("--work", type=Path, required=True, help="folder of the bundle, the packages and the logs")
    settings = parser.parse_args()
    settings.binary, settings.work = settings.binary.resolve(), settings.work.resolve()
    return settings


@contextlib.contextmanager
def alone(work):
    """Two runs at once would measure each other."""
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Broken("another run is going on; let it end first") from None
        yield


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


@contextlib.contextmanager
def stub(work):
    """The RDS stub, running; ended by its process whatever happens. Gives its address."""
    script = Path(__file__).parent / "rds_stub.py"
    command = [sys.executable, "-B", str(script), str(work / "server.pem"), str(work / "server.key")]
    # It ends when its standard input does: even if this process is killed, it does not outlive it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise Broken("the RDS stub did not start (see above)")
            yield f"https://127.0.0.1:{port}"
        finally:
            process.kill()


def show_setting(three, settings):
    print("create-snapshot: DescribeDBSnapshots (not found), then CreateDBSnapshot, over TLS, against one stub without")
    print(f"delay, under one local Lambda runtime API. Linux {platform.machine()}, {os.cpu_count()} CPUs;")
    print(f"{settings.cold} cold starts and {settings.warm} warm invocations of each, in turn.\n")
    for one in three:
        print(f"  {one.name}: {one.made_of}")
    print(flush=True)


def measure_nothing_yet(one):
    return {"init": [], "first": [], "warm": [], "memory_first": [], "memory_warm": 0, "zip": one.package_bytes}


def start(one, work):
    return Function(one.name, one.command, one.environment, work / f"{one.name.split()[0].lower()}.log")


def invoke(function):
    answer, seconds = function.invoke(json.dumps(EVENT).encode())
    if answer != ANSWER:
        raise Broken(f"{function.name} answered {answer} instead of {ANSWER}")
    return seconds


def measure_cold(three, measured, rounds, work):
    """One round that is not counted, so that every file is in the page cache for all three; then `rounds`."""
    for number in range(rounds + 1):
        for one in rotated(three, number):
            with start(one, work) as function:
                init = function.ready() - function.started
                first = invoke(function)
                memory = function.peak_memory()
            if number > 0:
                into = measured[one.name]
                into["init"].append(init)
                into["first"].append(first)
                into["memory_first"].append(memory)


def measure_warm(three, measured, invocations, work):
    """All three live at once and take turns, so that what else the machine does meets each alike."""
    with contextlib.ExitStack() as stack:
        functions = {one.name: stack.enter_context(start(one, work)) for one in three}
        for function in functions.values():
            for _ in range(UNMEASURED):
                invoke(function)
        for done in range(0, invocations, BLOCK):
            for one in rotated(three, done // BLOCK):
                block = [invoke(functions[one.name]) for _ in range(min(BLOCK, invocations - done))]
                measured[one.name]["warm"].extend(block)
        for name, function in functions.items():
            measured[name]["memory_warm"] = function.peak_memory()


def rotated(three, number):
    """Nobody always goes first."""
    turn = number % len(three)
    return three[turn:] + three[:turn]


def check_counts(url, work, three, settings):
    """That every invocation made both calls, once each, and every process one connection."""
    host, port = url.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=str(work / "ca.pem"))
    with socket.create_connection((host, int(port))) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
        tls.sendall(b"GET /counts HTTP/1.1\r\n\r\n")
        received = bytearray()
        while b"}" not in received:
            received += tls.recv(65536)
    counts = json.loads(received.partition(b"\r\n\r\n")[2])
    processes = len(three) * (settings.cold + 2)
    calls = len(three) * (settings.cold + 1 + UNMEASURED + settings.warm)
    wanted = {"connections": processes, "DescribeDBSnapshots": calls, "CreateDBSnapshot": calls, "refused": 0}
    if counts != wanted:
        raise Broken(f"the stub counted {counts} instead of {wanted}")


def end(*_):
    sys.exit("bench: ended")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)  # so that what was started is stopped on the way out
    try:
        main()
    except (Broken, OSError) as broken:
        sys.exit(f"bench: {broken}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
