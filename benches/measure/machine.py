"""The machine: which cores are whose, and what a process takes of them."""

import os
import platform
from pathlib import Path

_cores = sorted(os.sched_getaffinity(0))
if len(_cores) < 2:
    raise SystemExit("bench: one core is not enough: the server has one to itself, and what asks it another")

# What is measured runs on the first; everything that measures on the second.
SERVER_CORE, LOAD_CORE = _cores[:2]


def on(cores: int | str, *command: object) -> list[str]:
    """The command, held to a core, or to several with commas between."""
    return ["taskset", "-c", str(cores), *map(str, command)]


def describe() -> str:
    """The machine in a line."""
    cpu = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").open() if line.startswith("model name")]
    kind = cpu[0] if cpu else platform.machine()
    shared = ", virtual" if "hypervisor" in Path("/proc/cpuinfo").read_text() else ""
    return f"{kind}, {len(_cores)} cores{shared}, {platform.system()} {platform.release().split('-')[0]}"


def _tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """The processor time that a process and its descendants have taken, kernel included."""
    ticks = 0
    for each in _tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """What a process holds in memory. Of several, that is each one's share, so that what they share counts once."""
    tree = _tree(pid)
    line = "Rss:" if len(tree) == 1 else "Pss:"
    kib = 0
    for each in tree:
        for text in Path(f"/proc/{each}/smaps_rollup").open():
            if text.startswith(line):
                kib += int(text.split()[1])
    return kib / 1024
