"""The archive as a source of the log: each shard's chain, object by object, without those that hold nothing of what is asked.

Names lead: an object holds what follows the record that its name tells of, up to the one that the next name tells of. What
surely is not asked for is passed over by name, or by an object's last line; what may be missing is said in either case.
"""

import io
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from itertools import chain, pairwise
from typing import BinaryIO, Final, NamedTuple

from archive.ahead import ahead
from archive.chain import ChainEnd, archived_streams, chain_end, first_objects
from archive.instants import instant_ms
from archive.meta import Head, Tail, parse_state
from archive.names import START, Place, parse_key, shard_prefix, state_key
from archive.objects import HEAD_BYTES, TAIL_BYTES, ObjectReader, read_head, read_tail
from archive.targets import Target
from archive.wanted import EVERYTHING, Wanted
from telemetry.log import Gap, LogRecord, Page, Position
from telemetry.shards import Shard
from telemetry.streams import StreamPlace, kinesis_id, number_of

_PAGE_BYTES: Final = 512 * 1024
"""Some 70 pages of all shards together are in memory (`telemetry/log.py`), each so large and a record more."""
_RECORD_BYTES: Final = 200
"""What a record takes beside its data."""
_OBJECTS_AHEAD: Final = 4
"""Of a shard: looked at, and begun to be read, before their turn. Each takes a step of its target then."""
_HEADS_AT_ONCE: Final = 16


class ArchiveSource:
    """Reads an archive. Raises ArchiveUnreadable and what its target raises."""

    def __init__(self, target: Target, streams: Sequence[str] | None = None, wanted: Wanted = EVERYTHING) -> None:
        """`streams`: when the streams of the log were created, in its order; else those that the archive holds, by their age.

        One that the archive holds nothing of keeps its number.
        """
        self._target = target
        self._streams = tuple(archived_streams(target) if streams is None else streams)
        self._wanted = wanted
        self._shards: tuple[Shard, ...] | None = None

    def shards(self) -> Collection[Shard]:
        """The shards that had a chain at the first look."""
        if self._shards is None:
            found: list[Shard] = []
            before: tuple[str, ...] = ()
            for number, created in enumerate(self._streams, 1):
                place = StreamPlace(number, before)
                with ThreadPoolExecutor(_HEADS_AT_ONCE) as threads:
                    heads = list(threads.map(self._head, first_objects(self._target, created)))
                shards = [_shard(head, place) for head in heads]
                parents = {parent for shard in shards for parent in shard.parents}
                before = tuple(shard.shard_id for shard in shards if shard.shard_id not in parents) or before
                found += shards
            self._shards = tuple(found)
        return self._shards

    def end(self, shard_id: str) -> ChainEnd:
        """Where a shard's chain ends now, by the log's name of it: whether that is the shard's end, and how far it reaches."""
        return chain_end(self._target, self._created(shard_id), kinesis_id(shard_id))

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """A shard's pages. The last one says that the shard has ended, or up to when nothing followed what was read."""
        number = number_of(shard.shard_id)
        lost_ms = _ms(self._streams[number]) if number < len(self._streams) else None
        place = Place(*after) if after else START
        reading = _Reading(self._target, self._created(shard.shard_id), shard.shard_id, self._wanted, place)
        return reading.pages(lost_ms)

    def _created(self, shard_id: str) -> str:
        return self._streams[number_of(shard_id) - 1]

    def _head(self, key: str) -> Head:
        return read_head(self._target.get_start(key, HEAD_BYTES), key)


class _Link(NamedTuple):
    """An object of a chain, by its name."""

    key: str
    after: Place
    leaps: bool
    """What lies before it was passed over by name."""


class _Object(NamedTuple):
    """An object that was looked at."""

    link: _Link
    tail: Tail
    head: Head | None
    """None when all of it was read before."""
    reader: ObjectReader | None
    """None when it holds nothing of what is asked."""
    source: BinaryIO | None

    def close(self) -> None:
        """Nobody will read it any more."""
        if self.source:
            self.source.close()


