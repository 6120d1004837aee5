"""Bugs seeded on purpose, each a rule of generations that is left out.

Those of the stores and of those who act are asked for where they act; the others are patches.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum, auto
from queue import Queue
from random import Random
from typing import Any
from unittest.mock import patch

from consumer import following
from operations import filling, lacking, promoting
from projections.decoding import Record
from projections.rows import Row
from telemetry import log
from telemetry.log import Page, Position
from telemetry.shards import Shard
from tests.simulation import bugs as projection
from tests.simulation.bugs import Bounds


class Bug(Enum):
    """One mistake each."""

    A_CHILD_BEFORE_ITS_PARENTS_END = auto()
    AN_UNARCHIVED_PARENT_IS_NOT_WAITED_FOR = auto()
    STRAYS_ARE_LEFT_TO_THE_LIVE_ONE = auto()
    A_NUMBER_IS_USED_AGAIN = auto()
    A_POINTER_IS_CACHED = auto()
    MARKS_ARE_OVERWRITTEN_BY_A_LETTER = auto()
    A_LEASE_NAMES_WHAT_HAS_LEFT_THE_STREAM = auto()
    THE_LIVE_ONE_GOES_ON_DURING_A_PROMOTE = auto()
    A_PROMOTE_DOES_NOT_WAIT_FOR_STILLNESS = auto()
    TOTALS_ARE_COMPARED_WITH_TOTALS = auto()
    A_DROP_LOOKS_BEFORE_IT_MARKS = auto()
    TABLES_GO_BEFORE_THE_MARK = auto()


type Bugs = frozenset[Bug]
NONE: Bugs = frozenset()


@contextmanager
def seeded(bugs: Bugs, bounds: Bounds, rng: Random) -> Iterator[None]:
    """Put on the patches of these bugs, small bounds, and a log that is read in the order of chance, without threads."""
    with ExitStack() as patches:
        patches.enter_context(projection.seeded(projection.NONE, bounds))
        patches.enter_context(patch.object(log, "_start", _begin_in_turn))
        patches.enter_context(patch.object(log, "_next", lambda ready: _next_of(ready, rng)))
        patches.enter_context(patch.object(following, "log", _Silent()))
        for bug in sorted(bugs, key=lambda bug: bug.value):
            for owner, name, wrong in _PATCHES.get(bug, []):
                patches.enter_context(patch.object(owner, name, wrong))
        yield


class _Silent:
    """A log that nobody reads."""

    def info(self, *_: object, **__: object) -> None:
        pass

    warning = info


def _begin_in_turn(pages_of: Callable[..., Iterator[Page]], shard: Shard, after: Position | None, ready: Any) -> None:
    ready.readings = [*getattr(ready, "readings", []), pages_of(shard, after)]


def _next_of(ready: "Queue[Any]", rng: Random) -> Page:
    readings: list[Iterator[Page]] = ready.readings  # type: ignore[attr-defined]  # of the queue's threads
    reading = rng.choice(readings)
    page = next(reading)
    if page.ended:
        readings.remove(reading)
    return page


def _read_at_once(self: Any, shard: Shard, after: Position | None) -> Iterator[Page]:
    for page in self._source.read(shard, after):
        if page.ended:
            self.ended.add(shard.shard_id)
        yield page


def _know_the_archive_only(self: Any) -> Collection[Shard]:
    self._listed = frozenset()
    return _shards(self)


def _leave_at_once(self: Any) -> None:
    return None


def _lacking_by_totals(live: Any, other: Any, listed: Collection[str]) -> Any:
    def flushed(row: Row) -> Row:
        return row

    ahead = {shard_id: _flushed_as_far_as_its_total(row) for shard_id, row in other.items()}
    return _lacking(live, ahead, listed)


_shards = filling._InOrder.shards
_lacking = lacking.lacking
_PATCHES: dict[Bug, list[tuple[Any, str, Any]]] = {}
__all__ = ["NONE", "Bug", "Bugs", "Record", "seeded"]
