"""Reads a shard's chain in its order, object by object, without those that hold nothing of what is asked.

Names lead: an object holds what follows the record that its name tells of, up to the one that the next name tells of. What
surely is not asked for is passed over by name, or by an object's last line; what may be missing is said in either case.
"""

import io
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain, pairwise
from typing import BinaryIO, Final, NamedTuple

from archive.ahead import ahead
from archive.instants import instant_ms
from archive.meta import Head, Tail, parse_state
from archive.names import Place, created_ms, parse_key, shard_prefix, state_key
from archive.objects import HEAD_BYTES, TAIL_BYTES, ObjectReader, read_head, read_tail
from archive.targets import Target
from archive.wanted import Wanted
from telemetry.log import Gap, LogRecord, Page, Position
from telemetry.streams import kinesis_id

_PAGE_BYTES: Final = 512 * 1024
"""Some 70 pages of all shards together are in memory (`telemetry/log.py`), each so large and a record more."""
_RECORD_BYTES: Final = 200
"""What a record takes beside its data."""
_OBJECTS_AHEAD: Final = 4
"""Of a shard: looked at, and begun to be read, before their turn. Each takes a step of its target then."""


class Over(NamedTuple):
    """Of a shard that nobody will archive further: nothing of it arrived after this moment, if it is known (ms since 1970)."""

    before_ms: int | None


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
    wanted: bool
    """It may hold something of what is asked."""
    reader: ObjectReader | None
    """Of one that is to be read."""
    source: BinaryIO | None
    size_bytes: int = 0
    """Of one that is surveyed."""

    def close(self) -> None:
        """Nobody will read it any more."""
        if self.source:
            self.source.close()


