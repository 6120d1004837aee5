"""The register of generations: which number is next is a decision, and what is kept stands in a table of LocalStack."""

from dataclasses import replace
from typing import Any

import pytest

from projections.generations import read_pointer, replace_pointer
from projections.register import (
    Registered,
    chosen,
    mark_dropped,
    note_failure,
    note_filled,
    read_register,
    read_registered,
    require_kept,
    take,
)
from telemetry.errors import Dropped, NotRebuilt
from telemetry.names import GENERATION_MAX, ResourceNames
from tests.support.stack import Stack

AT_US = 1_800_000_000_000_000


def register(*numbers: int, dropped: tuple[int, ...] = ()) -> dict[int, Registered]:
    return {number: Registered(number, AT_US, AT_US if number in dropped else None) for number in numbers}


@pytest.mark.parametrize(
    ("live", "known", "number"),
    [(1, register(), 2), (1, register(1, 2), 3), (4, register(1, 2), 5), (1, register(1, 2, 3, dropped=(3,)), 4)],
)
def test_a_new_number_is_above_all_that_ever_were(live: int, known: dict[int, Registered], number: int) -> None:
    """Those that were dropped too."""
    assert chosen(None, live, known) == number


def test_one_that_was_begun_goes_on() -> None:
    """And so does one that was live before there was a register, or a number that nobody has reached yet."""
    assert chosen(2, 1, register(1, 2, 3)) == 2
    assert chosen(1, 2, register(2), has_tables=True) == 1
    assert chosen(7, 1, register(1)) == 7


@pytest.mark.parametrize(
    ("asked", "live", "known", "said"),
    [
        (2, 2, register(1, 2), "g2 is live.*g3"),
        (2, 1, register(1, 2, dropped=(2,)), "g2 was dropped at 2027-01-15.*never used again.*Take g3"),
        (2, 3, register(3), "numbers only go up: take g4"),
        (None, GENERATION_MAX, register(), "another PREFIX"),
    ],
)
def test_a_number_that_may_not_be_filled_is_refused(
    asked: int | None, live: int, known: dict[int, Registered], said: str
) -> None:
    """With the number to take."""
    with pytest.raises(NotRebuilt, match=said):
        chosen(asked, live, known)


@pytest.fixture
def names(stack: Stack) -> ResourceNames:
    """Of a generation that no other test takes."""
    return replace(stack.names, generation=max(read_register(stack.dynamodb, stack.names), default=100) + 1)


def test_what_is_kept_is_read_again(stack: Stack, names: ResourceNames) -> None:
    """A number is taken once; how far its filling is, and why it ended, stand beside it until it goes on."""
    assert take(stack.dynamodb, names, AT_US)
    assert not take(stack.dynamodb, names, AT_US + 1)
    note_filled(stack.dynamodb, names, 41)
    note_failure(stack.dynamodb, names, "The disk was full.")
    expected = Registered(names.generation, AT_US, failure="The disk was full.", filled=41, beat=1)
    assert read_registered(stack.dynamodb, names) == expected
    note_filled(stack.dynamodb, names, 42)
    expected = Registered(names.generation, AT_US, filled=42, beat=2)
    assert read_register(stack.dynamodb, names)[names.generation] == expected
    require_kept(stack.dynamodb, names)


def test_a_dropped_number_stays_dropped(stack: Stack, names: ResourceNames) -> None:
    """Dropped again it was dropped when it was; whoever fills it is told, and it is not taken anew."""
    mark_dropped(stack.dynamodb, names, AT_US)
    mark_dropped(stack.dynamodb, names, AT_US + 10**6)
    assert read_registered(stack.dynamodb, names) == Registered(names.generation, AT_US, AT_US)
    said = f"g{names.generation} was dropped"
    with pytest.raises(Dropped, match=said):
        require_kept(stack.dynamodb, names)
    with pytest.raises(Dropped, match=said):
        note_filled(stack.dynamodb, names, 1)
    note_failure(stack.dynamodb, names, "Late.")
    assert not take(stack.dynamodb, names, AT_US + 1)
    assert read_registered(stack.dynamodb, names) == Registered(names.generation, AT_US, AT_US)


def test_what_is_live_or_being_promoted_is_not_dropped(stack: Stack, names: ResourceNames) -> None:
    """Whatever stands in the register; the pointer is asked in the same moment. Items of other kinds are none of it."""
    live = read_pointer(stack.dynamodb, names)
    assert live
    with pytest.raises(NotRebuilt, match="g1 is live, or is being promoted"):
        mark_dropped(stack.dynamodb, stack.names, AT_US)
    key: Any = {"name": {"S": "live"}}
    value: Any = {"M": {"generation": {"N": str(names.generation)}, "since": {"S": "now"}, "token": {"S": "t"}}}
    stack.dynamodb.update_item(
        TableName=names.generations,
        Key=key,
        UpdateExpression="SET #next = :next",
        ExpressionAttributeNames={"#next": "next"},
        ExpressionAttributeValues={":next": value},
    )
    with pytest.raises(NotRebuilt, match=f"g{names.generation} is live, or is being promoted"):
        mark_dropped(stack.dynamodb, names, AT_US)
    marked = read_pointer(stack.dynamodb, names)
    assert replace_pointer(stack.dynamodb, names, marked, live)
    stack.dynamodb.put_item(TableName=names.generations, Item={"name": {"S": "verified#g1"}})
    assert names.generation not in read_register(stack.dynamodb, names)
    assert 1 not in read_register(stack.dynamodb, names)
    stack.dynamodb.delete_item(TableName=names.generations, Key={"name": {"S": "verified#g1"}})
