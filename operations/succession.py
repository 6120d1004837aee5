"""How a log goes on from an archive: which streams lie there, the pointer to them and the next one, and what they lost."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from archive.instants import instant
from archive.names import created_ms
from archive.source import ArchiveSource
from projections.generations import LogStream, Pointer
from projections.retention import Gap
from telemetry.shards import Shard
from telemetry.streams import number_of


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


def losses(source: ArchiveSource, gaps: Mapping[str, Gap], streams: Sequence[str]) -> Iterator[str]:
    """What may be missing of each stream but the last, in a sentence with its bounds."""
    unarchived = source.unarchived()
    for number, then in enumerate(streams[1:], 1):
        stretches = [gap for shard_id, gap in gaps.items() if number_of(shard_id) == number]
        since_ms = [gap.after_ms for gap in unarchived if number_of(gap.shard_id) == number]
        stretches += [Gap(one_ms * 1000, created_ms(then) * 1000) for one_ms in since_ms]
        if stretches:
            since_us, until_us = min(gap.from_us for gap in stretches), max(gap.until_us for gap in stretches)
            since, until = (instant(time_us // 1000) for time_us in (since_us, until_us))
            yield f"what arrived after {since} and before {until} may be missing, because it was not archived"
