"""User-mode instructions of one request, which unlike time are the same on a busy machine.

Counted by the processor where it lets (`perf stat -e instructions:u`), which most virtual machines don't, and else by
callgrind, which runs the program on a processor of its own making.
"""

import re
import signal
import subprocess
import time
from collections.abc import Callable

from ..bench import Bench
from ..rows import Row
from ..server import Server
from .me import ROUTE


# Starts one of the two servers, under the program that is given, if one is.
Start = Callable[..., Server]


def measure(bench: Bench) -> list[Row]:
    with bench.service(bench.sqlite) as service:
        token = bench.token(service)
        length = bench.body_length(service, ROUTE, token)
    count, how = (by_perf, "perf") if perf_counts() else (by_callgrind, "callgrind")
    service = count(bench, lambda *under: bench.service(bench.sqlite, under=under), ROUTE, token)
    bare = count(bench, lambda *under: bench.bare(length, middleware=True, under=under), "/bare", token)
    what = "user-mode instructions of `GET /api/v1/me`, token cached, to those of the bare route with the same middleware"
    absolute = f"{service:,.0f} to {bare:,.0f}, counted by {how}"
    return [Row("instructions", what, service / bare, absolute, "<=", 1.6, rounds=[service / bare])]


def perf_counts() -> bool:
    """Whether the processor counts for us."""
    try:
        told = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"], capture_output=True, text=True)
    except FileNotFoundError:
        return False
    return told.returncode == 0 and re.search(r"^\d+,", told.stderr, re.M) is not None


def by_perf(bench: Bench, start: Start, path: str, token: str) -> float:
    with start() as server:
        bench.load.burst(server, path, token, each=100)
        command = ["perf", "stat", "-x,", "-e", "instructions:u", "-p", str(server.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as perf:
            # It says nothing when it has begun.
            time.sleep(0.5)
            requests = bench.load.burst(server, path, token, each=2000)
            perf.send_signal(signal.SIGINT)
            told = perf.stderr.read()
    return int(re.search(r"^(\d+),", told, re.M)[1]) / requests


def by_callgrind(bench: Bench, start: Start, path: str, token: str) -> float:
    out = bench.work / "callgrind.out"
    for old in bench.work.glob("callgrind.out*"):
        old.unlink()
    # It counts, and is slow, from when it is told to.
    with start("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--instr-atstart=no") as server:
        bench.load.burst(server, path, token, each=5)
        control(server, "-i", "on")
        began = time.monotonic()
        bench.load.burst(server, path, token, each=5)
        took = time.monotonic() - began
        control(server, "-z")
        # As many as ten seconds allow, so that accepting the connections and what runs in the background weigh little.
        requests = bench.load.burst(server, path, token, each=max(20, min(200, int(5 * 10 / took))))
        control(server, "-d")
        counted = out.with_name("callgrind.out.1").read_text()
        server.stop(signal.SIGKILL)
    return int(re.search(r"^totals: (\d+)", counted, re.M)[1]) / requests


def control(server: Server, *command: str) -> None:
    done = subprocess.run(["callgrind_control", *command, str(server.pid)], capture_output=True, text=True)
    if done.returncode != 0 or "OK" not in done.stdout:
        raise RuntimeError(f"callgrind_control failed: {done.stdout}{done.stderr}")
