"""The first and the last line of an object, and a shard's state. Pure.

What the last line says is called the same in every later format: an archiver goes on behind an object of any format. What lies
between is its format's; a reader refuses one that is newer than itself, by name.
"""

from typing import Final

import msgspec

from archive.instants import instant, instant_ms
from archive.names import Place
from telemetry.errors import ArchiveUnreadable
from telemetry.shards import Shard

FORMAT: Final = 1

UNDATED: Final = "?"
"""Stands in `measured` for lines of which it is not said when they were measured."""


class Gap(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stretch that may be lost: what followed the record `after`, and came before the record `before`."""

    after: str
    """A sequence number; `0` for the shard's start."""
    before: str | None
    """None for the shard's end."""
    arrived_after: str | None
    """When these records arrived; None at the shard's start and end."""
    arrived_before: str | None
    parents: tuple[str, ...] = ()
    """Of a shard's first object: parents that neither the stream nor the archive knows. They, too, may have held something."""

    @classmethod
    def between(cls, after: Place, before: Place | None, parents: tuple[str, ...] = ()) -> "Gap":
        """The gap between two records; from a shard's start when `after` is none, to its end when `before` is None."""
        return cls(
            after=str(after.sequence_number),
            before=None if before is None else str(before.sequence_number),
            arrived_after=instant(after.arrived_ms) if after.sequence_number else None,
            arrived_before=None if before is None else instant(before.arrived_ms),
            parents=parents,
        )


class Head(msgspec.Struct, frozen=True):
    """An object's first line: of what the object is."""

    format: int
    stream: str
    created: str
    shard: str
    parents: tuple[str, ...]
    hash_range: tuple[str, str]
    """First and last hash key, as text: no reader's numbers hold them."""
    gap: Gap | None

    @classmethod
    def of(cls, stream: str, created: str, shard: Shard, gap: Gap | None) -> "Head":
        """The head of an object of a shard."""
        ends = (str(shard.first_hash_key), str(shard.last_hash_key))
        return cls(FORMAT, stream, created, shard.shard_id, shard.parents, ends, gap)


class Arrived(msgspec.Struct, frozen=True):
    """When an object's records arrived: the earliest, the latest, and the last of them, which need be neither."""

    min: str | None
    max: str | None
    last: str | None
    """Of the record `last`, also where that lies in an object before; None when the shard has none."""


class Tail(msgspec.Struct, frozen=True, omit_defaults=True):
    """An object's last line: how far it reaches, and what it holds."""

    last: str
    """The last sequence number in the chain up to here; `0` when there is none."""
    records: int
    lines: int
    """Between the first line and the last."""
    arrived: Arrived
    measured: dict[str, int]
    """How many readings were measured on which day (UTC), as far as the archiver could tell; UNDATED for all other lines."""
    shard_end: bool
    """The shard was read to its end: no object follows."""
    stream_end: bool = False
    """That end is the stream's: no shard follows this one either."""

    @property
    def place(self) -> Place:
        """Where the next object begins."""
        return Place(int(self.last), instant_ms(self.arrived.last) if self.arrived.last else 0)


class State(msgspec.Struct, frozen=True):
    """What was last seen of a shard: at `tip_seen_at` nothing lay behind the record `last`. True whoever wrote it and when."""

    last: str
    last_key: str | None
    """The object that holds it: from there on the chain's end is looked for."""
    tip_seen_at: str
    hash_range: tuple[str, str] | None = None
    """First and last hash key, and `parents`: of a shard without an object nothing else tells them."""
    parents: tuple[str, ...] | None = None
    """None, like the keys, in states of earlier versions."""

    @classmethod
    def of(cls, last: Place, last_key: str | None, tip_seen_ms: int, shard: Shard | None = None) -> "State":
        """The state of a shard whose tip was seen."""
        keys = (str(shard.first_hash_key), str(shard.last_hash_key)) if shard else None
        return cls(str(last.sequence_number), last_key, instant(tip_seen_ms), keys, shard.parents if shard else None)

    @property
    def hash_keys(self) -> tuple[int, int]:
        """First and last hash key; where they are not known, those of a shard that holds none."""
        first, last = map(int, self.hash_range or ("0", "-1"))
        return first, last


class _Meta[T](msgspec.Struct):
    meta: T


# Made here, and not when first used: threads that are the first to use a struct at the same time crash (msgspec 0.22.0 tells of
# a struct before it knows all of it).
_ANY: Final = msgspec.json.Decoder(_Meta[dict[str, object]])
_HEAD: Final = msgspec.json.Decoder(_Meta[Head])
_TAIL: Final = msgspec.json.Decoder(_Meta[Tail])
_STATE: Final = msgspec.json.Decoder(State)


def line(meta: Head | Tail) -> bytes:
    """A head or a tail as the line it is in the object."""
    return msgspec.json.encode(_Meta(meta)) + b"\n"


def parse_head(text: bytes, key: str) -> Head:
    """An object's first line. Raises ArchiveUnreadable for one of a newer format, which it names, or one that is none."""
    try:
        found = _ANY.decode(text).meta.get("format")
        if isinstance(found, int) and found > FORMAT:
            raise ArchiveUnreadable(
                f"{key} is of format {found}, and this version reads formats up to {FORMAT}: read it with a newer version."
            )
        return _HEAD.decode(text).meta
    except msgspec.DecodeError as error:
        raise ArchiveUnreadable(f"{key} does not begin as an object of an archive: {error}.") from None


def parse_tail(text: bytes, key: str) -> Tail:
    """An object's last line. Raises ArchiveUnreadable."""
    try:
        tail = _TAIL.decode(text).meta
        _ = tail.place
    except (msgspec.DecodeError, ValueError) as error:
        raise ArchiveUnreadable(f"{key} does not end as an object of an archive: {error}.") from None
    return tail


def encode_state(state: State) -> bytes:
    """A state as its object holds it."""
    return msgspec.json.encode(state)


def parse_state(data: bytes, key: str) -> State:
    """And back. Raises ArchiveUnreadable."""
    try:
        state = _STATE.decode(data)
        _ = int(state.last), instant_ms(state.tip_seen_at), state.hash_keys
    except (msgspec.DecodeError, ValueError) as error:
        raise ArchiveUnreadable(f"{key} is no state of a shard: {error}. Remove it: it is only a hint.") from None
    return state
