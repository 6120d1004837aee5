"""How a log goes on from an archive: which streams lie there, the pointer to them and the next one, and what they lost."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from archive.chain import archived_streams
from archive.instants import instant
from archive.names import created_ms
from archive.source import ArchiveSource
from archive.targets import Target
from projections.generations import LogStream, Pointer
from projections.retention import Gap
from telemetry.shards import Shard
from telemetry.streams import StreamPlace, number_of

STATE: Final = "state/"
_CREATED: Final = re.compile(r"\d+\.\d{3}")


def earlier_streams(target: Target) -> list[str]:
    """When the streams were created of which anything lies there, in the log's order: also of one that was only looked at."""
    begun = {key.removeprefix(STATE).partition("/")[0] for key in target.list_after(STATE)}
    return sorted({*archived_streams(target), *filter(_CREATED.fullmatch, begun)}, key=float)


def last_shards(shards: Collection[Shard], number: int) -> tuple[str, ...]:
    """The last shards of the log's streams up to that of a number, as far as anything is archived of them. Pure."""
    for place in range(number, 0, -1):
        own = [shard for shard in shards if number_of(shard.shard_id) == place]
        parents = {parent for shard in own for parent in shard.parents}
        if last := tuple(shard.shard_id for shard in own if shard.shard_id not in parents):
            return last
    return ()


def pointer_to(name: str, streams: Sequence[str], shards: Collection[Shard], generation: int = 1) -> Pointer:
    """The pointer to a log of streams of one name, which were created then. Pure. Raises WrongStream when the last is older."""
    first, *others = streams
    pointer = Pointer(generation, (LogStream(name, first),))
    for number, created in enumerate(others, 1):
        pointer = pointer.continued(name, created, last_shards(shards, number), generation)
    return pointer


def losses(target: Target, source: ArchiveSource, gaps: Mapping[str, Gap], streams: Sequence[str]) -> Iterator[str]:
    """What may be missing of each stream but the last, in a sentence with its bounds."""
    archived = {shard.shard_id for shard in source.shards()}
    for number, (created, then) in enumerate(pairwise(streams), 1):
        stretches = [gap for shard_id, gap in gaps.items() if number_of(shard_id) == number]
        # Of some shards nothing is archived: then they were seen empty, or only known to be there.
        seen = {StreamPlace(number).name(shard_id) for shard_id in looked_at(target, created)}
        since_ms = [source.empty_until_ms(shard_id) or created_ms(created) for shard_id in sorted(seen - archived)]
        stretches += [Gap(one_ms * 1000, created_ms(then) * 1000) for one_ms in since_ms]
        if stretches:
            since_us, until_us = min(gap.from_us for gap in stretches), max(gap.until_us for gap in stretches)
            since, until = (instant(time_us // 1000) for time_us in (since_us, until_us))
            yield f"what arrived after {since} and before {until} may be missing, because it was not archived"


def looked_at(target: Target, created: str) -> set[str]:
    """The shards of a stream whose states were written down, by Kinesis's ids."""
    prefix = f"{STATE}{created}/"
    return {key.removeprefix(prefix) for key in target.list_after(prefix)}
