"""The world of a promote: in memory and on LocalStack alike."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from infra.setup import set_up
from operations.promoting import Ending, World
from operations.switching import AwsWorld, promote_or_take_back
from projections.dynamodb import AwsStores
from projections.generations import Next
from projections.register import mark_dropped
from projections.rows import PROGRESS, Row
from telemetry.errors import NotRebuilt
from telemetry.shards import list_shards
from tests.support.promoting import LIVE, MemoryWorld, asked, row
from tests.support.stack import Stack, new_stack


@pytest.fixture(params=["memory", "aws"])
def world(request: pytest.FixtureRequest) -> World:
    """With one shard, in whose row of generation 1 five readings are counted; there is no other generation."""
    if request.param == "memory":
        made = MemoryWorld({LIVE: row(5)}, None)
        made.shards = {LIVE}
        return made
    stack: Stack = request.getfixturevalue("filled")
    return AwsWorld(stack.kinesis, stack.dynamodb, stack.names, print)


@pytest.fixture
def filled(endpoint: str, java: str) -> Iterator[Stack]:
    """A stack of its own that counts five readings."""
    with new_stack(endpoint, java, shards=1) as stack:
        stores = AwsStores(stack.dynamodb, stack.kinesis, stack.names, 10)
        stores.store_rows(LIVE, [(row(5), Row(PROGRESS))])
        stores.close()
        assert set(list_shards(stack.kinesis, stack.names.stream).shards) == {LIVE}
        yield stack


def test_the_pointer_is_replaced_by_who_knows_it(world: World) -> None:
    """Mark and all; and what has no tables has no rows."""
    first = world.pointer()
    marked, another = (replace(first, next=Next(2, "", whose)) for whose in ("ours", "theirs"))
    assert (first.generation, first.next) == (1, None)
    assert not world.replace(marked, first)
    assert world.replace(first, marked)
    assert not world.replace(first, another)
    assert not world.replace(another, first)
    assert (world.pointer(), world.pointer().next) == (first, marked.next)
    assert world.replace(marked, replace(first, generation=3))
    assert (world.pointer(), world.pointer().next) == (replace(first, generation=3), None)
    assert set(world.listed()) == {LIVE}
    rows = world.progress(1)
    assert rows
    assert {shard_id: (one.position, one.stats.count) for shard_id, one in rows.items()} == {LIVE: (5, 5)}
    assert world.progress(2) is None


def test_what_was_dropped_is_not_made_live(filled: Stack) -> None:
    """Its tables may be there for a while; and what a promote has marked is not dropped any more."""
    world = AwsWorld(filled.kinesis, filled.dynamodb, filled.names, print)
    later = replace(filled.names, generation=2)
    set_up(filled.kinesis, filled.dynamodb, later, shards=1)
    assert world.progress(2) == {}
    marked = replace(world.pointer(), next=asked().next)
    assert world.replace(world.pointer(), marked)
    with pytest.raises(NotRebuilt):
        mark_dropped(filled.dynamodb, later, 1)
    assert world.replace(marked, replace(marked, next=None))
    mark_dropped(filled.dynamodb, later, 1)
    outcome = promote_or_take_back(world, asked())
    assert (outcome.ending, world.pointer().generation, world.pointer().next) == (Ending.REFUSED, 1, None)
    for table in later.of_generation:
        filled.dynamodb.delete_table(TableName=table)


def test_time_passes(world: World) -> None:
    """By a clock of whatever beginning."""
    began_s = world.now_s()
    world.wait(0.01)
    assert world.now_s() >= began_s + 0.01


def test_what_has_no_tables_is_not_made_live(world: World) -> None:
    """And nothing is left behind."""
    before = world.pointer()
    outcome = promote_or_take_back(world, asked())
    assert (outcome.ending, world.pointer(), world.pointer().next) == (Ending.REFUSED, before, None)
