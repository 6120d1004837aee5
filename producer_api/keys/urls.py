"""Keys in URLs, where they may not stand: addresses are logged, sent on and remembered, and answers repeat them.

With keys such a request is refused, whatever it asks for and whether there is such a path. Without keys it goes on, and nobody
behind this sees the key: so nothing can tell or log it.
"""

from typing import Final
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from producer_api.keys.credentials import HOW, INFLUX_1
from producer_api.keys.policy import POLICY, Rule
from producer_api.problems import unauthenticated
from telemetry.errors import Unauthenticated
from telemetry.keys import KEY_FORM, redacted

_KEY: Final = f"A key in the URL is not taken: addresses end up in logs. Make a new key. {HOW}."
_PASSWORD: Final = f"A password in the URL is not taken: addresses end up in logs. {HOW}, or as the password of HTTP Basic."


class KeysInUrls:
    """ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what has no key in its URL, or no longer has."""
        answer = self._app
        if scope["type"] == "http":
            query: str = scope["query_string"].decode("latin-1")
            keyed = scope["state"]["services"].gate is not None
            if KEY_FORM.search(scope["path"]) or (query and KEY_FORM.search(unquote(query))):
                if keyed:
                    answer = await _refusal(scope, _KEY)
                _take_keys_out(scope)
            elif keyed and query and scope["path"] in INFLUX_1 and parse_qs(query).get("p"):
                answer = await _refusal(scope, _PASSWORD)
        await answer(scope, receive, send)


async def _refusal(scope: Scope, why: str) -> ASGIApp:
    scope["page"] = POLICY.get(scope["path"], Rule()).page
    return await unauthenticated(Request(scope), Unauthenticated(why, given=True))


def _take_keys_out(scope: Scope) -> None:
    """In place: who logs the request stands before this."""
    [scope["path"]] = redacted([scope["path"]])
    segments = scope["raw_path"].decode("latin-1").split("/")
    scope["raw_path"] = "/".join(_without_keys(segment) for segment in segments).encode()
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    scope["query_string"] = urlencode([(name, text) for name, text in map(redacted, pairs)], errors="surrogateescape").encode()


def _without_keys(segment: str) -> str:
    plain = unquote(segment, errors="surrogateescape")
    [told] = redacted([plain])
    return segment if told == plain else quote(told, safe="", errors="surrogateescape")
