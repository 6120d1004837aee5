"""In which cookie a person's key lies, by how a request came. Pure."""

from collections.abc import Iterable
from typing import Final

from starlette.requests import cookie_parser

from producer_api.urls import host_of

COOKIE: Final = "__Host-telemetry"
"""Browsers send it to the host that set it only, over HTTPS only."""
LOOPBACK_COOKIE: Final = "telemetry"
"""In its place over plain HTTP to this machine, where browsers would not keep the other. Elsewhere anybody may have set it."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


def cookie_of(scheme: str, host: str, public_url: str) -> str | None:
    """The cookie of a request that came by this scheme to this host; none over plain HTTP to another machine.

    Behind a load balancer PUBLIC_URL says by what people come.
    """
    if scheme == "https" or public_url.startswith("https:"):
        return COOKIE
    return LOOPBACK_COOKIE if host_of(host) in _LOOPBACK else None


def values_of(cookie: str, headers: Iterable[tuple[bytes, bytes]]) -> set[str]:
    """What a request's headers say that a cookie holds, whatever other applications put beside it."""
    told = (cookie_parser(value.decode("latin-1")) for name, value in headers if name == b"cookie")
    return {cookies[cookie] for cookies in told if cookie in cookies}
