"""How large the program is, as it is shipped: release, stripped."""

from ..bench import Bench
from ..rows import Row


def measure(bench: Bench) -> list[Row]:
    size = (bench.programs / "portcullis").stat().st_size
    return [Row("size", "release binary, stripped", size / 1e6, f"{size:,} bytes", "<=", 20, unit=" MB")]
