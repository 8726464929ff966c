"""GET /forward-auth with one cached token, against bare routes that send as many bytes."""

from contextlib import ExitStack

from ..bench import Bench
from ..load import wrk
from ..rounds import interleave, median, ratios
from ..rows import Row

ROUTE = "/forward-auth"


def measure(bench: Bench) -> list[Row]:
    with ExitStack() as running:
        service = running.enter_context(bench.service(bench.sqlite))
        token = bench.token(service)
        # It answers in headers, a bare route in a body.
        told = bench.headers(service, ROUTE, token)
        length = sum(len(f"{name}: {value}\r\n") for name, value in told if name.startswith("x-auth-"))
        wrapped = running.enter_context(bench.bare(length, middleware=True))
        bare = running.enter_context(bench.bare(length, middleware=False))
        servers = {"service": (service, ROUTE), "wrapped": (wrapped, "/bare"), "bare": (bare, "/bare")}

        def side(name: str):
            server, path = servers[name]
            return lambda: wrk(server, path, bench.seconds(3), token=token)["per_second"]

        for server, path in servers.values():
            wrk(server, path, 1, token=token)
        measured = interleave(bench.rounds(5), **{name: side(name) for name in servers})

    rate = {name: median(rates) for name, rates in measured.items()}
    to_wrapped = ratios(measured["service"], measured["wrapped"])
    to_bare = ratios(measured["service"], measured["bare"])
    return [
        Row("forward-auth", "`GET /forward-auth`, token cached, to a bare route with the same middleware", median(to_wrapped),
            f"{rate['service']:,.0f} to {rate['wrapped']:,.0f} a second", ">=", 0.85, rounds=to_wrapped),
        Row("forward-auth", "the same, to a bare route with no middleware", median(to_bare),
            f"{rate['service']:,.0f} to {rate['bare']:,.0f} a second", ">=", 0.70, rounds=to_bare),
    ]
