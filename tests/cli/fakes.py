"""A stream in place of Kinesis, for commands that are typed within the tests' own process."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from replay.stream import Stretch
from telemetry.errors import StoreUnavailable
from telemetry.log import Gap, LogRecord, Page, Position
from telemetry.shards import Shard
from tests.projections.logs import SHARD

HOUR_MS = 3_600_000
STRETCH = Stretch(created_ms=0, retention_ms=HOUR_MS, asked_at_ms=HOUR_MS, until_ms=HOUR_MS)


@dataclass
class Stream:
    """A stream of one shard, in place of Kinesis."""

    records: list[LogRecord]
    gap: Gap | None = None
    asked: list[Stretch] = field(default_factory=list)
    """What of it was to be read, each time."""
    page_records: int = 100
    breaks_after: int | None = None
    """After so many records of a reading it fails."""
    honours_from: bool = False
    """Whether what arrived before the stretch asked for is left out, as Kinesis does it."""

    def __call__(self, _kinesis: object, _stream: str, stretch: Stretch, **_: object) -> "Stream":
        self.asked.append(stretch)
        return self

    def shards(self) -> list[Shard]:
        return [SHARD]

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        left = [one for one in self.records if after is None or one.sequence_number > after.sequence_number]
        if self.honours_from:
            left = [one for one in left if one.arrived_ms >= (self.asked[-1].from_ms or 0)]
        for begin in range(0, max(1, len(left)), self.page_records):
            if self.breaks_after is not None and begin >= self.breaks_after:
                raise StoreUnavailable("Kinesis went away")
            yield Page(shard.shard_id, left[begin : begin + self.page_records], self.gap)


def there(monkeypatch: pytest.MonkeyPatch, stream: Stream) -> None:
    """It is the stream that commands find, and nobody has set up a pointer to others."""
    monkeypatch.setattr("cli.contact.look_at", lambda *_: STRETCH)
    monkeypatch.setattr("cli.sources.read_pointer", lambda *_: None)
    monkeypatch.setattr("cli.sources.StreamSource", stream)


def record(*lines: bytes, number: int = 1) -> LogRecord:
    return LogRecord(number, 1_000, b"\n".join(lines) + b"\n")
