"""The last readings that came to a process, and the last that were refused: for whoever sets up a device and asks what arrives.

Of the event loop's thread; kept in memory only.
"""

import time
from collections import deque
from typing import Final, NamedTuple

from telemetry.keys import redacted
from telemetry.reading import Reading

KEPT: Final = 5


class Received(NamedTuple):
    """A reading that was stored."""

    at_us: int
    door: str
    reading: Reading


class Refusal(NamedTuple):
    """Something that was refused, or passed over."""

    at_us: int
    door: str
    code: str
    """Of the problem; none for what was passed over."""
    why: str


class Recent:
    """The last few of each."""

    def __init__(self) -> None:
        self.received: deque[Received] = deque(maxlen=KEPT)
        self.refused: deque[Refusal] = deque(maxlen=KEPT)
        self.ignored: deque[Refusal] = deque(maxlen=KEPT)
        """Apart: senders of line protocol send much that is no temperature, and refusals would be lost among it."""

    def receive(self, door: str, reading: Reading) -> None:
        """This was stored just now."""
        self.received.append(Received(_now_us(), door, reading))

    def refuse(self, door: str, code: str, why: str) -> None:
        """A request was refused just now, or some of it."""
        self.refused.append(_refusal(door, code, why))

    def ignore(self, door: str, why: str) -> None:
        """Something was passed over just now."""
        self.ignored.append(_refusal(door, "", why))


def _refusal(door: str, code: str, why: str) -> Refusal:
    [told] = redacted([why])  # it may repeat what was sent
    return Refusal(_now_us(), door, code, told)


def _now_us() -> int:
    return time.time_ns() // 1000
