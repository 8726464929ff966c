"""From the start of the process to the first answer of /health/ready, with a database that exists already."""

from ..bench import Bench
from ..rounds import median
from ..rows import Row

TARGETS = {"sqlite": ("SQLite", 60), "postgres": ("Postgres", 100)}


def measure(bench: Bench) -> list[Row]:
    rows = []
    for kind, (name, target) in TARGETS.items():
        database = bench.database(kind)
        times = []
        for _ in range(3 if bench.quick else 11):
            with bench.service(database) as service:
                times.append(service.start_ms)
        absolute = f"median of {len(times)}, {min(times):.0f} to {max(times):.0f} ms"
        what = f"start to first answer, existing database, {name}"
        rows.append(Row("start", what, median(times), absolute, "<=", target, unit=" ms", rounds=times))
    return rows
