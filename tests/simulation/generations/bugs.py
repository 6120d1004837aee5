"""Bugs seeded on purpose, each a rule of generations that is left out.

Those of the stores and of those who act are asked for where they act; the others are patches.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import Enum, auto
from itertools import count
from queue import Queue
from random import Random
from typing import Any
from unittest.mock import patch

from consumer import following
from operations import filling
from projections import register
from projections.register import Register
from projections.rows import Row
from telemetry import log
from telemetry.log import Page, Position, Source
from telemetry.shards import Shard
from tests.simulation import bugs as projection
from tests.simulation.bugs import Bounds
from tests.simulation.generations import proofs
from tests.simulation.generations.log import ModelLog


class Bug(Enum):
    """One mistake each."""

    A_CHILD_BEFORE_ITS_PARENTS_END = auto()
    AN_UNARCHIVED_PARENT_IS_NOT_WAITED_FOR = auto()
    STRAYS_ARE_LEFT_TO_THE_LIVE_ONE = auto()
    A_NUMBER_IS_USED_AGAIN = auto()
    A_POINTER_IS_CACHED = auto()
    MARKS_ARE_OVERWRITTEN_BY_A_LETTER = auto()
    A_LEASE_NAMES_WHAT_HAS_LEFT_THE_STREAM = auto()


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


def _know_the_archive_alone(self: Any, source: Source, _: Collection[str]) -> None:
    _in_order(self, source, ())


def _used_again(asked: int | None, live: int, register: Register, **_: object) -> int:
    kept = {live, *(number for number, one in register.items() if one.dropped_us is None)}
    return asked or next(number for number in count(1) if number not in kept)


def _all_are_proved(log: ModelLog, rows: Mapping[str, Row], shard_ids: Collection[str]) -> set[str]:
    return {shard_id for shard_id in shard_ids if shard_id in rows}


_in_order = filling._InOrder.__init__
_PATCHES: dict[Bug, list[tuple[Any, str, Any]]] = {
    Bug.A_CHILD_BEFORE_ITS_PARENTS_END: [(filling._InOrder, "read", _read_at_once)],
    Bug.AN_UNARCHIVED_PARENT_IS_NOT_WAITED_FOR: [(filling._InOrder, "__init__", _know_the_archive_alone)],
    Bug.A_NUMBER_IS_USED_AGAIN: [(register, "chosen", _used_again)],
    Bug.A_LEASE_NAMES_WHAT_HAS_LEFT_THE_STREAM: [(proofs, "proved_shards", _all_are_proved)],
}
