"""What a server allows its connections: how many there are, how long each may keep us waiting, and who gives way to whom.

What one of them may cost beside that is in `connections.py`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from producer_api.envelope import request_id_of
from producer_api.keys.credentials import INFLUX
from producer_api.operating.outcomes import Outcomes
from producer_api.operating.requests import UNMATCHED
from producer_api.problems import as_for_influxdb, problem_members
from telemetry.logs import SparseLog

if TYPE_CHECKING:
    from producer_api.connections import Connection

_SWEEP_S: Final = 0.5
_EVICTED_AFTER_S: Final = 1.0
"""A connection that has waited for less was made just now, maybe in the same burst as the new one."""
_ENDING_MAX: Final = 256
"""Connections that linger at once; beyond, a new one that finds no place is cut without a word."""

log = SparseLog(__name__)


class Waiting(Enum):
    """What a connection waits for."""

    FIRST_BYTE = "the first byte"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    READER = "the client to read its answer"
    NEXT_REQUEST = "the next request"
    END = "the client to leave"


_GIVE_WAY: Final = (Waiting.END, Waiting.FIRST_BYTE, Waiting.HEAD, Waiting.NEXT_REQUEST)
"""Who makes room for a new connection, first the ones that have shown least."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server allows."""

    connections_max: int
    request_s: float
    """How long a head may take to come, how long a body, and how long the client may leave its answer unread."""
    keep_alive_s: float
    """How long a connection may be idle between requests."""
    drain_s: float
    """How long a body may still take once the server was asked to stop."""
    head_bytes_max: int = 32 * 1024
    """Bytes without the end of a head or any body among them: heads, blank lines, chunk extensions, trailers."""
    linger_s: float = 5
    linger_bytes_max: int = 8 * 1024 * 1024
    """How long, and how much, is read and thrown away of what a client sends after its last answer."""


class Guard:
    """All connections of a server by what they wait for, those that have waited longest first."""

    def __init__(self, limits: Limits, outcomes: Outcomes) -> None:
        self.limits = limits
        self.outcomes = outcomes
        self.stopping = False
        """The server was asked to stop: whatever is answered from now on ends its connection."""
        self._patience_s = dict.fromkeys(Waiting, limits.request_s)
        self._patience_s |= {Waiting.NEXT_REQUEST: limits.keep_alive_s, Waiting.END: limits.linger_s}
        self._waiting: dict[Waiting, dict[Connection, float]] = {waiting: {} for waiting in Waiting}
        self._sweep: asyncio.TimerHandle | None = None

    def refused(self, status: int, detail: str, scope: Mapping[str, Any] | None, peer: str) -> tuple[Mapping[str, Any], str]:
        """Count and log a request that never comes to the application; the members of its problem, and its id.

        `scope` is the request's, if one has begun.
        """
        members, request_id = problem_members(status, detail), request_id_of(scope["headers"] if scope else ())
        if scope and scope.get("path") in INFLUX:  # it has none before its head is whole
            members = as_for_influxdb(members)
        self.outcomes.refused[members["code"]] += 1
        fields = {"status": status, "route": UNMATCHED, "code": members["code"], "request_id": request_id, "peer": peer}
        log.info("request_refused", **fields, detail=detail)
        return members, request_id

    def wait(self, connection: "Connection", waiting: Waiting | None) -> None:
        """Note what a connection waits for from now on; None while it is our turn."""
        if connection.waiting is not None:
            del self._waiting[connection.waiting][connection]
        connection.waiting = waiting
        if waiting is not None:
            self._waiting[waiting][connection] = connection.loop.time()
            if self._sweep is None:
                self._sweep = connection.loop.call_later(_SWEEP_S, self._end_overdue, connection.loop)

    def find_place(self, connection: "Connection") -> bool:
        """Whether a new connection may stay, where all places are taken in the stead of one that only waits.

        One that may not is told so, unless very many are being told already.
        """
        if len(connection.connections) <= self.limits.connections_max:
            return True
        for waiting in _GIVE_WAY:
            for other, since_s in self._waiting[waiting].items():
                if connection.loop.time() - since_s < _EVICTED_AFTER_S:
                    break
                log.info("connection_gave_way", peer=other.peer, waited_for=waiting.value)
                other.transport.abort()
                return True
        if len(self._waiting[Waiting.END]) > _ENDING_MAX:
            connection.transport.abort()
        return False

    def _end_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        for waiting, connections in self._waiting.items():
            overdue = []
            for connection, since_s in connections.items():
                if now_s - since_s < self._patience_s[waiting]:
                    break
                overdue.append(connection)
            for connection in overdue:
                connection.end_overdue(waiting)
        self._sweep = loop.call_later(_SWEEP_S, self._end_overdue, loop) if any(self._waiting.values()) else None
