"""Group commit: what goes into a call, and what each answer means for each event. No clock, no client."""

import random
from collections.abc import Iterable
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer_api.writing.commit import Answer, Entry, Failure, GroupCommit, Pending, Receipt, Unconfirmed
from telemetry.errors import Overloaded
from telemetry.limits import PUT_RECORDS_BYTES_MAX, PUT_RECORDS_ENTRIES_MAX, RECORD_BYTES_MAX
from telemetry.records import split_record
from telemetry.shards import Shard, ShardMap, hash_key
from tests.producer_api.fakes import even_shards, sensors_in

TWO = even_shards(2)
LOW, HIGH = TWO.open
MAYBE, NOT_STORED = Unconfirmed.MAYBE_STORED, Unconfirmed.NOT_STORED
NOISE = random.Random(1).randbytes(10_000_000).replace(b"\n", b"")  # noqa: S311  repeatable on purpose


class Waiter:
    """Somebody who waits for an event; `told` is all they were told."""

    def __init__(self, sensor_id: str, event: bytes = b"", deadline_s: float = 5) -> None:
        self.told: list[Receipt | Unconfirmed] = []
        self.pending = Pending(sensor_id, event or b"event of " + sensor_id.encode(), deadline_s, self.told.append)


def group_of(*waiters: Waiter, shards: ShardMap = TWO, backoff_s: float = 1) -> GroupCommit:
    """A group that holds these events and has sent none."""
    group = GroupCommit(shards, 100_000, lambda _: backoff_s)
    for waiter in waiters:
        group.add(waiter.pending)
    return group


def waiters_in(shard: Shard, count: int) -> list[Waiter]:
    return [Waiter(sensor_id) for sensor_id in islice(sensors_in(shard), count)]


def stored(entry: Entry, shard_id: str = "", sequence_number: str = "1") -> Answer:
    return Answer(entry, Receipt(shard_id or entry.shard_id, sequence_number))


def failed(entry: Entry) -> Answer:
    return Answer(entry, None)


def events_in(entries: Iterable[Entry]) -> list[bytes]:
    """The events in these records, read back from their bytes."""
    return [line.data for entry in entries for line in split_record(entry.data)]


def test_one_event_is_one_record_under_its_own_key() -> None:
    """As any Kinesis writer would put it: a plain line, no explicit hash key."""
    waiter = Waiter("202")
    (entry,) = group_of(waiter).next_call(0)
    assert (entry.partition_key, entry.explicit_hash_key) == ("202", None)
    assert entry.data == b"event of 202\n"
    assert entry.shard_id == TWO.owner(hash_key("202")).shard_id


def test_many_events_are_packed_into_one_record_for_each_shard() -> None:
    """Under a hash key inside that shard's range, and no event with a shard it does not belong to."""
    low, high = waiters_in(LOW, 20), waiters_in(HIGH, 30)
    entries = group_of(*low, *high).next_call(0)
    assert [entry.shard_id for entry in entries] == ["shard-0", "shard-1"]
    for entry, shard, waiters in zip(entries, TWO.open, (low, high), strict=True):
        assert entry.explicit_hash_key is not None
        assert shard.holds(int(entry.explicit_hash_key))
        assert events_in([entry]) == [waiter.pending.event for waiter in waiters]


def test_a_packed_record_holds_25_to_50_kilobytes_of_events() -> None:
    """So one bad record costs little and yet calls are few; only the last of a shard may be smaller."""
    waiters = [Waiter(sensor_id, NOISE[:250]) for sensor_id in islice(sensors_in(LOW), 1000)]
    *full, last = group_of(*waiters).next_call(0)
    assert len(full) >= 5
    assert all(25_000 <= sum(map(len, events_in([entry]))) <= 50_000 for entry in full)
    assert sum(map(len, events_in([last]))) < 50_000


def test_a_stored_record_tells_each_of_its_events_its_place() -> None:
    """Once, and then nothing is held."""
    waiters = waiters_in(LOW, 3)
    group = group_of(*waiters)
    group.answered([stored(entry, sequence_number="77") for entry in group.next_call(0)], 0)
    assert [waiter.told for waiter in waiters] == [[Receipt("shard-0", "77")]] * 3
    assert len(group) == 0
    assert group.next_call(0) == []


def test_a_full_queue_refuses_at_once() -> None:
    """What is under way and what rests counts too, until it is settled."""
    group = GroupCommit(TWO, 2, lambda _: 1)
    group.add(Waiter("1").pending)
    group.add(Waiter("2").pending)
    with pytest.raises(Overloaded):
        group.add(Waiter("3").pending)
    entries = group.next_call(0)
    with pytest.raises(Overloaded):
        group.add(Waiter("3").pending)
    group.answered([failed(entry) for entry in entries], 0)
    with pytest.raises(Overloaded):
        group.add(Waiter("3").pending)
    group.answered([stored(entry) for entry in group.next_call(1)], 1)
    group.add(Waiter("3").pending)
    assert len(group) == 1


