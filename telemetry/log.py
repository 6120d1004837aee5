"""One log out of its sources: all shards side by side, parents before their children, each in its own order.

A source holds a part of the log, the stream for one. What a source says of a shard is read in the sources' order, each going on
after the last record of the one before, so that nobody sees the seam.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from queue import Empty, Queue, ShutDown
from typing import Final, NamedTuple, Protocol

from telemetry.shards import Shard

SHARDS_AT_ONCE: Final = 64
"""Each has a thread and a page in hand. At 0.4 MB a second each, that is more than one process decodes."""
_PAGES_WAITING_MAX: Final = 8
"""Of all shards together, which bounds what is in memory."""
_WAIT_S: Final = 1.0


class LogRecord(NamedTuple):
    """A record of a shard, from wherever it was read."""

    sequence_number: int
    arrived_ms: int
    """When Kinesis took it: milliseconds since 1970. About right, and not rising along the shard."""
    data: bytes


class Position(NamedTuple):
    """How far a shard was read."""

    sequence_number: int
    """Of the last record that was read; 0 at the shard's start."""
    arrived_ms: int
    """When that record arrived, or later, where it is known that nothing followed it until then: milliseconds since 1970."""


class Gap(NamedTuple):
    """What may be missing of a shard: what arrived after the one time and before the other, in ms since 1970."""

    shard_id: str
    after_ms: int
    before_ms: int | None
    """None when the shard is not there any more: nobody knows how much followed."""


class Page(NamedTuple):
    """Records of one shard that follow each other."""

    shard_id: str
    records: Sequence[LogRecord] = ()
    gap: Gap | None = None
    """What may have been lost just before them."""
    ended: bool = False
    """Whether that was the shard's last page, which holds no records. A source says so where no other has more of the shard."""
    reached: Position | None = None
    """How far the shard was read with this page, where that is further than its last record."""

    @property
    def position(self) -> Position | None:
        """How far the shard was read with this page; None when no further than before."""
        if self.reached or not self.records:
            return self.reached
        return Position(self.records[-1].sequence_number, self.records[-1].arrived_ms)


class Source(Protocol):
    """A part of the log."""

    def shards(self) -> Collection[Shard]:
        """The shards it knows."""

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """A shard's pages after a position, or from where this reading begins. Used from a thread of its own for each shard.

        A position at the shard's start tells from when on the shard may have been there.

        It is asked for shards that it knows only, and may have nothing of them, or nothing after the position.
        """


class Log:
    """Several sources as one log."""

    def __init__(self, sources: Sequence[Source], *, at_once: int = SHARDS_AT_ONCE, follow: bool = False) -> None:
        """`follow`: when a shard ends, those that followed it are looked for and read too."""
        self._sources = sources
        self._at_once = at_once
        self._follow = follow
        self._holders: dict[str, list[Source]] = {}
        """Which sources know a shard, in their order."""

    def shards(self) -> list[Shard]:
        """All shards, each after those it was split or merged from."""
        shards: dict[str, Shard] = {}
        holders: dict[str, list[Source]] = {}
        for source in self._sources:
            for shard in source.shards():
                shards[shard.shard_id] = shard
                holders.setdefault(shard.shard_id, []).append(source)
        self._holders.update(holders)  # one that is gone from the lists may be under way
        return parents_first(shards)

    def pages(self, after: Mapping[str, Position] | None = None, ended: Collection[str] = ()) -> Iterator[Page]:
        """What follows the positions, of shards that have not ended. Raises what a source raises.

        A shard's pages come in their order, and all of its parents before its own.
        """
        reached, waiting = dict(after or {}), self.shards()
        known = {shard.shard_id for shard in waiting}
        yield from (
            _forgotten(shard_id, position)
            for shard_id, position in reached.items()
            if shard_id not in known and shard_id not in ended
        )
        waiting = [shard for shard in waiting if shard.shard_id not in ended]
        running: set[str] = set()
        ready: Queue[Page | Exception] = Queue(_PAGES_WAITING_MAX)
        try:
            while waiting or running:
                unread = running.union(shard.shard_id for shard in waiting)
                for shard in [shard for shard in waiting if unread.isdisjoint(shard.parents)][: self._at_once - len(running)]:
                    waiting.remove(shard)
                    running.add(shard.shard_id)
                    _start(self._pages_of, shard, reached.get(shard.shard_id) or born(shard, reached), ready)
                page = _next(ready)
                if isinstance(page, Exception):
                    raise page
                if page.position:
                    reached[page.shard_id] = page.position
                if page.ended:
                    running.remove(page.shard_id)
                    new = [shard for shard in self.shards() if shard.shard_id not in known] if self._follow else []
                    known.update(shard.shard_id for shard in new)
                    waiting.extend(new)
                yield page
        finally:
            ready.shutdown(immediate=True)

    def _pages_of(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        for source in self._holders[shard.shard_id]:
            for page in source.read(shard, after):
                after = page.position or after
                yield page
                if page.ended:
                    return
        yield Page(shard.shard_id, ended=True)


def parents_first(shards: Mapping[str, Shard]) -> list[Shard]:
    """All shards, each after those it was split or merged from."""
    ordered: dict[str, Shard] = {}

    def visit(shard: Shard) -> None:
        for parent in shard.parents:
            if parent in shards and parent not in ordered:
                visit(shards[parent])
        ordered.setdefault(shard.shard_id, shard)

    for shard in shards.values():
        visit(shard)
    return list(ordered.values())


def born(shard: Shard, reached: Mapping[str, Position]) -> Position | None:
    """Where a shard begins: it was not there yet when the last record of a parent arrived."""
    arrived_ms = max((reached[parent].arrived_ms for parent in shard.parents if parent in reached), default=0)
    return Position(0, arrived_ms) if arrived_ms else None


def _next(ready: "Queue[Page | Exception]") -> Page | Exception:
    """The next of them. A signal that comes just before a wait begins is seen when that ends, so no wait is endless."""
    while True:
        with suppress(Empty):
            return ready.get(timeout=_WAIT_S)


def _forgotten(shard_id: str, after: Position) -> Page:
    """A shard that was read in part and that no source knows any more."""
    return Page(shard_id, gap=Gap(shard_id, after.arrived_ms, None), ended=True)


class Handed:
    """Hands an error over to another thread, which raises it."""

    def __init__(self, hand: Callable[[Exception], object]) -> None:
        self._hand = hand

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, Exception):
            self._hand(error)
        return isinstance(error, Exception)


def _start(
    pages_of: Callable[[Shard, Position | None], Iterator[Page]],
    shard: Shard,
    after: Position | None,
    ready: "Queue[Page | Exception]",
) -> None:
    """Reads a shard in a thread, which ends with the process, or when nobody takes its pages any more."""

    def read() -> None:
        # The queue is shut down when nobody takes the pages any more.
        with suppress(ShutDown), Handed(ready.put):
            for page in pages_of(shard, after):
                ready.put(page)

    threading.Thread(target=read, name=shard.shard_id, daemon=True).start()
