"""What is too much for memory, put into files: what is of a sensor, and by the day what is of the fleet's windows.

So one sensor's readings, rows and packs are in memory at a time, and one shard's windows of one day.
"""

import pickle
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from io import BytesIO
from itertools import chain
from pathlib import Path
from struct import Struct
from typing import Any, Final, NamedTuple

from operations.keyed_files import KeyedFile, KeyedFiles
from projections.packs import Pack
from projections.reads import Listing
from projections.rows import Row, window_us
from projections.sheets import DAY_US

_LINE: Final = Struct(">qqI24sIq")
_LATE: Final = Struct(">Iqq24s")
_BLOCK: Final = Struct(">II")
_NUMBER_BYTES: Final = 8
READING_BYTES: Final = _LINE.size + 2 * _NUMBER_BYTES + 16
"""What a reading takes on disk: of its sensor, of its windows, and, about, in the text of a pack."""
ROW_BYTES: Final = 500
"""And a row, pickled."""
PACK_BYTES: Final = 200
"""And a pack beside its text."""
_FILE_BYTES: Final = 64_000_000
"""Of readings in a file: what must be known of a file to find things in it is small."""
_FILES_MAX: Final = 2_000
_POSITION_BYTES: Final = 24
"""A sequence number has 56 digits."""
_DAYS: Final = 2**22
"""More than there are until the year 9999."""

type Thing = tuple[str, Row] | Pack | Listing
"""A row with its shard, a pack, or what the directory says."""


class Line(NamedTuple):
    """A reading of a sensor, at home in its shard."""

    time_us: int
    micro: int
    shard: int
    """The shard's number."""
    position: int
    line: int
    arrived_us: int


class Late(NamedTuple):
    """A reading behind its shard's mark: each row by itself tells whether it has it."""

    sensor: int
    """The sensor's number."""
    time_us: int
    micro: int
    position: int


class Some(NamedTuple):
    """Readings of one sensor, as columns."""

    sensor: int
    """The sensor's number."""
    times_us: Sequence[int]
    micros: Sequence[int]


class Windows(NamedTuple):
    """Of the fleet, of a shard and a day."""

    shard_id: str
    rows: Sequence[Row]
    readings: Iterator[Some]
    """That each row has."""
    late: Iterator[Late]


def files_for(readings: int) -> int:
    """Into how many files so many readings go."""
    return min(-(-max(1, readings) * _LINE.size // _FILE_BYTES), _FILES_MAX)


def disk_bytes(readings: int, rows: int, packs: int) -> int:
    """What so many take on disk, about."""
    return readings * READING_BYTES + rows * ROW_BYTES + packs * PACK_BYTES


class Spill:
    """Files in a folder, which is its owner's to remove. Things come back in the order in which they were put."""

    def __init__(self, folder: Path, files: int) -> None:
        self._files = files
        self._lines, self._things = (KeyedFiles(folder, name, files) for name in ("lines", "things"))
        self._rows, self._readings, self._late = (KeyedFiles(folder, name, files) for name in ("rows", "readings", "late"))
        self._sensors: dict[str, int] = {}
        self._shards: dict[str, int] = {}
        self.sensors: list[str] = []
        """By their numbers."""
        self.shards: list[str] = []

    def number(self, sensor_id: str) -> int:
        """The sensor's number here."""
        if (number := self._sensors.get(sensor_id)) is None:
            number = self._sensors[sensor_id] = len(self.sensors)
            self.sensors.append(sensor_id)
        return number

    def shard_number(self, shard_id: str) -> int:
        """And the shard's."""
        if (number := self._shards.get(shard_id)) is None:
            number = self._shards[shard_id] = len(self.shards)
            self.shards.append(shard_id)
        return number

    def put_line(self, sensor: int, line: Line) -> None:
        """Put a reading of a sensor."""
        time_us, micro, shard, position, number, arrived_us = line
        self._lines.put(sensor, _LINE.pack(time_us, micro, shard, position.to_bytes(_POSITION_BYTES), number, arrived_us))

    def put(self, sensor: int, thing: Thing) -> None:
        """Put what the tables hold of a sensor."""
        self._things.put(sensor, pickle.dumps(thing, pickle.HIGHEST_PROTOCOL))

    def put_window(self, shard_id: str, row: Row) -> None:
        """Put a row of the fleet that is not a total."""
        try:
            begin_us = window_us(row.key.window)[0]
        except ValueError:  # of no time: nothing belongs into it, on whichever day it is looked at
            begin_us = 0
        self._rows.put(self._window(self.shard_number(shard_id), begin_us), pickle.dumps(row, pickle.HIGHEST_PROTOCOL))

    def put_readings(self, shard: int, some: Some) -> None:
        """Put readings of a day that are in each row of a shard's windows."""
        columns = (array("q", column).tobytes() for column in (some.times_us, some.micros))
        data = b"".join((_BLOCK.pack(some.sensor, len(some.micros)), *columns))
        self._readings.put(self._window(shard, some.times_us[0]), data)

    def put_late(self, shard: int, late: Late) -> None:
        """Put one that may be in some."""
        data = _LATE.pack(late.sensor, late.time_us, late.micro, late.position.to_bytes(_POSITION_BYTES))
        self._late.put(self._window(shard, late.time_us), data)

    def by_sensor(self) -> Iterator[tuple[int, list[Line], list[Thing]]]:
        """What was put of each sensor, by the sensor's number."""
        for lines, things in _opened(self._files, self._lines, self._things):
            for sensor in sorted(lines.keys | things.keys):
                # No name here keeps what was handed out while the next is made.
                yield sensor, list(_lines(lines, sensor)), list(_unpickled(things, sensor))

    def by_window(self) -> Iterator[Windows]:
        """What was put of the fleet's windows, by shard and day. Nothing can be put any more."""
        for rows, readings, late in _opened(self._files, self._rows, self._readings, self._late):
            for key in sorted(rows.keys | readings.keys | late.keys):
                found = chain.from_iterable(map(_LATE.iter_unpack, late.pieces(key)))
                yield Windows(
                    self.shards[key // _DAYS],
                    list(_unpickled(rows, key)),
                    chain.from_iterable(map(_blocks, readings.pieces(key))),
                    (Late(sensor, at, micro, int.from_bytes(place)) for sensor, at, micro, place in found),
                )

    @staticmethod
    def _window(shard: int, time_us: int) -> int:
        return shard * _DAYS + time_us // DAY_US


def _opened(files: int, *stores: KeyedFiles) -> Iterator[list[KeyedFile]]:
    for store in stores:
        store.flush()
    for number in range(files):
        with ExitStack() as stack:
            yield [stack.enter_context(store.opened(number)) for store in stores]


def _lines(file: KeyedFile, sensor: int) -> Iterator[Line]:
    for piece in file.pieces(sensor):
        for time_us, micro, shard, place, line, arrived_us in _LINE.iter_unpack(piece):
            yield Line(time_us, micro, shard, int.from_bytes(place), line, arrived_us)


def _unpickled(file: KeyedFile, key: int) -> Iterator[Any]:
    for piece in file.pieces(key):
        data = BytesIO(piece)
        while data.tell() < len(piece):
            yield pickle.load(data)  # noqa: S301  our own, of a moment ago


def _blocks(piece: bytes) -> Iterator[Some]:
    begin = 0
    while begin < len(piece):
        sensor, count = _BLOCK.unpack_from(piece, begin)
        begin += _BLOCK.size
        columns = array("q", piece[begin : begin + 2 * count * _NUMBER_BYTES])
        begin += 2 * count * _NUMBER_BYTES
        yield Some(sensor, columns[:count], columns[count:])
