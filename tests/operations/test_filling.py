"""Tables filled from an archive say what a consumer's say that has seen the log, however often the filling was killed."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from archive.meta import Gap as ChainGap
from archive.names import Place
from archive.source import ArchiveSource
from archive.targets import MemoryTarget
from operations.filling import Filled, fill, send_home
from projections.decoding import Record, Stray
from projections.memory import MemoryStores
from projections.retention import Gap
from projections.rows import START, Row
from telemetry.errors import NotRebuilt
from telemetry.events import encode_event
from telemetry.log import LogRecord
from telemetry.reading import Reading
from tests.archive.records import SHARD, chained
from tests.operations.logs import KilledError, MortalStores, Past
from tests.projections.logs import START_S, reading, record, sensors_of
from tests.projections.worlds import HALVES
from tests.support.aggregates import aggregate

CREATED, THEN = f"{START_S}.000", f"{START_S + 10**6}.000"
NO_MEMORY = 10**7
"""Shards at once that leave none: everything is flushed slice by slice."""


def told(stores: MemoryStores) -> Mapping[str, Any]:
    """All that tables tell but when it was written: positions, as-of, marks, beats, and the bounds of packs."""
    return {
        "rows": {key: _lasting(row) for key, row in stores.rows.items()},
        "readings": stores.readings,
        "directory": stores.directory,
        "dead letters": stores.dead_letters,
    }


def _lasting(row: Row) -> Row:
    return replace(row, position=0, as_of_us=0, progress=replace(row.progress, windows=START, flushed=START))


def source_of(past: Past) -> ArchiveSource:
    """The archive of a log that has gone on in another stream."""
    return ArchiveSource(past.target, [*past.created, f"{START_S + 10**8}.000"])


@pytest.mark.parametrize("seed", range(24))
def test_tables_of_an_archive_are_those_of_a_consumer(seed: int) -> None:
    """Repeats, late readings, dead letters, reshards, several streams; with memory for all of it and for nothing."""
    past = Past(seed, streams=1 + seed % 3)
    stores = MemoryStores()
    filled = fill(source_of(past), stores, shards_at_once=(1, 4, NO_MEMORY)[seed % 3])
    assert told(stores) == told(past.consumed())
    assert filled.readings == len(stores.readings)
    assert filled.ended == {shard.shard_id for shard in past.shards}
    assert filled.records <= sum(map(len, past.logs.values())), "an object of empty records need not be read"
    assert not filled.gaps


@pytest.mark.parametrize("seed", range(2))
def test_a_filling_that_is_killed_goes_on(seed: int) -> None:
    """At each of its writes in turn, which was done or not. What is flushed already is not read again."""
    past = Past(seed, streams=2, turns=1)
    expected = told(past.consumed())
    for writes in count(1):
        stores = MortalStores(writes, done=(writes + seed) % 2 == 0)
        try:
            fill(source_of(past), stores, shards_at_once=NO_MEMORY)
        except KilledError:
            filled = fill(source_of(past), stores, shards_at_once=NO_MEMORY)
            assert told(stores) == expected, writes
            assert filled.readings == len(stores.readings)
        else:
            break
    assert writes > 10


def test_each_page_is_told() -> None:
    """How many readings are counted so far."""
    past, said = Past(1, streams=2), []
    filled = fill(source_of(past), MemoryStores(), tell=lambda so_far: said.append(so_far.readings))
    assert said == sorted(said)
    assert (said[0] <= filled.readings, said[-1]) == (True, filled.readings)


def test_with_a_shard_that_has_not_ended_somebody_else_goes_on() -> None:
    """It is flushed, and does not end. A child that is archived further than its parent waits for that."""
    parent = replace(SHARD, parents=())
    child = replace(SHARD, shard_id="shardId-000000000003", parents=(parent.shard_id,))
    log = [_archived(record(1, reading("a"))), _archived(record(2, reading("a", 1)))]
    early, late, stores = MemoryTarget(), MemoryTarget(), MemoryStores()
    chained(early, log[:1], shard=parent, created=CREATED)
    chained(late, log, shard=parent, created=CREATED, ended=True)
    for target in (early, late):
        chained(target, [_archived(record(3, reading("a", 1)))], shard=child, created=CREATED)
    filled = fill(ArchiveSource(early, [CREATED]), stores)
    assert (filled.readings, filled.ended) == (1, set())
    [(shard_id, row)] = stores.total_rows().items()
    assert (shard_id, row.progress.flushed.position, row.progress.ended) == (parent.shard_id, 1, False)
    filled = fill(ArchiveSource(late, [CREATED]), stores)
    assert (filled.readings, filled.records, filled.ended) == (2, 2, {parent.shard_id})
    assert stores.total_rows()[child.shard_id].stats.duplicates == 1


def test_what_follows_a_shard_that_is_not_archived_yet_waits_for_it() -> None:
    """While the stream has it; of one that neither has nothing is known, and nothing is waited for."""
    child = replace(SHARD, shard_id="shardId-000000000003", parents=("shardId-000000000001",))
    target = MemoryTarget()
    chained(target, [_archived(record(3, reading("a")))], shard=child, created=CREATED)
    source = ArchiveSource(target, [CREATED])
    filled = [fill(source, MemoryStores(), listed=listed).readings for listed in ((), (child.shard_id,), child.parents)]
    assert filled == [1, 1, 0]


def test_what_was_counted_before_its_parent_is_not_filled() -> None:
    """The parent came to the archive later, or the tables began when it was over: its readings would count twice."""
    parent, target, stores = replace(SHARD, parents=()), MemoryTarget(), MemoryStores()
    child = replace(SHARD, shard_id="shardId-000000000003", parents=(parent.shard_id,))
    chained(target, [_archived(record(3, reading("a")))], shard=child, created=CREATED)
    assert fill(ArchiveSource(target, [CREATED]), stores).readings == 1
    chained(target, [_archived(record(1, reading("a")))], shard=parent, created=CREATED, ended=True)
    before = dict(stores.rows)
    with pytest.raises(NotRebuilt, match=rf"what follows {parent.shard_id}, and not all of that.* a new generation"):
        fill(ArchiveSource(target, [CREATED]), stores)
    assert stores.rows == before
    assert fill(ArchiveSource(target, [CREATED]), MemoryStores()).readings == 1


def test_what_may_be_lost_stands_in_the_rows() -> None:
    """From the last record on when the log went on without the shard's end, and where the archive says so."""
    target, stores = MemoryTarget(), MemoryStores()
    between = ChainGap.between(Place(1, (START_S + 1) * 1000), Place(5, (START_S + 5) * 1000))
    log = [_archived(record(1, reading("a"))), _archived(record(5, reading("a", 1)))]
    chained(target, log, shard=replace(SHARD, parents=()), created=CREATED, gaps={1: between})
    filled = fill(ArchiveSource(target, [CREATED, THEN]), stores)
    lost = Gap((START_S + 1) * 10**6, (START_S + 10**6) * 10**6)
    assert filled.gaps == {SHARD.shard_id: lost}
    row = stores.total_rows()[SHARD.shard_id]
    assert (row.progress.ended, row.progress.gap, row.as_of_us) == (True, lost, lost.until_us)
    assert fill(ArchiveSource(target, [CREATED, THEN]), stores).gaps == filled.gaps
    fill(ArchiveSource(target, [CREATED], followed={}), fresh := MemoryStores(), clock_s=lambda: START_S + 9)
    assert fresh.total_rows()[SHARD.shard_id].progress.gap == Gap(lost.from_us, (START_S + 9) * 10**6)


