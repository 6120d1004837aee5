"""Which checkpoints the record processor asks for, what it makes of the daemon's answers, and that no exception leaves it."""

from collections.abc import Collection, Mapping
from typing import NoReturn

import pytest
import structlog

from consumer.processor import EXIT_STATUS, ShardRecordProcessor
from projections.effects import Stores
from projections.memory import MemoryStores
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from projections.rows import PROGRESS, Mark, Progress, Row, RowKey
from telemetry.errors import StoreUnavailable
from tests.consumer.conversation import (
    ARRIVED_MS,
    LEASE_LOST,
    SHARD_ENDED,
    SHUTDOWN_REQUESTED,
    Message,
    acknowledge,
    checkpoint,
    converse,
    done,
    granted,
    initialize,
    process_records,
)
from tests.projections.logs import NEVER, NEVER_DUE, NOW_S, SHARD, Clock, projector, reading, record

LAZY = FlushPolicy(few_sensors=-1, windows_every_s=NEVER_DUE, totals_every_s=NEVER, everything_every_s=NEVER)
EAGER = FlushPolicy(everything_every_s=0)
START = initialize(SHARD.shard_id)


def on(stores: Stores, policy: FlushPolicy | None = None) -> ShardRecordProcessor:
    """A record processor on these stores."""
    return ShardRecordProcessor(lambda _: (projector(policy=policy), stores), lambda *_: True)


def delivery(*numbers: int, behind_ms: int = 0) -> Message:
    """Records of one reading each."""
    return process_records({number: record(number, reading(f"s{number}")).data for number in numbers}, behind_ms)


def said(processor: ShardRecordProcessor, *messages: Message) -> list[Message]:
    """What the processor answers; it must not exit."""
    answers, status = converse(processor, *messages)
    assert status is None
    return answers


def test_h04_checkpoints_name_a_sequence_number_except_at_the_shards_end() -> None:
    """A checkpoint without a number means all that was delivered, so it is asked for when that is meant: at SHARD_END."""
    answers = said(
        on(MemoryStores()),
        START,
        delivery(1, 2),
        acknowledge(2),
        delivery(3, behind_ms=1),
        SHUTDOWN_REQUESTED,
        acknowledge(3),
        SHARD_ENDED,
        acknowledge(None),
    )
    assert [answer for answer in answers if answer["action"] == "checkpoint"] == [
        checkpoint(2),
        checkpoint(3),
        checkpoint(None),
    ]


def test_nothing_is_checkpointed_that_is_not_flushed() -> None:
    """While behind the log and between flushes a batch is reported without a checkpoint."""
    stores = MemoryStores()
    assert said(on(stores, LAZY), START, delivery(1, behind_ms=1)) == [done("initialize"), done("processRecords")]
    assert not stores.rows


class Hurry:
    """Follows a pointer that a promote has marked for its generation, from the second delivery on."""

    def __init__(self, *, waits: bool = False) -> None:
        self.began = 0
        self._waits = waits

    def begin(self) -> bool:
        self.began += 1
        return self._waits

    def hurried(self) -> bool:
        return self.began > 1


def test_while_a_promote_waits_all_is_made_durable_with_each_delivery() -> None:
    """However lazy the policy; a delivery without news writes nothing, and each is begun when it may be."""
    stores, hurry = MemoryStores(), Hurry()
    processor = ShardRecordProcessor(lambda _: (projector(policy=LAZY), stores), lambda *_: True, following=hurry)
    answers = said(
        processor, START, delivery(1, behind_ms=1), delivery(2, behind_ms=1), acknowledge(2), process_records({}, behind_ms=1)
    )
    assert (answers.count(checkpoint(2)), hurry.began) == (1, 3)
    row = stores.rows[SHARD.shard_id, PROGRESS]
    assert (row.progress.flushed.position, row.stats.count, row.progress.beat) == (2, 2, 2)


@pytest.mark.parametrize("waits", [False, True])
def test_a_delivery_that_had_to_wait_covers_the_log_up_to_its_last_record(*, waits: bool) -> None:
    """Not up to now, though it was at the tip when it came: what has arrived since is in none of the rows."""
    stores = MemoryStores()
    processor = ShardRecordProcessor(lambda _: (projector(policy=EAGER), stores), lambda *_: True, following=Hurry(waits=waits))
    said(processor, START, delivery(1), acknowledge(1))
    as_of_us = stores.rows[SHARD.shard_id, PROGRESS].as_of_us
    assert as_of_us == (ARRIVED_MS * 1000 if waits else NOW_S * 1_000_000)


