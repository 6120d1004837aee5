"""One look at the tables of LocalStack, written as KCL 3 writes them; and what the doctor says of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from consumer.doctor import diagnose
from consumer.leases import make_leases, take_lease
from consumer.observation import Leader, Lease, Observation, Worker, observe, remove_leader
from projections.retention import Gap
from projections.rows import PROGRESS, Progress, Row
from telemetry.shards import Shard, ShardMap
from tests.support.stack import Stack

NOW_US = 1_700_000_000_000_000
ONE = ShardMap([Shard("one", 0, 99)])


@pytest.fixture
def led(stack: Stack) -> Iterator[Stack]:
    """A stack with a leader, one worker, and leases."""
    lock = {"key": "Leader", "ownerName": "worker-2", "recordVersionNumber": "v1", "leaseDuration": "120000"}
    stack.dynamodb.put_item(TableName=stack.names.coordinator, Item={key: {"S": value} for key, value in lock.items()})
    stack.dynamodb.put_item(TableName=stack.names.workers, Item={"wid": {"S": "worker-2"}, "lut": {"N": "1795593173"}})
    made = make_leases(stack.dynamodb, stack.names.application, observe(stack.kinesis, stack.dynamodb, stack.names), "worker-1")
    yield stack
    for shard_id in made:
        stack.dynamodb.delete_item(TableName=stack.names.application, Key={"leaseKey": {"S": shard_id}})
    stack.dynamodb.delete_item(TableName=stack.names.coordinator, Key={"key": {"S": "Leader"}})


def test_a_look_sees_leases_workers_and_leader(led: Stack) -> None:
    """As they stand in KCL's tables."""
    seen = observe(led.kinesis, led.dynamodb, led.names)
    assert seen.leases == dict.fromkeys(seen.shards.shards, Lease("worker-1", 0, ended=False))
    assert seen.workers == {"worker-2": Worker("1795593173", measured=False)}
    assert seen.leader == Leader("worker-2", "v1")
    assert (seen.progress, seen.without_lease()) == ({}, [])


STRANGE: list[dict[str, Any]] = [
    {},
    {"entityType": {"S": "WORKER_METRIC_STATS"}, "wid": {"S": "worker-2"}, "lut": {"N": "1795593173"}},
    {"entityType": {"S": "LEADER"}, "ownerName": {"S": "worker-2"}, "leaseDuration": {"N": "120000"}},
    {"leaseCounter": {"N": "1"}},
    {"checkpoint": {"S": "TRIM_HORIZON"}},
    {"checkpoint": {"S": "TRIM_HORIZON"}, "leaseCounter": {"S": "one"}},
    {"checkpoint": {"N": "1"}, "leaseCounter": {"N": "1"}},
    {"checkpoint": {"NULL": True}, "leaseCounter": {"N": "-1.5"}},
]
"""What a table of KCL's may hold beside what we look for there: attributes that lack, or are of another type."""


def test_s12_what_is_no_lease_worker_or_leader_is_passed_over(led: Stack) -> None:
    """KCL 3.5 keeps workers and leader in the table of the leases, and marks of its own among the others."""
    before = _known(led)
    tables = {led.names.application: "leaseKey", led.names.coordinator: "key"}
    keys = [(table, {key: {"S": f"strange-{number}"}}) for table, key in tables.items() for number in range(len(STRANGE))]
    for (table, key), strange in zip(keys, STRANGE * len(tables), strict=True):
        led.dynamodb.put_item(TableName=table, Item={**key, **strange})
    assert _known(led) == before
    led.dynamodb.put_item(TableName=led.names.coordinator, Item={"key": {"S": "Leader"}, "ownerName": {"S": "worker-2"}})
    assert observe(led.kinesis, led.dynamodb, led.names).leader is None
    led.dynamodb.put_item(
        TableName=led.names.workers, Item={"wid": {"S": "worker-3"}, "lut": {"S": "now"}, "sts": {"S": "none"}}
    )
    assert observe(led.kinesis, led.dynamodb, led.names).workers["worker-3"] == Worker("", measured=False)
    led.dynamodb.delete_item(TableName=led.names.workers, Key={"wid": {"S": "worker-3"}})
    for table, key in keys:
        led.dynamodb.delete_item(TableName=table, Key=key)