def test_a_failed_entry_rests_and_comes_back_whole() -> None:
    """Not before its back-off has passed; then the same events share one record again."""
    waiters = waiters_in(LOW, 3)
    group = group_of(*waiters, backoff_s=0.2)
    (entry,) = group.next_call(0)
    group.answered([failed(entry)], 10)
    assert group.next_call(10.19) == []
    (again,) = group.next_call(10.2)
    assert sorted(events_in([again])) == sorted(events_in([entry]))
    assert [waiter.told for waiter in waiters] == [[]] * 3
    group.answered([stored(again)], 10.3)
    assert [waiter.told for waiter in waiters] == [[Receipt("shard-0", "1")]] * 3


def test_the_back_off_is_asked_with_the_number_of_failures() -> None:
    """0, then 1, then 2: it grows by the rule it is given."""
    asked: list[int] = []
    group = GroupCommit(TWO, 10, lambda failures: asked.append(failures) or 1)  # type: ignore[func-returns-value]
    group.add(Waiter("1").pending)
    for now_s in range(3):
        group.answered([failed(entry) for entry in group.next_call(now_s)], now_s)
    assert asked == [0, 1, 2]


def test_while_one_shards_events_rest_the_others_go_on() -> None:
    """A throttled shard holds nobody else up."""
    slow, quick = waiters_in(LOW, 2), waiters_in(HIGH, 4)
    group = group_of(*slow, *quick[:2])
    low_entry, high_entry = group.next_call(0)
    group.answered([failed(low_entry), stored(high_entry)], 0)
    assert [waiter.told for waiter in quick[:2]] == [[Receipt("shard-1", "1")]] * 2
    for waiter in quick[2:]:
        group.add(waiter.pending)
    assert [entry.shard_id for entry in group.next_call(0.5)] == ["shard-1"]
    assert [entry.shard_id for entry in group.next_call(1)] == ["shard-0"]


def test_when_the_deadline_passes_each_is_told_once() -> None:
    """Whether it waits, rests or is under way; a receipt that comes too late is not told, and nothing is sent again."""
    early, late = waiters_in(LOW, 2)
    late.pending.deadline_s = 9
    group = group_of(early, late)
    (entry,) = group.next_call(0)
    group.expire(4.9)
    assert (early.told, late.told) == ([], [])
    group.expire(5)
    group.expire(6)
    assert (early.told, late.told) == ([MAYBE], [])
    group.answered([stored(entry)], 7)
    group.expire(10)
    assert (early.told, late.told) == ([MAYBE], [Receipt("shard-0", "1")])
    assert len(group) == 0


def test_e14_what_is_known_not_to_be_stored_is_told_so_at_the_deadline() -> None:
    """It was never sent, or refused at every try; one try whose end nobody knows makes it uncertain for good."""
    never_sent, refused, unknown = waiters_in(LOW, 3)
    group = group_of(refused, backoff_s=1)
    group.answered([Answer(entry, None, Failure.REFUSED) for entry in group.next_call(0)], 0)
    group.add(unknown.pending)
    group.answered([Answer(entry, None, Failure.UNKNOWN) for entry in group.next_call(0.5)], 0.5)
    group.answered([Answer(entry, None, Failure.REFUSED) for entry in group.next_call(2)], 2)
    group.add(never_sent.pending)
    group.expire(5)
    assert (never_sent.told, refused.told, unknown.told) == ([NOT_STORED], [NOT_STORED], [MAYBE])


def test_e14_a_lasting_refusal_is_told_at_once_and_not_tried_again() -> None:
    """Missing rights do not come back within a deadline. Whoever may be stored by an earlier try is not told otherwise."""
    fresh, tried = waiters_in(LOW, 2)
    group = group_of(tried, backoff_s=0)
    group.answered([failed(entry) for entry in group.next_call(0)], 0)
    group.add(fresh.pending)
    group.answered([Answer(entry, None, Failure.LASTING) for entry in group.next_call(1)], 1)
    assert (fresh.told, tried.told) == ([NOT_STORED], [MAYBE])
    assert group.next_call(4) == []
    assert len(group) == 0


