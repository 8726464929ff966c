"""Counts checks. A failed one is told at once, the others still run, and `report` ends the program with the outcome."""

import sys

passed = failed = 0


def check(what: str, holds: bool, seen: object = None) -> None:
    global passed, failed
    if holds:
        passed += 1
        print(f"ok: {what}")
    else:
        failed += 1
        print(f"FAILED: {what}" + ("" if seen is None else f"; seen: {seen}"))


def refused(what: str, reasons, attempt, *arguments, **options) -> None:
    """`attempt` must raise one of `reasons`. Anything else that it raises is a fault, and ends the program."""
    try:
        seen = attempt(*arguments, **options)
    except reasons as reason:
        check(f"{what} is refused: {type(reason).__name__}", True)
    else:
        check(f"{what} is refused", False, seen)


def report() -> None:
    if failed or not passed:
        print(f"{failed} of {passed + failed} checks FAILED")
        sys.exit(1)
    print(f"{passed} checks passed")
