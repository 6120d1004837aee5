"""The pointer to the live generation and the stream it was filled from."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from infra.setup import set_up
from projections.generations import LiveNames, Pointer, check_stream, make_pointer, read_pointer, stream_created
from telemetry.errors import NotSetUp, WrongStream
from telemetry.names import ResourceNames
from tests.support.stack import Stack, new_stack
from tests.support.waiting import eventually


@pytest.fixture
def own_stack(endpoint: str, java: str) -> Iterator[Stack]:
    """A stack that the test may spoil."""
    with new_stack(endpoint, java, shards=1) as made:
        yield made


def point_at(stack: Stack, pointer: Pointer) -> None:
    item = {"name": "live", "stream_created": pointer.stream_created}
    stack.dynamodb.put_item(
        TableName=stack.names.generations,
        Item={**{name: {"S": text} for name, text in item.items()}, "generation": {"N": str(pointer.generation)}},
    )


def test_the_pointer_names_generation_one_and_the_streams_creation(stack: Stack) -> None:
    """After the set-up the pointer speaks of the stream that is there, and the check passes."""
    created = stream_created(stack.kinesis, stack.names)
    assert check_stream(stack.kinesis, stack.dynamodb, stack.names) == Pointer(1, created)


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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock that LiveNames reads: `clock.now_s`."""
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr("projections.generations.time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


def test_live_names_follow_the_pointer_within_a_second(own_stack: Stack, clock: SimpleNamespace) -> None:
    """Names are kept for less than a second; then the pointer is read again."""
    pointer = check_stream(own_stack.kinesis, own_stack.dynamodb, own_stack.names)
    live = LiveNames(own_stack.dynamodb, own_stack.names)
    assert live.names(live.pointer().generation) == ResourceNames(own_stack.names.prefix, 1)
    point_at(own_stack, Pointer(2, pointer.stream_created))
    clock.now_s = 0.9
    assert live.names(live.pointer().generation) == ResourceNames(own_stack.names.prefix, 1)
    clock.now_s = 1.0
    assert live.names(live.pointer().generation) == ResourceNames(own_stack.names.prefix, 2)


def test_without_a_pointer_there_is_no_live_generation(own_stack: Stack, clock: SimpleNamespace) -> None:
    """Nobody has set up yet, which is told apart from a pointer to another stream."""
    own_stack.dynamodb.delete_item(TableName=own_stack.names.generations, Key={"name": {"S": "live"}})
    with pytest.raises(NotSetUp, match="set the tables up first"):
        LiveNames(own_stack.dynamodb, own_stack.names).pointer()
    with pytest.raises(NotSetUp):
        check_stream(own_stack.kinesis, own_stack.dynamodb, own_stack.names)
