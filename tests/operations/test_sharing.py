"""Shards that are shared out: each is folded once, after its parents, and what comes of it is what one filling makes."""

import threading
from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.source import ArchiveSource
from archive.targets import MemoryTarget
from operations.filling import Filled, fill
from operations.sharing import Fold, Folded, Sharing, fold_shard
from projections.memory import MemoryStores
from projections.rows import PROGRESS, Progress, Row
from telemetry.errors import NotRebuilt
from telemetry.log import Page, Position, Source
from telemetry.shards import Shard
from tests.archive.records import SHARD, chained, numbered
from tests.operations.logs import KilledError, MortalStores, Past
from tests.operations.test_filling import source_of, told


@dataclass
class Family:
    """Shards, those that have ended in the tables before, and those of which the archive has the end."""

    shards: list[Shard]
    over: set[str]
    ending: set[str]
    listed: set[str]
    """The stream has these too; nothing is archived of the others that are named here."""

    def foldable(self) -> set[str]:
        """Those that may be folded, whatever the order: their parents have ended, or will, and nobody knows any other."""
        found = set[str]()
        known = {shard.shard_id for shard in self.shards} | self.listed
        for shard in self.shards:
            parents = known.intersection(shard.parents)
            if shard.shard_id not in self.over and parents <= self.over | (found & self.ending):
                found.add(shard.shard_id)
        return found


@st.composite
def families(draw: st.DrawFn) -> Family:
    """Splits and merges of any depth, some children of shards that are known to the stream alone, or to nobody."""
    shards: list[Shard] = []
    over = set[str]()
    for number in range(draw(st.integers(0, 9))):
        before = [*(shard.shard_id for shard in shards), "listed", "forgotten"]
        parents = tuple(draw(st.lists(st.sampled_from(before), max_size=2, unique=True)))
        shards.append(Shard(f"shard-{number}", 0, 1, parents))
        if "listed" not in parents and {*parents} - {"forgotten"} <= over and draw(st.booleans()):
            over.add(shards[-1].shard_id)
    names = [shard.shard_id for shard in shards]
    ending = set(draw(st.lists(st.sampled_from(names)))) if names else set()
    return Family(shards, over, ending, {"listed"})


@dataclass
class Folders:
    """In place of processes: what they were given, and who is at it. Each says something before it is through."""

    family: Family
    folded: list[str] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    at_it: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fold(self, shard: Shard, after: Position | None) -> Iterator[Folded]:
        """As of Fold."""
        shard_id = shard.shard_id
        known = {one.shard_id for one in self.family.shards} | self.family.listed
        with self.lock:
            assert known.intersection(shard.parents) <= self.family.over | self.done, (shard, self.done)
            assert after == (Position(0, 7) if self.done.intersection(shard.parents) else None)
            self.folded.append(shard_id)
            self.at_it += 1
            self.most = max(self.most, self.at_it)
        yield Folded(Filled(1, 1, {shard_id: 7}))
        ends = shard_id in self.family.ending
        with self.lock:
            self.at_it -= 1
            self.done |= {shard_id} if ends else set()
        yield Folded(Filled(2, 3, ended={shard_id} if ends else set()), Position(2, 7))


class Names:
    """A source that is read elsewhere."""

    def __init__(self, shards: Collection[Shard]) -> None:
        self._shards = shards

    def shards(self) -> Collection[Shard]:
        return self._shards

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        raise AssertionError((shard, after))


@given(families(), st.integers(1, 4))
def test_each_shard_is_folded_once_after_its_parents_have_ended(family: Family, at_once: int) -> None:
    """All of those that can be; no more at once than there are processes; and a parent without an end stops its line there."""
    stores = MemoryStores()
    for shard_id in family.over:
        stores.rows[shard_id, PROGRESS] = Row(PROGRESS, 1, progress=Progress(ended=True))
    folders, said = Folders(family), []
    names, listed = Names(family.shards[::-1]), family.listed
    filled = Sharing(
        names, stores, lambda so_far: said.append(so_far.readings), folders.fold, at_once=at_once, listed=listed
    ).run()
    wanted = family.foldable()
    assert sorted(folders.folded) == sorted(wanted)
    assert folders.most <= at_once
    assert filled == Filled(2 * len(wanted), 3 * len(wanted), {}, family.over | (wanted & family.ending))
    assert said == sorted(said)


