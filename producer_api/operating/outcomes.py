"""What became of readings and requests, counted. Plain numbers, of the event loop's thread."""

from collections import Counter
from enum import StrEnum

from telemetry.errors import NotStored


class Outcome(StrEnum):
    """What became of a reading."""

    STORED = "stored"
    REFUSED = "refused"
    """By its sender's mistake."""
    IGNORED = "ignored"
    """It was no temperature at all."""
    NOT_STORED = "not_stored"
    """The log took it at no try, or there was no room in the queue."""
    UNKNOWN = "unknown"
    """It may be stored."""


def outcome_of(failure: type[NotStored]) -> Outcome:
    """What became of a reading that was not confirmed."""
    return Outcome.UNKNOWN if failure is NotStored else Outcome.NOT_STORED


class Outcomes:
    """Counts since the process began."""

    def __init__(self) -> None:
        self.readings: Counter[tuple[str, ...]] = Counter()
        """By door (`put`, `batch`, `write`, `ttn`, `chirpstack`) and outcome."""
        self.refused: Counter[str] = Counter()
        """Requests by the code of their problem."""

        self.untimed = 0
        """Readings whose sender named no time: sent again, they count again."""

    def reading(self, door: str, outcome: Outcome) -> None:
        """A reading came to this."""
        self.readings[door, outcome.value] += 1
