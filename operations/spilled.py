"""What is too much for memory, put into files by sensor: each file then holds some sensors whole, and fits."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final, NamedTuple

from projections.packs import Pack
from projections.rows import Row

_LINE: Final = Struct(">IqqH24sIq")
LINE_BYTES: Final = _LINE.size
"""What a reading takes on disk."""
_AT_ONCE: Final = 4096
_POSITION_BYTES: Final = 24
"""A sequence number has 56 digits."""


class Line(NamedTuple):
    """A reading of the log, at home in its shard."""

    sensor: int
    """The sensor's number here."""
    time_us: int
    micro: int
    shard: int
    """And the shard's."""
    position: int
    line: int
    arrived_us: int


class Spill:
    """Files in a folder, which is its owner's to remove. Each sensor's things come back in the order in which they were put."""

    def __init__(self, folder: Path, partitions: int) -> None:
        self._folder = folder
        self._partitions = partitions
        self._numbers: dict[str, int] = {}
        self.sensors: list[str] = []
        """By their numbers."""
        self._lines = [self._open("lines", part) for part in range(partitions)]
        self._things = [self._open("things", part) for part in range(partitions)]

    def number(self, sensor_id: str) -> int:
        """The sensor's number here."""
        if (number := self._numbers.get(sensor_id)) is None:
            number = self._numbers[sensor_id] = len(self.sensors)
            self.sensors.append(sensor_id)
        return number

    def put_line(self, line: Line) -> None:
        """Put a reading."""
        position = line.position.to_bytes(_POSITION_BYTES)
        packed = _LINE.pack(line.sensor, line.time_us, line.micro, line.shard, position, line.line, line.arrived_us)
        self._lines[line.sensor % self._partitions].write(packed)

    def put(self, sensor: int, thing: "tuple[str, Row] | Pack") -> None:
        """Put a row of a sensor, with its shard, or a pack."""
        pickle.dump((sensor, thing), self._things[sensor % self._partitions])

    def close(self) -> None:
        """Everything was put, or nothing more will be."""
        for file in (*self._lines, *self._things):
            file.close()

    def parts(self) -> Iterator[tuple[list[Line], "list[tuple[int, tuple[str, Row] | Pack]]"]]:
        """What was put, by partition; after `close`."""
        for part in range(self._partitions):
            yield list(self._read_lines(part)), list(self._read_things(part))

    def _read_lines(self, part: int) -> Iterator[Line]:
        with self._path("lines", part).open("rb") as file:
            while data := file.read(LINE_BYTES * _AT_ONCE):
                for sensor, time_us, micro, shard, position, line, arrived_us in _LINE.iter_unpack(data):
                    yield Line(sensor, time_us, micro, shard, int.from_bytes(position), line, arrived_us)

    def _read_things(self, part: int) -> "Iterator[tuple[int, tuple[str, Row] | Pack]]":
        path = self._path("things", part)
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            while file.tell() < size_bytes:
                yield pickle.load(file)  # noqa: S301  our own, of a moment ago

    def _path(self, kind: str, part: int) -> Path:
        return self._folder / f"{kind}-{part}"

    def _open(self, kind: str, part: int) -> BinaryIO:
        return self._path(kind, part).open("wb")
