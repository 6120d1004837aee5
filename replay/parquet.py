"""Parquet: a folder of finished parts, each of a bounded number of readings, packed for what readings are.

Times, temperatures and lines as differences, sensors and positions as dictionaries, everything in zstd: a fraction of what the
defaults take. Needs pyarrow, the extra `parquet`.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from replay.events import Event
from replay.formats import COLUMNS, REPEAT

PART_ROWS: Final = 1_000_000
_PART_S: Final = 300.0
"""What is chosen may come so seldom that a part is never full: what was read since the last one is read again after a kill."""
GROUP_ROWS: Final = 64 * 1024
"""Of a row group: what is in memory, and what a reader who wants little must at least read."""

_TIME: Final = pa.timestamp("us", tz="UTC")
_TEMPERATURE: Final = pa.decimal128(11, 6)
_TYPES: Final = dict(zip(COLUMNS, (pa.string(), _TEMPERATURE, _TIME, _TIME, pa.string(), pa.string(), pa.int32()), strict=True))
_DELTA: Final = ("temperature", "measured_at", "arrived_at", "line")
_DICTIONARY: Final = ["sensor_id", "shard", "sequence_number"]


SCHEMA: Final = pa.schema([*_TYPES.items()])
"""Of events: COLUMNS and their types."""


def writer(where: Any, schema: Any = SCHEMA) -> Any:
    """Writes tables of this schema to a file, or what pyarrow takes for one, packed for what readings are."""
    return pq.ParquetWriter(
        where,
        schema,
        compression="zstd",
        use_dictionary=_DICTIONARY,
        column_encoding=dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED"),
        store_decimal_as_integer=True,
    )


def row_of(event: Event) -> tuple[Any, ...]:
    """What the columns hold of an event: times in microseconds, the temperature in millionths."""
    reading, record = event.reading, event.record
    return (
        *(reading.sensor_id, reading.temperature_micro, reading.measured_at_us, record.arrived_ms * 1000),
        *(event.shard_id, str(record.sequence_number), event.number),
    )


def table_of(columns: Sequence[Sequence[Any]], schema: Any = SCHEMA) -> Any:
    """The table of what `row_of` tells, column by column."""
    arrays = [_array(values, column.type) for values, column in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def part_name(number: int) -> str:
    """What the part of this number is called, from 0."""
    return f"part-{number:06}.parquet"


class Parts:
    """Events as the parts of a folder. A part is there when it is finished, not before."""

    def __init__(self, folder: Path, parts: int, clock: Callable[[], float] = time.monotonic, *, mark: bool) -> None:
        """Goes on after `parts` of them: what is there beyond was never vouched for, and goes. `clock` tells seconds."""
        self._folder, self._parts, self._clock = folder, parts, clock
        self._saved_at_s = clock()
        self._schema = pa.schema([*_TYPES.items(), *([(REPEAT, pa.bool_())] if mark else [])])
        self._writer: Any = None
        self._rows = 0
        self._columns: list[list[Any]] = [[] for _ in self._schema]
        folder.mkdir(parents=True, exist_ok=True)
        for path in (*folder.glob("part-*.parquet.tmp"), *folder.glob("part-*.parquet")):
            if path.name.endswith(".tmp") or path.name >= part_name(parts):
                path.unlink()

    def write(self, event: Event, *, repeat: bool) -> None:
        """One more row."""
        for column, value in zip(self._columns, (*row_of(event), repeat), strict=False):
            column.append(value)
        self._rows += 1
        if len(self._columns[0]) >= GROUP_ROWS:
            self._write_group()

    def is_due(self) -> bool:
        """When a part is full, or minutes have passed, in which maybe nothing was chosen of what was read."""
        return self._rows >= PART_ROWS or self._clock() - self._saved_at_s >= _PART_S

    def save(self) -> int:
        """The part is finished; how many there are."""
        self._saved_at_s = self._clock()
        self._write_group()
        if self._writer is not None:
            self._writer.close()
            path = self._folder / part_name(self._parts)
            with self._unfinished.open("rb") as file:
                os.fsync(file.fileno())
            self._unfinished.rename(path)
            _sync_folder(self._folder)
            self._writer, self._rows, self._parts = None, 0, self._parts + 1
        return self._parts

    @property
    def _unfinished(self) -> Path:
        return self._folder / f"{part_name(self._parts)}.tmp"

    def _write_group(self) -> None:
        if not self._columns[0]:
            return
        if self._writer is None:
            self._writer = writer(self._unfinished, self._schema)
        self._writer.write_table(table_of(self._columns, self._schema), row_group_size=GROUP_ROWS)
        for values in self._columns:
            values.clear()


def _array(values: Sequence[Any], kind: Any) -> Any:
    if kind != _TEMPERATURE:
        return pa.array(values, kind)
    # Millionths of a degree are what a decimal of six places holds: the same number under another type, no arithmetic.
    whole = pa.array(values, pa.int64()).cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(_TEMPERATURE, len(whole), whole.buffers())


def _sync_folder(folder: Path) -> None:
    """So that the new name outlives the machine's sudden end."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
