"""Refreshes a second, against one `update … returning` after the other through the same pool.

With the database in memory that is the service's own work alone. On a disk, where SQLite waits for each commit to be
written, it is what a user gets.
"""

from ..bench import Bench
from ..load import CONNECTIONS
from ..rounds import interleave, median, ratios
from ..rows import Row


KINDS = {"sqlite": "SQLite in memory", "disk": "SQLite on this disk", "postgres": "Postgres"}


def measure(bench: Bench) -> list[Row]:
    rows = []
    for kind, name in KINDS.items():
        database, tokens = bench.database(kind), bench.refresh_tokens(kind)
        seconds = bench.seconds(3)
        with bench.service(database) as service:
            bench.load.refreshes(service, tokens, 1)
            measured = interleave(
                bench.rounds(3),
                refreshes=lambda: bench.load.refreshes(service, tokens, seconds)["per_second"],
                updates=lambda: bench.program(
                    "updates", "--database-url", database, "--tasks", CONNECTIONS, "--seconds", seconds
                )["per_second"],
            )
        rounds = ratios(measured["refreshes"], measured["updates"])
        what = f"refreshes, to one `update … returning` each through the same pool, {name}"
        absolute = f"{median(measured['refreshes']):,.0f} to {median(measured['updates']):,.0f} a second"
        rows.append(Row("refreshes", what, median(rounds), absolute, ">=", 0.60, rounds=rounds))
    return rows
