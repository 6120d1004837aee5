"""The pointer to the live generation and the stream it was filled from."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from infra.setup import set_up
from projections.generations import (
    LiveNames,
    LogStream,
    Next,
    Pointer,
    check_stream,
    make_pointer,
    read_pointer,
    replace_pointer,
    stream_created,
)
from telemetry.errors import NotSetUp, WrongStream
from telemetry.names import ResourceNames
from telemetry.streams import UNKNOWN_PARENT, StreamPlace
from tests.support.stack import Stack, new_stack
from tests.support.waiting import eventually


@pytest.fixture
def own_stack(endpoint: str, java: str) -> Iterator[Stack]:
    """A stack that the test may spoil."""
    with new_stack(endpoint, java, shards=1) as made:
        yield made


def point_at(stack: Stack, pointer: Pointer) -> None:
    assert replace_pointer(stack.dynamodb, stack.names, read_pointer(stack.dynamodb, stack.names), pointer)


def stored(stack: Stack) -> dict[str, Any]:
    """The pointer as it lies in the table."""
    return dict(stack.dynamodb.get_item(TableName=stack.names.generations, Key={"name": {"S": "live"}})["Item"])


ONE = Pointer(1, (LogStream("s", "1700000000.000"),))
TWO = ONE.continued("s", "1700000009.123", ["shardId-000000000001", "shardId-000000000000"], 4)
THREE = TWO.continued("s", "1700000010.000", [], 4)


def test_the_log_goes_on_in_a_newer_stream() -> None:
    """With the shards that its first ones descend from; when nobody knows them, what any shard had is asked for."""
    assert TWO.place == StreamPlace(2, ("shardId-000000000000", "shardId-000000000001"))
    assert (TWO.generation, TWO.stream_created, TWO.streams[:1]) == (4, "1700000009.123", ONE.streams)
    assert THREE.place == StreamPlace(3, (UNKNOWN_PARENT,))
    assert THREE.names("t") == ResourceNames("t", 4, THREE.place)


@pytest.mark.parametrize("created", ["1700000000.000", "1700000009.123", "1700000009.122"])
def test_the_log_does_not_go_on_in_an_older_stream(created: str) -> None:
    """One that it had before, has now, or that was there before the one it has now."""
    with pytest.raises(WrongStream, match="new stream only"):
        TWO.continued("s", created, [], 4)


def test_what_is_stored_of_a_log_of_one_stream_is_what_it_always_was(stack: Stack) -> None:
    """Pointers of before there were others are read, and processes of before read ours."""
    created = stream_created(stack.kinesis, stack.names)
    assert stored(stack) == {"name": {"S": "live"}, "generation": {"N": "1"}, "stream_created": {"S": created}}


def test_a_pointer_is_replaced_while_it_is_the_one_that_is_known(own_stack: Stack) -> None:
    """And read as it was written; whoever knows another one changes nothing."""
    dynamodb, names = own_stack.dynamodb, own_stack.names
    first = read_pointer(dynamodb, names)
    assert first
    second = first.continued(names.stream, "9900000000.000", ["shardId-000000000000"], 2)
    third = second.continued(names.stream, "9900000001.000", ["2/shardId-000000000000"], 2)
    for known in (None, second, replace(first, generation=2), replace(first, streams=(LogStream(names.stream, "1.000"),))):
        assert not replace_pointer(dynamodb, names, known, third)
    assert replace_pointer(dynamodb, names, first, second)
    assert read_pointer(dynamodb, names) == second
    assert stored(own_stack)["stream_created"] == {"S": first.stream_created}, "who knows of one stream only works on no other"
    other_parents = replace(second, streams=(*second.streams[:1], replace(second.streams[1], before=("x",))))
    for known in (None, first, third, other_parents):
        assert not replace_pointer(dynamodb, names, known, third)
    assert replace_pointer(dynamodb, names, second, third)
    assert read_pointer(dynamodb, names) == third
    with pytest.raises(WrongStream, match="was created at"):
        check_stream(own_stack.kinesis, dynamodb, names)


def test_the_last_stream_in_the_list_is_the_right_one(own_stack: Stack) -> None:
    """However many were before."""
    dynamodb, names = own_stack.dynamodb, own_stack.names
    created = stream_created(own_stack.kinesis, names)
    point_at(own_stack, Pointer(1, (LogStream(names.stream, "1.000"),)).continued(names.stream, created, ["shardId-0"], 1))
    assert check_stream(own_stack.kinesis, dynamodb, names).place == StreamPlace(2, ("shardId-0",))


def test_the_pointer_names_generation_one_and_the_streams_creation(stack: Stack) -> None:
    """After the set-up the pointer speaks of the stream that is there, and the check passes."""
    created = stream_created(stack.kinesis, stack.names)
    assert check_stream(stack.kinesis, stack.dynamodb, stack.names) == Pointer(1, (LogStream(stack.names.stream, created),))


def test_a_pointer_is_made_once(stack: Stack) -> None:
    """A second make_pointer, with whatever it says, leaves the first one in place."""
    before = read_pointer(stack.dynamodb, stack.names)
    make_pointer(stack.dynamodb, ResourceNames(stack.names.prefix, 9), "another time")
    assert read_pointer(stack.dynamodb, stack.names) == before


def test_without_a_pointer_the_check_names_the_set_up(own_stack: Stack) -> None:
    """Tables that were never set up to the end are refused with the way out."""
    own_stack.dynamodb.delete_item(TableName=own_stack.names.generations, Key={"name": {"S": "live"}})
    with pytest.raises(WrongStream, match=r"infra\.setup"):
        check_stream(own_stack.kinesis, own_stack.dynamodb, own_stack.names)


def test_h29_a_stream_made_again_is_refused(own_stack: Stack) -> None:
    """The stream was deleted and made again under its name: its shard ids repeat, so nothing may start on the old tables."""
    kinesis, names = own_stack.kinesis, own_stack.names
    check_stream(kinesis, own_stack.dynamodb, names)
    kinesis.delete_stream(StreamName=names.stream)

    def gone() -> None:
        assert names.stream not in kinesis.list_streams(Limit=1000)["StreamNames"]

    eventually(gone)
    set_up(kinesis, own_stack.dynamodb, names, shards=1)
    with pytest.raises(WrongStream, match="was created at"):
        check_stream(kinesis, own_stack.dynamodb, names)


def test_a_pointer_is_kept_for_a_second_while_no_promote_is_announced(own_stack: Stack) -> None:
    """With its mark it is read anew each time: what is kept would be answered after another generation was."""
    pointer = check_stream(own_stack.kinesis, own_stack.dynamodb, own_stack.names)
    now_s = [0.0]
    live = LiveNames(own_stack.dynamodb, own_stack.names, lambda: now_s[0])
    assert live.pointer().next is None
    marked = replace(pointer, next=Next(2, "2026-11-26T12:00:00Z", "ours"))
    assert replace_pointer(own_stack.dynamodb, own_stack.names, pointer, marked)
    now_s[0] = 0.99
    assert live.pointer().next is None
    now_s[0] = 1.0
    assert live.pointer().next == marked.next
    for generation in (2, 1):
        point_at(own_stack, replace(pointer, generation=generation))
        assert live.names(live.pointer()) == ResourceNames(own_stack.names.prefix, generation)
        now_s[0] += 1


def test_a_pointer_that_a_promote_has_marked_is_replaced_by_who_knows_the_mark(own_stack: Stack) -> None:
    """Two promotes of one generation have two marks; what the mark names is read as it was written, and equal without it."""
    dynamodb, names = own_stack.dynamodb, own_stack.names
    plain = read_pointer(dynamodb, names)
    assert plain
    marked, others = (replace(plain, next=Next(2, "2026-11-26T12:00:00Z", whose)) for whose in ("ours", "theirs"))
    assert not replace_pointer(dynamodb, names, marked, plain)
    assert replace_pointer(dynamodb, names, plain, marked)
    assert (read_pointer(dynamodb, names), stored(own_stack)["next"]["M"]["generation"]) == (plain, {"N": "2"})
    for known in (plain, others, replace(marked, next=Next(3, "2026-11-26T12:00:00Z", "ours"))):
        assert not replace_pointer(dynamodb, names, known, plain)
    found = read_pointer(dynamodb, names)
    assert found
    assert found.next == marked.next
    assert replace_pointer(dynamodb, names, found, replace(plain, generation=2))
    assert stored(own_stack).keys() == {"name", "generation", "stream_created"}


def test_without_a_pointer_there_is_no_live_generation(own_stack: Stack) -> None:
    """Nobody has set up yet, which is told apart from a pointer to another stream."""
    own_stack.dynamodb.delete_item(TableName=own_stack.names.generations, Key={"name": {"S": "live"}})
    with pytest.raises(NotSetUp, match="set the tables up first"):
        LiveNames(own_stack.dynamodb, own_stack.names).pointer()
    with pytest.raises(NotSetUp):
        check_stream(own_stack.kinesis, own_stack.dynamodb, own_stack.names)
