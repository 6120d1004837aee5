"""Day sheets: a UTC day's readings by quarter of an hour, in one item a shard and day.

From them come hours and anything longer in every zone whose offset is whole quarters, without reading a row an hour. Pure.
"""

from itertools import islice
from typing import Final, NamedTuple

from projections.varints import append, numbers, zigzag
from telemetry.reading import Reading

CELLS: Final = 96
QUARTER_US: Final = 900_000_000
DAY_US: Final = CELLS * QUARTER_US
MINUTE_US: Final = QUARTER_US // 15


class Cell(NamedTuple):
    """What the readings of a quarter of an hour add up to; temperatures in 10⁻⁶ °C, squares in 10⁻¹² °C²."""

    readings: int
    sum_micro: int
    sum_squares: int
    minimum_micro: int
    maximum_micro: int


type Sheet = tuple[Cell | None, ...]
"""The quarters of a day from 00:00 UTC on, None where nothing was measured."""

EMPTY: Final[Sheet] = (None,) * CELLS


class SheetFold:
    """A sheet that readings are added to, one by one."""

    __slots__ = ("_cells",)

    def __init__(self, sheet: Sheet) -> None:
        self._cells = list(sheet)

    def add(self, reading: Reading) -> None:
        """One more reading of the day, which must not be among them."""
        quarter, value = reading.measured_at_us % DAY_US // QUARTER_US, reading.temperature_micro
        if (cell := self._cells[quarter]) is None:
            self._cells[quarter] = Cell(1, value, value * value, value, value)
            return
        count, total, squares, minimum, maximum = cell
        self._cells[quarter] = Cell(
            count + 1,
            total + value,
            squares + value * value,
            min(value, minimum),
            max(value, maximum),
        )

    def absorb(self, minute: int, cell: Cell) -> None:
        """All readings of a minute of the day, by its number since 1970; none of them may be among these."""
        quarter = minute * MINUTE_US % DAY_US // QUARTER_US
        self._cells[quarter] = joined(self._cells[quarter], cell)

    def sheet(self) -> Sheet:
        """What there is so far."""
        return tuple(self._cells)


def encode(sheet: Sheet) -> bytes:
    """For each quarter its count, and where that is not 0 the cell's other numbers, all as variable-length integers."""
    data = bytearray()
    for cell in sheet:
        append(data, cell.readings if cell else 0)
        for value in cell[1:] if cell else ():
            append(data, zigzag(value))
    return bytes(data)


def decode(data: bytes) -> Sheet:
    """The inverse of `encode`."""
    cells: list[Cell | None] = []
    written = iter(numbers(data))
    for count in written:
        if count:
            total, squares, minimum, maximum = islice(written, 4)
            # The inverse of zigzag without a call for each: a year of sheets holds hundreds of thousands of numbers.
            cells.append(
                Cell(
                    count,
                    total >> 1 ^ -(total & 1),
                    squares >> 1,  # which are never negative
                    minimum >> 1 ^ -(minimum & 1),
                    maximum >> 1 ^ -(maximum & 1),
                )
            )
        else:
            cells.append(None)
    return tuple(cells)


def joined(one: Cell | None, other: Cell | None) -> Cell | None:
    """What two disjoint sets of readings add up to together."""
    if one is None or other is None:
        return one or other
    return Cell(
        one.readings + other.readings,
        one.sum_micro + other.sum_micro,
        one.sum_squares + other.sum_squares,
        min(one.minimum_micro, other.minimum_micro),
        max(one.maximum_micro, other.maximum_micro),
    )
