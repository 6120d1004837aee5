"""The record processor: a thin adapter from KCL's calls to the projection's steps.

amazon_kclpy swallows every exception and reports the batch as done, which loses it at the next checkpoint (hazard H1). So no
exception leaves here: whatever the projection could not cope with ends the process before anything is reported.
"""

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, Protocol

import structlog
from amazon_kclpy.kcl import Checkpointer, CheckpointError
from amazon_kclpy.messages import (
    InitializeInput,
    LeaseLostInput,
    ProcessRecordsInput,
    ShardEndedInput,
    ShutdownRequestedInput,
)
from amazon_kclpy.v3.processor import RecordProcessorBase

from projections.decoding import Record
from projections.effects import Steps, Stores, run
from projections.projector import ShardProjector
from telemetry.errors import StoreUnavailable
from telemetry.reading import rfc3339
from telemetry.retry import tries
from telemetry.streams import FIRST_PLACE, StreamPlace

log = structlog.get_logger(__name__)

EXIT_STATUS = 70
"""EX_SOFTWARE: the daemon ends with its child and the supervisor starts both again."""

SAY_EVERY_S = 10
"""The daemon's patience with us begins anew at every message, and a delivery may take longer than that on a busy core. So what
has become durable is checkpointed at once, and when nothing has for so long, the last checkpoint is asked for again: KCL 3.1.3
sees that it is the one it has, and writes nothing."""

_LAST_CHECKPOINT_PATIENCE_S = 10


def _or_exit[T](method: Callable[[Any, T], None]) -> Callable[[Any, T], None]:
    """End the process on any exception, before kclpy can report the call as done."""

    @functools.wraps(method)
    def guarded(self: Any, kcl_input: T) -> None:
        try:
            method(self, kcl_input)
        except Exception as error:
            log.exception("record_processor_exits", call=method.__name__)
            raise SystemExit(EXIT_STATUS) from error

    return guarded


class Follower(Protocol):
    """Follows the pointer (`following.py`)."""

    def begin(self) -> bool:
        """Return when a delivery may be begun; says whether that had to be waited for."""

    def hurried(self) -> bool:
        """Whether all that was applied is to be durable at once."""


