"""GET /api/v1/me with one cached token, against bare routes that send as many bytes."""

from contextlib import ExitStack

from ..bench import Bench
from ..load import wrk
from ..rounds import interleave, median, ratios
from ..rows import Row

ROUTE = "/api/v1/me"


def measure(bench: Bench) -> list[Row]:
    with ExitStack() as running:
        service = running.enter_context(bench.service(bench.sqlite))
        token = bench.token(service)
        length = bench.body_length(service, ROUTE, token)
        logging = running.enter_context(bench.service(bench.sqlite, settings={"RUST_LOG": "info"}, keep_log=False))
        wrapped = running.enter_context(bench.bare(length, middleware=True))
        bare = running.enter_context(bench.bare(length, middleware=False))

        # The same request to all of them, token included: reading it is no work of the service's own.
        servers = {
            "service": (service, ROUTE),
            "wrapped": (wrapped, "/bare"),
            "bare": (bare, "/bare"),
            "logging": (logging, ROUTE),
        }
        busy, by_cpu = {name: [] for name in servers}, {name: [] for name in servers}

        def side(name: str):
            server, path = servers[name]

            def ask() -> float:
                told = wrk(server, path, bench.seconds(3), token=token)
                busy[name].append(told["busy"])
                by_cpu[name].append(told["per_cpu_second"])
                return told["per_second"]

            return ask

        for server, path in servers.values():
            wrk(server, path, 1, token=token)
        measured = interleave(bench.rounds(5), **{name: side(name) for name in servers})

    rate = {name: median(rates) for name, rates in measured.items()}
    for name, shares in busy.items():
        # What the others leave of a core is no one's throughput; told, since it can flatter the slower side.
        if median(shares) < 0.9:
            limit = "what asked it, or a neighbour, was the limit"
            bench.say(f"me: {name} took only {median(shares):.0%} of its core; {limit}")
    to_wrapped = ratios(measured["service"], measured["wrapped"])
    to_bare = ratios(measured["service"], measured["bare"])
    by_time = ratios(by_cpu["service"], by_cpu["wrapped"])
    to_quiet = ratios(measured["logging"], measured["service"])
    return [
        Row("me", "`GET /api/v1/me`, token cached, to a bare route with the same middleware", median(to_wrapped),
            f"{rate['service']:,.0f} to {rate['wrapped']:,.0f} a second", ">=", 0.85, rounds=to_wrapped),
        Row("me", "the same, to a bare route with no middleware", median(to_bare),
            f"{rate['service']:,.0f} to {rate['bare']:,.0f} a second", ">=", 0.70, rounds=to_bare),
        Row("me", "the first again, by requests in a second of the server's processor time", median(by_time),
            f"{median(by_cpu['service']):,.0f} to {median(by_cpu['wrapped']):,.0f}", rounds=by_time),
        Row("me", "the same with a log line a request (`RUST_LOG=info`, to /dev/null), to without", median(to_quiet),
            f"{rate['logging']:,.0f} to {rate['service']:,.0f} a second", rounds=to_quiet),
    ]
