"""KPL aggregates: many user records in one record of the stream, as fluent-bit and other foreign writers put them there.

Four magic bytes, a protobuf message (`AggregatedRecord` of the KPL's public format), and the message's MD5. KCL takes them
apart before it hands records out; whoever reads the stream without KCL does it here and comes to the same, broken ones
included, so that both see the same lines (AggregatorUtil of KCL 3.1.3; compared on 100,000 aggregates, half of them spoilt).
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from telemetry.limits import HASH_KEY_MAX

MAGIC: Final = b"\xf3\x89\x9a\xc2"
"""What an aggregate begins with, and no UTF-8 does."""
_DIGEST_BYTES: Final = 16

_KEY_TABLE, _HASH_KEY_TABLE, _RECORDS = 1, 2, 3
"""Fields of the message: partition keys, explicit hash keys, records, all repeated."""
_KEY_INDEX, _HASH_KEY_INDEX, _DATA, _TAGS = 1, 2, 3, 4
"""Fields of a record: places in the two tables, the second of them optional, the user's bytes, and tags that nobody uses."""
_TAG_NAME = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES_MAX: Final = 10
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")


class UserRecords(NamedTuple):
    """What is handed out of one record of the stream: itself, when it is no aggregate, or what it holds."""

    parts: Sequence[bytes]
    lost: int = 0
    """How many more the aggregate holds that KCL hands to nobody, because their keys are broken."""


def user_records(data: bytes) -> UserRecords:
    """The user records of a record of the stream. What looks like an aggregate and is none is a plain record."""
    body, digest = data[len(MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if (
        not data.startswith(MAGIC)
        or len(data) <= len(MAGIC) + _DIGEST_BYTES
        or hashlib.md5(body, usedforsecurity=False).digest() != digest
    ):
        return UserRecords([data])
    try:
        return _handed_out(_Message(body))
    except _NoMessage:
        return UserRecords([data])


def _handed_out(message: "_Message") -> UserRecords:
    keys, hash_keys = message.all(_KEY_TABLE), message.all(_HASH_KEY_TABLE)
    records = [_Message(body) for body in message.all(_RECORDS)]
    indexes = [(record.index(_KEY_INDEX), record.index(_HASH_KEY_INDEX)) for record in records]
    parts = [record.all(_DATA) for record in records]
    tags = [_Message(body) for record in records for body in record.all(_TAGS)]
    if any(index is None for index, _ in indexes) or not all(parts) or not all(tag.all(_TAG_NAME) for tag in tags):
        raise _NoMessage  # what a message must have is not there
    for place, (key_index, hash_key_index) in enumerate(indexes):
        sound = key_index is not None and key_index < len(keys)
        hash_key = None
        if hash_key_index is not None:
            sound = sound and hash_key_index < len(hash_keys)
            text = hash_keys[hash_key_index].decode(errors="replace") if sound else ""
            hash_key = int(text) if _INTEGER.fullmatch(text) else None
            sound = sound and hash_key is not None
        if not sound:
            # KCL logs an error and goes on with the next record of the stream.
            return UserRecords([found[-1] for found in parts[:place]], len(parts) - place)
        if hash_key is not None and not 0 <= hash_key <= HASH_KEY_MAX:
            # One key outside the range, here all of the hash key space (consumer/properties.py), and KCL drops them all.
            return UserRecords([], len(parts))
    return UserRecords([found[-1] for found in parts])


class _NoMessage(Exception):
    """The bytes are not a message of this kind."""


class _Message:
    """A protobuf message, taken apart into its fields."""

    def __init__(self, body: bytes) -> None:
        self._fields: dict[tuple[int, int], list[int | bytes]] = {}
        for number, kind, value in _fields(body):
            self._fields.setdefault((number, kind), []).append(value)

    def all(self, number: int) -> list[bytes]:
        """A repeated field of bytes or text."""
        return [value for value in self._fields.get((number, _BYTES), []) if isinstance(value, bytes)]

    def index(self, number: int) -> int | None:
        """An index, the last when it is there several times, None when it is not. Java cuts it to 32 bits."""
        values = [value for value in self._fields.get((number, _VARINT), []) if isinstance(value, int)]
        return values[-1] & 0xFFFF_FFFF if values else None


def _fields(body: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Number, kind and value of each field."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise _NoMessage
        if kind == _VARINT:
            value, at = _varint(body, at)
            yield number, kind, value
            continue
        if kind == _BYTES:
            length, at = _varint(body, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise _NoMessage
        if at + length > len(body):
            raise _NoMessage
        yield number, kind, body[at : at + length]
        at += length


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    value = 0
    for place, byte in enumerate(body[at : at + _VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & 2**64 - 1, at + place + 1
    raise _NoMessage
