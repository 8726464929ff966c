"""What counting each request costs the protected route, and what a quota costs on top."""

import json
from contextlib import ExitStack

from ..bench import Bench, request
from ..load import PASSWORD, wrk
from ..rounds import interleave, median, ratios
from ..rows import Row
from .me import ROUTE

# More than any run asks, so that none is refused; a part of it is taken from the database now and then, as it would be.
QUOTA = {"requests": 1_000_000_000, "per": "month"}
TARGET = 0.03


def measure(bench: Bench) -> list[Row]:
    admin = {"ADMIN_USERNAME": "root", "ADMIN_PASSWORD": PASSWORD}
    with ExitStack() as running:
        service = running.enter_context(bench.service(bench.sqlite, settings=admin))
        tokens = {"free": bench.token(service), "bound": bench.token(service, user="login1")}
        give_quota(service, bench.token(service, user="root"), tokens["bound"])
        by_cpu, rates = {name: [] for name in tokens}, {}

        def side(name: str):
            def ask() -> float:
                told = wrk(service, ROUTE, bench.seconds(2), token=tokens[name])
                by_cpu[name].append(told["per_cpu_second"])
                return told["per_second"]

            return ask

        for token in tokens.values():
            wrk(service, ROUTE, 1, token=token)
        counting = []

        def count() -> float:
            counting.append(bench.program("counting", "--requests", 5_000_000, "--users", 10_000)["nanoseconds"])
            return counting[-1]

        rates = interleave(bench.rounds(21), **{name: side(name) for name in tokens}, counting=count)

    # Nanoseconds of processor time that a request takes.
    free, bound = ([1e9 / rate for rate in by_cpu[name]] for name in ("free", "bound"))
    counted = [count / request for count, request in zip(counting, free)]
    with_quota = [(count + b - f) / (f - count) for count, f, b in zip(counting, free, bound)]
    kept = ratios(rates["bound"], rates["free"])
    return [
        Row("metering", "counting a request, to the processor time of one `GET /api/v1/me`, token cached", median(counted),
            f"{median(counting):.0f} ns to {median(free):,.0f} ns", "<=", TARGET, rounds=counted),
        Row("metering", "counting and a quota together, to the rest of it", median(with_quota),
            f"{median(bound):,.0f} ns with a quota, {median(free):,.0f} ns without", "<=", TARGET, rounds=with_quota),
        Row("metering", "the same route's throughput for a user with a quota, to one without", median(kept),
            f"{median(rates['bound']):,.0f} to {median(rates['free']):,.0f} a second", rounds=kept),
    ]


def give_quota(service, admin: str, token: str) -> None:
    def ask(method: str, path: str, body: object, bearer: str) -> bytes:
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        status, _, answer = request(service, method, path, body and json.dumps(body), headers)
        if status not in (200, 201, 204):
            raise RuntimeError(f"{method} {path} was answered {status}: {answer!r}")
        return answer

    user = json.loads(ask("GET", ROUTE, None, token))["id"]
    ask("PUT", f"/api/v1/admin/users/{user}/quota", QUOTA, admin)