class ShardRecordProcessor(RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy has no types
    """Projects one shard. `open_shard` makes the projector and the stores once KCL has said which shard it is.

    `has_ended` says whether nothing follows a position in a shard and nothing ever will; it may take a while to find out.
    KCL's shard is called as in the log, where this is the place of the stream. `following` says when a delivery may be begun.
    """

    def __init__(
        self,
        open_shard: Callable[[str], tuple[ShardProjector, Stores]],
        has_ended: Callable[[str, int], bool],
        place: StreamPlace = FIRST_PLACE,
        following: Follower | None = None,
    ) -> None:
        self._open_shard = open_shard
        self._has_ended = has_ended
        self._place = place
        self._following = following
        self._checkpointed = 0
        self._asked_for = 0
        """The last position a checkpoint was asked for, granted or not."""
        self._said_s = 0.0

    @_or_exit
    def initialize(self, initialize_input: InitializeInput) -> None:
        """Learn the shard and read its progress mark."""
        self._shard_id = self._place.name(initialize_input.shard_id)
        structlog.contextvars.bind_contextvars(shard_id=self._shard_id)
        self._projector, self._stores = self._open_shard(self._shard_id)
        self._began_at = initialize_input.sequence_number
        self._run(self._projector.start())
        self._gap = self._projector.gap
        # TRIM_HORIZON and the like name no record.
        self._began = int(initialize_input.sequence_number) if initialize_input.sequence_number.isdecimal() else 0
        log.info("shard_started", checkpoint=initialize_input.sequence_number)

    @_or_exit
    def process_records(self, process_records_input: ProcessRecordsInput) -> None:
        """Project a batch, which may be empty, and checkpoint what has become durable."""
        records = list(_records(process_records_input.records))
        checkpointer = process_records_input.checkpointer
        self._said_s = time.monotonic()
        waited = bool(self._following and self._following.begin())
        steps = self._projector.project(records, caught_up=not waited and not process_records_input.millis_behind_latest)
        self._run(steps, functools.partial(self._keep_in_touch, checkpointer))
        if self._following and self._following.hurried() and self._projector.has_undurable:
            self._run(self._projector.flush(), functools.partial(self._keep_in_touch, checkpointer))
        if self._projector.durable > self._checkpointed:
            self._checkpoint_durable(checkpointer)
        self._tell_loss()

    @_or_exit
    def lease_lost(self, _: LeaseLostInput) -> None:
        """Another worker has the shard. What is not written is its to write; ours would be refused."""
        log.info("lease_lost")

    @_or_exit
    def shard_ended(self, shard_ended_input: ShardEndedInput) -> None:
        """Make everything durable, then mark the shard as ended: the only checkpoint without a sequence number (hazard H4).

        KCL says so also when Kinesis once did not find an open shard, or its stream is gone. Then nothing is written down: the
        process ends, and the lease goes on where it was.
        """
        read = max(self._projector.position, self._began)
        if not self._has_ended(self._shard_id, read):
            raise StoreUnavailable(f"{self._shard_id} is said to have ended after {read}, but the stream does not show it")
        checkpointer = shard_ended_input.checkpointer
        self._said_s = time.monotonic()
        position = self._run(self._projector.flush(ended=True), functools.partial(self._keep_in_touch, checkpointer))
        self._checkpoint_patiently(checkpointer, None)
        log.info("shard_ended", position=position)

    @_or_exit
    def shutdown_requested(self, shutdown_requested_input: ShutdownRequestedInput) -> None:
        """Make everything durable and checkpoint it, so that the next worker starts where this one stops."""
        position = self._run(self._projector.flush())
        if position > self._checkpointed:
            self._checkpoint_patiently(shutdown_requested_input.checkpointer, str(position))
        log.info("shutdown_requested", position=position)

    def _tell_loss(self) -> None:
        """Say what may have left the stream unread when that is new; the progress row keeps it, and an alarm hears it."""
        if (gap := self._projector.gap) and gap != self._gap:
            after, before = rfc3339(gap.from_us), rfc3339(gap.until_us)
            log.warning("records_may_be_lost", position=self._projector.position, arrived_after=after, arrived_before=before)
        self._gap = gap

    def _run[T](self, steps: Steps[T], answered: Callable[[], object] = lambda: None) -> T:
        return run(steps, self._stores, answered)

    def _keep_in_touch(self, checkpointer: Checkpointer) -> None:
        if self._projector.durable > max(self._checkpointed, self._asked_for):
            self._checkpoint_durable(checkpointer)
        elif time.monotonic() - self._said_s >= SAY_EVERY_S:
            self._checkpoint(checkpointer, str(self._checkpointed or self._began_at))

    def _checkpoint_durable(self, checkpointer: Checkpointer) -> None:
        self._asked_for = self._projector.durable
        if self._checkpoint(checkpointer, str(self._asked_for)):
            self._checkpointed = self._asked_for

    def _checkpoint_patiently(self, checkpointer: Checkpointer, sequence_number: str | None) -> None:
        for _ in tries(_LAST_CHECKPOINT_PATIENCE_S):
            if self._checkpoint(checkpointer, sequence_number):
                return
        raise StoreUnavailable(f"no checkpoint within {_LAST_CHECKPOINT_PATIENCE_S} s")

    def _checkpoint(self, checkpointer: Checkpointer, sequence_number: str | None) -> bool:
        """Whether the checkpoint needs no other try. One that fails costs a redelivery, never a reading."""
        self._said_s = time.monotonic()
        try:
            checkpointer.checkpoint(sequence_number)
        except CheckpointError as error:
            if error.value == "InvalidStateException":
                raise  # the conversation with the daemon is broken: kclpy says not to go on
            log.warning("checkpoint_failed", error=error.value, sequence_number=sequence_number)
            return bool(error.value == "ShutdownException")  # the lease is lost: trying again is of no use
        return True


def _records(delivered: Iterable[Any]) -> Iterator[Record]:
    """The records of a delivery: what follows each other under one sequence number is a KPL aggregate that KCL took apart.

    It comes whole, in one delivery. Only after a checkpoint on it, KCL leaves out its first user record and brings the others
    once more; the projector passes over them, because nothing is checkpointed that is not durable.
    """
    for number, group in groupby(delivered, key=lambda record: record.sequence_number):
        first, *others = group
        yield Record(int(number), first.binary_data, first.timestamp_millis, tuple(other.binary_data for other in others))
