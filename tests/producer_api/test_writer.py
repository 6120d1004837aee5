"""The writer: an event is acknowledged when the log has it, whatever the calls do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, cast
from unittest import mock

import pytest
from botocore.exceptions import CredentialRetrievalError, EndpointConnectionError, NoCredentialsError

from producer_api.writing.commit import GroupCommit, Receipt
from producer_api.writing.writer import _WORTH_A_CALL_EVENTS, Writer
from telemetry.errors import NotStored, Overloaded, Refused, StoreUnavailable
from telemetry.events import encode_event, event_id
from telemetry.reading import Reading
from telemetry.shards import ShardMap
from tests.producer_api.fakes import (
    URL,
    FakeKinesis,
    Fault,
    answering,
    raising,
    refused_with,
    refusing,
    sensors_in,
    store_but_time_out,
    throttle,
    unreachable,
)
from tests.support.waiting import eventually


def scenario(test: Callable[[FakeKinesis], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an asynchronous test with a stream of its own."""

    def run() -> None:
        asyncio.run(test(FakeKinesis()))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@asynccontextmanager
async def writing(
    kinesis: FakeKinesis, in_flight_max: int = 2, events_max: int = 10_000, deadline_s: float = 10
) -> AsyncIterator[Writer]:
    """A writer on this stream, closed at the end; nothing it knows is left unsaid."""
    writer = Writer(
        cast("Any", kinesis),
        "stream",
        kinesis.map,
        in_flight_max=in_flight_max,
        events_max=events_max,
        deadline_s=deadline_s,
    )
    try:
        yield writer
    finally:
        kinesis.held.set()
        await asyncio.wait_for(writer.close(), 20)


def event(sensor_id: str) -> bytes:
    return b"event of " + sensor_id.encode()


async def append_all(writer: Writer, sensor_ids: list[str]) -> list[Receipt]:
    return await asyncio.gather(*(writer.append(sensor_id, event(sensor_id)) for sensor_id in sensor_ids))


async def until(check: Callable[[], bool]) -> None:
    """Wait, while the event loop goes on, until this is so."""

    def holds() -> None:
        assert check()

    await asyncio.to_thread(eventually, holds)


@scenario
async def test_a_receipt_names_the_place_where_the_event_lies(kinesis: FakeKinesis) -> None:
    """Promise 1: there is a record at that position, and it holds the event."""
    async with writing(kinesis) as writer:
        receipts = await append_all(writer, [str(number) for number in range(50)])
    records = {record.receipt: record.events for record in kinesis.records}
    for number, receipt in enumerate(receipts):
        assert event(str(number)) in records[receipt]


@scenario
async def test_an_event_alone_is_sent_at_once(kinesis: FakeKinesis) -> None:
    """Light load: one event, one record, one call."""
    async with writing(kinesis) as writer:
        assert await writer.append("202", event("202")) == kinesis.records[0].receipt
        assert await writer.append("203", event("203")) == kinesis.records[1].receipt
    assert kinesis.calls == [1, 1]


@scenario
async def test_what_arrives_together_goes_out_together(kinesis: FakeKinesis) -> None:
    """Heavy load: calls are far fewer than events, and the counters say so."""
    async with writing(kinesis) as writer:
        await append_all(writer, [str(number) for number in range(5000)])
    assert sum(kinesis.events.values()) == 5000
    assert writer.counters.events == 5000
    assert writer.counters.calls == len(kinesis.calls) <= 10
    assert writer.counters.records == len(kinesis.records) <= 50
    assert (writer.counters.failed_records, writer.counters.surprises) == (0, 0)


@scenario
async def test_few_events_wait_for_the_call_under_way_and_many_do_not(kinesis: FakeKinesis) -> None:
    """One event short of what is worth a call waits; with that one more a second call goes out beside the first."""
    with mock.patch("producer_api.writing.writer._SLOW_CALL_S", 1000):
        async with writing(kinesis, in_flight_max=4) as writer:
            kinesis.held.clear()
            waiting = [asyncio.create_task(append_all(writer, ["first"]))]
            await until(lambda: kinesis.under_way == 1)
            waiting.append(asyncio.create_task(append_all(writer, [f"then-{n}" for n in range(_WORTH_A_CALL_EVENTS - 1)])))
            await until(lambda: len(writer._group) == _WORTH_A_CALL_EVENTS)
            assert kinesis.calls == [1]
            waiting.append(asyncio.create_task(append_all(writer, ["one more"])))
            await until(lambda: kinesis.under_way == 2)
            kinesis.held.set()
            await asyncio.gather(*waiting)
    assert writer.counters.calls == 2