def _known(stack: Stack) -> tuple[object, object, object]:
    seen = observe(stack.kinesis, stack.dynamodb, stack.names)
    return seen.leases, seen.workers, seen.leader


def test_h09_a_leaders_lock_is_removed_only_as_it_was_seen(led: Stack) -> None:
    """A leader that beat meanwhile, or another one, keeps it."""
    assert not remove_leader(led.dynamodb, led.names, Leader("worker-2", "v0"))
    assert not remove_leader(led.dynamodb, led.names, Leader("worker-3", "v1"))
    assert observe(led.kinesis, led.dynamodb, led.names).leader == Leader("worker-2", "v1")
    assert remove_leader(led.dynamodb, led.names, Leader("worker-2", "v1"))
    assert observe(led.kinesis, led.dynamodb, led.names).leader is None
    assert not remove_leader(led.dynamodb, led.names, Leader("worker-2", "v1"))


def test_a_lease_is_taken_only_from_the_owner_that_was_seen(led: Stack) -> None:
    """Its counter goes up, so that the old owner's next renewal is refused."""
    table, shard = led.names.application, "shardId-000000000001"
    assert not take_lease(led.dynamodb, table, shard, "worker-3", "worker-2")
    assert take_lease(led.dynamodb, table, shard, "worker-1", "worker-2")
    leases = observe(led.kinesis, led.dynamodb, led.names).leases
    assert leases[shard] == Lease("worker-2", 1, ended=False)
    key = {"leaseKey": {"S": shard}}
    ended = {":ended": {"S": "SHARD_END"}}
    led.dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET checkpoint = :ended",
        ExpressionAttributeValues=ended,
    )
    assert not take_lease(led.dynamodb, table, shard, "worker-2", "worker-1")


def seen(lease: Lease | None, row: Row | None, leader: Leader | None = None) -> Observation:
    leader = leader or Leader("me", "v1")
    return Observation(
        ONE, {"one": lease} if lease else {}, {"me": Worker("1", measured=False)}, leader, {"one": row} if row else {}
    )


HELD = Lease("me", 1, ended=False)
CURRENT = Row(PROGRESS, 1, as_of_us=NOW_US)


def test_the_doctor_has_nothing_to_say_when_all_is_well() -> None:
    """A worker for every shard, and progress."""
    assert diagnose(seen(HELD, CURRENT), NOW_US + 60_000_000) == []


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (seen(None, CURRENT), "one has no lease"),
        (seen(Lease(None, 1, ended=False), CURRENT), "one belongs to no worker"),
        (seen(HELD, None), "one has projected nothing yet; its worker is me"),
        (seen(HELD, Row(PROGRESS, 1, as_of_us=NOW_US - 61_000_000)), "one is 61 s behind"),
        (
            Observation(
                ShardMap([Shard("one", 0, 99, closed=True), Shard("child", 0, 99, ("one",))]),
                {"one": HELD},
                {"me": Worker("1", measured=False)},
                Leader("me", "v1"),
                {"one": Row(PROGRESS, 1, as_of_us=NOW_US - 61_000_000)},
            ),
            "one is 61 s behind",
        ),
        (
            seen(HELD, replace(CURRENT, progress=Progress(gap=Gap(0, 1_000_000)))),
            "one: what arrived after 1970-01-01T00:00:00Z and before 1970-01-01T00:00:01Z may have left the stream unread",
        ),
        (
            seen(Lease("me", 1, ended=True), replace(CURRENT, progress=Progress(ended=True, gap=Gap(0, 1)))),
            "may have left the stream unread",
        ),
        (seen(Lease(None, 1, ended=False), replace(CURRENT, progress=Progress(ended=True))), "one belongs to no worker"),
        (Observation(ONE, {"one": HELD}, {}, None, {"one": CURRENT}), "start a consumer"),
        (Observation(ONE, {"one": HELD}, {"me": Worker("1", measured=False)}, None, {"one": CURRENT}), "Nobody assigns"),
    ],
    ids=[
        "h13 no lease",
        "no owner",
        "no progress",
        "behind",
        "closed and behind",
        "s05 gap",
        "s05 gap of an ended shard",
        "s13 ended and unheard",
        "no worker",
        "no leader",
    ],
)
def test_h13_h24_the_doctor_says_what_is_wrong(observation: Observation, words: str) -> None:
    """One sentence for one fault."""
    (finding,) = diagnose(observation, NOW_US)
    assert words in finding
