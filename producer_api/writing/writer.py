"""The writer: runs group commit against Kinesis and tells each request where its event was stored, or that nobody knows.

boto3 is synchronous, so PutRecords calls run in a few threads; everything else happens on the event loop.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from producer_api.outage import Outage
from producer_api.writing.commit import Answer, Entry, Failure, GroupCommit, Pending, Receipt, Unconfirmed
from telemetry.errors import NotStored, Overloaded, Refused, StoreUnavailable
from telemetry.logs import SparseLog
from telemetry.retry import backoff_s, clock_off, error_code, is_known_undone, may_pass
from telemetry.shards import ShardMap, list_shards

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_TICK_S = 0.05
"""How often, while events are held, rests and deadlines are looked at."""

_WORTH_A_CALL_EVENTS = 128
"""About as many as fill a packed record. While a call is under way fewer wait for its end: few large calls cost a fraction of
the processor time and of the bytes that many small ones do."""

_SLOW_CALL_S = 0.1
"""Once a call takes this long, whatever waits goes out beside it."""

_CALL_S_MAX = 4
"""Beyond what the client's time-outs let a call take (`telemetry/aws.py`)."""

_PASSING = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException", "KMSThrottlingException"})
"""Codes of an entry that is known not to be stored and may be next time; `InternalFailure` is not known to be either."""

log = SparseLog(__name__)


@dataclass(slots=True)
class Counters:
    """What the writer has done since it started; bytes are records with their keys, as Kinesis counts them."""

    calls: int = 0
    records: int = 0
    events: int = 0
    bytes: int = 0
    failed_records: int = 0
    surprises: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """Calls by what became of their records: `stored`, `partly` or `failed`."""