@scenario
async def test_calls_under_way_are_bounded_and_what_collects_meanwhile_shares_the_next(kinesis: FakeKinesis) -> None:
    """Two calls held, a hundred events later: still two calls; let go, one call takes all the hundred."""
    async with writing(kinesis, in_flight_max=2) as writer:
        kinesis.held.clear()
        waiting = []
        for number in range(2):
            waiting.append(asyncio.create_task(append_all(writer, [f"first-{number}"])))
            await until(lambda number=number: kinesis.under_way == number + 1)  # type: ignore[misc]
        for number in range(100):
            waiting.append(asyncio.create_task(append_all(writer, [f"then-{number}"])))
            await asyncio.sleep(0)
        assert kinesis.under_way == 2
        kinesis.held.set()
        await asyncio.gather(*waiting)
    assert kinesis.under_way_max == 2
    assert len(kinesis.calls) == 3
    assert sum(kinesis.events.values()) == 102


@pytest.mark.parametrize("says_failed", [0, 1, 4])
def test_h14_every_entry_is_judged_whatever_the_call_says(says_failed: int) -> None:
    """Two of four entries fail, and the call counts none, one or all: those two are sent again, the others are not."""

    async def test(kinesis: FakeKinesis) -> None:
        kinesis.faults.append(refusing(0, 2, says_failed=says_failed))
        async with writing(kinesis) as writer:
            receipts = await append_all(writer, sensor_ids)
        assert kinesis.calls[0] == 4
        assert kinesis.events == dict.fromkeys(map(event, sensor_ids), 1)
        places = {record.receipt: record.events for record in kinesis.records}
        assert all(places[receipt] == [event(sensor)] for sensor, receipt in zip(sensor_ids, receipts, strict=True))
        assert writer.counters.failed_records == 2

    kinesis = FakeKinesis(shards=4)
    sensor_ids = [next(sensors_in(shard)) for shard in kinesis.map.open]
    asyncio.run(test(kinesis))


@scenario
async def test_h14_a_call_that_counts_failures_where_there_are_none_repeats_nothing(kinesis: FakeKinesis) -> None:
    """The entry has a sequence number: it is stored."""
    kinesis.faults.append(refusing(says_failed=1))
    async with writing(kinesis) as writer:
        await writer.append("202", event("202"))
    assert kinesis.events == {event("202"): 1}


@scenario
async def test_h15_a_put_that_timed_out_but_was_stored_is_sent_again_under_the_same_event_id(kinesis: FakeKinesis) -> None:
    """The log then holds it twice, byte for byte, and readers fold it once; the receipt names the one that was confirmed."""
    reading = Reading(0, "202", 18_000_000)
    kinesis.faults.append(store_but_time_out)
    async with writing(kinesis) as writer:
        receipt = await writer.append("202", encode_event(reading, 1))
    first, second = kinesis.records
    assert first.data == second.data
    assert event_id(reading).encode() in first.data
    assert receipt == second.receipt


@pytest.mark.parametrize("fault", [throttle, unreachable, store_but_time_out])
def test_a_call_that_fails_as_a_whole_is_tried_again(fault: Callable[..., dict[str, Any]]) -> None:
    """Throttled, unreachable, timed out: nobody is told before the log has it."""

    async def test(kinesis: FakeKinesis) -> None:
        kinesis.faults.extend([fault] * 3)
        async with writing(kinesis) as writer:
            assert await writer.append("202", event("202")) == kinesis.records[-1].receipt
        assert writer.counters.failed_records == 3
        assert len(kinesis.calls) == 4

    asyncio.run(test(FakeKinesis()))


@pytest.mark.parametrize(
    "answer", [{}, {"Records": []}, {"Records": None}, {"Records": [{"SequenceNumber": "1"}]}], ids=["{}", "[]", "null", "part"]
)
def test_an_answer_that_makes_no_sense_is_a_failed_call(answer: dict[str, Any]) -> None:
    """Nothing is known of any entry, so all are sent again; the queue forgets none of them."""

    async def test(kinesis: FakeKinesis) -> None:
        kinesis.faults.append(answering(answer))
        async with writing(kinesis) as writer:
            assert await writer.append("202", event("202")) == kinesis.records[0].receipt

    asyncio.run(test(FakeKinesis()))


@scenario
async def test_after_the_deadline_the_sender_learns_that_nobody_knows(kinesis: FakeKinesis) -> None:
    """NotStored, not Overloaded: the call may still be carried out."""
    kinesis.held.clear()
    async with writing(kinesis, deadline_s=0.2) as writer:
        with pytest.raises(NotStored, match="did not confirm") as told:
            await writer.append("202", event("202"))
        assert not isinstance(told.value, Overloaded)
        kinesis.held.set()
    assert kinesis.events == {event("202"): 1}


