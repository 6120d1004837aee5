"""Which shard a sensor belongs to: Kinesis's rule."""

import hashlib
from collections.abc import Iterable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.limits import HASH_KEY_MAX
from telemetry.shards import Shard, ShardMap, hash_key, list_shards
from telemetry.streams import StreamPlace
from tests.support.stack import Stack
from tests.telemetry.strategies import SENSOR_IDS

KEYS = st.integers(0, HASH_KEY_MAX)


def shards_between(bounds: Iterable[int]) -> list[Shard]:
    """Shards whose ranges begin at these bounds, the last one ending where the space ends."""
    starts = sorted({0, *bounds})
    ends = [*(start - 1 for start in starts[1:]), HASH_KEY_MAX]
    return [Shard(f"shard-{number}", first, last) for number, (first, last) in enumerate(zip(starts, ends, strict=True))]


@given(SENSOR_IDS)
def test_the_hash_key_is_the_md5_of_the_partition_key(sensor_id: str) -> None:
    """Of its UTF-8, as an unsigned integer, most significant byte first."""
    assert hash_key(sensor_id) == int(hashlib.md5(sensor_id.encode()).hexdigest(), 16)  # noqa: S324  Kinesis's choice


@given(st.sets(KEYS, max_size=20), KEYS)
def test_every_key_has_one_owner_that_holds_it(bounds: set[int], key: int) -> None:
    """Over the whole space, however it is cut; both ends included."""
    shards = shards_between(bounds)
    found = ShardMap(reversed(shards))
    for probe in (key, 0, HASH_KEY_MAX, *bounds):
        assert [found.owner(probe)] == [shard for shard in shards if shard.holds(probe)]


def test_closed_shards_own_nothing_and_are_remembered() -> None:
    """A parent's range belongs to its children, though it did belong to it."""
    parent = Shard("parent", 0, HASH_KEY_MAX, closed=True)
    low = Shard("low", 0, 2**127 - 1, parents=("parent",))
    high = Shard("high", 2**127, HASH_KEY_MAX, parents=("parent",))
    found = ShardMap([high, parent, low])
    assert found.open == (low, high)
    assert (found.owner(0), found.owner(2**127)) == (low, high)
    assert found.shards["parent"].holds(2**127)


class PagedKinesis:
    """Answers ListShards with one shard a page, as Kinesis does after many reshards."""

    def __init__(self, pages: list[dict[str, Any]]) -> None:
        self._pages = pages

    def list_shards(self, StreamName: str = "", NextToken: str = "") -> dict[str, Any]:  # noqa: N803  boto3's names
        """Kinesis refuses a name and a token together."""
        assert bool(StreamName) != bool(NextToken)
        number = int(NextToken or 0)
        more = {"NextToken": str(number + 1)} if number + 1 < len(self._pages) else {}
        return {"Shards": [self._pages[number]], **more}


HALF = 2**127


def merged() -> PagedKinesis:
    """Two shards that were merged."""
    pages = [
        {
            "ShardId": name,
            "HashKeyRange": {"StartingHashKey": str(first), "EndingHashKey": str(last)},
            "SequenceNumberRange": {"StartingSequenceNumber": "1"} | ({"EndingSequenceNumber": "2"} if closed else {}),
        }
        | parents
        for name, first, last, closed, parents in [
            ("a", 0, HALF - 1, True, {}),
            ("b", HALF, HASH_KEY_MAX, True, {}),
            ("c", 0, HASH_KEY_MAX, False, {"ParentShardId": "a", "AdjacentParentShardId": "b"}),
        ]
    ]
    return PagedKinesis(pages)


def test_all_pages_of_the_listing_are_read() -> None:
    """With parents, ranges, and which are closed: those that have an ending sequence number."""
    found = list_shards(cast("Any", merged()), "stream")
    assert found.shards == {
        "a": Shard("a", 0, HALF - 1, closed=True),
        "b": Shard("b", HALF, HASH_KEY_MAX, closed=True),
        "c": Shard("c", 0, HASH_KEY_MAX, parents=("a", "b")),
    }


def test_shards_of_a_later_stream_have_the_logs_names_and_descend_from_the_stream_before() -> None:
    """KCL, which knows one stream, is told of parents in that stream only, by Kinesis's ids."""
    found = list_shards(cast("Any", merged()), "stream", StreamPlace(3, ("2/x", "2/y")))
    assert found.shards == {
        "3/a": Shard("3/a", 0, HALF - 1, ("2/x", "2/y"), closed=True),
        "3/b": Shard("3/b", HALF, HASH_KEY_MAX, ("2/x", "2/y"), closed=True),
        "3/c": Shard("3/c", 0, HASH_KEY_MAX, parents=("3/a", "3/b")),
    }
    assert {name: shard.kinesis_parents for name, shard in found.shards.items()} == {"3/a": [], "3/b": [], "3/c": ["a", "b"]}


@pytest.mark.parametrize("sensor_id", ["202", "a", "Dach 東 🌡"])
def test_kinesis_puts_a_record_where_the_rule_says(stack: Stack, sensor_id: str) -> None:
    """LocalStack's Kinesis agrees about the owner."""
    answer = stack.kinesis.put_record(StreamName=stack.names.stream, PartitionKey=sensor_id, Data=b"{}\n")
    owner = list_shards(stack.kinesis, stack.names.stream).owner(hash_key(sensor_id))
    assert answer["ShardId"] == owner.shard_id