class ChainReading:
    """A chain that is being read, behind a place."""

    def __init__(self, target: Target, created: str, shard_id: str, wanted: Wanted, place: Place, *, over: Over | None) -> None:
        """`shard_id` is the log's name of the shard; `over` is None where somebody else may go on with it."""
        self._target, self._created, self._shard_id, self._wanted = target, created, shard_id, wanted
        self._begin = self._place = place
        self._end = over
        self._over = False
        """The shard's end was seen."""
        self._cut = False
        """What follows lies beyond what is asked."""
        self._names_cut = False
        """That is what the name says that follows those which were begun."""
        self._reads = True
        self.objects = self.lines = self.bytes = 0
        """That may hold something of what is asked, in all objects that were looked at; bytes only where they were surveyed."""
        self.measured: Counter[str] = Counter()
        """And how many of their readings were measured on which day."""

    def surveyed(self) -> Iterator[Page]:
        """The same without records: no object is read, but they are counted."""
        self._reads = False
        return self.pages()

    def pages(self) -> Iterator[Page]:
        """All that is asked. The last page says that the shard has ended, or up to when nothing followed what was read."""
        for found in ahead((partial(self._look_at, link) for link in self._links()), _OBJECTS_AHEAD, _Object.close):
            try:
                yield from self._pages_of(found)
            finally:
                found.close()
            if self._over or self._cut:
                break
        if self._cut or self._names_cut:
            # Its children were not there yet when the last of what is asked arrived.
            yield from self._reached(max(self._place.arrived_ms, self._wanted.until_ms or 0))
        elif not self._over:
            seen_ms = max(self._place.arrived_ms, self.tip_seen_ms())
            if self._end is None:
                yield from self._reached(seen_ms)
                return
            yield from self._gap(seen_ms, None)
        yield Page(self._shard_id, ended=True)

    def tip_seen_ms(self) -> int:
        """Up to when nothing followed what was read, as the shard's state tells; 0 when it does not."""
        name = state_key(self._created, kinesis_id(self._shard_id))
        data = self._target.get_state(name)
        state = parse_state(data, name) if data is not None else None
        return instant_ms(state.tip_seen_at) if state and state.last == str(self._place.sequence_number) else 0

    def _links(self) -> Iterator[_Link]:
        """The objects that may hold something, as their names tell, up to the first that lies beyond what is asked."""
        leaps = False
        keys = self._target.list_after(shard_prefix(self._created, kinesis_id(self._shard_id)))
        for key, behind in pairwise(chain(keys, (None,))):
            assert key is not None
            after = parse_key(key).after
            if self._wanted.is_beyond(after.arrived_ms):
                self._names_cut = True
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
        if link.after.sequence_number < self._begin.sequence_number >= tail.place.sequence_number:
            return _Object(link, tail, None, wanted=False, reader=None, source=None)
        wanted = self._wanted.may_lie_in(tail)
        if not (wanted and self._reads):
            start = end if whole else self._target.get_start(link.key, HEAD_BYTES)
            size_bytes = len(end) if whole or not wanted else self._target.size_bytes(link.key)
            return _Object(link, tail, read_head(start, link.key), wanted, None, None, size_bytes)
        source = io.BytesIO(end) if whole else self._target.get(link.key)
        try:
            reader = ObjectReader(source, link.key)
        except BaseException:
            source.close()
            raise
        return _Object(link, tail, reader.head, wanted, reader, source)

    def _pages_of(self, found: _Object) -> Iterator[Page]:
        link, tail = found.link, found.tail
        if link.leaps:
            self._place = max(self._place, link.after)
        if link.after.sequence_number > self._place.sequence_number:  # a copy that is not complete
            yield from self._gap(self._place.arrived_ms, link.after.arrived_ms)
        if found.head and found.head.gap and link.after.sequence_number >= self._begin.sequence_number:
            gap = found.head.gap
            yield from self._gap(_instant_ms(gap.arrived_after) or 0, _instant_ms(gap.arrived_before))
        if found.wanted:
            self.objects, self.lines = self.objects + 1, self.lines + tail.lines
            self.bytes += found.size_bytes
            self.measured.update(tail.measured)
        if found.reader:
            yield from self._records(found.reader)
        else:
            self._cut |= tail.arrived.min is not None and self._wanted.is_beyond(instant_ms(tail.arrived.min))
        if not self._cut:
            self._place = max(self._place, tail.place)
            self._over = tail.shard_end
            if not found.reader:
                yield from self._reached(self._place.arrived_ms)

    def _records(self, reader: ObjectReader) -> Iterator[Page]:
        """Pages of an object's records, as far as they are asked for and were not read before."""
        page: list[LogRecord] = []
        size_bytes = 0
        for record in reader.records():
            if record.sequence_number <= self._place.sequence_number:
                continue
            if self._wanted.is_beyond(record.arrived_ms):
                self._cut = True
                break
            page.append(record)
            size_bytes += len(record.data) + _RECORD_BYTES
            if size_bytes >= _PAGE_BYTES:
                yield self._page(page)
                page, size_bytes = [], 0
        if page:
            yield self._page(page)

    def _page(self, records: list[LogRecord]) -> Page:
        self._place = Place(records[-1].sequence_number, records[-1].arrived_ms)
        return Page(self._shard_id, records)

    def _reached(self, seen_ms: int) -> Iterator[Page]:
        if seen_ms:
            yield Page(self._shard_id, reached=Position(self._place.sequence_number, seen_ms))

    def _gap(self, after_ms: int, before_ms: int | None) -> Iterator[Page]:
        """A gap, if anything of it is asked for; without a beginning it begins with the stream."""
        after_ms = after_ms or created_ms(self._created)
        if before_ms is None and self._end and self._end.before_ms is not None:
            before_ms = max(self._end.before_ms, after_ms)
        if self._wanted.may_lie_between(after_ms, before_ms):
            yield Page(self._shard_id, gap=Gap(self._shard_id, after_ms, before_ms))


def _instant_ms(text: str | None) -> int | None:
    return None if text is None else instant_ms(text)
