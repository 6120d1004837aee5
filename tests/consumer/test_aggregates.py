"""KPL aggregates of foreign writers: one record each, for the record processor and for replay."""

import gzip
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.processor import ShardRecordProcessor
from projections.decoding import LETTERS_MAX, Record
from projections.effects import Steps
from projections.memory import MemoryStores
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from projections.rows import PROGRESS
from replay.events import Choice, Events, Passed
from telemetry.events import encode_event
from telemetry.log import LogRecord, Page
from telemetry.records import Broken, split_record
from tests.consumer.conversation import SHUTDOWN_REQUESTED, converse, done, granted, initialize, process_records
from tests.projections.logs import SHARD, check_packs, few_readings, oracle, projector, reading, record, stats_by_key
from tests.support.aggregates import aggregate

EAGER = FlushPolicy(everything_every_s=0)
START = initialize(SHARD.shard_id)
events = few_readings.map(lambda one: encode_event(one, 0))
bodies = st.lists(st.one_of(events, events, st.sampled_from([b"{broken", b"", b" "])), max_size=4).map(b"\n".join)
parts = st.one_of(bodies, bodies.map(lambda body: body + b"\n"), bodies.map(gzip.compress), st.just(b"\x1f\x8bbroken"))


def stores_after(*deliveries: dict[int, bytes | Sequence[bytes]]) -> MemoryStores:
    """What is stored once these deliveries were processed, every checkpoint granted."""
    stores = MemoryStores()
    processor = ShardRecordProcessor(lambda _: (projector(policy=EAGER), stores), lambda *_: True)
    answers = granted(processor, START, *map(process_records, deliveries), SHUTDOWN_REQUESTED)
    assert answers[-1] == done("shutdownRequested")
    return stores


def test_s01_an_aggregate_that_straddles_five_hundred_records_counts_whole() -> None:
    """KCL hands its 300 user records out one by one under one sequence number, in the middle of a delivery of 1,250."""
    sensors = [encode_event(reading(f"s{number}"), 0) for number in range(1_250)]
    singles = {number: sensors[number] for number in (*range(1, 400), *range(700, 1_250))}
    delivery = {**singles, 400: sensors[400:700]}
    stores = stores_after(dict(sorted(delivery.items())))
    assert stats_by_key(stores)[PROGRESS].count == 1_249
    assert stats_by_key(stores) == oracle([record(1, *sensors[1:])])


def test_s01_what_comes_again_of_an_aggregate_changes_nothing() -> None:
    """After a checkpoint on an aggregate KCL leaves out its first user record and brings the others once more."""
    log = [encode_event(reading(f"s{number}"), 0) for number in range(5)]
    stores = stores_after({7: log}, {7: log[1:]}, {8: log[:1]})
    total = stats_by_key(stores)[PROGRESS]
    assert (total.count, total.duplicates) == (5, 1)
    check_packs(stores, [record(7, *log), record(8, log[0])])


@pytest.mark.parametrize("bad", [1, LETTERS_MAX])
def test_s01_each_bad_user_record_is_a_dead_letter(bad: int) -> None:
    """Kept by their lines, none overwrites another."""
    log = [encode_event(reading(), 0), *(b"{broken %d" % number for number in range(bad))]
    letters = stores_after({7: log}).dead_letters
    assert [(origin.line, letter.data) for origin, letter in letters.items()] == list(enumerate(log))[1:]


def test_s01_three_hundred_bad_user_records_are_kept_in_one_dead_letter() -> None:
    """With the bytes of the whole aggregate and their count."""
    log = [encode_event(reading(), 0), *(b"{broken %d" % number for number in range(300))]
    stores = stores_after({7: log})
    (letter,) = stores.dead_letters.values()
    assert letter.data == b"".join(part + b"\n" for part in log)
    assert "300 of its lines" in letter.reason
    assert stats_by_key(stores)[PROGRESS].count == 1


class Noting(ShardProjector):
    """Keeps the records it is given."""

    def project(self, records: Sequence[Record], *, caught_up: bool) -> Steps[int]:
        self.records = list(records)
        yield from ()
        return 0


@given(st.lists(st.lists(parts, min_size=1, max_size=5), max_size=4))
def test_s01_consumer_and_replay_read_the_same_lines(log: list[list[bytes]]) -> None:
    """One from the user records that KCL hands out, the other from the bytes of the stream."""
    noting = Noting(SHARD, lambda: 0)
    processor = ShardRecordProcessor(lambda _: (noting, MemoryStores()), lambda *_: True)
    converse(processor, START, process_records(dict(enumerate(log, 1))))
    consumed = [line for record in noting.records for line in split_record(*record.parts)]
    assert [record.sequence_number for record in noting.records] == list(range(1, len(log) + 1))
    raw = [LogRecord(number, 0, aggregate(found, ["a", "b"])) for number, found in enumerate(log, 1)]
    passed = Passed()
    printed = [event.line for event in Events(Choice(), passed).of(Page(SHARD.shard_id, raw))]
    assert printed == [line.data for line in consumed if not isinstance(line, Broken) and line.data.startswith(b'{"spec')]
    assert passed.codes.total() == len(consumed) - len(printed)
    assert passed.lost == 0