def test_a_position_is_checkpointed_once() -> None:
    """Idle ticks and a shutdown without news ask for nothing."""
    answers = said(on(MemoryStores()), START, delivery(1), acknowledge(1), process_records({}), SHUTDOWN_REQUESTED, LEASE_LOST)
    assert answers.count(checkpoint(1)) == 1
    assert answers[-3:] == [done("processRecords"), done("shutdownRequested"), done("leaseLost")]


def test_an_empty_shard_ends_with_the_checkpoint_without_a_number() -> None:
    """A shard that never had a record has no number to name; its end must be marked all the same."""
    assert said(on(MemoryStores()), START, SHARD_ENDED, acknowledge(None))[1:] == [checkpoint(None), done("shardEnded")]


def test_at_the_shards_end_everything_is_flushed_before_the_checkpoint() -> None:
    """What was only folded in memory is in the tables before children may start."""
    stores = MemoryStores()
    said(on(stores, LAZY), START, delivery(1, behind_ms=1), SHARD_ENDED, acknowledge(None))
    assert stores.rows[SHARD.shard_id, PROGRESS].progress.flushed.position == 1
    assert stores.rows[SHARD.shard_id, PROGRESS].progress.ended


def test_s13_an_end_that_kcl_never_heard_of_is_told_again() -> None:
    """Our row says ended, and the processor died before the checkpoint: the next one gets through to it."""
    stores = MemoryStores()
    unheard = [START, delivery(1), acknowledge(1), SHARD_ENDED, acknowledge(None, "InvalidStateException")]
    assert converse(on(stores), *unheard)[1] == EXIT_STATUS
    assert stores.rows[SHARD.shard_id, PROGRESS].progress.ended
    assert said(on(stores), START, process_records({}), SHARD_ENDED, acknowledge(None))[-2:] == [
        checkpoint(None),
        done("shardEnded"),
    ]
    assert stores.rows[SHARD.shard_id, PROGRESS].stats.count == 1


def test_a_lost_lease_writes_nothing() -> None:
    """What is not flushed belongs to the next worker."""
    stores = MemoryStores()
    said(on(stores, LAZY), START, delivery(1, behind_ms=1), LEASE_LOST)
    assert not stores.rows


def test_s09_a_large_delivery_is_checkpointed_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What of a delivery has become durable is checkpointed at once: each message renews the daemon's patience."""
    monkeypatch.setattr("projections.slices.SLICE_LINES", 4)
    answers = granted(on(MemoryStores(), EAGER), START, delivery(1, 2, 3, 4, 5))
    assert answers[1:] == [checkpoint(2), checkpoint(4), checkpoint(5), done("processRecords")]


def test_s09_the_daemon_hears_of_us_while_nothing_becomes_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last checkpoint is asked for again, which KCL takes for the one it has; at first, where the shard was begun."""
    monkeypatch.setattr("consumer.processor.SAY_EVERY_S", 0)
    answers = granted(on(MemoryStores()), START, delivery(1), delivery(2))
    first, second = (index for index, answer in enumerate(answers) if answer == done("processRecords"))
    begun = {**checkpoint(None), "sequenceNumber": "TRIM_HORIZON"}
    assert answers[1:first] == [begun] * (first - 2) + [checkpoint(1)]
    assert answers[first + 1 : second] == [checkpoint(1)] * (second - first - 1)
    assert first > 3
    assert second > first + 1


def test_a_shutdown_exception_is_not_tried_again() -> None:
    """The lease is lost: the processor goes on until the daemon tells it so."""
    answers = said(on(MemoryStores()), START, delivery(1), acknowledge(1, "ShutdownException"), process_records({}), LEASE_LOST)
    assert answers[1:] == [checkpoint(1), done("processRecords"), done("processRecords"), done("leaseLost")]


@pytest.mark.parametrize("error", ["ThrottlingException", "KinesisClientLibDependencyException"])
def test_a_throttled_checkpoint_is_asked_for_again_with_the_next_batch(error: str) -> None:
    """The batch is reported, since its events are durable; the position is checkpointed later."""
    answers = said(on(MemoryStores()), START, delivery(1), acknowledge(1, error), process_records({}), acknowledge(1))
    assert answers[1:] == [checkpoint(1), done("processRecords"), checkpoint(1), done("processRecords")]


@pytest.mark.parametrize(
    ("ending", "action", "number"), [(SHARD_ENDED, "shardEnded", None), (SHUTDOWN_REQUESTED, "shutdownRequested", 1)]
)
def test_a_throttled_last_checkpoint_is_tried_again_at_once(ending: Message, action: str, number: int | None) -> None:
    """There is no later batch: at the shard's end, and at a shutdown, the checkpoint is retried in place."""
    throttled = acknowledge(number, "ThrottlingException")
    answers = said(on(MemoryStores(), LAZY), START, delivery(1, behind_ms=1), ending, throttled, throttled, acknowledge(number))
    assert answers[2:] == [checkpoint(number)] * 3 + [done(action)]


