"""A batch on its way: order per sensor, room for others, and what is known when the time is over."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest

from producer_api.writing.commit import Receipt
from producer_api.writing.sending import Lot, Sending, Turns, unhurried
from producer_api.writing.writer import Writer
from telemetry.errors import NotStored, Overloaded, Refused
from telemetry.limits import PACKED_EVENT_BYTES_TARGET
from telemetry.records import whole_text
from telemetry.shards import Shard, hash_key
from tests.producer_api.fakes import (
    FakeKinesis,
    Fault,
    refused_with,
    refusing,
    sensors_in,
    store_but_time_out,
    throttle,
    unreachable,
)
from tests.producer_api.test_writer import event, scenario, until, writing

BYTES_EACH = 290


def numbered(sensor_id: str, number: int) -> bytes:
    """An event as long as ours are."""
    return f"{sensor_id} {number:06} ".encode().ljust(BYTES_EACH, b"x")


def batch(writer: Writer, sensor_ids: Sequence[str], each: int) -> tuple[Sending, list[Lot]]:
    """So many events of each sensor, by turns."""
    sending = Sending(writer, bool)
    lots = [sending.add(sensor_id, numbered(sensor_id, number)) for number in range(each) for sensor_id in sensor_ids]
    return sending, lots


def in_order(kinesis: FakeKinesis) -> dict[str, list[int]]:
    """Each sensor's events in the order in which they first came into the log."""
    numbers: defaultdict[str, dict[int, None]] = defaultdict(dict)
    for record in kinesis.records:
        for line in record.events:
            sensor_id, number, *_ = line.split()
            numbers[sensor_id.decode()][int(number)] = None
    return {sensor_id: list(found) for sensor_id, found in numbers.items()}


def throttling(shard: Shard) -> Fault:
    """One shard takes nothing, the others do."""

    def answer(kinesis: FakeKinesis, records: Sequence[Any]) -> dict[str, Any]:
        no = {"ErrorCode": "ProvisionedThroughputExceededException"}
        places = [int(record.get("ExplicitHashKey") or hash_key(record["PartitionKey"])) for record in records]
        results = [
            no if shard.holds(place) else kinesis.store([record])["Records"][0]
            for place, record in zip(places, records, strict=True)
        ]
        return {"Records": results}

    return answer


@scenario
async def test_every_event_is_stored_once_where_its_lot_says(kinesis: FakeKinesis) -> None:
    """Many sensors of few readings and few of many: 5,000 in few calls."""
    for sensors, each in ((5000, 1), (50, 100), (1, 5000)):
        async with writing(kinesis) as writer:
            sending, lots = batch(writer, [f"{sensors}-{number}" for number in range(sensors)], each)
            await sending.send(20)
        records = {record.receipt: record.events for record in kinesis.records}
        for lot in set(lots):
            assert isinstance(lot.fate, Receipt)
            assert not set(lot.events) - set(records[lot.fate])
    assert set(kinesis.events.values()) == {1}
    assert len(kinesis.events) == 15_000


@scenario
async def test_records_stay_within_what_readers_take_at_once(kinesis: FakeKinesis) -> None:
    """64 KiB inflated: larger ones are decoded line by line."""
    async with writing(kinesis) as writer:
        sending, _ = batch(writer, [str(number) for number in range(12)], 300)
        await sending.send(20)
    assert all(whole_text(record.data) for record in kinesis.records)
    assert all(sum(map(len, record.events)) <= PACKED_EVENT_BYTES_TARGET for record in kinesis.records)


@pytest.mark.parametrize("seed", range(4))
def test_a_sensors_events_come_into_the_log_in_their_order_whatever_the_calls_do(seed: int) -> None:
    """Calls are refused, time out though they were stored, or fail in part; four are under way at once."""

    async def test(kinesis: FakeKinesis) -> None:
        chance = random.Random(seed)  # noqa: S311  repeatable on purpose
        faults = [throttle, store_but_time_out, unreachable, refusing(0, says_failed=1), refusing(1, 2, says_failed=0)]
        kinesis.faults.extend(chance.choice([*faults, FakeKinesis.store]) for _ in range(8))
        sensor_ids = [str(number) for number in range(9)]
        async with writing(kinesis, in_flight_max=4) as writer:
            sending, lots = batch(writer, sensor_ids, 400)
            await sending.send(20)
        assert all(isinstance(lot.fate, Receipt) for lot in lots)
        assert in_order(kinesis) == {sensor_id: list(range(400)) for sensor_id in sensor_ids}

    asyncio.run(test(FakeKinesis(shards=3)))


