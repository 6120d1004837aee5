"""What readings add up to, worked out anew for `verify`: by sorting and counting, sharing no code with the fold. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import gcd
from operator import add, mul
from typing import Final

from telemetry.reading import Reading

LADDER: Final = (1, 10**4, 5 * 10**4, 10**5, 5 * 10**5, 10**6, 5 * 10**6, 10**7, 5 * 10**7, 10**8, 5 * 10**8, 10**9, 5 * 10**9)
"""Widths of bins in 10⁻⁶ °C, each dividing the next."""
BINS_MAX: Final = 128
BYTES_MAX: Final = 384
QUARTER_US: Final = 900_000_000
QUARTERS: Final = 96

type Measured = tuple[int, int, str]
"""Temperature in 10⁻⁶ °C, time in microseconds since 1970, sensor."""


class Sum:
    """Of a row: distinct readings, and how often one came again."""

    __slots__ = ("_bins", "_coldest", "_first", "_hottest", "_latest", "_rung", "count", "repeats", "squares", "total")

    def __init__(self) -> None:
        self.count = self.total = self.squares = self.repeats = 0
        self._coldest: Measured | None = None
        """Of two equally cold or hot ones the earlier."""
        self._hottest: Measured | None = None
        self._first: tuple[int, str, int] | None = None
        """Time, sensor, temperature."""
        self._latest: tuple[int, str, int] | None = None
        self._rung = 0
        self._bins: dict[int, int] = {}

    @classmethod
    def of(cls, readings: Sequence[Measured]) -> "Sum":
        """Of some readings."""
        found = cls()
        if readings:
            micros = [micro for micro, _, _ in readings]
            hottest = max(micros)
            times = [(time_us, sensor_id, micro) for micro, time_us, sensor_id in readings]
            found.count, found.total, found.squares = len(micros), sum(micros), sum(map(mul, micros, micros))
            found._coldest = min(readings)
            found._hottest = min(one for one in readings if one[0] == hottest)
            found._first, found._latest = min(times), max(times)
            found._bins = Counter(micros)
            found._coarsen()
        return found

    def absorb(self, other: "Sum") -> None:
        """The readings of another one, of which this has none."""
        self.count, self.total, self.squares = self.count + other.count, self.total + other.total, self.squares + other.squares
        self.repeats += other.repeats
        self._coldest = min(_known(self._coldest, other._coldest), default=None)
        self._hottest = min(_known(self._hottest, other._hottest), key=_hotter, default=None)
        self._first = min(_known(self._first, other._first), default=None)
        self._latest = max(_known(self._latest, other._latest), default=None)
        rung = max(self._rung, other._rung)
        self._coarsen(rung)
        bins = other._bins if other._rung == rung else _coarser(other._bins, other._rung, rung)
        for number, count in bins.items():
            self._bins[number] = self._bins.get(number, 0) + count
        self._coarsen()

    def _coarsen(self, rung: int = 0) -> None:
        """To a rung at least. However it grows, it never has fewer bins of a width again."""
        while self._rung < rung or (len(self._bins) > BINS_MAX and self._rung < len(LADDER) - 1):
            self._bins, self._rung = _coarser(self._bins, self._rung, self._rung + 1), self._rung + 1

    @property
    def minimum(self) -> Reading | None:
        """The coldest."""
        return self._coldest and Reading(self._coldest[1], self._coldest[2], self._coldest[0])

    @property
    def maximum(self) -> Reading | None:
        """The hottest."""
        return self._hottest and Reading(self._hottest[1], self._hottest[2], self._hottest[0])

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
            bins, rung = _coarser(bins, rung, rung + 1), rung + 1
        return _bytes(bins, rung) if bins else b""


class Day:
    """Of a day sheet: each quarter's readings, their sum and that of their squares, the coldest and the hottest."""

    __slots__ = ("_quarters",)

    def __init__(self) -> None:
        self._quarters: dict[int, list[int]] = {}

    def absorb(self, time_us: int, found: Sum) -> None:
        """The readings of a sum, all of them of that time's quarter."""
        coldest, hottest = found.minimum, found.maximum
        assert coldest
        assert hottest
        number = time_us // QUARTER_US % QUARTERS
        told = [found.count, found.total, found.squares, coldest.temperature_micro, hottest.temperature_micro]
        if cell := self._quarters.get(number):
            told[:3] = map(add, told[:3], cell[:3])
            told[3:] = min(told[3], cell[3]), max(told[4], cell[4])
        self._quarters[number] = told

    @property
    def cells(self) -> tuple[tuple[int, ...] | None, ...]:
        """All quarters, None where nothing was measured."""
        return tuple(tuple(self._quarters[number]) if number in self._quarters else None for number in range(QUARTERS))


def _coarser(bins: Mapping[int, int], rung: int, wanted: int) -> dict[int, int]:
    ratio, found = LADDER[wanted] // LADDER[rung], dict[int, int]()
    for number, count in bins.items():
        found[number // ratio] = found.get(number // ratio, 0) + count
    return found


def _known[T](*found: T | None) -> list[T]:
    return [one for one in found if one is not None]


def _hotter(one: Measured) -> Measured:
    micro, time_us, sensor_id = one
    return -micro, time_us, sensor_id


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
