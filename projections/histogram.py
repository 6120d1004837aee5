"""A histogram of temperatures that stays small, and the percentiles read from it. Pure, independent of order and of split.

A ladder of widths, each dividing the next; a temperature's bin is the floor of temperature / width, so coarser bins follow
exactly from finer ones. A histogram has the finest width that keeps it within BINS_MAX and BYTES_MAX. A set that is too large
for a width stays so however it grows: its bins are among those of the larger set, and `encode` says why its bytes only grow. So
the width, and with it every byte, depends on the set alone, not on order, parts or how often it was stored between.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain
from math import gcd
from operator import sub
from typing import Final

from projections import varints

BINS_MAX = 128
"""Occupied bins, on all rungs but the coarsest."""
BYTES_MAX = 384
"""Encoded, on all rungs but the coarsest."""
WIDTHS: Final = (
    1,
    *(10_000, 50_000, 100_000, 500_000),
    *(1_000_000, 5_000_000, 10_000_000, 50_000_000),
    *(100_000_000, 500_000_000, 1_000_000_000, 5_000_000_000),
)
"""The ladder, in 10⁻⁶ °C. On the first rung a bin is one temperature, on the coarsest there are four bins."""

_NUMBER_BYTES: Final = 5
"""For what may be as large as the hottest temperature in 10⁻⁶ °C, with its sign."""
_HEADER_BYTES: Final = 1 + 2 * _NUMBER_BYTES


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many temperatures lie in which bin. Made by `merge` and `decode` only: equal sets make equal histograms."""

    rung: int = 0
    """Which of WIDTHS its bins have."""
    bins: tuple[tuple[int, int], ...] = ()
    """Number and count of each occupied bin, by number; a bin begins at its number times the width."""

    @property
    def count(self) -> int:
        """How many temperatures it holds."""
        return sum(count for _, count in self.bins)

    @property
    def width_micro(self) -> int:
        """What a bin is wide, in 10⁻⁶ °C."""
        return WIDTHS[self.rung]


EMPTY: Final = Histogram()


class Tally:
    """A histogram in the making: the bytes it began with, and what came since. So a row at rest costs only its bytes."""

    __slots__ = ("_bins", "_data", "_rung", "_width")

    def __init__(self, data: bytes = b"", rung: int = 0) -> None:
        """Begins with what the bytes of `encode` hold; with none, on a rung that no set it is added to is finer than."""
        self._data = data
        self._rung = rung_of(data) if data else rung
        self._width = WIDTHS[self._rung]
        self._bins: dict[int, int] = {}

    def add(self, temperature_micro: int) -> None:
        """Counts one temperature, in 10⁻⁶ °C."""
        number = temperature_micro // self._width
        bins = self._bins
        if number in bins:
            bins[number] += 1
        else:
            bins[number] = 1
            if len(bins) > 2 * BINS_MAX:  # twice, so that growing sets are not sorted and encoded at each new bin
                self.data()

    @property
    def rung(self) -> int:
        """That it stands on: what is counted needs one no finer."""
        return self._rung

    def absorb(self, other: "Tally") -> None:
        """Counts all that another has counted."""
        if other._rung > self._rung:
            self._descend(other._rung)
        counted = chain(decode(other._data).bins, other._bins.items())
        ratio = self._width // other._width
        bins = self._bins
        for number, count in counted:
            coarse = number // ratio
            bins[coarse] = bins.get(coarse, 0) + count
        if len(bins) > 2 * BINS_MAX:
            self.data()

    def data(self) -> bytes:
        """What was counted so far, encoded; more may be added afterwards."""
        if self._bins:
            # No set that holds what there was fits a finer rung than its own.
            _, data = _bounded(self._rung, self._all())
            Tally.__init__(self, data)
        return self._data

    def _descend(self, rung: int) -> None:
        """Go on with wider bins."""
        bins = _added(_on_rung(Histogram(self._rung, tuple(self._all().items())), rung))
        Tally.__init__(self, rung=rung)
        self._bins = bins

    def _all(self) -> dict[int, int]:
        """The counts of all bins."""
        bins = dict(decode(self._data).bins)
        for number, count in self._bins.items():
            bins[number] = bins.get(number, 0) + count
        return bins