@pytest.mark.parametrize(("shards", "share"), [(1, 100), (2, 67), (4, 40), (19, 10)])
def test_e16_a_shard_that_takes_nothing_fills_its_share_of_the_queue_and_no_more(shards: int, share: int) -> None:
    """The others' events find room beside it."""
    everything = even_shards(shards)
    group = GroupCommit(everything, 100, lambda _: 60)
    stuck, other = everything.open[0], everything.open[-1]
    for waiter in waiters_in(stuck, share):
        group.add(waiter.pending)
    group.answered([Answer(entry, None, Failure.REFUSED) for entry in group.next_call(0)], 0)
    with pytest.raises(Overloaded):
        group.add(Waiter(next(sensors_in(stuck))).pending)
    if other is not stuck:
        group.add(Waiter(next(sensors_in(other))).pending)
        assert [entry.shard_id for entry in group.next_call(1)] == [other.shard_id]


def test_e16_what_nobody_waits_for_is_dropped_and_gives_its_place_to_others() -> None:
    """A client that hung up, waiting or resting; what is under way is left to its answer."""
    gone: set[int] = set()
    under_way, resting, waiting, kept = waiters_in(LOW, 4)
    for number, waiter in enumerate((under_way, resting, waiting, kept)):
        waiter.pending.hung_up = lambda number=number: number in gone  # type: ignore[misc]
    group = GroupCommit(even_shards(1), 4, lambda _: 60)
    group.add(resting.pending)
    group.answered([Answer(entry, None, Failure.REFUSED) for entry in group.next_call(0)], 0)
    group.add(under_way.pending)
    (call,) = group.next_call(0)
    group.add(waiting.pending)
    group.add(kept.pending)
    gone.update({0, 1, 2})
    group.expire(1)
    assert len(group) == 2
    assert events_in(group.next_call(1)) == [kept.pending.event]
    group.answered([stored(call)], 1)
    assert under_way.told == [Receipt("shard-0", "1")]


def test_e17_a_deadline_is_told_even_when_packing_fails() -> None:
    """Whoever waits is remembered apart from what is to be sent."""
    waiter = Waiter("1")
    group = group_of(waiter)
    group.shards = ShardMap([])
    with pytest.raises(IndexError):
        group.next_call(0)
    assert not group.told_everyone
    group.expire(5)
    assert waiter.told == [NOT_STORED]
    assert group.told_everyone


def test_what_nobody_waits_for_any_more_is_not_sent() -> None:
    """It rested beyond its deadline."""
    group = group_of(Waiter("1", deadline_s=2), backoff_s=3)
    group.answered([failed(entry) for entry in group.next_call(0)], 0)
    group.expire(2)
    assert group.next_call(3) == []
    assert len(group) == 0


def test_after_a_split_strays_are_sent_again_alone_under_their_own_key() -> None:
    """Those whose hash the record's shard holds are settled; a stray's receipt names the place where it belongs."""
    middle = 2**126
    children = Shard("a", 0, middle - 1, ("shard-0",)), Shard("b", middle, 2**127 - 1, ("shard-0",))
    at_home, strays = waiters_in(children[0], 2), waiters_in(children[1], 3)
    group = group_of(*at_home, *strays)
    (entry,) = group.next_call(0)
    closed = Shard("shard-0", 0, 2**127 - 1, closed=True)
    group.shards = ShardMap([closed, *children, HIGH])
    group.answered([stored(entry, "a", "5")], 0)
    assert [waiter.told for waiter in at_home] == [[Receipt("a", "5")]] * 2
    assert [waiter.told for waiter in strays] == [[]] * 3

    again = group.next_call(0)
    assert sorted(entry.partition_key for entry in again) == sorted(waiter.pending.sensor_id for waiter in strays)
    assert [(entry.explicit_hash_key, entry.shard_id, len(entry.events)) for entry in again] == [(None, "b", 1)] * 3
    group.answered([stored(entry, "b", "6") for entry in again], 0)
    assert [waiter.told for waiter in strays] == [[Receipt("b", "6")]] * 3
    assert len(group) == 0


def test_after_a_merge_all_are_at_home_in_the_merged_shard() -> None:
    """It holds every key its parents held, so nothing is sent again."""
    waiters = waiters_in(LOW, 5)
    group = group_of(*waiters)
    (entry,) = group.next_call(0)
    group.shards = ShardMap([Shard("whole", 0, 2**128 - 1)])
    group.answered([stored(entry, "whole")], 0)
    assert [waiter.told for waiter in waiters] == [[Receipt("whole", "1")]] * 5


def test_without_a_new_map_the_events_of_a_surprise_are_all_sent_again_alone() -> None:
    """Nobody can say which of them are at home; under their own keys they cannot be elsewhere."""
    waiters = waiters_in(LOW, 3)
    group = group_of(*waiters)
    group.answered([stored(entry, "unheard-of") for entry in group.next_call(0)], 0)
    again = group.next_call(0)
    assert [(len(entry.events), entry.explicit_hash_key) for entry in again] == [(1, None)] * 3
    group.answered([stored(entry, "unheard-of", "9") for entry in again], 0)
    assert [waiter.told for waiter in waiters] == [[Receipt("unheard-of", "9")]] * 3


