"""Requests that pages of other sites have a browser make: refused with and without keys.

A browser sends whatever a page of any site tells it to, to this machine and this network too, and adds the cookies it has. So a
write must not come from another site's page, and nothing is answered under a name that another site may have given our
address (DNS rebinding).
"""

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from producer_api.pages.errors import CODES
from producer_api.problems import problem
from producer_api.urls import host_of
from telemetry.settings import Settings

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN: Final = frozenset({"same-origin", "none"})
"""Of Sec-Fetch-Site: our own pages, and what a person typed."""


class Sites:
    """ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        public_url = settings.public_url
        public_host = (host_of(urlsplit(public_url).netloc),) if public_url else ()
        self._hosts = frozenset([*public_host, *filter(None, settings.allowed_hosts.lower().split(","))])
        self._public_origin = origin_of(public_url) if public_url else None
        self._origins = frozenset(filter(None, settings.cors_origins.split(",")))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what no other site's page can have made."""
        code = self._refusal(scope) if scope["type"] == "http" else None
        answer = problem(403, CODES[code], code) if code else self._app
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_ours(host_of(host), self._hosts):
            return "unknown-host"
        if scope["method"] in _SAFE:
            return None
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and (origin in self._origins or "*" in self._origins):
            return None
        if site is not None:
            # No page can set it. Of a form on a page that tells nobody where it was, Origin says `null`.
            return None if site in _OWN else "other-site"
        # The Host header is not a page's to choose, and says what the browser takes this server for.
        foreign = origin is not None and origin != self._public_origin and urlsplit(origin).netloc.lower() != host.lower()
        return "other-site" if foreign else None


def origin_of(url: str) -> str:
    """The origin of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def is_ours(host: str, ours: Collection[str]) -> bool:
    """Whether nobody but us, or whoever runs the network we are in, can have given our address this name.

    That is a name of the settings', an address, a name of this machine's, and one without a dot, as no domain of another's is.
    """
    if host in ours or "." not in host.removesuffix(".localhost"):
        return True
    if any(host.endswith(name) for name in ours if name.startswith(".")):
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