def rung_of(data: bytes) -> int:
    """Which of WIDTHS the bins have that `encode` wrote."""
    return data[0] if data else 0


def merge(parts: Iterable[Histogram]) -> Histogram:
    """The histogram of all temperatures of the parts together."""
    histograms = list(parts)
    rung = max((part.rung for part in histograms), default=0)
    return _bounded(rung, _added(chain.from_iterable(_on_rung(part, rung) for part in histograms)))[0]


def percentile(histogram: Histogram, permille: int, minimum_micro: int, maximum_micro: int) -> tuple[int, int]:
    """The temperature that `permille` thousandths of all do not exceed (nearest rank), and the largest error of that.

    Both in 10⁻⁶ °C; the error is 0 on the first rung. Minimum and maximum are those of the temperatures in the histogram, which
    must not be empty.
    """
    rank = -(-permille * histogram.count // 1000)
    counted = accumulate(count for _, count in histogram.bins)
    number = next(number for (number, _), so_far in zip(histogram.bins, counted, strict=True) if so_far >= rank)
    half = histogram.width_micro // 2
    middle = number * histogram.width_micro + half
    return max(minimum_micro, min(middle, maximum_micro)), half


def encode(histogram: Histogram) -> bytes:
    """As few bytes as tell it from all others; none when it is empty.

    A header of fixed length: the rung, the greatest common divisor of the bins' numbers, the first number divided by it. Then
    integers of as many bytes as they need (`varints.py`): the first bin's count, and for each further bin
    the distance from the bin before, divided by the divisor, and its count.
    """
    if not histogram.bins:
        return b""
    # One more reading never makes it shorter: counts only grow, the divisor only shrinks, and a new bin brings a count. Between
    # two others it parts a distance: one part is at least half of it, so at most a byte shorter, and the other takes a byte.
    numbers, counts = zip(*histogram.bins, strict=True)
    divisor = gcd(*numbers) or 1  # 0 for bin 0 alone
    data = bytearray((histogram.rung,))
    data += divisor.to_bytes(_NUMBER_BYTES)
    data += (numbers[0] // divisor).to_bytes(_NUMBER_BYTES, signed=True)
    values = [0] * (2 * len(counts) - 1)
    values[::2] = counts
    distances = map(sub, numbers[1:], numbers)
    values[1::2] = distances if divisor == 1 else [distance // divisor for distance in distances]
    return bytes(data) + varints.encode(values)


def decode(data: bytes) -> Histogram:
    """The inverse of `encode`."""
    if not data:
        return EMPTY
    divisor = int.from_bytes(data[1 : 1 + _NUMBER_BYTES])
    first = int.from_bytes(data[1 + _NUMBER_BYTES : _HEADER_BYTES], signed=True)
    values = varints.numbers(data[_HEADER_BYTES:])
    numbers: Iterable[int] = accumulate(values[1::2], initial=first)
    if divisor != 1:
        numbers = (number * divisor for number in numbers)
    return Histogram(data[0], tuple(zip(numbers, values[::2], strict=True)))


def _bounded(rung: int, bins: dict[int, int]) -> tuple[Histogram, bytes]:
    """What is counted on a rung, on the finest rung from there on that keeps within the bounds; and that encoded."""
    found = Histogram(rung, tuple(sorted(bins.items())))
    while found.rung < len(WIDTHS) - 1:
        if len(found.bins) <= BINS_MAX and len(data := encode(found)) <= BYTES_MAX:
            return found, data
        # Coarser numbers come in the order of the finer ones.
        found = Histogram(found.rung + 1, tuple(_added(_on_rung(found, found.rung + 1)).items()))
    return found, encode(found)


def _on_rung(histogram: Histogram, rung: int) -> Iterator[tuple[int, int]]:
    """Its bins by their numbers on a coarser rung, or its own; a number may come several times."""
    ratio = WIDTHS[rung] // histogram.width_micro
    return ((number // ratio, count) for number, count in histogram.bins)


def _added(bins: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The counts of each number together."""
    total: dict[int, int] = {}
    for number, count in bins:
        total[number] = total.get(number, 0) + count
    return total
