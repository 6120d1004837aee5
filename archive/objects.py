"""An object of a chain: made record by record in memory, and read step by step. Pure.

Gzip members one after the other, which every tool takes for one text: first line and records, then the last line in a member of
its own, so that one read of the object's end finds it.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from archive.instants import instant
from archive.lines import RecordWriter, read_records
from archive.meta import Arrived, Gap, Head, Tail, line, parse_head, parse_tail
from archive.names import Place
from telemetry.errors import ArchiveUnreadable
from telemetry.log import LogRecord
from telemetry.shards import Shard

TAIL_BYTES: Final = 64 * 1024
"""Of an object's end, read at once. A last line is far shorter, whatever it counts (`DAYS_MAX` in lines.py)."""

HEAD_BYTES: Final = 16 * 1024
"""Of an object's beginning, read at once: a first line is far shorter."""

_GZIP_LEVEL: Final = 6
_MEMBER: Final = b"\x1f\x8b\x08"
"""What a gzip member begins with (RFC 1952)."""
_META: Final = b'{"meta":'


class Draft:
    """An object that is being made: from `after` on, its first line told by `gap` and shard."""

    def __init__(self, stream: str, created: str, shard: Shard, after: Place, gap: Gap | None = None) -> None:
        self.after = self.place = after
        self.records = 0
        self.gap = gap
        self._lines = 0
        self._earliest_ms = self._latest_ms = 0
        self._writer = RecordWriter()
        self._zip = _zip()
        self._packed = [self._zip.compress(line(Head.of(stream, created, shard, gap)))]
        self.size_bytes = len(self._packed[0])
        """So far, as it will be put; the last few kB are still in the packer's hands."""

    def add(self, record: LogRecord) -> None:
        """Put a record behind the others."""
        written = self._writer.write(record)
        packed = self._zip.compress(written.text)
        self._packed.append(packed)
        self.size_bytes += len(packed)
        arrived_ms = record.arrived_ms
        self._earliest_ms = min(self._earliest_ms, arrived_ms) if self.records else arrived_ms
        self._latest_ms = max(self._latest_ms, arrived_ms) if self.records else arrived_ms
        self.records += 1
        self._lines += written.lines
        self.place = Place(record.sequence_number, arrived_ms)

    def finish(self, *, shard_end: bool, stream_end: bool = False) -> tuple[Tail, bytes]:
        """The last line and the whole object. Nothing can be added any more."""
        arrived = Arrived(
            instant(self._earliest_ms) if self.records else None,
            instant(self._latest_ms) if self.records else None,
            instant(self.place.arrived_ms) if self.place.sequence_number else None,
        )
        last = str(self.place.sequence_number)
        tail = Tail(last, self.records, self._lines, arrived, self._writer.measured, shard_end, stream_end)
        own_member = gzip.compress(line(tail), _GZIP_LEVEL, mtime=0)
        return tail, b"".join([*self._packed, self._zip.flush(), own_member])


class ObjectReader:
    """Reads an object from its beginning; holds one record and a step of the unpacked text in memory.

    `head` is there from the beginning, `tail` once all records were read. Raises ArchiveUnreadable for what is no such object,
    or of a newer format; what `source` raises goes on.
    """

    def __init__(self, source: BinaryIO, key: str) -> None:
        self._key = key
        self._text = gzip.GzipFile(fileobj=source, mode="rb")
        self._lines = 0
        self._last_line = b""
        self.tail: Tail | None = None
        with _told(key):
            self.head = parse_head(self._text.readline(), key)

    def records(self) -> Iterator[LogRecord]:
        """The records in their order."""
        count, last = 0, 0
        with _told(self._key):
            for record in read_records(self._written(), self._fail):
                count, last = count + 1, record.sequence_number
                yield record
        if not self._last_line:
            raise self._fail("it has no last line")
        tail = parse_tail(self._last_line, self._key)
        if (count, self._lines) != (tail.records, tail.lines) or (count and last != tail.place.sequence_number):
            raise self._fail(f"its last line tells of {tail.records} records in {tail.lines} lines up to {tail.last}")
        self.tail = tail

    def _written(self) -> Iterator[bytes]:
        """The lines between the first and the last."""
        for text in self._text:
            if self._last_line:
                raise self._fail("a line follows its last one")
            if text.startswith(_META):
                self._last_line = text
            else:
                self._lines += 1
                yield text

    def _fail(self, reason: str) -> ArchiveUnreadable:
        return ArchiveUnreadable(f"{self._key} is spoilt: {reason}. Fetch it again from a copy of the archive.")


def read_head(start: bytes, key: str) -> Head:
    """An object's first line, out of its first bytes, HEAD_BYTES at most. Raises ArchiveUnreadable."""
    with _told(key):
        text, newline, _ = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(start).partition(b"\n")
        return parse_head(text + newline, key)


def read_tail(end: bytes, key: str) -> Tail:
    """An object's last line, out of its last bytes, TAIL_BYTES at most. Raises ArchiveUnreadable."""
    at = len(end)
    while (at := end.rfind(_MEMBER, 0, at)) >= 0:
        unpacked = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            text = unpacked.decompress(end[at:])
        except zlib.error:
            continue  # bytes that only look like a member's beginning
        if unpacked.eof and not unpacked.unused_data and text.startswith(_META):
            return parse_tail(text, key)
    raise ArchiveUnreadable(f"{key} does not end as an object of an archive. Fetch it again from a copy of the archive.")


@contextmanager
def _told(key: str) -> Iterator[None]:
    """Errors of gzip, and of values in a line, are told as those of an object."""
    try:
        yield
    except (gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise ArchiveUnreadable(f"{key} is spoilt: {error}. Fetch it again from a copy of the archive.") from error


def _zip() -> "zlib._Compress":
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
