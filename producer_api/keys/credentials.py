"""Where a request may carry a key, and where it may not. Pure.

In `Authorization` as Bearer, or Token as clients of InfluxDB 2 write it, in `X-API-Key`, on the paths of InfluxDB 1 also as the
password of Basic, and for reading in the page's cookie (`cookies.py`). Never in the URL (`urls.py`).
A load balancer that verifies clients' certificates says in a header whose they are; whether that is believed is the gate's.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Final

from starlette.types import Scope

from producer_api.keys.cookies import cookie_of, values_of
from telemetry.errors import Unauthenticated

INFLUX_1: Final = frozenset({"/write", "/query"})
"""The paths of InfluxDB 1, whose clients have a user's name and a password."""
INFLUX: Final = INFLUX_1 | {"/api/v2/write"}
"""And of InfluxDB 2: where its clients send and ask, which show `error` or `message` of what they are refused."""
_READS: Final = frozenset({"GET", "HEAD"})
_SCHEMES: Final = frozenset({"bearer", "token"})
_SUBJECT: Final = b"x-amzn-mtls-clientcert-subject"
"""An RFC 2253 name (Elastic Load Balancing User Guide, "Mutual authentication with TLS in Application Load Balancer")."""
_COMMON_NAME: Final = re.compile(r"(?:^|(?<!\\)[,+]) *CN=([^,+]*)", re.IGNORECASE)
HOW: Final = "Send it as `Authorization: Bearer …` or `X-API-Key: …`"


def presented(scope: Scope, public_url: str = "") -> str | None:
    """The only credential of a request, whatever it is worth; None where it has none. Raises Unauthenticated.

    What it raises never repeats the credential.
    """
    path, headers = scope["path"], scope["headers"]
    found: set[str] = set()
    host = ""
    for name, value in headers:
        if name == b"authorization":
            found.add(_authorized(value.decode("latin-1").strip(), basic=path in INFLUX_1))
        elif name == b"x-api-key":
            found.add(value.decode("latin-1").strip())
        elif name == b"host":
            host = value.decode("latin-1")
    if scope["method"] in _READS and (cookie := cookie_of(scope.get("scheme", "http"), host, public_url)):
        found |= values_of(cookie, headers)
    if len(found) > 1:
        raise Unauthenticated("Two different credentials were sent: send one.", given=True)
    return next(iter(found), None)


def certified(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The common name of a client's certificate, as a load balancer says it; None without one, or with more than one.

    What stands behind an escaped comma is none: an organisation's name is not to become a common name.
    """
    subjects = [value.decode("latin-1") for name, value in headers if name == _SUBJECT]
    names = [name for subject in subjects for name in _COMMON_NAME.findall(subject)]
    return names[0] if len(subjects) == len(names) == 1 else None


def _authorized(value: str, *, basic: bool) -> str:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() in _SCHEMES:
        return rest.strip()
    if scheme.lower() == "basic" and basic:
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            raise Unauthenticated("Expected user and password in Basic's base 64.", given=True) from None
    taken = "Bearer, Token or Basic" if basic else "Bearer or Token"
    raise Unauthenticated(f"Expected Authorization of the scheme {taken}.", given=True)
