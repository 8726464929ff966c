"""The protected route while 64 logins are in flight, against itself without them."""

import time

from ..bench import Bench
from ..load import wrk
from ..rounds import interleave, median, ratios
from ..rows import Row
from .me import ROUTE

LOGIN = "/api/v1/login"


def measure(bench: Bench) -> list[Row]:
    with bench.service(bench.sqlite) as service:
        token = bench.token(service)

        def throughput() -> float:
            return wrk(service, ROUTE, bench.seconds(4), token=token)["per_second"]

        def p99() -> float:
            told = bench.load.rate(service, ROUTE, token, bench.seconds(5))
            if told["failed"]:
                raise RuntimeError(f"at 1,000 requests a second, some were not answered: {told}")
            return told["latency"]["p99_ms"]

        def under_logins(ask):
            def asked() -> float:
                with bench.load.logins_meanwhile(service, LOGIN):
                    # Until all of them wait.
                    time.sleep(1)
                    measured = ask()
                bench.settle()
                return measured

            return asked

        wrk(service, ROUTE, 1, token=token)
        at_full = interleave(bench.rounds(4), alone=throughput, logins=under_logins(throughput))
        steady = interleave(bench.rounds(4), alone=p99, logins=under_logins(p99))
    kept = ratios(at_full["logins"], at_full["alone"])
    slower = ratios(steady["logins"], steady["alone"])
    return [
        Row("under-logins", "`GET /api/v1/me` while 64 logins are in flight, to its throughput without", median(kept),
            f"{median(at_full['logins']):,.0f} to {median(at_full['alone']):,.0f} a second", ">=", 0.95, rounds=kept),
        Row("under-logins", "its p99 at a constant 1,000 requests a second, to that without logins", median(slower),
            f"{median(steady['logins']):.2f} to {median(steady['alone']):.2f} ms", "<=", 2, rounds=slower),
    ]
