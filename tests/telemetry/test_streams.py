"""What a shard is called in a log of several streams."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.streams import FIRST_PLACE, StreamPlace, kinesis_id, number_of

IDS = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=128)
"""As Kinesis makes them (API reference, Shard)."""


def test_in_the_first_stream_a_shard_has_kinesis_own_id_in_the_nth_its_number_too() -> None:
    """As it stands in rows, receipts and everywhere else: `shardId-…`, then `2/shardId-…`."""
    assert FIRST_PLACE.name("shardId-000000000001") == "shardId-000000000001"
    assert StreamPlace(2).name("shardId-000000000001") == "2/shardId-000000000001"


@given(IDS, st.integers(1, 10_000))
def test_a_name_tells_stream_and_kinesis_id(shard_id: str, number: int) -> None:
    """Whatever the id, and however many streams: the way there and back."""
    name = StreamPlace(number).name(shard_id)
    assert (number_of(name), kinesis_id(name)) == (number, shard_id)


@given(IDS, st.integers(1, 100), st.integers(1, 100))
def test_shards_of_different_streams_have_different_names(shard_id: str, one: int, other: int) -> None:
    """Though Kinesis gives them the same id."""
    assert (StreamPlace(one).name(shard_id) == StreamPlace(other).name(shard_id)) == (one == other)


@pytest.mark.parametrize(
    ("kinesis_ids", "parents"),
    [
        ([], ("shardId-000000000002", "shardId-000000000003")),
        (["shardId-000000000000"], ("2/shardId-000000000000",)),
        (["shardId-000000000000", "shardId-000000000001"], ("2/shardId-000000000000", "2/shardId-000000000001")),
    ],
    ids=["a first shard", "a split one", "a merged one"],
)
def test_the_first_shards_of_a_stream_descend_from_the_last_of_the_one_before(
    kinesis_ids: list[str], parents: tuple[str, ...]
) -> None:
    """Later ones from those that Kinesis says; in the log's first stream nothing was before."""
    place = StreamPlace(2, ("shardId-000000000002", "shardId-000000000003"))
    assert place.parents(kinesis_ids) == parents
    assert FIRST_PLACE.parents(kinesis_ids) == tuple(kinesis_ids)
