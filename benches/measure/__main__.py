"""Runs the parts that are named, or all, and tells what came of it. scripts/bench has built and installed what they need."""

import argparse
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from . import docs, machine, plot, report, results
from .bench import Bench
from .parts import ALONE, PARTS


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--programs", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--write-docs", action="store_true")
    arguments.add_argument("parts", nargs="*")
    given = arguments.parse_args()
    found = given.out / "results.json"
    if given.write_docs and not given.parts:
        docs.write(found)
        return 0

    # So that what was started is stopped, however this ends.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    os.sched_setaffinity(0, {machine.LOAD_CORE})
    rows, peers, failed = [], [], []
    started = time.monotonic()
    bench = Bench(given.programs, given.out, given.quick)
    try:
        for name in given.parts:
            began = time.monotonic()
            bench.say(name)
            # One part that can't be measured is no reason to lose the others.
            try:
                measured = (PARTS | ALONE)[name](bench)
            except Exception:
                traceback.print_exc()
                failed.append(name)
                continue
            (peers if name == "peers" else rows).extend(measured)
            bench.say(f"{name}: {time.monotonic() - began:.0f} s")
    finally:
        bench.close()
    minutes = (time.monotonic() - started) / 60

    complete = not failed and set(given.parts) == set(PARTS)
    results.save(found, rows, peers, complete=complete, quick=given.quick, minutes=minutes)
    (given.out / "results.svg").write_text(plot.draw(rows, peers))
    print(f"\n{report.text(rows, peers)}")
    print(f"\n{machine.describe()}; {minutes:.1f} minutes. In {given.out}: results.json, results.svg")
    if given.write_docs:
        docs.write(found)
    if failed:
        print(f"bench: could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


sys.exit(main())
