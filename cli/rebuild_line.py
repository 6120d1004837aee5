"""The one line that says how far a generation is and what holds it back. Pure: the time is handed in."""

from collections import deque
from typing import Final, NamedTuple

from operations.stages import Stage, State
from replay.progress import duration
from telemetry.limits import MICRO

_WINDOW_S: Final = 10.0
"""Rates are of so long, at most."""
_TOLD_FROM: Final = 0.01
"""Of the way: before, nobody knows how long it takes."""
_FULL: Final = 0.95
"""Of its units a filling takes when these hold it back."""


class Rate:
    """How fast a number rises, lately."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def note(self, now_s: float, value: float) -> float | None:
        """The rise in a second; None while too little was seen. `now_s` is by a clock that nobody sets."""
        self._seen.append((now_s, value))
        while self._seen[-1][0] - self._seen[0][0] > _WINDOW_S and len(self._seen) > 2:
            self._seen.popleft()
        (begin_s, begin), (end_s, end) = self._seen[0], self._seen[-1]
        return (end - begin) / (end_s - begin_s) if end_s > begin_s else None


class Filling(NamedTuple):
    """What is told of a filling beside its state."""

    of: int
    """How many readings it may come to: what the live generation counts; 0 where nobody knows."""
    a_second: float | None
    units_a_second: float | None
    units_max: float
    processes: int = 1
    """How many are at work."""


def rebuild_line(state: State, filling: Filling | None = None) -> str:
    """The line, e.g. `g2  lagging  8,231,004 readings  4 shards  behind live 40 s  held back: furthest behind: shardId-…`."""
    parts = [f"g{state.number}", str(state.stage), *(_filled(state.readings, filling) if filling else [_counted(state)])]
    if state.shards:
        parts.append(f"{state.shards} shard{'s' * (state.shards != 1)}")
    if filling and filling.units_a_second is not None:
        parts.append(f"writes {filling.units_a_second:,.0f} of {filling.units_max:,.0f} units/s")
    if state.behind_us is not None and state.behind_us >= MICRO and state.stage is not Stage.LIVE:
        parts.append(f"behind live {duration(state.behind_us / MICRO)}")
    if filling and (left := _left(state.readings, filling)):
        parts.append(left)
    if why := state.why or (_held_by(filling) if filling else ""):
        parts.append(f"held back: {why}")
    return "  ".join(parts)


def _counted(state: State) -> str:
    return f"{state.readings:,} readings"


def _filled(readings: int, filling: Filling) -> list[str]:
    told = f"{readings:,} readings"
    if filling.of:
        share = f"{min(1.0, readings / filling.of):.1%}".replace("%", " %")
        told = f"{readings:,} of ~{max(filling.of, readings):,} readings ({share})"
    return [told] if filling.a_second is None else [told, f"{filling.a_second:,.0f}/s"]


def _left(readings: int, filling: Filling) -> str:
    """How long until it is filled; nothing before anybody knows."""
    if not filling.a_second or readings < filling.of * _TOLD_FROM or readings >= filling.of:
        return ""
    return f"ready in ~{duration((filling.of - readings) / filling.a_second)}"


def _held_by(filling: Filling) -> str:
    if filling.units_a_second is not None and filling.units_a_second >= _FULL * filling.units_max:
        return "--max-units"
    if filling.processes > 1:
        return f"how fast {filling.processes} processes read and fold"
    return "how fast one process reads and folds"
