"""Logins a second with many waiting, against the `bcrypt` crate's own function on the same core."""

from ..bench import COST, Bench
from ..rounds import interleave, median, ratios
from ..rows import Row
from .under_logins import LOGIN

IN_FLIGHT = 32


def measure(bench: Bench) -> list[Row]:
    with bench.service(bench.sqlite) as service:

        def logins() -> float:
            told = bench.load.logins(service, LOGIN, IN_FLIGHT, bench.seconds(8))
            bench.settle()
            if told["per_second"] is None:
                raise RuntimeError(f"no login succeeded: {told}")
            return told["per_second"]

        def hashes() -> float:
            return bench.program("hashes", "--cost", COST, "rate", "--seconds", bench.seconds(5))["per_second"]

        measured = interleave(bench.rounds(3), logins=logins, hashes=hashes)
    rounds = ratios(measured["logins"], measured["hashes"])
    what = f"logins with {IN_FLIGHT} in flight, to the `bcrypt` crate alone, cost {COST}"
    absolute = f"{median(measured['logins']):.1f} to {median(measured['hashes']):.1f} a second"
    return [Row("logins", what, median(rounds), absolute, ">=", 3.5, rounds=rounds)]
