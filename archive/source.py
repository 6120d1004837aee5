"""The archive as a source of the log: the streams it holds, their shards, and each shard's chain (`archive/reading.py`)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from archive.chain import ChainEnd, archived_streams, chain_end, first_objects, states
from archive.lacking import lack_parents, may_lack_shards
from archive.meta import Head, State
from archive.names import START, Place, created_ms
from archive.objects import HEAD_BYTES, read_head
from archive.reading import ChainReading, Over
from archive.targets import Target
from archive.wanted import EVERYTHING, Wanted
from telemetry.log import Gap, Page, Position
from telemetry.shards import Shard
from telemetry.streams import UNKNOWN_PARENT, StreamPlace, kinesis_id, number_of

_HEADS_AT_ONCE: Final = 16


class ArchiveSource:
    """Reads an archive. Raises ArchiveUnreadable and what its target raises."""

    def __init__(
        self,
        target: Target,
        streams: Sequence[str] | None = None,
        wanted: Wanted = EVERYTHING,
        *,
        followed: Mapping[str, Shard] | None = None,
    ) -> None:
        """`streams`: when the streams of the log were created, in its order; else those that the archive holds, by their age.

        One that the archive holds nothing of keeps its number. `followed`: shards of the last stream with which somebody else
        goes on; of the others what lies beyond their chains may be lost. None: the last stream was archived so far, and
        nobody was asked.
        """
        self._target = target
        self._streams = tuple(archived_streams(target) if streams is None else streams)
        self._wanted = wanted
        self.followed = followed
        self._shards: tuple[Shard, ...] | None = None

    def shards(self) -> Collection[Shard]:
        """The shards that had a chain at the first look."""
        if self._shards is None:
            found: list[Shard] = []
            before: tuple[str, ...] = ()
            for number, created in enumerate(self._streams, 1):
                place = StreamPlace(number, before)
                with ThreadPoolExecutor(_HEADS_AT_ONCE) as threads:
                    shards = [_shard(head, place) for head in threads.map(self._head, first_objects(self._target, created))]
                parents = {parent for shard in shards for parent in shard.parents}
                before = tuple(shard.shard_id for shard in shards if shard.shard_id not in parents) or before
                found += shards
            self._shards = tuple(found)
        return self._shards

    def unarchived(self) -> list[Gap]:
        """What is asked for and may have been in shards without a chain: of streams that were lost, and in those that the last
        stream lists no more, as far as it was asked.

        Such a shard was seen empty at last, or is not known at all (`archive/lacking.py`): then its gap is said of the shard
        `unknown` of its stream.
        """
        found: list[Gap] = []
        for number, created in enumerate(self._streams, 1):
            end_ms = created_ms(self._streams[number]) if number < len(self._streams) else None
            if (end_ms or self.followed is not None) and self._wanted.may_lie_between(created_ms(created), end_ms):
                found += [Gap(shard_id, since, end_ms) for shard_id, since in self._without_chain(number, created).items()]
        return [gap for gap in found if self._wanted.may_lie_between(gap.after_ms, gap.before_ms)]

    def _without_chain(self, number: int, created: str) -> dict[str, int]:
        """Since when something may have been in shards of a stream that have no chain: in ms since 1970."""
        place = StreamPlace(number)
        is_last = number == len(self._streams)
        followed = (self.followed if is_last else None) or {}
        archived = {shard.shard_id: shard for shard in self.shards() if number_of(shard.shard_id) == number}
        seen = {place.name(shard_id): state for shard_id, state in states(self._target, created).items()}
        others = seen.keys() - archived.keys() - followed.keys()
        empty = {shard_id: _seen_empty(shard_id, seen[shard_id], place) for shard_id in others}
        since_ms = {shard_id: self.empty_until_ms(shard_id) or created_ms(created) for shard_id in sorted(empty)}
        known = [*archived.values(), *empty.values()]
        if lack_parents([*known, *followed.values()]) if is_last else may_lack_shards(known, self._was_followed):
            since_ms[place.name(UNKNOWN_PARENT)] = created_ms(created)
        return since_ms

    def end(self, shard_id: str) -> ChainEnd:
        """Where a shard's chain ends now, by the log's name of it: whether that is the shard's end, and how far it reaches."""
        return chain_end(self._target, self._created(shard_id), kinesis_id(shard_id))

    def empty_until_ms(self, shard_id: str) -> int:
        """Until when nothing was in a shard of which nothing is archived, as far as is known (ms since 1970); else 0."""
        return self.reading(shard_id, None).tip_seen_ms()

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """A shard's pages. The last one says that the shard has ended, or up to when nothing followed what was read."""
        return self.reading(shard.shard_id, after).pages()

    def reading(self, shard_id: str, after: Position | None) -> ChainReading:
        """A reading of a shard that can also count what it would read."""
        place = Place(*after) if after else START
        return ChainReading(self._target, self._created(shard_id), shard_id, self._wanted, place, over=self._over(shard_id))

    def _over(self, shard_id: str) -> Over | None:
        number = number_of(shard_id)
        if number < len(self._streams):
            return Over(created_ms(self._streams[number]))
        return None if self.followed is None or shard_id in self.followed else Over(None)

    def _was_followed(self, shard_id: str) -> bool:
        """Whether a shard ended, and not with its stream: then others followed it."""
        tail = self.end(shard_id).tail
        return tail is not None and tail.shard_end and not tail.stream_end

    def _created(self, shard_id: str) -> str:
        return self._streams[number_of(shard_id) - 1]

    def _head(self, key: str) -> Head:
        return read_head(self._target.get_start(key, HEAD_BYTES), key)


def _seen_empty(shard_id: str, state: State, place: StreamPlace) -> Shard:
    """A shard of the log, as its state tells of it: one that does not tell its parents may have had any."""
    parents = (UNKNOWN_PARENT,) if state.parents is None else state.parents
    return Shard(shard_id, *state.hash_keys, place.parents(parents))


def _shard(head: Head, place: StreamPlace) -> Shard:
    """A shard of the log, as its first object tells of it."""
    first, last = map(int, head.hash_range)
    return Shard(place.name(head.shard), first, last, place.parents(head.parents))
