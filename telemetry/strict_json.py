"""JSON without the standard library's leniencies.

Fractions become exact decimals; duplicate keys, NaN, Infinity, wrong UTF-8, numbers of absurd length and absurd nesting are
errors. Used at the HTTP edge and by every reader of the log.
"""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import Any, Final, NamedTuple, NoReturn

NESTED_MAX: Final = 500
"""Arrays and objects within one another. A bound of ours: the interpreter's own, some 10,000, gives way with the depth of the
calls around it, and what an event is must not depend on who reads it."""
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]', re.DOTALL)
_SPACE: Final = re.compile(r"[ \t\n\r]*")


class Spoilt(NamedTuple):
    """An item of an array whose syntax is JSON's and which is refused all the same: why, and its own text."""

    reason: str
    source: bytes


def loads(data: bytes) -> Any:
    """Parse one JSON document.

    Raises ValueError, with a text fit for the sender, for anything that is not strictly JSON.
    """
    text = _text(data)
    try:
        if _nested_too_deeply(text, 0, len(text)):
            raise ValueError(_TOO_DEEP)
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, InvalidOperation) as error:
        raise ValueError(_reason(error)) from None


def array_items(data: bytes) -> Iterator[Any]:
    """The items of one JSON array, each parsed when it is asked for.

    An item that is refused for anything but its syntax is Spoilt, and those after it go on. Raises ValueError, with a text fit
    for the sender, where the text as a whole is no JSON array: maybe after some items.
    """
    text = _text(data)
    at = _after_space(text, 0)
    if not text.startswith("[", at):
        raise json.JSONDecodeError("Expecting '['", text, at)
    at = _after_space(text, at + 1)
    if not text.startswith("]", at):
        item, at = _item(text, at)
        yield item
        while text.startswith(",", at := _after_space(text, at)):
            item, at = _item(text, _after_space(text, at + 1))
            yield item
        if not text.startswith("]", at):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    if (at := _after_space(text, at + 1)) < len(text):
        raise json.JSONDecodeError("Extra data", text, at)


def without_mark(data: bytes) -> bytes:
    """A sender's text without the byte order mark that tools on Windows put before it (RFC 8259, 8.1: may be ignored).

    One mark and no more: it may stand at the beginning only.
    """
    return data.removeprefix(codecs.BOM_UTF8)


def _text(data: bytes) -> str:
    if b"\x00" in data[:4] or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("not UTF-8 but UTF-16 or UTF-32; JSON is sent in UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None


def _after_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches everywhere


def _item(text: str, begin: int) -> tuple[Any, int]:
    """The item that begins here, and where it ends."""
    try:
        item, end = _DECODER.raw_decode(text, begin)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except (ValueError, InvalidOperation) as error:
        return _spoilt(text, begin, _reason(error))
    return _spoilt(text, begin, _TOO_DEEP) if _nested_too_deeply(text, begin, end) else (item, end)


def _spoilt(text: str, begin: int, reason: str) -> tuple[Spoilt, int]:
    try:
        _, end = _SYNTAX.raw_decode(text, begin)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return Spoilt(reason, text[begin:end].encode()), end


def _reason(error: Exception) -> str:
    """Why a value is refused, fit for the sender."""
    if isinstance(error, InvalidOperation):
        return "a number has an exponent beyond all use"
    # Python's own text about long integers tells how to allow them.
    return "a number is beyond the limit of 4300 digits" if "digits" in str(error) else str(error)


def _nested_too_deeply(text: str, begin: int, end: int) -> bool:
    brackets = text.count("[", begin, end) + text.count("{", begin, end)
    return brackets > NESTED_MAX and _depth(text[begin:end]) > NESTED_MAX


def _depth(text: str) -> int:
    """Of the brackets outside strings."""
    signs = ((sign in "[{") - (sign in "]}") for sign in _STRING_OR_BRACKET.findall(text))
    return max(accumulate(signs), default=0)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        repeated = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"the name {repeated[:64]!r} appears twice")
    return members


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
_SYNTAX: Final = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
"""Minds nothing but where a value ends."""
_TOO_DEEP: Final = "nested too deeply"
