"""W3C Trace Context: which `traceparent` of a request is taken over, and where it goes (https://www.w3.org/TR/trace-context/)."""

import re
from collections.abc import Iterable
from typing import Final

from starlette.types import Scope

_FORM: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32}-[0-9a-f]{16}-)([0-9a-f]{2})(-.*)?")
_NOTHING: Final = re.compile(rb"0{32}-|.{32}-0{16}-")
"""An id of zeros alone names nothing (3.2.2.3, 3.2.2.4)."""
_INVALID_VERSION: Final = b"ff"
_VERSION: Final = b"00"
_SAMPLED: Final = 1
_KEY: Final = "traceparent"


def traceparent_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The request's `traceparent` in the form of version 00, or None when it has none, several, or one that is not valid.

    Of a later version what is known of it is taken, as 3.2.4 asks for; its further fields are nobody's here.
    """
    given = [value for name, value in headers if name == b"traceparent"]
    match = _FORM.fullmatch(given[0]) if len(given) == 1 else None
    if not match:
        return None
    version, ids, flags, more = match.groups()
    if version == _INVALID_VERSION or (version == _VERSION and more) or _NOTHING.match(ids):
        return None
    return (b"00-" + ids + flags).decode()


def keep(scope: Scope, traceparent: str) -> None:
    """Leave it with the request."""
    scope[_KEY] = traceparent


def sampled(scope: Scope) -> str:
    """What the request's event carries: its `traceparent` when whoever sent it samples the trace, else nothing."""
    traceparent: str = scope.get(_KEY, "")
    return traceparent if traceparent and int(traceparent[-2:], 16) & _SAMPLED else ""
