"""An import: rows of a table sent in batches, what is refused written down with its reason, and a place to go on from.

The place is kept after each batch. Whoever goes on after a kill sends that one batch again, which counts once.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from replay.api import LINES_BYTES_MAX, LINES_MAX, Sent
from replay.place import OtherPlace
from replay.tables import Row

type Send = Callable[[Sequence[bytes]], Sent]
"""Sends readings, each as a line of JSON."""


@dataclass(slots=True)
class Course:
    """How far an import came."""

    rows: int = 0
    stored: int = 0
    refused: int = 0
    refused_bytes: int = 0
    """What of the file of refused rows counts."""


class ImportPlace:
    """The place of an import: a file of JSON beside the table."""

    def __init__(self, path: Path, asked: dict[str, Any]) -> None:
        """`asked` says what is imported, and how. Raises OtherPlace when something else was, or it is no place."""
        self._path, self._asked = path, asked
        self.course = Course()
        self.is_new = not path.exists()
        if self.is_new:
            return
        try:
            told = json.loads(path.read_bytes())
            before, self.course = told["asked"], Course(**told["course"])
        except (ValueError, LookupError, TypeError):
            raise OtherPlace(f"{path} is not the place of an import: remove it to begin anew.") from None
        if other := [name for name in asked if asked[name] != before.get(name)]:
            told = ", ".join(f"{name} was {before.get(name)} and is {asked[name]}" for name in other)
            raise OtherPlace(f"{path} is the place of another import: {told}. Remove it to begin anew.")

    def save(self) -> None:
        """Never half of it: a new file takes the old one's name."""
        new = self._path.with_name(f"{self._path.name}.tmp")
        with new.open("w") as file:
            json.dump({"asked": self._asked, "course": asdict(self.course)}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def remove(self) -> None:
        """All is done."""
        self._path.unlink(missing_ok=True)


def import_rows(rows: Iterable[Row], send: Send, place: ImportPlace, refused: BinaryIO, told: Callable[[], None]) -> None:
    """Sends what comes after the place. `refused` stands where its course says; `told` hears of each batch."""
    course = place.course
    for batch in _batches(islice(rows, course.rows, None)):
        lines = [(row, line) for row, line in batch if line]
        sent = send([line for _, line in lines]) if lines else Sent(0, {})
        reasons: dict[int, Any] = {row.number: {"row": row.fault} for row, line in batch if not line}
        reasons |= {lines[index][0].number: message for index, message in sent.refused.items()}
        for row, _ in batch:
            if reason := reasons.get(row.number):
                told_row = {"row": row.number, "message": reason, "reading": row.reading}
                refused.write(json.dumps(told_row).encode() + b"\n")
        refused.flush()
        os.fsync(refused.fileno())
        course.rows += len(batch)
        course.stored += sent.stored
        course.refused += len(reasons)
        course.refused_bytes = refused.tell()
        place.save()
        told()


def _batches(rows: Iterable[Row]) -> Iterator[list[tuple[Row, bytes]]]:
    """Rows and their lines, as many together as a batch holds; no line for what is not to be sent."""
    batch: list[tuple[Row, bytes]] = []
    size_bytes = 0
    for row in rows:
        line = b"" if row.fault else json.dumps(row.reading).encode()
        if len(line) > LINES_BYTES_MAX:
            row, line = row._replace(reading={}, fault=f"{len(line)} bytes: more than a batch holds"), b""  # noqa: PLW2901
        if batch and (len(batch) == LINES_MAX or size_bytes + len(line) > LINES_BYTES_MAX):
            yield batch
            batch, size_bytes = [], 0
        batch.append((row, line))
        size_bytes += len(line) + 1
    if batch:
        yield batch