@pytest.mark.parametrize("error", ["InvalidStateException", None])
def test_a_broken_conversation_ends_the_process(error: str | None) -> None:
    """InvalidStateException, told by the daemon or found by kclpy, is not to be survived."""
    answer = acknowledge(1, error) if error else LEASE_LOST
    answers, status = converse(on(MemoryStores()), START, delivery(1), answer, process_records({}))
    assert answers == [done("initialize"), checkpoint(1)]
    assert status == EXIT_STATUS


class Failing(MemoryStores):
    """Stores of which one method fails from the moment `broken` is set."""

    def __init__(self, error: Exception, *, loading: bool) -> None:
        super().__init__()
        self._error = error
        self._loading = loading

    def load_rows(self, shard_id: str, keys: Collection[RowKey]) -> Mapping[RowKey, Row]:
        if self._loading:
            raise self._error
        return super().load_rows(shard_id, keys)

    def store_rows(self, *_: object) -> Collection[RowKey]:
        raise self._error


@pytest.mark.parametrize("error", [StoreUnavailable("no answer"), KeyError("a mistake of ours"), MemoryError()])
@pytest.mark.parametrize(
    ("messages", "loading"),
    [
        ([START], True),
        ([START, delivery(1)], False),
        ([START, SHUTDOWN_REQUESTED], False),
        ([START, SHARD_ENDED], False),
    ],
    ids=["initialize", "processRecords", "shutdownRequested", "shardEnded"],
)
def test_h01_whatever_is_raised_the_call_is_never_reported(error: Exception, messages: list[Message], loading: bool) -> None:
    """kclpy would print an exception and say that it is done: the process exits before that, in every one of the calls."""
    answers, status = converse(on(Failing(error, loading=loading)), *messages)
    assert answers == [done("initialize")][: len(messages) - 1]
    assert status == EXIT_STATUS


def test_h01_a_shard_that_cannot_be_opened_is_never_reported() -> None:
    """The stream cannot be asked for its shards: initialize is not answered."""

    def fail(_: str) -> NoReturn:
        raise StoreUnavailable("no answer")

    assert converse(ShardRecordProcessor(fail, lambda *_: True), START) == ([], EXIT_STATUS)


def test_s05_what_may_be_lost_is_logged_once() -> None:
    """A warning that an alarm counts, with the bounds of the stretch."""
    stores = MemoryStores()
    mark = Mark(1, 1_000_000_000_000_000)
    stores.rows[SHARD.shard_id, PROGRESS] = Row(
        PROGRESS, mark.position, as_of_us=mark.as_of_us, progress=Progress(flushed=mark)
    )
    forgetful = ShardProjector(SHARD, Clock(), retention_s=86_400)
    processor = ShardRecordProcessor(lambda _: (forgetful, stores), lambda *_: True)
    with structlog.testing.capture_logs() as logs:
        granted(processor, START, delivery(2), process_records({}))
    (line,) = [line for line in logs if line["event"] == "records_may_be_lost"]
    assert line["log_level"] == "warning"
    assert (line["arrived_after"], line["arrived_before"]) == ("2001-09-09T01:46:40Z", "2023-11-14T22:13:20.25Z")
