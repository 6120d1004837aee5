"""KPL aggregates as foreign writers make them: the tests' own encoder of the public format."""

import hashlib
from collections.abc import Sequence

MAGIC = b"\xf3\x89\x9a\xc2"


def aggregate(parts: Sequence[bytes], keys: Sequence[str] = ("gateway",), hash_keys: Sequence[str] = ()) -> bytes:
    """One record of the stream that holds these user records, their keys taken in turn."""
    body = b"".join(field(1, key.encode()) for key in keys) + b"".join(field(2, key.encode()) for key in hash_keys)
    for number, part in enumerate(parts):
        index = b"\x08" + varint(number % len(keys))
        if hash_keys:
            index += b"\x10" + varint(number % len(hash_keys))
        body += field(3, index + field(3, part))
    return sealed(body)


def sealed(body: bytes) -> bytes:
    """A message between magic bytes and its MD5."""
    return MAGIC + body + hashlib.md5(body, usedforsecurity=False).digest()


def field(number: int, data: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """A number, seven bits a byte."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])
