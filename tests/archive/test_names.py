"""Names of objects: their order as texts is the chain's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.names import Key, Place, behind_shard, object_key, parse_key, shard_prefix, state_key
from telemetry.errors import ArchiveUnreadable

NUMBERS = st.one_of(st.integers(0, 10**56), st.integers(0, 200))
PLACES = st.builds(Place, NUMBERS, st.integers(0, 4 * 10**12))


def test_a_name_tells_where_the_object_belongs() -> None:
    """Stream, shard, the record before and its arrival; the first object of a shard follows nothing."""
    assert object_key("1764147529.316", "shardId-000000000000", Place()) == (
        "log/1764147529.316/shardId-000000000000/001-0~0.ndjson.gz"
    )
    after = Place(49590338271490256608, 1764147600123)
    assert object_key("1.000", "s-1", after) == "log/1.000/s-1/020-49590338271490256608~1764147600123.ndjson.gz"
    assert state_key("1764147529.316", "s-1") == "state/1764147529.316/s-1"


@given(PLACES)
def test_a_name_is_read_as_it_was_given(after: Place) -> None:
    """Nothing is lost in it."""
    assert parse_key(object_key("1764147529.316", "s-1", after)) == Key("1764147529.316", "s-1", after)


@given(PLACES, PLACES)
def test_text_order_is_number_order(one: Place, other: Place) -> None:
    """So the last name in a list is the chain's end."""
    if one.sequence_number != other.sequence_number:
        keys = [object_key("1", "s", place) for place in (one, other)]
        assert (keys[0] < keys[1]) == (one.sequence_number < other.sequence_number)


@given(PLACES)
def test_shards_are_told_apart_by_their_prefix(after: Place) -> None:
    """One shard's name may begin another's; behind all objects of one lies a text that ends its part of a list."""
    ours, other = object_key("1", "s-1", after), object_key("1", "s-10", after)
    assert ours.startswith(shard_prefix("1", "s-1"))
    assert not other.startswith(shard_prefix("1", "s-1"))
    assert ours < behind_shard("1", "s-1")


@pytest.mark.parametrize("key", ["", "log/1/s/001-0~0.gz", "log/1/s/002-0~0.ndjson.gz", "log/1/s/x", "state/1/s"])
def test_other_names_are_refused(key: str) -> None:
    """With what to do."""
    with pytest.raises(ArchiveUnreadable, match="move it elsewhere"):
        parse_key(key)
