"""What the objects of the archive are called. Pure.

    log/<stream created>/<shardId>/<after>~<arrival>.ndjson.gz     one object of a shard's chain
    state/<stream created>/<shardId>                               what was last seen of the shard

`after` is the last sequence number of the object before, and `arrival` when that record arrived, in ms since 1970; both are 0
at a shard's start. All of it stands in the forerunner, so two writers of one place of the chain come to one name.
"""

import re
from decimal import Decimal
from typing import Final, NamedTuple

from telemetry.errors import ArchiveUnreadable

LOG: Final = "log/"
STATE: Final = "state/"
_ENDING: Final = ".ndjson.gz"
_KEY: Final = re.compile(
    r"log/(?P<created>[0-9.]+)/(?P<shard>[a-zA-Z0-9_.-]+)/(?P<digits>\d{3})-(?P<after>\d+)~(?P<arrived>\d+)\.ndjson\.gz"
)
_STREAM: Final = re.compile(r"(log|state)/(?P<created>\d+\.\d{3})/")


class Place(NamedTuple):
    """Where a shard's chain was reached: the record that was last taken, 0 at the shard's start, and when it arrived."""

    sequence_number: int = 0
    arrived_ms: int = 0
    """Milliseconds since 1970, as Kinesis stamps records: about right, and not rising along the shard."""


START: Final = Place()


class Key(NamedTuple):
    """The parts of an object's name."""

    created: str
    """When the stream was created: seconds since 1970, three decimals."""
    shard_id: str
    after: Place


def created_ms(created: str) -> int:
    """When a stream was created, in ms since 1970, by the text that it has in names."""
    return int(Decimal(created) * 1000)


def stream_prefix(created: str) -> str:
    """What the names of all objects of a stream begin with."""
    return f"{LOG}{created}/"


def shard_prefix(created: str, shard_id: str) -> str:
    """What the names of all objects of a shard begin with."""
    return f"{LOG}{created}/{shard_id}/"


def behind_shard(created: str, shard_id: str) -> str:
    """A text behind the names of all objects of a shard and before those of the next."""
    return f"{LOG}{created}/{shard_id}0"


def stream_of(key: str) -> str | None:
    """When the stream was created that a name below `log/` or `state/` is of; None for what others put there."""
    match = _STREAM.match(key)
    return match["created"] if match else None


def behind_folder(key: str) -> str:
    """A text behind all names that are in the same folder below `log/` or `state/`."""
    root, folder, *_ = key.split("/")
    return f"{root}/{folder}0"


def object_key(created: str, shard_id: str, after: Place) -> str:
    """The name of the object that follows a place.

    Its number's digits come first, so that the order of texts is that of numbers.
    """
    digits = str(after.sequence_number)
    return f"{shard_prefix(created, shard_id)}{len(digits):03}-{digits}~{after.arrived_ms}{_ENDING}"


def parse_key(key: str) -> Key:
    """The parts of a name. Raises ArchiveUnreadable for one that no archiver gives."""
    match = _KEY.fullmatch(key)
    if match is None or int(match["digits"]) != len(match["after"]):
        raise ArchiveUnreadable(f"{key}: no object of an archive is called so: move it elsewhere.")
    return Key(match["created"], match["shard"], Place(int(match["after"]), int(match["arrived"])))


def state_key(created: str, shard_id: str) -> str:
    """The name of a shard's state."""
    return f"{state_prefix(created)}{shard_id}"


def state_prefix(created: str) -> str:
    """What the names of the states of all shards of a stream begin with."""
    return f"{STATE}{created}/"
