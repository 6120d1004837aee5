"""docs/performance.md's tables, from results.json. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from benchmarks.figures import short

_OLD_WINDOWS: Final = "windows of the last hour are written again: 434 items a second, where 204 are in time"

WHY_SHORT: Final[Mapping[tuple[str, str], str]] = {
    ("P6", "256 clients"): "so many do not fill every record, a thousand do",
    ("P15", "an hour late"): _OLD_WINDOWS,
    ("P19", "an hour late"): _OLD_WINDOWS,
}
"""By number and words of the figure, where a reason is known why it is short of what it should reach."""


def table(figures: Iterable[Mapping[str, Any]], *, goals: bool) -> str:
    """The figures that have something to reach, or those of growth."""
    chosen = [f for f in figures if (f["number"] != "grow") == goals]
    if goals:
        chosen.sort(key=lambda f: int(f["number"][1:]))
    head: Sequence[str] = ("| # | figure | median | range | reach | then | |", "|---|---|---|---|---|---|---|")
    return "\n".join([*head, *map(_row, chosen)]) + "\n"


def why_short(f: Mapping[str, Any]) -> str:
    """Why a figure is short of what it should reach, if that is known."""
    return next((why for (number, words), why in WHY_SHORT.items() if number == f["number"] and words in f["what"]), "")


def _row(f: Mapping[str, Any]) -> str:
    sign = "≤" if f["smaller_is_better"] else "≥"
    reach, then = (f"{sign} {f[name]:g}" if f[name] is not None else "" for name in ("reach", "then"))
    verdict = {None: "", True: "yes", False: "**no**"}[f["met"]] + (", then too" if f["met_then"] else "")
    if f["met"] is False and (why := why_short(f)):
        verdict += f": {why}"
    spread = f"{short(f['min'])} to {short(f['max'])}"
    beside = "; ".join(f"{name}: {short(v)}" for name, v in f["beside"].items() if isinstance(v, int | float))
    what = "<br>".join(part for part in (f["what"], beside, f["note"]) if part)
    return f"| {f['number']} | {what} | {short(f['median'])} {f['unit']} | {spread} | {reach} | {then} | {verdict} |"
