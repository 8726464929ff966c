"""What the service holds in memory: when it has just started, and when it has worked."""

import time

from ..bench import Bench
from ..load import wrk
from ..machine import memory_mib
from ..rows import Row
from .me import ROUTE

# A service that is slow is not asked for longer than this.
PATIENCE = 60


def measure(bench: Bench) -> list[Row]:
    tokens, goal = bench.access_tokens(), 1_000_000 // (10 if bench.quick else 1)
    with bench.service(bench.sqlite) as service:
        time.sleep(1)
        idle = memory_mib(service.pid)
        requests, start = 0, time.monotonic()
        while requests < goal and time.monotonic() - start < PATIENCE:
            requests += wrk(service, ROUTE, 2, tokens=tokens)["requests"]
        after = memory_mib(service.pid)
    asked = f"after {requests:,} requests with {bench.sessions:,} sessions"
    return [
        Row("memory", "resident memory, idle", idle, "", "<=", 25, unit=" MiB"),
        Row("memory", f"resident memory {'after a million requests with 10,000 cached sessions' if not bench.quick else asked}",
            after, asked, "<=", 45, unit=" MiB"),
    ]
