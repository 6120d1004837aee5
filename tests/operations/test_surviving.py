"""Tables that outlived their stream go on where nothing in them is half written, whenever their consumer died; else never."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import pytest

from archive.meta import Gap as ChainGap
from archive.names import Place
from archive.source import ArchiveSource
from archive.targets import MemoryTarget
from operations.filling import fill
from operations.surviving import Rest, begun_shards, incomplete
from projections.decoding import Candidate, Decoder, Record
from projections.effects import run
from projections.memory import MemoryStores
from projections.projector import ShardProjector
from projections.rows import Row
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord
from telemetry.reading import Reading
from telemetry.shards import Shard
from telemetry.streams import UNKNOWN_PARENT
from tests.archive.records import chained
from tests.operations.logs import KilledError, MortalStores
from tests.projections.logs import START_S, Clock, reading, record
from tests.support.oracle import expected_seen_s, expected_sheets, expected_stats, merged_sheets, merged_stats
from tests.support.verifying import Tables

ONE, OTHER = Shard("shardId-000000000000", 0, HASH_KEY_MAX), Shard("2/shardId-000000000000", 0, HASH_KEY_MAX, (UNKNOWN_PARENT,))
STREAMS = (f"{START_S}.000", f"{START_S + 10**6}.000")
LOG = [
    record(1, reading("a"), reading("b", 1)),
    record(2, reading("a"), reading("a", 700, 21)),
    record(3, b"no event", reading("c", 8000)),
    record(4, reading("b", 7300, -4), reading("b", 1)),
    record(5, reading("a", 9000), reading("d", 9100)),
]


def consume(stores: MemoryStores, shard: Shard, log: Sequence[Record], *, ended: bool = False) -> None:
    """A consumer's life, that makes everything durable now and then and at its end."""
    worker = ShardProjector(shard, Clock())
    run(worker.start(), stores)
    for number, one in enumerate(log):
        run(worker.project([one], caught_up=number % 2 == 1), stores)
    run(worker.flush(ended=ended), stores)


def killed(writes: int, *, done: bool) -> tuple[MemoryStores, bool]:
    """What one leaves that dies at a write, and whether it died at all."""
    stores = MortalStores(writes, done=done)
    try:
        consume(stores, ONE, LOG)
    except KilledError:
        return stores, True
    stores.writes_left = 0  # whoever writes next lives
    return stores, False


def archived(log: Sequence[Record], *, ended: bool = False, between: ChainGap | None = None) -> ArchiveSource:
    """An archive that holds so much; with a gap, perhaps, behind the second record."""
    target = MemoryTarget()
    records = [LogRecord(one.sequence_number, one.arrived_at_ms, one.data) for one in log]
    objects, gaps = ([records[:2], records[2:]], {1: between}) if between else ([records], {})
    chained(target, objects, shard=ONE, created=STREAMS[0], ended=ended, gaps=gaps)
    return ArchiveSource(target, STREAMS)


def readings_of(log: Sequence[Record]) -> set[Reading]:
    """All that are in a log, by its decoder."""
    items = (item for one in log for item in Decoder(ONE).decode(one))
    return {item.reading for item in items if isinstance(item, Candidate)}


def told(stores: MemoryStores) -> Mapping[str, Any]:
    """What tables say, over their shards."""
    rows: list[Row] = list(stores.rows.values())
    seen = {sensor_id: seen_s for sensor_id, (seen_s, _) in stores.directory.items()}
    return {"rows": merged_stats(rows), "sheets": merged_sheets(rows), "readings": stores.readings, "seen": seen}


def wanted(readings: set[Reading]) -> Mapping[str, Any]:
    """What they must say, out of distinct readings, each of which was measured before it arrived."""
    newest: dict[str, int] = {}
    for one in readings:
        newest[one.sensor_id] = max(newest.get(one.sensor_id, 0), min(one.measured_at_us, ARRIVED[one]))
    seen = {sensor_id: expected_seen_s(sensor_id, at_us) for sensor_id, at_us in newest.items()}
    return {"rows": expected_stats(readings), "sheets": expected_sheets(readings), "readings": readings, "seen": seen}


