"""What stands before each route: its line of the policy, where keys are on."""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer_api.keys.gate import Gate, Grant
from producer_api.keys.policy import Rule

_KEY: Final = "grant"
_VARY: Final = (b"vary", b"Authorization, X-API-Key, Cookie")
_CACHING: Final = b"cache-control"
_PRIVATE: Final = b"private, no-cache"


class Guarded:
    """ASGI middleware of one route."""

    def __init__(self, app: ASGIApp, rule: Rule) -> None:
        self._app = app
        self._rule = rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on that may go on; raises what `Gate.admit` does."""
        gate: Gate | None = scope["state"]["services"].gate if self._rule.role else None
        if gate is None:
            await self._app(scope, receive, send)
            return
        scope["page"] = self._rule.page  # for who answers a refusal
        grant = scope[_KEY] = await gate.admit(scope, self._rule)

        async def send_as_private(message: Message) -> None:
            if message["type"] == "http.response.start":
                _mark_private(message, grant.rate_headers())
            await send(message)

        await self._app(scope, receive, send_as_private)


def grant_of(scope: Mapping[str, object]) -> Grant | None:
    """What the request's key allows; None where keys are off, and everything is allowed."""
    grant = scope.get(_KEY)
    assert grant is None or isinstance(grant, Grant)
    return grant


def _mark_private(message: Message, more: Mapping[str, str]) -> None:
    """Nobody who keeps answers may give this one to somebody else."""
    headers = [header for header in message["headers"] if header[0] != _CACHING]
    kept = next((value for name, value in message["headers"] if name == _CACHING), b"")
    headers += [(_CACHING, kept if b"no-store" in kept else _PRIVATE), _VARY]
    headers += [(name.lower().encode(), value.encode()) for name, value in more.items()]
    message["headers"] = headers
