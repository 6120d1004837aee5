"""A figure: what was measured, what it should reach, and each run's value."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One line of the table. `beside` holds what stands beside a ratio: rates, processor seconds, counts."""

    number: str
    """As in the list of figures to reach: `P1`."""
    what: str
    unit: str
    reach: float | None
    then: float | None
    values: Sequence[float]
    """One for each run; of ratios, one for each pair."""
    beside: dict[str, Any] = field(default_factory=dict)
    smaller_is_better: bool = False
    note: str = ""

    @property
    def median(self) -> float:
        """The middle of all runs."""
        return statistics.median(self.values)

    def met(self, goal: float | None) -> bool | None:
        """Whether the median is as good as this; None without a goal."""
        if goal is None:
            return None
        return self.median <= goal if self.smaller_is_better else self.median >= goal

    def as_json(self) -> dict[str, Any]:
        """For results.json."""
        summary = {"median": self.median, "min": min(self.values), "max": max(self.values)}
        return asdict(self) | summary | {"met": self.met(self.reach), "met_then": self.met(self.then)}

    def line(self) -> str:
        """For the terminal."""
        verdict = {None: "", True: "met", False: "short"}[self.met(self.reach)]
        if self.met(self.then):
            verdict = "met, then too"
        goal = "" if self.reach is None else f"{'≤' if self.smaller_is_better else '≥'} {self.reach:g}"
        spread = f"{short(min(self.values))} to {short(max(self.values))}"
        return f"{self.number:4} {self.what[:66]:66} {short(self.median):>7} {self.unit:9} {spread:>19} {goal:>7} {verdict}"


def short(value: float) -> str:
    """Three digits that count."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Pair by pair."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]
