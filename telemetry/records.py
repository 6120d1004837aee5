"""The record: one or more events, one per line, gzip'd when that makes it smaller.

DuckDB, `zcat` and a person can all read it. It never begins with the KPL's magic bytes, so KCL leaves it
alone (hazard H21).
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from telemetry.aggregates import MAGIC
from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.limits import RECORD_INFLATED_BYTES_MAX

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_LEVEL: Final = 6
_GZIP_WORTH_BYTES: Final = 512
"""Below this, gzip's own 18 bytes and the time to run it buy nothing."""
_STEP_BYTES: Final = 64 * 1024
"""Of plain text, looked at together."""
_BITE_BYTES: Final = 1024
"""Of gzip, handed to zlib together: it copies what a member or a step leaves over, which for a record of many small members
would cost its size squared."""


class Line(NamedTuple):
    """One line of a record that may hold an event: its number in the record, from 0, and its bytes."""

    number: int
    data: bytes


class Broken(NamedTuple):
    """What a record breaks off with: the number its next line would have, the bytes of the part that is broken, and why."""

    number: int
    data: bytes
    code: ReasonCode
    reason: str


def encode_record(events: Sequence[bytes]) -> bytes:
    """The bytes of one record holding these events, each a line without its newline."""
    plain = b"\n".join(events) + b"\n"
    if len(plain) < _GZIP_WORTH_BYTES:
        return plain
    packed = gzip.compress(plain, _GZIP_LEVEL, mtime=0)
    return packed if len(packed) < len(plain) else plain


def whole_text(data: bytes) -> bytes | None:
    """The text of a record that is small when inflated and sound, as ours are; None for all others."""
    if not data.startswith(_GZIP_MAGIC):
        return data if len(data) <= _STEP_BYTES and not data.startswith(MAGIC) else None
    member = _member()
    try:
        text = member.decompress(data, _STEP_BYTES)
    except zlib.error:
        return None
    return text if member.eof and not member.unused_data else None


def split_record(*parts: bytes) -> Iterator[Line | Broken]:
    """The lines of a record in order, blank ones left out, holding at most a step and a line in memory.

    An aggregate is given as its user records: its lines are numbered through, and what breaks one part takes nothing from the
    others. A part whose gzip is broken, or with which the record inflates beyond the bound, is Broken after its good lines; a
    spoilt aggregate, which came as a plain record, is nothing but Broken.
    """
    number = inflated_bytes = 0
    for part in parts:
        rest: list[bytes] = []
        try:
            if part.startswith(MAGIC):
                # Its fields begin with what are newlines: taken for lines, it would be a letter for every few bytes.
                raise UndecodableEvent(ReasonCode.NOT_AN_EVENT, "begins as a KPL aggregate, and is none")
            for piece in _inflate(part) if part.startswith(_GZIP_MAGIC) else _steps(part, _STEP_BYTES):
                inflated_bytes += len(piece)
                if inflated_bytes > RECORD_INFLATED_BYTES_MAX:
                    # Its gzip may be sound, and an aggregate may cross the bound with a plain part: it holds too much.
                    raise UndecodableEvent(ReasonCode.TOO_LONG, f"inflates beyond {RECORD_INFLATED_BYTES_MAX} bytes")
                *ends, beginning = piece.split(b"\n")
                if ends and rest:
                    # Joined once, when a line ends: to join at every step would cost a bomb's size squared.
                    ends[0] = b"".join([*rest, ends[0]])
                    rest.clear()
                for text in ends:
                    if text.strip():
                        yield Line(number, text)
                    number += 1
                rest.append(beginning)
        except UndecodableEvent as error:
            yield Broken(number, part, error.code, str(error))
            number += 1
            continue
        text = b"".join(rest)
        if text.strip():
            yield Line(number, text)
        number += bool(text)


def _inflate(data: bytes) -> Iterator[bytes]:
    """The plain bytes of a gzip'd record in steps; concatenated gzip members are one, as RFC 1952 has it.

    Raises UndecodableEvent when gzip is broken.
    """
    member = _member()
    try:
        for bite in _steps(data, _BITE_BYTES):
            while bite:
                if member.eof:
                    member = _member()
                yield member.decompress(bite, _STEP_BYTES)
                bite = member.unused_data if member.eof else member.unconsumed_tail  # noqa: PLW2901  what is left of it
        while not member.eof:
            if not (piece := member.decompress(b"", _STEP_BYTES)):
                raise UndecodableEvent(ReasonCode.BAD_GZIP, "broken gzip: it ends too early")
            yield piece
    except zlib.error as error:
        raise UndecodableEvent(ReasonCode.BAD_GZIP, f"broken gzip: {error}") from None


def _member() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


def _steps(data: bytes, size_bytes: int) -> Iterator[bytes]:
    return (data[begin : begin + size_bytes] for begin in range(0, len(data), size_bytes))