def test_aggregates_are_taken_apart_as_kcl_does() -> None:
    """Each line is numbered as in what the consumer gets."""
    target, stores = MemoryTarget(), MemoryStores()
    lines = [encode_event(reading("a", at), 0) for at in range(2)]
    packed = [LogRecord(7, START_S * 1000, aggregate([lines[0], b"no event\n" + lines[1]]))]
    chained(target, [packed], shard=replace(SHARD, parents=()), created=CREATED, ended=True)
    fill(ArchiveSource(target), stores)
    assert stores.readings == {reading("a"), reading("a", 1)}
    assert [letter.data for letter in stores.dead_letters.values()] == [b"no event"]


def test_an_event_in_a_wrong_shard_goes_home_unless_it_came_home_before() -> None:
    """Once, and after all is folded. Without that it goes at once, as the consumer sends it."""
    (here, there), [stranger, lost] = HALVES, sensors_of(HALVES[1], 2)
    home, gone = (Reading(START_S * 10**6, sensor, 10**6) for sensor in (stranger, lost))
    target, stores, strays = MemoryTarget(), MemoryStores(), list[Stray]()
    chained(target, [_archived(record(1, home, gone, gone))], shard=here, created=CREATED, ended=True)
    chained(target, [_archived(record(2, home))], shard=there, created=CREATED, ended=True)
    fill(ArchiveSource(target), stores, strays=strays)
    assert ([stray.sensor_id for stray in strays], stores.appended) == ([stranger, lost, lost], [])
    assert send_home(strays, stores) == 1
    assert [sensor_id for sensor_id, _ in stores.appended] == [lost]
    fill(ArchiveSource(target), at_once := MemoryStores())
    assert [sensor_id for sensor_id, _ in at_once.appended] == [stranger, lost, lost]


def test_nothing_is_filled_from_nothing() -> None:
    """No row is made."""
    assert fill(ArchiveSource(MemoryTarget()), stores := MemoryStores()) == Filled()
    assert not stores.rows


def _archived(*records: Record) -> list[LogRecord]:
    return [LogRecord(one.sequence_number, one.arrived_at_ms, one.data) for one in records]