class Writer:
    """Appends events to one stream. Made on the event loop it is used from; `close` drains it. Shards have Kinesis's ids here.

    `kinesis` must not retry by itself: the writer judges answers entry by entry and retries only what failed.
    """

    def __init__(
        self, kinesis: "KinesisClient", stream: str, shards: ShardMap, *, in_flight_max: int, events_max: int, deadline_s: float
    ) -> None:
        if not shards.open:
            raise StoreUnavailable(f"{stream} lists no open shard: nothing can be stored in it.")
        self.counters = Counters()
        self.outage = Outage()
        """Of the log, as this writer met it."""
        self._kinesis = kinesis
        self._stream = stream
        self._in_flight_max = in_flight_max
        self._deadline_s = deadline_s
        self._group = GroupCommit(shards, events_max, backoff_s)
        self._threads = ThreadPoolExecutor(in_flight_max, "put-records")
        self._loop = asyncio.get_running_loop()
        self._calls = 0
        self._called_s = 0.0
        self._pump_is_due = False
        self._tick: asyncio.TimerHandle | None = None
        self._closing = False
        self._drained = asyncio.Event()

    @property
    def held(self) -> int:
        """How many events it holds."""
        return len(self._group)

    @property
    def shards(self) -> ShardMap:
        """The stream's shards, as far as the writer knows them: those that are closed too."""
        return self._group.shards

    async def append(self, sensor_id: str, event: bytes, hung_up: Callable[[], bool] = bool) -> Receipt:
        """Store one event under its sensor's key and return its place in the log.

        `hung_up` tells whether nobody waits for the answer any more. Raises Overloaded when the queue is full or closing,
        Refused when the log took it at no try, NotStored when it is not known whether it did; each within the deadline.
        """
        future: asyncio.Future[Receipt | Unconfirmed] = self._loop.create_future()
        self.send(Pending(sensor_id, event, self.deadline(), _teller(future), hung_up))
        told = await future
        if isinstance(told, Receipt):
            return told
        if told is Unconfirmed.NOT_STORED:
            raise Refused(f"The log refused the reading: {self.outage.code or 'no call was answered in time'}.")
        raise NotStored("The log did not confirm the reading in time.")

    async def learn_shards(self) -> None:
        """List the shards anew, of a stream that may be another by now. Raises boto3's errors, and StoreUnavailable."""
        shards = await asyncio.to_thread(list_shards, self._kinesis, self._stream)
        if not shards.open:
            raise StoreUnavailable(f"{self._stream} lists no open shard")
        self._group.shards = shards

    def deadline(self) -> float:
        """By when something that is sent now is told of, on the loop's clock."""
        return self._loop.time() + self._deadline_s

    def send(self, pending: Pending) -> None:
        """Send something on its way; it is told what came of it by its deadline. Raises Overloaded, and then tells nothing."""
        if self._closing:
            raise Overloaded("The server is stopping.")
        self._group.add(pending)
        # Before anything that may fail: whatever happens inside, the tick tells everybody in time.
        self._tick_on()
        self._pump_soon()

    async def close(self) -> None:
        """Refuse new events, finish those held, and let the threads go; takes no longer than the deadline and a call."""
        self._closing = True
        self._drained.clear()
        self._pump()
        if len(self._group):
            try:
                await asyncio.wait_for(self._drained.wait(), self._deadline_s + _CALL_S_MAX)
            except TimeoutError:
                log.warning("writer_not_drained", events=len(self._group))
        self._threads.shutdown(wait=False)

    def _pump_soon(self) -> None:
        # Requests that the loop reads in one go are to share a call, so the pump runs after all of them.
        if not self._pump_is_due:
            self._pump_is_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Start a call if one is allowed and needed; others have a turn before the next."""
        self._pump_is_due = False
        if self._may_call() and (entries := self._group.next_call(self._loop.time())):
            self._calls += 1
            self._called_s = self._loop.time()
            call = self._loop.run_in_executor(self._threads, self._put, entries)
            call.add_done_callback(partial(self._returned, entries))
            self._pump_soon()
        if not len(self._group):
            self._drained.set()

    def _may_call(self) -> bool:
        if not self._calls:
            return True
        worth_it = self._group.waiting >= _WORTH_A_CALL_EVENTS or self._loop.time() - self._called_s >= _SLOW_CALL_S
        return worth_it and self._calls < self._in_flight_max

    def _tick_on(self) -> None:
        if self._tick is None:
            self._tick = self._loop.call_later(_TICK_S, self._on_tick)

    def _on_tick(self) -> None:
        self._tick = None
        self._group.expire(self._loop.time())
        if len(self._group) or not self._group.told_everyone:
            self._tick_on()
        self._pump()

    def _returned(self, entries: Sequence[Entry], call: "asyncio.Future[tuple[Sequence[Answer], ShardMap | None]]") -> None:
        self._calls -= 1
        error = call.exception()
        if error:
            # An answer that is none, as a broken proxy gives with status 200: nobody knows, as after a time-out.
            log.warning("put_records_unreadable", error=repr(error))
        answers, shards = ([Answer(entry, None) for entry in entries], None) if error else call.result()
        if shards:
            self._group.shards = shards
        if any(answer.receipt for answer in answers):
            self.outage.passed()
        self._count(answers)
        self._group.answered(answers, self._loop.time())
        self._pump()

    def _count(self, answers: Sequence[Answer]) -> None:
        counters = self.counters
        counters.calls += 1
        stored = sum(answer.receipt is not None for answer in answers)
        counters.outcomes["stored" if stored == len(answers) else "partly" if stored else "failed"] += 1
        for answer in answers:
            counters.records += 1
            counters.events += sum(pending.events for pending in answer.entry.events)
            counters.bytes += len(answer.entry.data) + len(answer.entry.partition_key.encode())
            counters.failed_records += answer.receipt is None
            counters.surprises += answer.surprising

    def _put(self, entries: Sequence[Entry]) -> tuple[Sequence[Answer], ShardMap | None]:
        """One PutRecords call, in a thread: an answer for every entry, and a new shard map when the old one is out of date."""
        records: list[Any] = [
            {"PartitionKey": entry.partition_key, "Data": entry.data}
            | ({"ExplicitHashKey": entry.explicit_hash_key} if entry.explicit_hash_key else {})
            for entry in entries
        ]
        try:
            results = self._kinesis.put_records(StreamName=self._stream, Records=records)["Records"]
        except (ClientError, BotoCoreError) as error:
            # The call may have been carried out all the same; the same event ids make trying again safe (hazard H15).
            lasting = not may_pass(error)
            failure = Failure.LASTING if lasting else Failure.REFUSED if is_known_undone(error) else Failure.UNKNOWN
            clock = clock_off(error, time.time())
            self.outage.failed("WrongClock" if clock else error_code(error), lasting=lasting)
            # An event of its own, because the lines of one are thinned out.
            log.warning("clock_is_wrong" if clock else "put_records_failed", error=clock or repr(error), records=len(entries))
            return [Answer(entry, None, failure) for entry in entries], None
        answers = [_judge(entry, result) for entry, result in zip(entries, results, strict=True)]
        if codes := {str(result.get("ErrorCode")) for result in results if not result.get("SequenceNumber")}:
            self.outage.failed(min(codes), lasting=False)
            log.warning("put_records_refused_entries", codes=sorted(codes))
        return answers, self._new_map() if any(answer.surprising for answer in answers) else None

    def _new_map(self) -> ShardMap | None:
        try:
            shards = list_shards(self._kinesis, self._stream)
        except (ClientError, BotoCoreError) as error:
            # With the old map every stray is sent again under its own key: more calls, the same result.
            log.warning("list_shards_failed", error=str(error))
            return None
        return shards if shards.open else None  # a stream that is being deleted lists none


def _judge(entry: Entry, result: Any) -> Answer:
    # Entry by entry: FailedRecordCount has been seen to be wrong (hazard H14).
    if result.get("ErrorCode") or not result.get("SequenceNumber"):
        return Answer(entry, None, Failure.REFUSED if result.get("ErrorCode") in _PASSING else Failure.UNKNOWN)
    return Answer(entry, Receipt(result["ShardId"], result["SequenceNumber"]))


def _teller(future: "asyncio.Future[Receipt | Unconfirmed]") -> Callable[[Receipt | Unconfirmed], None]:
    def tell(told: Receipt | Unconfirmed) -> None:
        if not future.done():  # the request may have been cancelled
            future.set_result(told)

    return tell