@scenario
async def test_a_stream_that_stays_away_is_tried_until_the_deadline(kinesis: FakeKinesis) -> None:
    """With back-off between: more than once, but not thousands of times."""
    kinesis.faults.extend([unreachable] * 10_000)
    async with writing(kinesis, deadline_s=1) as writer:
        with pytest.raises(NotStored):
            await writer.append("202", event("202"))
    assert 2 <= len(kinesis.calls) <= 100
    assert kinesis.records == []


@scenario
async def test_a_full_queue_is_told_at_once(kinesis: FakeKinesis) -> None:
    """Overloaded, before anything was sent; what is held is not harmed."""
    kinesis.held.clear()
    async with writing(kinesis, events_max=3) as writer:
        low, high = (list(islice(sensors_in(shard), 2)) for shard in kinesis.map.open)
        held = asyncio.create_task(append_all(writer, [*low, high[0]]))
        await until(lambda: kinesis.under_way == 1)
        with pytest.raises(Overloaded):
            await writer.append(high[1], event(high[1]))
        kinesis.held.set()
        await held
        await writer.append("later", event("later"))
    assert kinesis.events == dict.fromkeys(map(event, [*low, high[0], "later"]), 1)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (refused_with("AccessDeniedException"), "AccessDeniedException"),
        (refused_with("KMSDisabledException"), "KMSDisabledException"),
        (refused_with("KMSNotFoundException"), "KMSNotFoundException"),
        (refused_with("ResourceNotFoundException"), "ResourceNotFoundException"),
        (refused_with("ExpiredTokenException"), "ExpiredTokenException"),
        (refused_with("UnrecognizedClientException"), "UnrecognizedClientException"),
        (refused_with("InvalidSignatureException", "Signature expired: 2021 is now earlier than 2022"), "WrongClock"),
        (raising(NoCredentialsError()), "NoCredentialsError"),
        (raising(CredentialRetrievalError(provider="sso", error_msg="gone")), "CredentialRetrievalError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_e14_what_no_retry_cures_is_refused_after_one_try(fault: Fault, code: str) -> None:
    """Refused, which says that nothing is stored; the state names it; the next success ends it."""

    async def test(kinesis: FakeKinesis) -> None:
        kinesis.faults.append(fault)
        async with writing(kinesis) as writer:
            with pytest.raises(Refused):
                await writer.append("202", event("202"))
            assert (len(kinesis.calls), writer.outage.state) == (1, code)
            await writer.append("202", event("202"))
            assert writer.outage.state == "ok"

    asyncio.run(test(FakeKinesis()))


@scenario
async def test_e14_a_throttled_stream_is_refused_at_the_deadline_and_one_that_timed_out_is_not(kinesis: FakeKinesis) -> None:
    """Throttled calls stored nothing for certain; after one time-out nobody knows any more."""
    async with writing(kinesis, deadline_s=0.3) as writer:
        kinesis.faults.extend([throttle] * 1_000)
        with pytest.raises(Refused):
            await writer.append("202", event("202"))
        assert writer.outage.state == "ok", "what passes by itself takes nobody out of service"
        assert writer.outage.lasted_s > 0
        kinesis.faults.clear()
        kinesis.faults.extend([store_but_time_out, *[throttle] * 1_000])
        with pytest.raises(NotStored) as told:
            await writer.append("203", event("203"))
        assert not isinstance(told.value, Refused)


@scenario
async def test_e16_events_of_clients_that_hung_up_are_not_stored(kinesis: FakeKinesis) -> None:
    """Unless their call is under way already."""
    kinesis.held.clear()
    gone = False
    async with writing(kinesis, in_flight_max=1) as writer:
        first = asyncio.create_task(writer.append("1", event("1"), lambda: gone))
        await until(lambda: kinesis.under_way == 1)
        second = asyncio.create_task(writer.append("2", event("2"), lambda: gone))
        third = asyncio.create_task(writer.append("3", event("3")))
        await asyncio.sleep(0)
        gone = True
        kinesis.held.set()
        await asyncio.gather(first, third)
        with pytest.raises(Refused):
            await second
    assert kinesis.events == dict.fromkeys(map(event, ["1", "3"]), 1)


@scenario
async def test_e17_every_append_ends_by_its_deadline_whatever_happens_inside(kinesis: FakeKinesis) -> None:
    """Here the shard map has lost its open shards; closing does not wait for ever either."""
    async with writing(kinesis, deadline_s=0.2) as writer:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        with mock.patch.object(GroupCommit, "_pack", side_effect=IndexError), pytest.raises(NotStored):
            await asyncio.wait_for(writer.append("1", event("1")), 5)
        with mock.patch("producer_api.writing.writer._CALL_S_MAX", 0.1):
            await asyncio.wait_for(writer.close(), 5)


@scenario
async def test_e17_a_stream_without_open_shards_is_refused(kinesis: FakeKinesis) -> None:
    """It is being deleted, or not there yet."""
    kinesis.map = ShardMap([])
    with pytest.raises(StoreUnavailable, match="no open shard"):
        async with writing(kinesis):
            pass


@scenario
async def test_close_finishes_what_is_held_and_refuses_what_is_new(kinesis: FakeKinesis) -> None:
    """Every waiting request gets its receipt; a later one is told that the server is stopping."""
    kinesis.held.clear()
    async with writing(kinesis, in_flight_max=1) as writer:
        held = [asyncio.create_task(append_all(writer, ["1"]))]
        await until(lambda: kinesis.under_way == 1)
        held.append(asyncio.create_task(append_all(writer, ["2", "3"])))
        await asyncio.sleep(0)
        closing = asyncio.create_task(writer.close())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="stopping"):
            await writer.append("4", event("4"))
        assert not closing.done()
        kinesis.held.set()
        await closing
        assert [len(receipts) for receipts in await asyncio.gather(*held)] == [1, 2]
    assert kinesis.events == dict.fromkeys(map(event, ["1", "2", "3"]), 1)


