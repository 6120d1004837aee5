"""Which role each route needs, and how its requests say which sensors they are about: the whole policy, one line a route.

OPTIONS, paths that do not exist and methods that a path does not take need no key. `app.py` gives each route its line when the
module is loaded: one without a line fails there.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from telemetry.keys import Role


class About(Enum):
    """Which sensors a request is about: what a key that is not for all of them is held to."""

    ALL = "all of them"
    """Such a key is refused."""
    QUERY = "the only one that `sensorId` in the query names, else all of them"
    PATH = "the one in the path"
    PREFIX = "those whose id begins with `prefix`, else all of them"
    READINGS = "those of the readings sent: the door asks for each"
    OWN = "whatever the key is for"


class Rule(NamedTuple):
    """What a route needs."""

    role: Role | None = None
    """None: no key."""
    about: About = About.ALL
    page: bool = False
    """Whether it is for people, who are shown a form in place of a problem."""


_OPEN: Final = Rule()
_INGEST: Final = Rule(Role.INGEST, About.READINGS)
_INGEST_NOTHING: Final = Rule(Role.INGEST, About.OWN)

POLICY: Final[Mapping[str, Rule]] = {
    # Open: whether it lives, what it is, how one comes in.
    "/livez": _OPEN,
    "/readyz": _OPEN,
    "/health": _OPEN,
    "/ping": _OPEN,
    "/docs": _OPEN,
    "/docs/errors/{code}": _OPEN,
    "/openapi.json": _OPEN,
    "/static": _OPEN,
    "/api/session": _OPEN,
    # Ingest: readings of the sensors that the key is for.
    "/api/temperature": _INGEST,
    "/api/temperature/batch": _INGEST,
    "/api/v2/write": _INGEST,
    "/write": _INGEST,
    "/api/webhooks/ttn": _INGEST,
    "/api/webhooks/chirpstack": _INGEST,
    "/query": _INGEST_NOTHING,
    # Read: and admin, which may read everything.
    "/": Rule(Role.READ, About.OWN, page=True),
    "/sensor": Rule(Role.READ, About.QUERY, page=True),
    "/api/stats": Rule(Role.READ, About.QUERY),
    "/api/stats/history": Rule(Role.READ, About.QUERY),
    "/api/sensor": Rule(Role.READ, About.QUERY),
    "/api/readings": Rule(Role.READ, About.QUERY),
    "/api/live": Rule(Role.READ, About.QUERY),
    "/api/sensors": Rule(Role.READ, About.PREFIX),
    "/api/sensors/{rest:path}": Rule(Role.READ, About.PATH),
    # Admin.
    "/api/status": Rule(Role.ADMIN),
    "/metrics": Rule(Role.ADMIN),
    "/connect": Rule(Role.ADMIN, page=True),
}

_MAY: Final[Mapping[Role, frozenset[Role]]] = {
    Role.INGEST: frozenset({Role.INGEST}),
    Role.READ: frozenset({Role.READ}),
    Role.ADMIN: frozenset({Role.READ, Role.ADMIN}),
}
"""Whose routes each role may use."""


def may(role: Role, needed: Role) -> bool:
    """Whether a key of one role may use routes of another."""
    return needed in _MAY[role]
