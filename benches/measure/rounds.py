"""Fair comparison on a machine whose speed drifts: what is compared takes turns, and the median decides."""

from collections.abc import Callable
from statistics import median


def interleave(rounds: int, **sides: Callable[[], float]) -> dict[str, list[float]]:
    """Measures each side once a round, in turns: A B, B A, A B, so that drift favours neither."""
    measured = {name: [] for name in sides}
    for n in range(rounds):
        order = list(sides.items())
        for name, measure in order if n % 2 == 0 else reversed(order):
            measured[name].append(measure())
    return measured


def ratios(over: list[float], under: list[float]) -> list[float]:
    """Round by round: what was measured together is compared with each other."""
    return [a / b for a, b in zip(over, under)]


__all__ = ["interleave", "median", "ratios"]
