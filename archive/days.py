"""What the days of readings are called that are made out of the log, and how far they hold it. Pure.

    readings/dt=<day>/part-<number>.parquet     the readings that some sensors measured on a day (UTC)
    readings/taken.json                         up to where every chain was taken into them

Each day has PARTS of them at most, and a sensor's readings lie in the part that its id hashes to.
"""

from typing import Final
from zlib import crc32

import msgspec

from archive.instants import instant, instant_ms
from telemetry.errors import ArchiveUnreadable
from telemetry.log import Position

PARTS: Final = 16
"""A day's parts: so many times less is in memory than all that was measured on a day."""
TAKEN_KEY: Final = "readings/taken.json"
_FORMAT: Final = 1


class Reached(msgspec.Struct, frozen=True):
    """A record of a chain, and up to when nothing followed it."""

    last: str
    at: str

    @classmethod
    def of(cls, position: Position) -> "Reached":
        """A position as it is written down."""
        return cls(str(position.sequence_number), instant(position.arrived_ms))

    @property
    def position(self) -> Position:
        """And back."""
        return Position(int(self.last), instant_ms(self.at))


class Taken(msgspec.Struct, frozen=True):
    """Up to where every chain was taken: all up to there lies in the parts. Once true it stays true, whoever wrote it and when.

    For a part only ever gains readings. A place that is further back than another only has readings taken again.
    """

    format: int
    parts: int
    """How many a day has."""
    chains: dict[str, Reached]
    """By `<stream created>/<shardId>`."""
    ended: list[str]
    """Chains that have ended, and were taken to their ends."""


NOTHING_TAKEN: Final = Taken(_FORMAT, PARTS, {}, [])

_TAKEN: Final = msgspec.json.Decoder(Taken)
"""Made here: see `meta.py`."""


def chain_name(created: str, shard_id: str) -> str:
    """What a chain is called here: the stream's creation and Kinesis's id, which stay when others join the list of streams."""
    return f"{created}/{shard_id}"


def part_of(sensor_id: str) -> int:
    """Which part of its days a sensor's readings lie in."""
    return crc32(sensor_id.encode()) % PARTS


def part_key(day: str, part: int) -> str:
    """The name of a part."""
    return f"readings/dt={day}/part-{part:02}.parquet"


def encode_taken(taken: Taken) -> bytes:
    """As its object holds it."""
    return msgspec.json.encode(taken)


def parse_taken(data: bytes | None) -> Taken:
    """And back; NOTHING_TAKEN without any. Raises ArchiveUnreadable, also for days of another number of parts."""
    if data is None:
        return NOTHING_TAKEN
    try:
        taken = _TAKEN.decode(data)
        _ = [reached.position for reached in taken.chains.values()]
    except (msgspec.DecodeError, ValueError) as error:
        raise ArchiveUnreadable(f"{TAKEN_KEY} does not say what was taken: {error}. Remove it: all is taken anew.") from None
    if (taken.format, taken.parts) != (_FORMAT, PARTS):
        raise ArchiveUnreadable(
            f"{TAKEN_KEY} is of format {taken.format} with {taken.parts} parts a day, and this version makes format {_FORMAT} "
            f"with {PARTS}: remove readings/, and all of it is made anew."
        )
    return taken
