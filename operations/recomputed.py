"""What readings add up to, worked out anew for `verify`: by sorting and counting, sharing no code with the fold. Pure."""

from collections.abc import Iterator
from itertools import pairwise
from math import gcd
from typing import Final

from telemetry.reading import Reading

LADDER: Final = (1, 10**4, 5 * 10**4, 10**5, 5 * 10**5, 10**6, 5 * 10**6, 10**7, 5 * 10**7, 10**8, 5 * 10**8, 10**9, 5 * 10**9)
"""Widths of bins in 10⁻⁶ °C, each dividing the next."""
BINS_MAX: Final = 128
BYTES_MAX: Final = 384
QUARTER_US: Final = 900_000_000
QUARTERS: Final = 96


class Sum:
    """Of a row: distinct readings, and how often one came again."""

    __slots__ = ("_bins", "_coldest", "_first", "_hottest", "_latest", "_rung", "count", "repeats", "squares", "total")

    def __init__(self) -> None:
        self.count = self.total = self.squares = self.repeats = 0
        self._coldest: tuple[int, int, str] | None = None
        """Temperature, time, sensor: of two equally cold ones the earlier. Hottest alike, with its sign turned."""
        self._hottest: tuple[int, int, str] | None = None
        self._first: tuple[int, str, int] | None = None
        """Time, sensor, temperature."""
        self._latest: tuple[int, str, int] | None = None
        self._rung = 0
        self._bins: dict[int, int] = {}

    def add(self, time_us: int, sensor_id: str, micro: int) -> None:
        """Another reading."""
        self.count += 1
        self.total += micro
        self.squares += micro * micro
        cold, hot, when = (micro, time_us, sensor_id), (-micro, time_us, sensor_id), (time_us, sensor_id, micro)
        if self._coldest is None or cold < self._coldest:
            self._coldest = cold
        if self._hottest is None or hot < self._hottest:
            self._hottest = hot
        if self._first is None or when < self._first:
            self._first = when
        if self._latest is None or when > self._latest:
            self._latest = when
        number = micro // LADDER[self._rung]
        self._bins[number] = self._bins.get(number, 0) + 1
        # However it grows, it never has fewer bins of this width again.
        while len(self._bins) > BINS_MAX and self._rung < len(LADDER) - 1:
            self._bins, self._rung = _coarser(self._bins, self._rung), self._rung + 1

    @property
    def minimum(self) -> Reading | None:
        """The coldest."""
        return self._coldest and Reading(self._coldest[1], self._coldest[2], self._coldest[0])

    @property
    def maximum(self) -> Reading | None:
        """The hottest."""
        return self._hottest and Reading(self._hottest[1], self._hottest[2], -self._hottest[0])

    @property
    def first(self) -> Reading | None:
        """The earliest."""
        return self._first and Reading(*self._first)

    @property
    def latest(self) -> Reading | None:
        """The latest."""
        return self._latest and Reading(*self._latest)

    @property
    def histogram(self) -> bytes:
        """Of the finest width that keeps within both bounds: as `projections/histogram.py` says that it is written."""
        bins, rung = self._bins, self._rung
        while bins and rung < len(LADDER) - 1 and len(_bytes(bins, rung)) > BYTES_MAX:
            bins, rung = _coarser(bins, rung), rung + 1
        return _bytes(bins, rung) if bins else b""


class Day:
    """Of a day sheet: each quarter's readings, their sum and that of their squares, the coldest and the hottest."""

    __slots__ = ("_quarters",)

    def __init__(self) -> None:
        self._quarters: dict[int, list[int]] = {}

    def add(self, time_us: int, micro: int) -> None:
        """Another reading of that day."""
        number = time_us // QUARTER_US % QUARTERS
        if (cell := self._quarters.get(number)) is None:
            self._quarters[number] = [1, micro, micro * micro, micro, micro]
            return
        cell[0] += 1
        cell[1] += micro
        cell[2] += micro * micro
        cell[3] = min(cell[3], micro)
        cell[4] = max(cell[4], micro)

    @property
    def cells(self) -> tuple[tuple[int, ...] | None, ...]:
        """All quarters, None where nothing was measured."""
        return tuple(tuple(self._quarters[number]) if number in self._quarters else None for number in range(QUARTERS))


def _coarser(bins: dict[int, int], rung: int) -> dict[int, int]:
    ratio, found = LADDER[rung + 1] // LADDER[rung], dict[int, int]()
    for number, count in bins.items():
        found[number // ratio] = found.get(number // ratio, 0) + count
    return found


def _bytes(bins: dict[int, int], rung: int) -> bytes:
    numbers = sorted(bins)
    divisor = gcd(*numbers) or 1
    head = bytes([rung]) + divisor.to_bytes(5) + (numbers[0] // divisor).to_bytes(5, signed=True)
    body = [bins[numbers[0]]]
    for before, after in pairwise(numbers):
        body += [(after - before) // divisor, bins[after]]
    return head + bytes(byte for value in body for byte in _seven_bits(value))


def _seven_bits(value: int) -> Iterator[int]:
    """Seven bits a byte, the lowest first; all but the last byte have the eighth."""
    while value >= 0x80:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
