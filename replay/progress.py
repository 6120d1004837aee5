"""One line that says how far a reading is, how fast, and how long it may take. Pure."""

from collections.abc import Collection, Mapping
from typing import Final

from telemetry.log import Page, Position

_TOLD_FROM: Final = 0.01
"""Of the way: before, nobody knows how long it takes."""


class Course:
    """How far the shards of a log were read, by when what was read arrived."""

    def __init__(self, begin_ms: int, until_ms: int, shards: int) -> None:
        """Arrival times between which the log lies, in ms since 1970, and how many shards there are to be read."""
        self._begin_ms, self._length_ms = begin_ms, max(1, until_ms - begin_ms)
        self._shards = max(1, shards)
        self._share: dict[str, float] = {}

    def go_on(self, positions: Mapping[str, Position], ended: Collection[str]) -> None:
        """An earlier run read so far."""
        for shard_id, position in positions.items():
            self._reached(shard_id, position.arrived_ms)
        self._share.update(dict.fromkeys(ended, 1.0))

    def note(self, page: Page) -> None:
        """A page was read."""
        if page.ended:
            self._share[page.shard_id] = 1.0
        elif page.position:
            self._reached(page.shard_id, page.position.arrived_ms)

    @property
    def share(self) -> float:
        """How much of all shards was read, 0 to 1."""
        return min(1.0, sum(self._share.values()) / self._shards)

    def _reached(self, shard_id: str, arrived_ms: int) -> None:
        share = (arrived_ms - self._begin_ms) / self._length_ms
        self._share[shard_id] = min(1.0, max(self._share.get(shard_id, 0.0), share))


def progress_line(events: int, elapsed_s: float, share: float, share_before: float = 0.0) -> str:
    """`1,204,331 events  41,200/s  62 %  2 min left`; `share_before` was read by an earlier run."""
    rate = f"{events / elapsed_s:,.0f}/s" if elapsed_s > 0 else "…"
    done = share - share_before
    left = f"{duration(elapsed_s * (1 - share) / done)} left" if done >= _TOLD_FROM else "…"
    return f"{events:,} events  {rate}  {share:.0%}  {left}".replace("%", " %")


def duration(seconds: float) -> str:
    """Roughly, in the unit that people say it in: `40 s`, `12 min`, `3 h 10 min`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
