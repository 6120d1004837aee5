"""Bugs seeded on purpose, each a rule of the chain that is left out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from enum import Enum, auto
from typing import Any
from unittest.mock import patch

from archive import objects, reading, source
from archive.chain import archived_streams
from archive.meta import State
from archive.names import Place
from archive.objects import Draft
from archive.shard import ShardArchiver
from archive.targets import Target
from archive.world import Page, Steps, ask
from replay.stream import StreamSource
from telemetry import log
from telemetry.log import LogRecord, Position
from telemetry.shards import Shard
from telemetry.streams import StreamPlace


class Bug(Enum):
    """One mistake each."""

    PUT_WITHOUT_THE_CONDITION = auto()
    KEY_WITH_THE_FIRST_OWN_RECORDS_ARRIVAL = auto()
    RENAME_IN_PLACE_OF_LINK = auto()
    AN_END_IS_BELIEVED_AT_ONCE = auto()
    AN_END_IS_BELIEVED_WITHOUT_ANOTHER_PAGE = auto()
    A_GAP_IS_LOOKED_FOR_AT_THE_START_ONLY = auto()
    A_STATE_WITHOUT_ITS_PROVISO = auto()
    AN_OBJECT_IS_CUT_INSIDE_A_RECORD = auto()
    A_GAP_INSIDE_AN_OBJECT = auto()
    THE_LOSER_GOES_ON_BEHIND_ITS_OWN = auto()
    A_SHARDS_START_IS_ALWAYS_WHOLE = auto()
    A_FORGOTTEN_SHARD_ENDS_WITHOUT_A_GAP = auto()
    THE_LOOK_IS_DATED_WHEN_IT_IS_WRITTEN = auto()
    THE_OLDEST_RECORD_IS_ASKED_FOR_BEFORE_THE_PAGE = auto()
    THE_STREAM_IS_NOT_LOOKED_AT_BEFORE_A_PUT = auto()
    THE_STREAM_IS_NOT_LOOKED_AT_BEFORE_A_STATE = auto()
    THE_STREAMS_ORDER_IS_TAKEN_FROM_NAMES = auto()
    THE_REST_OF_A_LOST_STREAM_IS_PASSED_OVER = auto()
    A_NEW_STREAMS_FIRST_SHARDS_HAVE_NO_PARENTS = auto()
    A_READER_PASSES_OVER_GAPS = auto()
    THE_STREAM_IS_READ_FROM_ITS_OLDEST_RECORD = auto()
    A_SHARD_THAT_WAS_SEEN_EMPTY_IS_TAKEN_FOR_A_ROOT = auto()
    PARENTS_THAT_LEFT_THE_STREAM_ARE_FORGOTTEN = auto()


_RECORDS_THAT_FIT = 3

type Bugs = frozenset[Bug]
NONE: Bugs = frozenset()

ASKED_OF_THE_WORLD = frozenset(
    {
        Bug.PUT_WITHOUT_THE_CONDITION,
        Bug.RENAME_IN_PLACE_OF_LINK,
        Bug.THE_OLDEST_RECORD_IS_ASKED_FOR_BEFORE_THE_PAGE,
        Bug.THE_STREAM_IS_NOT_LOOKED_AT_BEFORE_A_PUT,
        Bug.THE_STREAM_IS_NOT_LOOKED_AT_BEFORE_A_STATE,
    }
)
"""Those that act where the world answers; the others are patches."""


@contextmanager
def seeded(bugs: Bugs) -> Iterator[None]:
    """Put on the patches of these bugs."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(objects, "_GZIP_LEVEL", 1))  # how small is not asked here, nor how fast
        patches.enter_context(patch.object(reading, "ahead", _in_turn))
        patches.enter_context(patch.object(source, "ThreadPoolExecutor", _NoThreads))
        for bug in sorted(bugs - ASKED_OF_THE_WORLD, key=lambda bug: bug.value):
            for owner, name, wrong in _PATCHES[bug]:
                patches.enter_context(patch.object(owner, name, wrong))
        yield


def _in_turn[T](pieces: Iterator[Callable[[], T]], *_: object) -> Iterator[T]:
    return (piece() for piece in pieces)


class _NoThreads(nullcontext[Any]):
    """A pool of threads whose work is done where it is asked for."""

    def __init__(self, _: int) -> None:
        super().__init__(self)

    map = staticmethod(map)


_put, _is_whole = ShardArchiver._put, ShardArchiver._is_whole
_begin_behind_gap, _add = ShardArchiver._begin_behind_gap, Draft.add


def _put_under_the_first_records_arrival(self: Any, *, shard_end: bool = False) -> Steps[bool]:
    if self._draft.records:
        self._draft.after = Place(self._draft.after.sequence_number, self._draft.first_ms)
    return (yield from _put(self, shard_end=shard_end))


def _add_remembering_the_first(self: Any, record: LogRecord) -> None:
    if not self.records:
        self.first_ms = record.arrived_ms
    _add(self, record)


def _whole_but_at_the_start(self: Any, page: Page) -> Steps[bool]:
    if hasattr(self, "looked"):
        return True
    self.looked = True
    return (yield from _is_whole(self, page))


def _look_at_tip_without_proviso(self: Any, page: Page) -> Steps[None]:
    if page.behind_ms:
        return
    self._position = self._position._replace(tip_seen_ms=page.asked_ms)
    if self._draft is None and page.asked_ms - self._noted_ms >= self._state_every_ms:
        self._noted_ms = page.asked_ms
        state = State.of(self._position.after, self._key, page.asked_ms)
        yield from ask(lambda world: world.note(state))


