"""Questions that wait: what is read, and when, and never an answer that is older than what it waits for."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import pytest

from producer_api.reading.asking import Asking, Awaited, Position
from projections.dynamodb_reads import LiveLook
from projections.fleet import FleetStats
from projections.fold import Stats
from projections.generations import LogStream, Pointer
from projections.marks import Answer, Which
from projections.ranges import Fleet
from projections.reads import ReadSteps
from projections.rows import DIRECTORY_SCOPES, PROGRESS, Progress, Row
from projections.sensors import SensorPage, sensors
from telemetry.errors import NotYetCounted, StoreUnavailable, Unanswerable
from telemetry.limits import HASH_KEY_MAX
from telemetry.names import ResourceNames

SHARD = "shardId-000000000000"


class Looks:
    """At a fleet of one shard, which stands at a position."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.generation = 1

    async def get(self) -> LiveLook:
        """What it says now."""
        row = Row(PROGRESS, self.position, Stats(self.position), progress=Progress(hash_range=(0, HASH_KEY_MAX)))
        return LiveLook(Pointer(self.generation, (LogStream("", ""),)), FleetStats({SHARD: row}))


class Question:
    """Counts how often it is read; a reading takes until it is let go on."""

    def __init__(self) -> None:
        self.times = 0
        self.began, self.goes_on = threading.Event(), threading.Event()

    def __call__(self, fleet: Fleet) -> ReadSteps[Answer[int]]:
        marks = yield from fleet.marks(Which.TOTALS)
        self.times += 1
        self.began.set()
        assert self.goes_on.wait(10)
        return Answer(marks.shards[SHARD].position, marks)


def asking(looks: Looks, steps: Callable[[Asking], Any], dynamodb: Any = None) -> Any:
    """What comes of steps that ask."""

    async def run() -> Any:
        threads = ThreadPoolExecutor(4)
        made = Asking(cast("Any", looks), dynamodb, lambda _: ResourceNames("t"), cast("Any", None), threads)
        try:
            return await steps(made)
        finally:
            made.close()

    return asyncio.run(run())


def after(position: int, wait_s: float = 5) -> Awaited:
    """Waits for a position."""
    return Awaited(Which.TOTALS, (Position(SHARD, position),), wait_s)


def test_nothing_is_read_before_what_is_waited_for_is_counted() -> None:
    """Only marks, which are read for all together."""
    question = Question()
    with pytest.raises(NotYetCounted):
        asking(Looks(4), lambda made: made.ask(("stats",), question, after(5, 0.2)))
    assert question.times == 0
    question.goes_on.set()
    assert asking(Looks(5), lambda made: made.ask(("stats",), question, after(5))).value == 5
    assert question.times == 1


def test_an_answer_that_was_under_way_is_not_taken_when_it_is_older() -> None:
    """Others asked the same before it was counted: they get theirs, and who waits gets another."""
    looks, question = Looks(4), Question()

    async def steps(made: Asking) -> tuple[int, int]:
        first = asyncio.create_task(made.ask(("stats",), question))
        await asyncio.to_thread(question.began.wait, 10)
        looks.position = 5
        second = asyncio.create_task(made.ask(("stats",), question, after(5)))
        await asyncio.sleep(0)
        question.goes_on.set()
        return (await first).value, (await second).value

    assert asking(looks, steps) == (4, 5)
    assert question.times == 2


def test_an_answer_that_was_under_way_is_not_taken_when_another_generation_is_live() -> None:
    """Whoever asked before may have it; who asks now may have been told more by another process."""
    looks, question = Looks(4), Question()

    async def steps(made: Asking) -> list[tuple[int, int]]:
        first = asyncio.create_task(made.ask(("stats",), question))
        await asyncio.to_thread(question.began.wait, 10)
        looks.position, looks.generation = 5, 2
        others = [asyncio.create_task(made.ask(("stats",), question)) for _ in range(3)]
        await asyncio.sleep(0)
        question.goes_on.set()
        return [(told.generation, told.value) for told in (await first, *[await other for other in others])]

    assert asking(looks, steps) == [(1, 4)] + [(2, 5)] * 3
    assert question.times == 2


class Directory:
    """Tables of which one part of the directory does not answer until it is let go on; the others are empty."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()

    def query(self, ExpressionAttributeValues: Any, **_: Any) -> Any:  # noqa: N803  boto3's names
        """As boto3's client has it."""
        if ExpressionAttributeValues[":hash"] == {"S": DIRECTORY_SCOPES[7]}:
            assert self.goes_on.wait(10)
        return {"Items": [], "ConsumedCapacity": {"CapacityUnits": 0.5}}


def test_a_part_of_the_directory_that_does_not_answer_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor told without it: the question has the deadline that all have."""
    monkeypatch.setattr("producer_api.reading.asking.READ_S_MAX", 0.2)
    tables, question = Directory(), partial(sensors, limit=5)

    async def steps(made: Asking) -> SensorPage[str]:
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2 s"):
            await made.ask(("sensors",), question)
        tables.goes_on.set()
        return (await made.ask(("sensors",), question)).value

    assert asking(Looks(4), steps, tables) == SensorPage([], None)


class Continued:
    """The looks of a log that lost its first stream: its shard ended at 4, that of the second is at 2."""

    async def get(self) -> LiveLook:
        """What it says now."""
        every = (0, HASH_KEY_MAX)
        rows = {
            SHARD: Row(PROGRESS, 4, Stats(4), progress=Progress(ended=True, hash_range=every)),
            f"2/{SHARD}": Row(PROGRESS, 2, Stats(2), progress=Progress(hash_range=every)),
        }
        first = Pointer(1, (LogStream("s", "1.000"),))
        return LiveLook(first.continued("s", "2.000", [SHARD], 1), FleetStats(rows))


@pytest.mark.parametrize(
    ("shard_id", "position", "error"),
    [
        (SHARD, 4, None),
        (SHARD, 5, Unanswerable),
        (f"2/{SHARD}", 2, None),
        (f"2/{SHARD}", 3, NotYetCounted),
    ],
)
def test_positions_outlive_their_stream_as_far_as_it_was_kept(
    shard_id: str, position: int, error: type[Exception] | None
) -> None:
    """What lay beyond is lost, and never taken for counted; places in the stream that followed are waited for."""

    def question(fleet: Fleet) -> ReadSteps[Answer[int]]:
        return Answer(1, (yield from fleet.marks(Which.TOTALS)))

    awaited = Awaited(Which.TOTALS, (Position(shard_id, position),), 0)
    if error is None:
        assert asking(cast("Any", Continued()), lambda made: made.ask(("stats",), question, awaited)).value == 1
        return
    with pytest.raises(error) as raised:
        asking(cast("Any", Continued()), lambda made: made.ask(("stats",), question, awaited))
    assert getattr(raised.value, "code", "position-lost") == "position-lost"