@scenario
async def test_close_does_not_wait_beyond_the_deadline_for_a_stream_that_is_away(kinesis: FakeKinesis) -> None:
    """Those who wait are told, and the process can end."""
    kinesis.faults.extend([unreachable] * 10_000)
    async with writing(kinesis, deadline_s=0.3) as writer:
        held = asyncio.create_task(writer.append("1", event("1")))
        await until(lambda: len(kinesis.calls) > 0)
        await asyncio.wait_for(writer.close(), 5)
        with pytest.raises(NotStored):
            await held


@scenario
async def test_after_a_reshard_every_event_lies_where_its_sensor_belongs(kinesis: FakeKinesis) -> None:
    """The answer shows that the map is old; it is read anew, strays are sent again, and receipts name their right place."""
    sensor_ids = [str(number) for number in range(200)]
    async with writing(kinesis) as writer:
        kinesis.reshard(2**126, 2**127, 3 * 2**126)
        receipts = await append_all(writer, sensor_ids)
        assert writer.counters.surprises > 0
        owners = {shard.shard_id: set(islice(sensors_in(shard), 1000)) for shard in kinesis.map.open}
        for sensor_id, receipt in zip(sensor_ids, receipts, strict=True):
            assert sensor_id in owners[receipt.shard_id]
            assert kinesis.places[event(sensor_id), receipt.shard_id] == 1
        calls, surprises = len(kinesis.calls), writer.counters.surprises
        await append_all(writer, [f"again-{number}" for number in range(200)])
    assert writer.counters.surprises == surprises, "the new map holds"
    assert len(kinesis.calls) == calls + 1


@scenario
async def test_without_a_new_map_events_still_come_where_they_belong(kinesis: FakeKinesis) -> None:
    """ListShards fails (its rate is limited): more calls, the same result."""
    sensor_ids = [str(number) for number in range(100)]
    kinesis.list_fault = EndpointConnectionError(endpoint_url=URL)
    async with writing(kinesis) as writer:
        kinesis.reshard(2**126, 3 * 2**126)
        receipts = await append_all(writer, sensor_ids)
    owners = {shard.shard_id: set(islice(sensors_in(shard), 1000)) for shard in kinesis.map.open}
    assert all(sensor in owners[receipt.shard_id] for sensor, receipt in zip(sensor_ids, receipts, strict=True))


@scenario
async def test_a_sender_that_went_away_disturbs_nobody(kinesis: FakeKinesis) -> None:
    """Its event is stored all the same, and so are those in the same record."""
    kinesis.held.clear()
    async with writing(kinesis) as writer:
        gone, *others = [asyncio.create_task(writer.append(sensor_id, event(sensor_id))) for sensor_id in ("1", "2", "3")]
        await until(lambda: kinesis.under_way == 1)
        gone.cancel()
        kinesis.held.set()
        assert len(await asyncio.gather(*others)) == 2
    assert kinesis.events == dict.fromkeys(map(event, ["1", "2", "3"]), 1)
