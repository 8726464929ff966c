"""GET /api/v1/me with 10,000 tokens in turn, each of a session and a user of its own."""

from ..bench import Bench
from ..load import wrk
from ..rounds import interleave, median, ratios
from ..rows import Row
from .me import ROUTE


def measure(bench: Bench) -> list[Row]:
    tokens = bench.access_tokens()
    first = tokens.read_text().partition("\n")[0]
    with bench.service(bench.sqlite) as service:
        length = bench.body_length(service, ROUTE, first)
        with bench.bare(length, middleware=True) as bare:
            seen = 0
            while seen < 2 * bench.sessions:
                seen += wrk(service, ROUTE, 1, tokens=tokens)["requests"]
            wrk(bare, "/bare", 1, tokens=tokens)
            measured = interleave(
                bench.rounds(5),
                service=lambda: wrk(service, ROUTE, bench.seconds(3), tokens=tokens)["per_second"],
                bare=lambda: wrk(bare, "/bare", bench.seconds(3), tokens=tokens)["per_second"],
            )
    rounds = ratios(measured["service"], measured["bare"])
    what = f"`GET /api/v1/me` with {bench.sessions:,} tokens in turn, to the bare route with the same middleware"
    absolute = f"{median(measured['service']):,.0f} to {median(measured['bare']):,.0f} a second"
    return [Row("tokens", what, median(rounds), absolute, ">=", 0.75, rounds=rounds)]