def _add_only_what_fits(self: Any, record: LogRecord) -> None:
    first, *others = record.data.splitlines(keepends=True)
    full = others and self.records >= _RECORDS_THAT_FIT
    _add(self, record._replace(data=first) if full else record)


def _go_on_behind_gap(self: Any, before: Place | None, page: Page) -> Steps[bool]:
    if self._draft:
        return True
    return (yield from _begin_behind_gap(self, before, page))


def _put_and_go_on(self: Any, *, shard_end: bool = False) -> Steps[bool]:
    position = self._position
    won = yield from _put(self, shard_end=shard_end)
    if not won and not self._ended:
        self._position = position
    return won


def _whole_at_its_start(self: Any, page: Page) -> Steps[bool]:
    if self._position.after == Place():
        return True
    return (yield from _is_whole(self, page))


def _whole_at_its_end(self: Any, page: Page) -> Steps[bool]:
    if page.over:
        return True
    return (yield from _is_whole(self, page))


def _note_late(self: Any, page: Page) -> Steps[None]:
    late = Page(page.records, page.over, page.behind_ms, page.answered_ms + 15_000, page.answered_ms, page.retention_ms)
    yield from _look_at_tip(self, late)


def _end_at_once(self: Any) -> Steps[None]:
    self._closed = True
    yield from _end_or_look_again(self)


def _end_when_closed(self: Any) -> Steps[None]:
    if not self._closed:
        yield from _end_or_look_again(self)
    yield from _end_or_look_again(self)


def _streams_by_name(target: Target) -> list[str]:
    return sorted(archived_streams(target))


def _as_if_the_stream_were_there(self: Any, shard_id: str) -> None:
    return None


def _no_gap(self: Any, after_ms: int, before_ms: int | None) -> tuple[()]:
    return ()


def _read_from_the_oldest(self: Any, shard: Shard, after: Position | None) -> Iterator[log.Page]:
    return _read_stream(self, shard, None)


_read_stream = StreamSource.read


def _seen_empty_without_parents(shard_id: str, state: State, _: StreamPlace) -> Shard:
    return Shard(shard_id, *state.hash_keys)


def _none_lacks(*_: object) -> bool:
    return False


def _place_without_a_stream_before(number: int, before: tuple[str, ...] = ()) -> StreamPlace:
    return StreamPlace(number)


_look_at_tip = ShardArchiver._look_at_tip
_end_or_look_again = ShardArchiver._end_or_look_again

_PATCHES: Mapping[Bug, list[tuple[Any, str, Callable[..., Any]]]] = {
    Bug.KEY_WITH_THE_FIRST_OWN_RECORDS_ARRIVAL: [
        (ShardArchiver, "_put", _put_under_the_first_records_arrival),
        (Draft, "add", _add_remembering_the_first),
    ],
    Bug.AN_END_IS_BELIEVED_AT_ONCE: [(ShardArchiver, "_end_or_look_again", _end_at_once)],
    Bug.AN_END_IS_BELIEVED_WITHOUT_ANOTHER_PAGE: [(ShardArchiver, "_end_or_look_again", _end_when_closed)],
    Bug.A_GAP_IS_LOOKED_FOR_AT_THE_START_ONLY: [(ShardArchiver, "_is_whole", _whole_but_at_the_start)],
    Bug.A_STATE_WITHOUT_ITS_PROVISO: [(ShardArchiver, "_look_at_tip", _look_at_tip_without_proviso)],
    Bug.AN_OBJECT_IS_CUT_INSIDE_A_RECORD: [(Draft, "add", _add_only_what_fits)],
    Bug.A_GAP_INSIDE_AN_OBJECT: [(ShardArchiver, "_begin_behind_gap", _go_on_behind_gap)],
    Bug.THE_LOSER_GOES_ON_BEHIND_ITS_OWN: [(ShardArchiver, "_put", _put_and_go_on)],
    Bug.A_SHARDS_START_IS_ALWAYS_WHOLE: [(ShardArchiver, "_is_whole", _whole_at_its_start)],
    Bug.A_FORGOTTEN_SHARD_ENDS_WITHOUT_A_GAP: [(ShardArchiver, "_is_whole", _whole_at_its_end)],
    Bug.THE_LOOK_IS_DATED_WHEN_IT_IS_WRITTEN: [(ShardArchiver, "_look_at_tip", _note_late)],
    Bug.THE_STREAMS_ORDER_IS_TAKEN_FROM_NAMES: [(source, "archived_streams", _streams_by_name)],
    Bug.THE_REST_OF_A_LOST_STREAM_IS_PASSED_OVER: [(source.ArchiveSource, "_over", _as_if_the_stream_were_there)],
    Bug.A_NEW_STREAMS_FIRST_SHARDS_HAVE_NO_PARENTS: [(source, "StreamPlace", _place_without_a_stream_before)],
    Bug.A_READER_PASSES_OVER_GAPS: [(reading.ChainReading, "_gap", _no_gap)],
    Bug.THE_STREAM_IS_READ_FROM_ITS_OLDEST_RECORD: [(StreamSource, "read", _read_from_the_oldest)],
    Bug.A_SHARD_THAT_WAS_SEEN_EMPTY_IS_TAKEN_FOR_A_ROOT: [(source, "_seen_empty", _seen_empty_without_parents)],
    Bug.PARENTS_THAT_LEFT_THE_STREAM_ARE_FORGOTTEN: [(source, "lack_parents", _none_lacks)],
}
assert set(_PATCHES) | ASKED_OF_THE_WORLD == set(Bug)
