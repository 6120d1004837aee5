"""Relative URLs with a whole question in them."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request


def relative(path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """A relative URL with a whole question."""
    return f"{path}?{urlencode(list(parameters), quote_via=quote)}"


def asked_again(request: Request, changed: Mapping[str, str | None], path: str = "") -> str:
    """The question of a request with some parameters changed, or left out; under another path, if one is given."""
    kept = [one for one in request.query_params.multi_items() if one[0] not in changed]
    return relative(path or request.url.path, [*kept, *((name, text) for name, text in changed.items() if text is not None)])
