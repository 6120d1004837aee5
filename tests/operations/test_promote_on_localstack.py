"""A promote, and another one back, while readings come and two processes of the API answer."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from infra.setup import load_definition, names_now, set_up
from operations.promoting import Ending, Outcome, take_back
from operations.switching import AwsWorld, promote_or_take_back
from producer_api.shared import Shared
from projections.dynamodb_reads import LiveFleet, LiveLook
from projections.effects import run
from projections.generations import LiveNames, Next, read_pointer, replace_pointer
from projections.queries import fleet_stats
from telemetry.aws import dynamodb_client
from telemetry.events import encode_event
from tests.projections.logs import reading
from tests.support.fillers import filling
from tests.support.promoting import Answer, asked, went_back
from tests.support.stack import Stack, new_stack
from tests.support.waiting import eventually


@pytest.fixture
def own_stack(endpoint: str, java: str) -> Iterator[Stack]:
    """With tables of two generations."""
    with new_stack(endpoint, java, shards=2) as stack:
        later = names_now(stack.kinesis, stack.dynamodb, stack.names.prefix, 2)
        set_up(stack.kinesis, stack.dynamodb, later, shards=2)
        yield stack
        for table in load_definition(later)["tables"].values():
            if table["name"] not in (stack.names.generations, stack.names.keys):
                stack.dynamodb.delete_table(TableName=table["name"])


class Load:
    """Readings that come all the time, each of them new."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.sent = 0
        self.over = threading.Event()

    def __call__(self) -> None:
        while not self.over.wait(0.05):
            lines = [(f"s-{number % 7}", number) for number in range(self.sent, self.sent + 5)]
            records: Any = [{"PartitionKey": name, "Data": encode_event(reading(name, at, at % 30), 0)} for name, at in lines]
            self._stack.kinesis.put_records(StreamName=self._stack.names.stream, Records=records)
            self.sent += len(lines)


async def _clients(stack: Stack, over: threading.Event) -> list[Answer]:
    """What clients are told who ask one process or the other, each of which shares its reads as the API does."""
    processes: list[Shared[LiveLook]] = []
    for _ in range(2):
        dynamodb = dynamodb_client(stack.settings, attempts=2)
        fleet = LiveFleet(dynamodb, LiveNames(dynamodb, stack.names))
        processes.append(Shared(fleet.read, 0.05, lambda look: look.passes))
    answers: list[Answer] = []

    async def client(chance: Random) -> None:
        while not await asyncio.to_thread(over.wait, chance.uniform(0, 0.1)):
            process, asked_s = chance.randrange(2), time.monotonic()
            look = await processes[process].get()
            told = look.pointer.generation, look.fleet.stats.count
            answers.append(Answer(process, asked_s, time.monotonic(), *told))

    await asyncio.gather(*(client(Random(seed)) for seed in range(4)))  # noqa: S311  which process is asked
    return answers


def _count(stack: Stack, generation: int) -> int:
    return fleet_stats(stack.dynamodb, replace(stack.names, generation=generation)).stats.count


def test_nobody_is_told_less_over_a_promote_and_back(own_stack: Stack) -> None:
    """By whichever process; both generations count the same in the end, and nobody who filled them was kept from it."""
    load = Load(own_stack)
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(2) as threads, filling(own_stack, 1, 2):
        sending = threads.submit(load)
        answers = threads.submit(lambda: asyncio.run(_clients(own_stack, load.over)))

        def both_count() -> None:
            assert min(_count(own_stack, 1), _count(own_stack, 2)) > 20

        try:
            eventually(both_count, within_s=60)
            world = AwsWorld(own_stack.kinesis, own_stack.dynamodb, own_stack.names, print)
            outcomes += [promote_or_take_back(world, asked(generation)) for generation in (2, 1)]
        finally:
            load.over.set()
        sending.result()

        def all_counted() -> None:
            assert (_count(own_stack, 1), _count(own_stack, 2)) == (load.sent, load.sent)

        eventually(all_counted, within_s=60)
    assert [outcome.ending for outcome in outcomes] == [Ending.LIVE] * 2, outcomes
    told = answers.result()
    assert went_back(told) == []
    assert {answer.generation for answer in told} == {1, 2}


def test_a_promote_that_was_killed_stops_the_live_generation_until_it_is_taken_back(own_stack: Stack) -> None:
    """No further: then it counts on."""
    load = Load(own_stack)
    pointer = read_pointer(own_stack.dynamodb, own_stack.names)
    assert pointer
    world = AwsWorld(own_stack.kinesis, own_stack.dynamodb, own_stack.names, print)
    with ThreadPoolExecutor(1) as threads, filling(own_stack, 1):
        sending = threads.submit(load)

        def counts() -> None:
            assert _count(own_stack, 1) > 10

        eventually(counts, within_s=60)
        marked = replace(pointer, next=Next(2, "", "killed"))
        assert replace_pointer(own_stack.dynamodb, own_stack.names, pointer, marked)

        def stands_still() -> None:
            before = _count(own_stack, 1)
            threading.Event().wait(0.7)
            assert _count(own_stack, 1) == before

        try:
            eventually(stands_still, within_s=20)
            assert run(take_back(), world).ending is Ending.TAKEN_BACK
        finally:
            load.over.set()
        sending.result()

        def all_counted() -> None:
            assert _count(own_stack, 1) == load.sent

        eventually(all_counted, within_s=30)
