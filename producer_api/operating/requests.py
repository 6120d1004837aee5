"""Sees every request to its end: counts and times it, and writes a log line when it was refused or failed.

What was sent and refused it also keeps for a while, in words: for whoever sets up a device (`recent.py`).
"""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer_api.keys.policy import POLICY
from producer_api.operating.outcomes import Outcomes
from telemetry.keys import Role
from telemetry.logs import SparseLog

UNMATCHED = "unmatched"
"""In place of a route's template where there is no route."""

_WHY = "why"
_INGEST = frozenset(path for path, rule in POLICY.items() if rule.role is Role.INGEST)
"""Where readings come in; none of these paths has a part that varies."""

log = SparseLog(__name__)


def refuse(scope: Scope, code: str, why: str) -> None:
    """Leave with a request why it is refused, or failed: for who counts, logs and keeps refusals."""
    scope["problem"] = code
    refuse_some(scope, code, why)


def refuse_some(scope: Scope, code: str, why: str) -> None:
    """Leave with a request why some of it is refused, while the rest is taken."""
    scope[_WHY] = code, why


type Answered = Callable[[str, str, int, float], None]
"""Told of each answer: method, route, status, and how many seconds it took."""


class Observed:
    """ASGI middleware, within the one that binds the request's id to log lines and around everything that may answer."""

    def __init__(self, app: ASGIApp, outcomes: Outcomes, answered: Answered) -> None:
        self._app = app
        self._outcomes = outcomes
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and see what becomes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s, status = time.perf_counter(), 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method, path = scope["method"], scope["path"]
        try:
            await self._app(scope, receive, note)
        finally:
            if path in _INGEST and (told := scope.get(_WHY)):
                scope["state"]["services"].recent.refuse(f"{method} {path}", *told)
            if status:  # else the server is stopping, and nothing was answered
                self._answered(scope["method"], route_of(scope), status, time.perf_counter() - began_s)
                if status >= 400 or "problem" in scope:  # a stream that began well may break
                    self._refused(scope, status)

    def _refused(self, scope: Scope, status: int) -> None:
        code = scope.get("problem", "")
        self._outcomes.refused[code] += 1
        peer = "{}:{}".format(*scope["client"]) if scope.get("client") else ""
        refused = 400 <= status < 500
        write, event = (log.info, "request_refused") if refused else (log.warning, "request_failed")
        write(event, status=status, method=scope["method"], route=route_of(scope), code=code, peer=peer)


def route_of(scope: Scope) -> str:
    """The template of the route that a request came to, as `Route` has it."""
    route = scope.get("route")
    return route.path if route else UNMATCHED
