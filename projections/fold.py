"""The fold: what a set of readings adds up to. Pure, exact, independent of order.

Sums are integers of 10⁻⁶ °C and of their squares: 10¹² readings still fit the 38 digits of a DynamoDB number.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from projections import histogram
from projections.histogram import Tally, decode, encode
from projections.sheets import Cell
from telemetry.reading import Reading


@dataclass(frozen=True, slots=True)
class Stats:
    """The fold of a set of distinct readings."""

    count: int = 0
    sum_micro: int = 0
    sum_squares: int = 0
    """Of temperatures in 10⁻⁶ °C, so in 10⁻¹² °C²."""
    minimum: Reading | None = None
    maximum: Reading | None = None
    first: Reading | None = None
    """Earliest by measured time."""
    latest: Reading | None = None
    """Latest by measured time."""
    duplicates: int = 0
    """Repeats seen on the way: an observation, not part of what rows are compared by."""
    histogram: bytes = b""
    """Of their temperatures, encoded (`histogram.py`): few are looked into, and most lie in memory by the thousand."""


EMPTY: Final = Stats()


class Fold:
    """Stats that readings are added to, one by one."""

    __slots__ = (
        "_count", "_duplicates", "_first", "_latest", "_maximum", "_minimum", "_sum_micro", "_sum_squares", "_tally",
    )  # fmt: skip

    def __init__(self, stats: Stats = EMPTY, *, rung: int = 0) -> None:
        """Begins with these stats. With none, the histogram begins at `rung`: no set that it is added to has a finer one."""
        self._count, self._sum_micro, self._sum_squares = stats.count, stats.sum_micro, stats.sum_squares
        self._minimum, self._maximum = stats.minimum, stats.maximum
        self._first, self._latest = stats.first, stats.latest
        self._duplicates = stats.duplicates
        self._tally = Tally(stats.histogram, rung)

    def add(self, reading: Reading) -> None:
        """One more reading, which must not be among them."""
        value = reading.temperature_micro
        self._count += 1
        self._sum_micro += value
        self._sum_squares += value * value
        self._tally.add(value)
        if (old := self._minimum) is None or (
            value <= old.temperature_micro and (value < old.temperature_micro or _coldest(reading) < _coldest(old))
        ):
            self._minimum = reading
        if (old := self._maximum) is None or (
            value >= old.temperature_micro and (value > old.temperature_micro or _hottest(reading) < _hottest(old))
        ):
            self._maximum = reading
        if self._first is None or reading < self._first:
            self._first = reading
        if self._latest is None or reading > self._latest:
            self._latest = reading

    def absorb(self, other: "Fold") -> None:
        """All readings of another fold, none of which may be among these, and what repeats it has seen."""
        self._count += other._count
        self._sum_micro += other._sum_micro
        self._sum_squares += other._sum_squares
        self._duplicates += other._duplicates
        self._tally.absorb(other._tally)
        if (coldest := other._minimum) and ((old := self._minimum) is None or _coldest(coldest) < _coldest(old)):
            self._minimum = coldest
        if (hottest := other._maximum) and ((old := self._maximum) is None or _hottest(hottest) < _hottest(old)):
            self._maximum = hottest
        if (first := other._first) and (self._first is None or first < self._first):
            self._first = first
        if (latest := other._latest) and (self._latest is None or latest > self._latest):
            self._latest = latest

    def repeat(self, times: int = 1) -> None:
        """Readings of theirs were seen again."""
        self._duplicates += times

    def cell(self) -> Cell:
        """What a day sheet keeps of them; there must be one."""
        assert self._minimum
        assert self._maximum
        coldest, hottest = self._minimum.temperature_micro, self._maximum.temperature_micro
        return Cell(self._count, self._sum_micro, self._sum_squares, coldest, hottest)

    @property
    def count(self) -> int:
        """How many."""
        return self._count

    @property
    def rung(self) -> int:
        """No set that holds these readings has a histogram of a finer rung."""
        return self._tally.rung

    def stats(self) -> Stats:
        """What there is so far."""
        return Stats(
            self._count, self._sum_micro, self._sum_squares, self._minimum, self._maximum, self._first, self._latest,
            self._duplicates, self._tally.data(),
        )  # fmt: skip


def merge(parts: Iterable[Stats]) -> Stats:
    """The fold of the union of disjoint sets, from each set's fold: what the rows of several shards say together."""
    stats = list(parts)
    minima = [s.minimum for s in stats if s.minimum]
    maxima = [s.maximum for s in stats if s.maximum]
    firsts = [s.first for s in stats if s.first]
    latests = [s.latest for s in stats if s.latest]
    return Stats(
        count=sum(s.count for s in stats),
        sum_micro=sum(s.sum_micro for s in stats),
        sum_squares=sum(s.sum_squares for s in stats),
        minimum=min(minima, key=_coldest, default=None),
        maximum=min(maxima, key=_hottest, default=None),
        first=min(firsts, default=None),
        latest=max(latests, default=None),
        duplicates=sum(s.duplicates for s in stats),
        histogram=encode(histogram.merge(decode(s.histogram) for s in stats)),
    )


# Ties go to the earliest timestamp, then to the sensor id, so that every rebuild names the same reading.
def _coldest(reading: Reading) -> tuple[int, int, str]:
    return reading.temperature_micro, reading.measured_at_us, reading.sensor_id


def _hottest(reading: Reading) -> tuple[int, int, str]:
    return -reading.temperature_micro, reading.measured_at_us, reading.sensor_id