def folding(source: Source, stores: MemoryStores) -> Fold:
    """Folds one shard after the other, in whatever order they come."""
    lock = threading.Lock()

    def fold(shard: Shard, after: Position | None) -> Iterator[Folded]:
        said: list[Folded] = []
        with lock:
            said.append(fold_shard(source, shard, after, stores, lambda so_far: said.append(Folded(deepcopy(so_far)))))
        yield from said

    return fold


def share(source: Source, stores: MemoryStores, at_once: int) -> Filled:
    return Sharing(source, stores, lambda _: None, folding(source, stores), at_once=at_once).run()


@pytest.mark.parametrize("orderly", [True, False], ids=["with all ends", "with what may be lost"])
@pytest.mark.parametrize("seed", range(8))
def test_tables_are_those_of_one_filling(seed: int, *, orderly: bool) -> None:
    """And so is what is said of it, also of what is lost."""
    past = Past(seed, streams=1 + seed % 3, orderly=orderly)
    alone, together = MemoryStores(), MemoryStores()
    expected = fill(source_of(past), alone)
    filled = share(source_of(past), together, 1 + seed % 4)
    assert told(together) == told(alone)
    assert filled == expected
    assert bool(filled.gaps) is not orderly
    assert share(source_of(past), together, 2) == replace(expected, records=0)


def test_as_many_are_folded_at_once_as_there_are_processes() -> None:
    """Each of them waits for the other."""
    both = threading.Barrier(2, timeout=20)

    def fold(shard: Shard, _: Position | None) -> Iterator[Folded]:
        both.wait()
        yield Folded(Filled(1, ended={shard.shard_id}))

    shards = [Shard(f"shard-{number}", 0, 1) for number in range(4)]
    assert Sharing(Names(shards), MemoryStores(), lambda _: None, fold, at_once=2).run().readings == 4


@pytest.mark.parametrize("again", [1, 3])
def test_a_filling_that_is_killed_goes_on(again: int) -> None:
    """Between any two of its writes, with one process or several the next time."""
    past = Past(1, streams=2, turns=1)
    expected = MemoryStores()
    fill(source_of(past), expected)
    for writes in count(1):
        stores = MortalStores(writes, done=writes % 2 == 0)
        try:
            share(source_of(past), stores, 2)
        except KilledError:
            fill(source_of(past), stores) if again == 1 else share(source_of(past), stores, again)
            assert told(stores) == told(expected), writes
        else:
            break
    assert writes > 10


def test_what_is_lost_of_a_child_begins_where_its_parents_ended() -> None:
    """Not with the stream: since when a shard was there is told with it."""
    parent, target = replace(SHARD, parents=()), MemoryTarget()
    child = replace(SHARD, shard_id="shardId-000000000003", parents=(parent.shard_id,))
    chained(target, [numbered([b"{}"])], shard=parent, ended=True)
    chained(target, [[]], shard=child)
    source = ArchiveSource(target, followed={})
    alone, together = fill(source, MemoryStores()), share(source, MemoryStores(), 2)
    assert [one.gaps[child.shard_id].from_us for one in (alone, together)] == [numbered([b""])[0].arrived_ms * 1000] * 2


def test_what_was_counted_before_its_parent_is_not_filled() -> None:
    """As by one filling."""
    parent, target, stores = replace(SHARD, parents=()), MemoryTarget(), MemoryStores()
    child = replace(SHARD, shard_id="shardId-000000000003", parents=(parent.shard_id,))
    chained(target, [numbered([b"{}"])], shard=child)
    assert share(ArchiveSource(target), stores, 2).records == 1
    chained(target, [numbered([b"{}"])], shard=parent, ended=True)
    with pytest.raises(NotRebuilt, match="would count twice"):
        share(ArchiveSource(target), stores, 2)
