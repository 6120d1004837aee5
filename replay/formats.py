"""How events are written: the lines of the log as they are, or CSV."""

import csv
import io
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

from projections.zones import Zone, rfc3339_in
from replay.events import Event
from telemetry.reading import decimal_text

COLUMNS: Final = ("sensor_id", "temperature", "measured_at", "arrived_at", "shard", "sequence_number", "line")
REPEAT: Final = "repeat"
"""The column, or the event's attribute, that says that a reading came before. Only when repeats are marked."""


class Format(StrEnum):
    """What is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class Repeated(StrEnum):
    """What becomes of a reading that the log holds again."""

    DROP = "drop"
    KEEP = "keep"
    MARK = "mark"


class Output(Protocol):
    """Where events go."""

    def write(self, event: Event, *, repeat: bool) -> None:
        """One more event."""

    def is_due(self) -> bool:
        """Whether enough was written that it should be saved."""

    def save(self) -> int:
        """What was written is there to stay; how much that is, for whoever goes on: bytes, or finished parts."""


type Writing = Callable[[Event, bool], bytes]
"""What to write of an event, and of a repeat if that is marked."""


def line_of(event: Event, repeat: bool) -> bytes:  # noqa: FBT001  it is called for every event
    """The line of the log, byte for byte. One that is marked gets an attribute at its end, as CloudEvents' extensions are."""
    line = event.line
    if repeat:
        line = line[: line.rindex(b"}")] + b',"repeat":true}'
    return line + b"\n"


class CsvRows:
    """Rows of CSV (RFC 4180): exact decimals, and times as a zone's clock shows them."""

    def __init__(self, zone: Zone, *, mark: bool) -> None:
        self._zone, self._mark = zone, mark
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer)

    @property
    def header(self) -> bytes:
        """The first line."""
        return self._row([*COLUMNS, *([REPEAT] if self._mark else [])])

    def row(self, event: Event, repeat: bool) -> bytes:  # noqa: FBT001  it is called for every event
        """An event's line."""
        reading, record = event.reading, event.record
        values: list[object] = [
            reading.sensor_id,
            decimal_text(reading.temperature_micro),
            rfc3339_in(self._zone, reading.measured_at_us),
            rfc3339_in(self._zone, record.arrived_ms * 1000),
            event.shard_id,
            record.sequence_number,
            event.number,
        ]
        if self._mark:
            values.append("true" if repeat else "false")
        return self._row(values)

    def _row(self, values: list[object]) -> bytes:
        self._writer.writerow(values)
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return text.encode()
