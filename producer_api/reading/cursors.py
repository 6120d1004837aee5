"""Cursors: the key of the last thing on a page, good in every process and generation, for the same question only."""

import base64
import binascii
from hashlib import sha256
from typing import Final

import msgspec

from producer_api.parameters import Parameter
from telemetry.errors import InvalidQuestion

_CHECK_BYTES: Final = 6
_NOT_ONE: Final = "Not a cursor of this question: take `next` from the page before, as it stands."

CURSOR: Final = Parameter[str | None](
    "cursor", str, None, "Where the page begins: a page's `next` has it.", {"type": "string", "format": "cursor"}
)  # fmt: skip


def cursor_of(question: object, key: object) -> str:
    """The text of a key, which JSON can write."""
    data = msgspec.json.encode(key)
    return _text(_check(question, data) + data)


def key_of[K](question: object, cursor: str | None, kind: type[K]) -> K | None:
    """The key of a cursor; None without one. Raises InvalidQuestion for one that was altered, or is of another question."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidQuestion({"cursor": _NOT_ONE}) from None
    check, data = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    if check != _check(question, data) or cursor != _text(raw):  # the last character's last bits are in no byte
        raise InvalidQuestion({"cursor": _NOT_ONE})
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError:
        raise InvalidQuestion({"cursor": _NOT_ONE}) from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _check(question: object, data: bytes) -> bytes:
    """Not a secret: it tells mistakes, and whoever makes a key of his own gets another page."""
    return sha256(repr(question).encode() + data).digest()[:_CHECK_BYTES]
