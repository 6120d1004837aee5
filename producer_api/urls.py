"""Relative URLs with a whole question in them, and the host of others."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::[0-9]*)?")


def relative(path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """A relative URL with a whole question."""
    return f"{path}?{urlencode(list(parameters), quote_via=quote)}"


def question_of(request: Request) -> list[tuple[str, str]]:
    """Names and values of a request's parameters; what is not UTF-8 stays in them as surrogates."""
    query: bytes = request.scope["query_string"]
    return parse_qsl(query.decode(errors="surrogateescape"), keep_blank_values=True, errors="surrogateescape")


def asked_again(request: Request, changed: Mapping[str, str | None], path: str = "") -> str:
    """The question of a request with some parameters changed, or left out; under another path, if one is given.

    Its own path stays as it was written: decoded, an id in it would name another resource.
    """
    kept = [one for one in question_of(request) if one[0] not in changed]
    path = path or quote(request.scope["raw_path"], safe="/%:@!$&'()*+,;=")
    return relative(path, [*kept, *((name, text) for name, text in changed.items() if text is not None)])


def host_of(netloc: str) -> str:
    """The host of a Host header or a URL, without its port; what is none stays as it is."""
    match = _HOST.fullmatch(netloc)
    return (match[1] if match else netloc).lower().removesuffix(".")
