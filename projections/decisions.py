"""What was decided about the lines of a shard's log. Rows and packs follow from decisions alone; so does their repetition."""

from typing import NamedTuple

from telemetry.errors import ReasonCode
from telemetry.reading import Reading


class Place(NamedTuple):
    """A line of a record of the log."""

    sequence_number: int
    line: int


class Decision(NamedTuple):
    """About a reading: counted, or seen before."""

    sequence_number: int
    line: int
    reading: Reading
    counted: bool
    arrived_at_ms: int = 0
    """When Kinesis took the record: milliseconds since 1970."""
    new_sensor: bool = False
    """Counted, and nothing of its sensor was before, neither here nor in the shard's parents."""

    @property
    def place(self) -> Place:
        """Where the line is."""
        return Place(self.sequence_number, self.line)


class Refusal(NamedTuple):
    """A dead letter of a record, and the reason's code."""

    sequence_number: int
    code: ReasonCode
