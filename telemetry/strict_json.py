"""JSON without the standard library's leniencies.

Fractions become exact decimals; duplicate keys, NaN, Infinity, wrong UTF-8, numbers of absurd length and absurd nesting are
errors. Used at the HTTP edge and by every reader of the log.
"""

import codecs
import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import Any, Final, NoReturn

NESTED_MAX: Final = 500
"""Arrays and objects within one another. A bound of ours: the interpreter's own, some 10,000, gives way with the depth of the
calls around it, and what an event is must not depend on who reads it."""
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]', re.DOTALL)


def loads(data: bytes) -> Any:
    """Parse one JSON document.

    Raises ValueError, with a text fit for the sender, for anything that is not strictly JSON.
    """
    if b"\x00" in data[:4] or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("not UTF-8 but UTF-16 or UTF-32; JSON is sent in UTF-8")
    try:
        text = data.decode("utf-8")
        if text.count("[") + text.count("{") > NESTED_MAX and _depth(text) > NESTED_MAX:
            raise ValueError("nested too deeply")
        return _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    except InvalidOperation:
        raise ValueError("a number has an exponent beyond all use") from None
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        # Python's own text about long integers tells how to allow them.
        raise ValueError("a number is beyond the limit of 4300 digits" if "digits" in str(error) else str(error)) from None


def without_mark(data: bytes) -> bytes:
    """A sender's text without the byte order mark that tools on Windows put before it (RFC 8259, 8.1: may be ignored).

    One mark and no more: it may stand at the beginning only.
    """
    return data.removeprefix(codecs.BOM_UTF8)


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