class _Reading:
    """A chain that is being read, behind a place."""

    def __init__(self, target: Target, created: str, shard_id: str, wanted: Wanted, place: Place) -> None:
        self._target, self._created, self._shard_id, self._wanted = target, created, shard_id, wanted
        self._begin = self._place = place
        self._over = False
        """Nothing more of the shard is to be read, here or elsewhere."""
        self._cut = False
        """What the names tell of further objects lies beyond what is asked."""

    def pages(self, lost_ms: int | None) -> Iterator[Page]:
        """All that is asked. `lost_ms`: when the log went on in another stream, so that nobody has what is missing here."""
        for found in ahead((partial(self._look_at, link) for link in self._links()), _OBJECTS_AHEAD, _Object.close):
            try:
                yield from self._pages_of(found)
            finally:
                found.close()
            if self._over:
                break
        if self._over or self._cut:
            yield Page(self._shard_id, ended=True)
            return
        seen_ms = max(self._place.arrived_ms, self._tip_seen_ms())
        if lost_ms is not None:
            yield from self._gap(seen_ms or _ms(self._created), max(lost_ms, seen_ms))
            yield Page(self._shard_id, ended=True)
        elif self._place != START:
            yield Page(self._shard_id, reached=Position(self._place.sequence_number, seen_ms))

    def _links(self) -> Iterator[_Link]:
        """The objects that may hold something, as their names tell, up to the first that lies beyond what is asked."""
        leaps = False
        keys = self._target.list_after(shard_prefix(self._created, kinesis_id(self._shard_id)))
        for key, behind in pairwise(chain(keys, (None,))):
            assert key is not None
            after = parse_key(key).after
            if self._wanted.is_beyond(after.arrived_ms):
                self._cut = True
                return
            if behind is not None:
                last = parse_key(behind).after
                if last.sequence_number <= self._begin.sequence_number:
                    continue
                if self._wanted.is_before(last.arrived_ms):
                    leaps = True
                    continue
            yield _Link(key, after, leaps)
            leaps = False

    def _look_at(self, link: _Link) -> _Object:
        """An object's last line, and the beginning of what is to be read of it."""
        end = self._target.get_tail(link.key, TAIL_BYTES)
        tail = read_tail(end, link.key)
        whole = len(end) < TAIL_BYTES
        if link.after.sequence_number < self._begin.sequence_number >= int(tail.last):
            return _Object(link, tail, None, None, None)
        if not self._wanted.may_lie_in(tail):
            start = end if whole else self._target.get_start(link.key, HEAD_BYTES)
            return _Object(link, tail, read_head(start, link.key), None, None)
        source = io.BytesIO(end) if whole else self._target.get(link.key)
        try:
            reader = ObjectReader(source, link.key)
        except BaseException:
            source.close()
            raise
        return _Object(link, tail, reader.head, reader, source)

    def _pages_of(self, found: _Object) -> Iterator[Page]:
        link, tail = found.link, found.tail
        if link.leaps:
            self._place = max(self._place, link.after)
        if link.after.sequence_number > self._place.sequence_number:  # a copy that is not complete
            yield from self._gap(self._place.arrived_ms or _ms(self._created), link.after.arrived_ms)
        if found.head and found.head.gap and link.after.sequence_number >= self._begin.sequence_number:
            gap = found.head.gap
            after_ms = instant_ms(gap.arrived_after) if gap.arrived_after else _ms(self._created)
            yield from self._gap(after_ms, instant_ms(gap.arrived_before) if gap.arrived_before else None)
        if found.reader:
            yield from self._records(found.reader)
        elif tail.arrived.min and self._wanted.is_beyond(instant_ms(tail.arrived.min)):
            self._over = True
        if not self._over:
            self._place = max(self._place, tail.place)
            self._over = tail.shard_end
            if not found.reader and self._place.sequence_number:
                yield Page(self._shard_id, reached=Position(*self._place))

    def _records(self, reader: ObjectReader) -> Iterator[Page]:
        """Pages of an object's records, as far as they are asked for and were not read before."""
        page: list[LogRecord] = []
        size_bytes = 0
        for record in reader.records():
            if record.sequence_number <= self._place.sequence_number:
                continue
            if self._wanted.is_beyond(record.arrived_ms):
                self._over = True
                break
            page.append(record)
            size_bytes += len(record.data) + _RECORD_BYTES
            if size_bytes >= _PAGE_BYTES:
                yield Page(self._shard_id, page)
                page, size_bytes = [], 0
        if page:
            yield Page(self._shard_id, page)

    def _gap(self, after_ms: int, before_ms: int | None) -> Iterator[Page]:
        """A gap, if anything of it is asked for."""
        if self._wanted.may_lie_between(after_ms, before_ms):
            yield Page(self._shard_id, gap=Gap(self._shard_id, after_ms, before_ms))

    def _tip_seen_ms(self) -> int:
        """Up to when nothing followed what was read, as the shard's state tells; 0 when it does not."""
        name = state_key(self._created, kinesis_id(self._shard_id))
        data = self._target.get_state(name)
        state = parse_state(data, name) if data is not None else None
        return instant_ms(state.tip_seen_at) if state and state.last == str(self._place.sequence_number) else 0


def _shard(head: Head, place: StreamPlace) -> Shard:
    """A shard of the log, as its first object tells of it."""
    first, last = map(int, head.hash_range)
    return Shard(place.name(head.shard), first, last, place.parents(head.parents))


def _ms(created: str) -> int:
    """When a stream was created: ms since 1970."""
    return int(Decimal(created) * 1000)