ARRIVED: dict[Reading, int] = {}
for each in reversed(LOG):
    ARRIVED |= dict.fromkeys(readings_of([each]), each.arrived_at_ms * 1000)


@pytest.mark.parametrize("done", [True, False], ids=["the last write was done", "it was not"])
@pytest.mark.parametrize("holds", [None, 0, 2, 4, 5], ids=lambda held: f"archive of {held}")
def test_tables_go_on_exactly_or_not_at_all(holds: int | None, *, done: bool) -> None:
    """Killed at each write in turn. They say what the readings add up to that they hold, and once all is sent again, all."""
    went_on = refused = 0
    for writes in count(1):
        stores, died = killed(writes, done=done)
        archive = None if holds is None else archived(LOG[:holds])
        begun = begun_shards(Tables(stores))
        if incomplete(begun, archive):
            refused += 1
            assert died
            continue
        went_on += 1
        fill(Rest(archive, begun, STREAMS), stores)
        held = stores.readings
        assert told(stores) == wanted(held), writes
        assert held >= readings_of(LOG[: holds or 0])
        for row in stores.total_rows().values():
            assert (row.progress.ended, bool(row.progress.gap)) == (True, True)
            assert all(origin.sequence_number <= row.position for origin in stores.dead_letters)
        consume(stores, OTHER, LOG)
        assert told(stores)["rows"] == expected_stats(readings_of(LOG)), writes
        if not died:
            break
    assert went_on > 1
    assert refused > (1 if holds == 5 else 3)


def test_what_ended_stays_as_it_is() -> None:
    """Nothing is lost of a shard whose end is counted, or archived."""
    stores = MemoryStores()
    consume(stores, ONE, LOG, ended=True)
    before = dict(stores.rows)
    begun = begun_shards(Tables(stores))
    assert (begun, incomplete(begun, None)) == ({}, [])
    fill(Rest(None, begun, STREAMS), stores)
    assert stores.rows == before
    stores = MemoryStores()
    consume(stores, ONE, LOG)
    begun = begun_shards(Tables(stores))
    fill(Rest(archived(LOG, ended=True), begun, STREAMS), stores)
    [row] = stores.total_rows().values()
    assert (row.progress.ended, row.progress.gap) == (True, None)


def test_an_archive_with_a_gap_completes_nothing() -> None:
    """Where it lies behind what is written, and before the furthest that the tables hold."""
    stores = MemoryStores()
    worker = ShardProjector(ONE, Clock())
    run(worker.start(), stores)
    run(worker.project(LOG[:1], caught_up=False), stores)
    run(worker.flush(), stores)
    run(worker.project(LOG[1:3], caught_up=False), stores)
    run(worker.project(LOG[3:4], caught_up=True), stores)
    begun = begun_shards(Tables(stores))
    [one] = begun.values()
    assert (one.written.sequence_number, one.furthest) == (1, 4)
    between = ChainGap.between(Place(2, LOG[1].arrived_at_ms), Place(3, LOG[2].arrived_at_ms))
    assert incomplete(begun, archived(LOG)) == []
    assert incomplete(begun, archived(LOG, between=between)) == [ONE.shard_id]


def test_a_shard_that_only_tables_know_ends_with_what_is_lost_of_it() -> None:
    """From when it was last read on, until the next stream was there."""
    stores = MemoryStores()
    consume(stores, ONE, LOG)
    until_us = stores.total_rows()[ONE.shard_id].as_of_us
    fill(Rest(None, begun_shards(Tables(stores)), STREAMS), stores)
    [row] = stores.total_rows().values()
    assert row.progress.gap == (until_us, (START_S + 10**6) * 10**6)
    assert row.progress.hash_range == (0, HASH_KEY_MAX)
