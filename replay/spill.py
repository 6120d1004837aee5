"""Rows of readings that wait on disk to be put into their parts, in files that go with the block they are made for.

Of each day and part the rows lie together in every file, so that one part's are read without the others'. Needs pyarrow.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from archive.days import PARTS, part_of
from replay.events import Event
from replay.parquet import SCHEMA, row_of, table_of

_ROWS_HELD: Final = 200_000
"""In memory, as Python's objects: some 80 MB."""


class Part(NamedTuple):
    """A part of a day, which is counted from 1970."""

    day: int
    part: int


class Spill:
    """Rows by day and part. One folder's, which is empty at first."""

    def __init__(self, folder: Path, day_us: int) -> None:
        """`day_us`: how long a day is, in microseconds."""
        self._folder, self._day_us = folder, day_us
        self._columns: list[list[Any]] = [[] for _ in SCHEMA]
        self._groups: list[int] = []
        self._part_of: dict[str, int] = {}
        self._files = 0
        self._batches: dict[int, list[tuple[int, int]]] = defaultdict(list)
        """By group, where its rows lie: numbers of files, and of batches in them."""
        self.rows = 0

    def add(self, event: Event) -> None:
        """One more row."""
        sensor_id = event.reading.sensor_id
        part = self._part_of.get(sensor_id)
        if part is None:
            part = self._part_of[sensor_id] = part_of(sensor_id)
        for column, value in zip(self._columns, row_of(event), strict=True):
            column.append(value)
        self._groups.append(event.reading.measured_at_us // self._day_us * PARTS + part)
        self.rows += 1
        if len(self._groups) >= _ROWS_HELD:
            self._write()

    def parts(self) -> Iterator[tuple[Part, Any]]:
        """The parts that there are rows of, and each one's rows as a table. Nothing can be added any more."""
        self._write()
        for group in sorted(self._batches):
            batches = [self._read(number, batch) for number, batch in self._batches[group]]
            yield Part(*divmod(group, PARTS)), pa.Table.from_batches(batches)

    def _write(self) -> None:
        if not self._groups:
            return
        groups = pa.array(self._groups, pa.int64())
        order = pc.sort_indices(groups)
        [rows] = table_of(self._columns).take(order).combine_chunks().to_batches()
        groups = groups.take(order)
        runs = pc.run_end_encode(groups)
        begin = 0
        with pa.OSFile(str(self._path(self._files)), "wb") as file, pa.ipc.new_file(file, SCHEMA) as out:
            for batch, (group, end) in enumerate(zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True)):
                out.write_batch(rows.slice(begin, end - begin))
                self._batches[group].append((self._files, batch))
                begin = end
        self._files += 1
        for values in (*self._columns, self._groups):
            values.clear()

    def _read(self, number: int, batch: int) -> Any:
        with pa.OSFile(str(self._path(number)), "rb") as file:
            return pa.ipc.open_file(file).get_batch(batch)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.arrow"