def test_an_event_under_its_own_key_is_at_home_wherever_it_arrives() -> None:
    """Kinesis hashed it itself; the old map was only our guess."""
    waiter = Waiter("202")
    group = group_of(waiter)
    group.answered([stored(entry, "child") for entry in group.next_call(0)], 0)
    assert waiter.told == [Receipt("child", "1")]


def test_a_stray_that_fails_is_tried_again_alone() -> None:
    """Until it is stored where it belongs."""
    waiters = waiters_in(LOW, 2)
    group = group_of(*waiters)
    group.answered([stored(entry, "unheard-of") for entry in group.next_call(0)], 0)
    group.answered([failed(entry) for entry in group.next_call(0)], 0)
    assert group.next_call(0.9) == []
    assert [len(entry.events) for entry in group.next_call(1)] == [1, 1]


def test_more_than_a_call_holds_goes_out_in_several() -> None:
    """Ten megabytes that no gzip makes smaller, in 250 events: several calls, each of 5 MiB at most."""
    waiters = [Waiter(str(number), NOISE[number * 39_000 : (number + 1) * 39_000]) for number in range(250)]
    group = group_of(*waiters)
    calls = list(iter(lambda: group.next_call(0), []))
    assert len(calls) >= 2
    assert all(sum(len(entry.data) for entry in entries) <= PUT_RECORDS_BYTES_MAX for entries in calls)
    assert sorted(events_in(entry for entries in calls for entry in entries)) == sorted(w.pending.event for w in waiters)


@settings(max_examples=30)
@given(
    count=st.integers(1, 4000),
    size_bytes_max=st.sampled_from([200, 2_000, 60_000]),
    shards=st.integers(1, 600),
    alone=st.booleans(),
    chance=st.randoms(use_true_random=False),
)
def test_no_call_is_larger_than_kinesis_takes(
    count: int, size_bytes_max: int, shards: int, alone: bool, chance: random.Random
) -> None:
    """500 entries, 5 MiB with the keys, 1 MiB a record (PutRecords); and every event goes out exactly once."""
    count = min(count, 8_000_000 // size_bytes_max)
    waiters = []
    for number in range(count):
        start = chance.randrange(len(NOISE) - size_bytes_max)
        waiters.append(Waiter(f"{number:東<256}", b"%d %s" % (number, NOISE[start : start + chance.randrange(size_bytes_max)])))
    group = group_of(*waiters, shards=even_shards(shards))
    for waiter in waiters:
        waiter.pending.alone = alone
    sent: list[bytes] = []
    while entries := group.next_call(0):
        assert len(entries) <= PUT_RECORDS_ENTRIES_MAX
        keys_and_data = [len(entry.partition_key.encode()) + len(entry.data) for entry in entries]
        assert sum(keys_and_data) <= PUT_RECORDS_BYTES_MAX
        assert max(keys_and_data) <= RECORD_BYTES_MAX
        sent += events_in(entries)
        group.answered([stored(entry) for entry in entries], 0)
    assert sorted(sent) == sorted(waiter.pending.event for waiter in waiters)
    assert all(len(waiter.told) == 1 for waiter in waiters)
    assert len(group) == 0


@given(st.data())
def test_whatever_is_answered_everybody_is_told_once_in_the_end(data: st.DataObject) -> None:
    """Failures, surprises and deadlines in any order: no one is forgotten, no one told twice, and nothing stays held."""
    waiters = [Waiter(str(number), deadline_s=data.draw(st.just(8))) for number in range(data.draw(st.integers(1, 12)))]
    group = group_of(*waiters)
    answers = st.sampled_from(
        [
            failed,
            stored,
            lambda entry: stored(entry, "elsewhere"),
            lambda entry: Answer(entry, None, Failure.REFUSED),
            lambda entry: Answer(entry, None, Failure.LASTING),
        ]
    )
    for now_s in range(10):
        data.draw(st.sampled_from(waiters)).pending.hung_up = data.draw(st.sampled_from([bool, lambda: True]))
        entries = group.next_call(now_s)
        group.answered([data.draw(answers)(entry) for entry in entries], now_s)
        group.expire(now_s)
    while entries := group.next_call(100):
        group.answered([stored(entry) for entry in entries], 100)
    assert [len(waiter.told) for waiter in waiters] == [1] * len(waiters)
    assert len(group) == 0
