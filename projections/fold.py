"""The fold: what a set of readings adds up to. Pure, exact, independent of order.

Sums are integers of 10⁻⁶ °C and of their squares: 10¹² readings still fit the 38 digits of a DynamoDB number.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

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

    def with_reading(self, reading: Reading) -> Self:
        """These stats and one more reading, which must not be among them."""
        value = reading.temperature_micro
        return type(self)(
            self.count + 1,
            self.sum_micro + value,
            self.sum_squares + value * value,
            reading if self.minimum is None else min(self.minimum, reading, key=_coldest),
            reading if self.maximum is None else min(self.maximum, reading, key=_hottest),
            reading if self.first is None else min(self.first, reading),
            reading if self.latest is None else max(self.latest, reading),
            self.duplicates,
        )

    def with_duplicate(self) -> Self:
        """These stats, having seen one of their readings again."""
        return type(self)(
            self.count,
            self.sum_micro,
            self.sum_squares,
            self.minimum,
            self.maximum,
            self.first,
            self.latest,
            self.duplicates + 1,
        )


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
    )


# Ties go to the earliest timestamp, then to the sensor id, so that every rebuild names the same reading.
def _coldest(reading: Reading) -> tuple[int, int, str]:
    return reading.temperature_micro, reading.measured_at_us, reading.sensor_id


def _hottest(reading: Reading) -> tuple[int, int, str]:
    return -reading.temperature_micro, reading.measured_at_us, reading.sensor_id
