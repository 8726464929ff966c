"""A row of the table."""

from dataclasses import dataclass, field


@dataclass
class Row:
    part: str
    what: str
    measured: float
    absolute: str = ""
    # `>=` or `<=` and the target; none for what is told for information.
    relation: str = ""
    target: float | None = None
    unit: str = ""
    rounds: list[float] = field(default_factory=list)

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.measured >= self.target if self.relation == ">=" else self.measured <= self.target

    @property
    def verdict(self) -> str:
        return {True: "yes", False: "**no**", None: ""}[self.met]

    @property
    def target_text(self) -> str:
        if self.target is None:
            return "–"
        relation = "at least" if self.relation == ">=" else "at most"
        return f"{relation} {number(self.target)}{self.unit}"

    @property
    def measured_text(self) -> str:
        return f"{number(self.measured)}{self.unit}"


def number(value: float) -> str:
    """With as many digits as mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 20:
        return f"{value:.0f}" if value == round(value) else f"{value:.1f}"
    if value >= 0.1 or value == 0:
        return f"{value:.2f}"
    return f"{value:.2g}"
