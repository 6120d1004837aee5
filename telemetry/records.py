"""The record: one or more events, one per line, gzip'd when that makes it smaller.

Firehose, Athena, DuckDB, `zcat` and a person can all read it. It never begins with the KPL's magic bytes, so KCL leaves it
alone (hazard H21).
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from telemetry.errors import UndecodableEvent
from telemetry.limits import RECORD_INFLATED_BYTES_MAX

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_LEVEL: Final = 6
_GZIP_WORTH_BYTES: Final = 512
"""Below this, gzip's own 18 bytes and the time to run it buy nothing."""
_INFLATE_STEP_BYTES: Final = 64 * 1024


class Line(NamedTuple):
    """One line of a record that may hold an event: its number in the record, from 0, and its bytes."""

    number: int
    data: bytes


def encode_record(events: Sequence[bytes]) -> bytes:
    """The bytes of one record holding these events, each a line without its newline."""
    plain = b"\n".join(events) + b"\n"
    if len(plain) < _GZIP_WORTH_BYTES:
        return plain
    packed = gzip.compress(plain, _GZIP_LEVEL, mtime=0)
    return packed if len(packed) < len(plain) else plain


def split_record(data: bytes) -> Iterator[Line]:
    """The lines of a record in order, blank ones left out, holding at most a step and a line in memory.

    Raises UndecodableEvent, after the lines before the fault, when gzip is broken or inflates beyond the bound.
    """
    number = 0
    rest: list[bytes] = []
    for piece in _inflate(data) if data.startswith(_GZIP_MAGIC) else (data,):
        *ends, beginning = piece.split(b"\n")
        for end in ends:
            # Joined once, when a line ends: to join at every step would cost a bomb's size squared.
            text = b"".join([*rest, end])
            rest.clear()
            if text.strip():
                yield Line(number, text)
            number += 1
        rest.append(beginning)
    if (text := b"".join(rest)).strip():
        yield Line(number, text)


def _inflate(data: bytes) -> Iterator[bytes]:
    """The plain bytes of a gzip'd record in steps; concatenated gzip members are one, as RFC 1952 has it."""
    inflated_bytes = 0
    while data:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        while not member.eof:
            try:
                piece = member.decompress(data, _INFLATE_STEP_BYTES)
            except zlib.error as error:
                raise UndecodableEvent(f"broken gzip: {error}") from None
            inflated_bytes += len(piece)
            if inflated_bytes > RECORD_INFLATED_BYTES_MAX:
                raise UndecodableEvent(f"inflates beyond {RECORD_INFLATED_BYTES_MAX} bytes")
            data = member.unconsumed_tail
            if not piece and not data and not member.eof:
                raise UndecodableEvent("broken gzip: it ends too early")
            yield piece
        data = member.unused_data