@scenario
async def test_what_comes_after_a_refused_lot_is_not_sent_and_other_sensors_go_on(kinesis: FakeKinesis) -> None:
    """The first call, of the first sensors, is refused for good."""
    kinesis.faults.append(refused_with("AccessDeniedException"))
    async with writing(kinesis, in_flight_max=1) as writer:
        sending = Sending(writer, bool)
        long = [sending.add("long", numbered("long", number)) for number in range(400)]
        others = [sending.add(str(number), numbered(str(number), 0)) for number in range(300)]
        await sending.send(20)
    assert {lot.fate for lot in long} == {Refused}
    assert len(set(long)) > 2
    assert "long" not in in_order(kinesis)
    assert {isinstance(lot.fate, Receipt) for lot in others[200:]} == {True}


@scenario
async def test_when_the_time_is_over_what_is_under_way_may_be_stored_and_the_rest_is_not(kinesis: FakeKinesis) -> None:
    """And what was not sent by then never is: the batch will come again."""
    kinesis.held.clear()
    async with writing(kinesis, in_flight_max=1, events_max=500) as writer:
        sending, lots = batch(writer, ["a", "b"], 400)
        await sending.send(0.2)
        assert len(kinesis.calls) == 1
        first, *later = dict.fromkeys(lot for lot in lots if lot.sensor_id == "a")
        assert first.fate is NotStored
        assert later
        assert {lot.fate for lot in later} == {Refused}
        kinesis.held.set()
        await until(lambda: len(writer._group) == 0)
    assert sorted(len(numbers) for numbers in in_order(kinesis).values()) == [len(first.events)] * 2


@scenario
async def test_a_batch_leaves_half_of_the_queue_to_others_and_waits_for_room(kinesis: FakeKinesis) -> None:
    """A queue of 100, a batch of 1,000: single events find room all the time, and all are stored in the end."""
    kinesis.held.clear()
    async with writing(kinesis, in_flight_max=1, events_max=100) as writer:
        sending, lots = batch(writer, [str(number) for number in range(1000)], 1)
        under_way = asyncio.create_task(sending.send(20))
        await until(lambda: kinesis.under_way == 1)
        await until(lambda: len(writer._group) >= 34)
        assert len(writer._group) <= 50
        singles = [asyncio.create_task(writer.append(f"single-{number}", event(f"single-{number}"))) for number in range(20)]
        await asyncio.sleep(0)
        kinesis.held.set()
        await asyncio.gather(under_way, *singles)
    assert all(isinstance(lot.fate, Receipt) for lot in lots)
    assert len(kinesis.events) == 1020
    assert set(kinesis.events.values()) == {1}


@scenario
async def test_what_found_no_room_is_said_not_to_be_sent(kinesis: FakeKinesis) -> None:
    """One shard takes nothing and its share is full; what belongs to the other is stored."""
    low, high = (list(islice(sensors_in(shard), 200)) for shard in kinesis.map.open)
    async with writing(kinesis, events_max=300) as writer:
        kinesis.faults.extend([throttling(kinesis.map.open[0])] * 1000)
        sending, lots = batch(writer, [*low, *high], 1)
        await sending.send(1.5)
        kinesis.faults.clear()
    fates = {lot.sensor_id: lot.fate for lot in lots}
    assert all(isinstance(fates[sensor_id], Receipt) for sensor_id in high)
    assert {fates[sensor_id] for sensor_id in low} == {Refused, Overloaded}


@scenario
async def test_a_writer_that_is_closing_takes_no_more(kinesis: FakeKinesis) -> None:
    """It is said to be not stored."""
    async with writing(kinesis) as writer:
        await writer.close()
        sending, lots = batch(writer, ["a"], 3)
        await sending.send(0.2)
    assert {lot.fate for lot in lots} == {Overloaded}
    assert not kinesis.records


@scenario
async def test_batches_take_turns(kinesis: FakeKinesis) -> None:
    """One that waits for too long is told so; one that fails gives its turn back."""
    turns = Turns(bodies_max=1, sent_max=1)
    for turn in (turns.to_be_read, turns.to_be_sent):
        async with turn(1):
            with pytest.raises(Overloaded):
                async with turn(0.01):
                    pass
        with pytest.raises(KeyError):
            async with turn(1):
                raise KeyError
        async with turn(1):
            pass


@scenario
async def test_others_have_a_turn_after_every_hundred_items(kinesis: FakeKinesis) -> None:
    """Of the event loop, which serves everybody."""
    seen: list[int] = []
    done = 0

    async def other() -> None:
        while done < 1000:
            seen.append(done)
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    async for number in unhurried(range(1, 1001)):
        done = number
    await task
    assert seen[1:] == list(range(100, 1000, 100)) or seen == list(range(100, 1000, 100))
