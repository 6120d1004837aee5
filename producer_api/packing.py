"""Large answers are packed with gzip for clients that wish it."""

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Receive, Scope, Send

from producer_api.preferences import preferences

BYTES_MIN = 1000
"""A smaller body is not worth it (contract, "Reading")."""
_LEVEL = 5


class Packed:
    """ASGI middleware as Starlette's, but that `gzip;q=0` is no wish, and that a wish may stand in any of several headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and pack its answer."""
        wished = ",".join(Headers(scope=scope).getlist("Accept-Encoding"))
        packs = any(coding == "gzip" and weight for coding, weight in preferences(wished))
        answer = GZipResponder(self._app, BYTES_MIN, _LEVEL) if packs else IdentityResponder(self._app, BYTES_MIN)
        await answer(scope, receive, send)
