"""Where a shard's chain ends, as the archive tells: found by its names, from the hint in the shard's state on."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from archive.instants import instant_ms
from archive.meta import State, Tail, parse_state
from archive.names import (
    LOG,
    START,
    STATE,
    behind_folder,
    behind_shard,
    parse_key,
    shard_prefix,
    state_key,
    state_prefix,
    stream_of,
    stream_prefix,
)
from archive.objects import TAIL_BYTES, read_tail
from archive.targets import Target
from archive.wholeness import Stretch
from archive.world import Reached
from telemetry.shards import Shard


class ChainEnd(NamedTuple):
    """A chain's last object and the shard's state; None where there is none."""

    key: str | None
    tail: Tail | None
    state: State | None

    @property
    def seen_ms(self) -> int:
        """The latest moment at which the shard was surely not over: its last arrival, or when nothing lay behind that."""
        arrived_ms = self.tail.place.arrived_ms if self.tail else 0
        return max(arrived_ms, instant_ms(self.state.tip_seen_at) if self.state else 0)


def chain_end(target: Target, created: str, shard_id: str, known: str | None = None) -> ChainEnd:
    """The end of a shard's chain, of which an object may be known. Raises ArchiveUnreadable."""
    name = state_key(created, shard_id)
    data = target.get_state(name)
    state = None if data is None else parse_state(data, name)
    key = _last_key(target, shard_prefix(created, shard_id), max(known or "", (state and state.last_key) or ""))
    return ChainEnd(key, None if key is None else _tail(target, key), state)


def reached_from(target: Target, created: str, shard_id: str, key: str) -> tuple[str, Tail]:
    """The last object of a chain that holds the object `key`, and its last line. Raises ArchiveUnreadable."""
    last = _last_key(target, shard_prefix(created, shard_id), key) or key
    return last, _tail(target, last)


def reached(target: Target, created: str, created_ms: int, shard: Shard, listed: Collection[str]) -> Reached:
    """How far a shard's chain reaches, of a stream that still lists these shards."""
    end = chain_end(target, created, shard.shard_id)
    after = end.tail.place if end.tail else START
    told = end.state is not None and end.state.last == str(after.sequence_number)
    tip_seen_ms = instant_ms(end.state.tip_seen_at) if end.state and told else 0
    if end.tail:
        return Reached(Stretch(after, tip_seen_ms), end.key, end.tail.shard_end)
    parents = {parent: chain_end(target, created, parent) for parent in shard.parents}
    unknown = tuple(parent for parent, found in parents.items() if parent not in listed and found.key is None)
    # It was born when its parents were over, so after each moment at which one of them was not.
    born_after_ms = max([created_ms, *(found.seen_ms for found in parents.values())])
    return Reached(Stretch(after, tip_seen_ms, born_after_ms), unknown_parents=unknown)


def archived_streams(target: Target) -> list[str]:
    """When the streams were created that were archived, in that order: also those that were only looked at.

    Their numbers in the log are their places here, so what others put beside them is passed over.
    """
    found: set[str] = set()
    for root in (LOG, STATE):
        after = ""
        while key := next(iter(target.list_after(root, after)), None):
            if created := stream_of(key):
                found.add(created)
            after = behind_folder(key)
    return sorted(found, key=float)


def states(target: Target, created: str) -> dict[str, State]:
    """What was last seen of a stream's shards, by Kinesis's ids. Raises ArchiveUnreadable."""
    prefix = state_prefix(created)
    read = ((name, target.get_state(name)) for name in target.list_after(prefix))
    return {name.removeprefix(prefix): parse_state(data, name) for name, data in read if data is not None}


def archived_shards(target: Target, created: str) -> list[str]:
    """The shards of a stream that have a chain."""
    return [parse_key(key).shard_id for key in first_objects(target, created)]


def first_objects(target: Target, created: str) -> Iterator[str]:
    """The first object of each chain of a stream."""
    prefix, after = stream_prefix(created), ""
    while key := next(iter(target.list_after(prefix, after)), None):
        yield key
        after = behind_shard(created, parse_key(key).shard_id)


def _last_key(target: Target, prefix: str, hint: str) -> str | None:
    """The last name with the prefix. The hint, a name, may be behind; what it names may be missing in a copy."""
    last: str | None = None
    if hint.startswith(prefix):
        last = max(target.list_after(prefix, hint[:-1]), default=None)
    return last or max(target.list_after(prefix), default=None)


def _tail(target: Target, key: str) -> Tail:
    return read_tail(target.get_tail(key, TAIL_BYTES), key)
