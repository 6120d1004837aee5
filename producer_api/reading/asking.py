"""Questions to the tables: one read for all who ask the same at the same moment, on threads and with a deadline of their own.

Marks are read first, rows after, so an answer holds all that its marks say (contract, "How answers agree").
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from producer_api.shared import Shared
from projections.dynamodb_reads import AwsReads, LiveLook
from projections.effects import run
from projections.fleet import KnownFleet
from projections.generations import Pointer
from projections.marks import Answer, Marks, Which
from projections.ranges import Fleet
from projections.reads import ReadSteps
from telemetry.errors import NotYetCounted, StoreUnavailable, Unanswerable
from telemetry.names import ResourceNames
from telemetry.shards import ShardMap
from telemetry.streams import number_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READ_S_MAX = 10.0
"""How long a question may take, once what it waits for is counted."""
THREADS = 8
_POLLED_S = 0.1
"""How often the marks are looked at for those who wait."""

type Key = tuple[Hashable, ...]
type Question[T] = Callable[[Fleet], ReadSteps[Answer[T]]]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: what a receipt's X-Stream-Position names."""

    shard_id: str
    sequence_number: int


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an answer must hold."""

    which: Which
    """The mark that the answer stands on."""
    positions: Sequence[Position]
    wait_s: float
    """How long to wait until it does."""


@dataclass(frozen=True, slots=True)
class Told[T]:
    """An answer, and the generation it is of."""

    answer: Answer[T]
    generation: int

    @property
    def value(self) -> T:
        """What was asked for."""
        return self.answer.value

    @property
    def marks(self) -> Marks:
        """What the answer stands on."""
        return self.answer.marks


class Asking:
    """Answers questions from the live generation's tables."""

    def __init__(
        self,
        looks: Shared[LiveLook],
        dynamodb: "DynamoDBClient",
        names: Callable[[Pointer], ResourceNames],
        shards: Shared[ShardMap],
        at_once: Executor,
    ) -> None:
        """`at_once` are threads for what one question asks at once, CALLS_AT_ONCE of them; they end with it."""
        self._looks = looks
        self._dynamodb = dynamodb
        self._names = names
        self._shards = shards
        self._at_once = at_once
        self._threads = ThreadPoolExecutor(THREADS, "questions")
        self._under_way: dict[Hashable, asyncio.Task[Told[Any]]] = {}
        self.read_units = defaultdict[str, float](float)
        """What answers took, beside looks at the totals, by kind of question."""

    async def look(self) -> LiveLook:
        """What the totals say now."""
        return await self._looks.get()

    async def ask[T](self, key: Key, question: Question[T], awaited: Awaited | None = None) -> Told[T]:
        """The answer to a question. Who asks with the same key, which begins with its kind, meanwhile gets the same answer.

        With `awaited`, one that holds those positions; nothing is read before they are counted. Raises NotYetCounted when that
        takes too long, Unanswerable for positions of no shard or that were lost, StoreUnavailable or boto3's errors when tables
        do not answer.
        """
        if not awaited or not awaited.positions:
            return await self._shared(key, question)
        until_s = asyncio.get_running_loop().time() + awaited.wait_s
        while True:
            await self._wait(awaited, until_s)
            told = await self._shared(key, question)
            if await self._holds(told.marks, awaited.positions):  # an answer that was under way may be older
                return told

    async def _shared[T](self, key: Key, question: Question[T]) -> Told[T]:
        while True:
            task, joined = self._under_way.get(key), True
            if task is None:
                task, joined = asyncio.create_task(self._answer(str(key[0]), question)), False
                self._under_way[key] = task
                task.add_done_callback(lambda _: self._under_way.pop(key))
            told = await asyncio.shield(task)
            # One that was under way may have begun in a generation that was not live any more when this was asked.
            if not joined or told.generation == (await self._looks.get()).pointer.generation:
                return told

    async def _answer[T](self, kind: str, question: Question[T]) -> Told[T]:
        look = await self._looks.get()
        reads = AwsReads(self._dynamodb, self._names(look.pointer), threads=self._at_once)
        thread = asyncio.get_running_loop().run_in_executor(self._threads, lambda: run(question(KnownFleet(look.fleet)), reads))
        try:
            return Told(await asyncio.wait_for(thread, READ_S_MAX), look.pointer.generation)
        except TimeoutError:
            raise StoreUnavailable(f"no answer within {READ_S_MAX:g} s") from None
        finally:
            self.read_units[kind] += reads.units

    async def _wait(self, awaited: Awaited, until_s: float) -> None:
        """Until the marks hold these positions. Raises NotYetCounted when that takes too long."""
        loop = asyncio.get_running_loop()
        while True:
            look = await self._looks.get()
            marks = look.fleet.marks(awaited.which)
            _check_kept(marks, awaited.positions, look.pointer.place.number)
            if await self._holds(marks, awaited.positions):
                return
            if loop.time() + _POLLED_S > until_s:
                raise NotYetCounted(awaited.which.value, marks.as_of_us)
            await asyncio.sleep(_POLLED_S)

    async def _holds(self, marks: Marks, positions: Sequence[Position]) -> bool:
        held = True
        for position in positions:
            known = marks.holds(position.shard_id, position.sequence_number)
            if known is None and position.shard_id not in (await self._shards.get()).shards:
                raise Unanswerable("unknown-shard", {"after": f"No shard {position.shard_id} is known, now or ever."})
            held &= bool(known)
        return held

    def close(self) -> None:
        """Take no more questions."""
        for threads in (self._threads, self._at_once):
            threads.shutdown(wait=False, cancel_futures=True)


def _check_kept(marks: Marks, positions: Sequence[Position], stream: int) -> None:
    """Raises Unanswerable for positions beyond what was kept of streams that the log lost before the one of this number."""
    for position in positions:
        if number_of(position.shard_id) < stream:
            mark = marks.shards.get(position.shard_id)
            if mark and mark.ended and mark.position < position.sequence_number:
                detail = f"{position.shard_id} was lost with its stream, and was kept up to {mark.position} only."
                raise Unanswerable("position-lost", {"after": detail})
