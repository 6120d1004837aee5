"""What docs/runbook.md says is typed on LocalStack, line by line, where it is needed; and what comes of it is compared."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from archive.folder import FolderTarget
from infra.setup import make_tables, set_up
from projections.generations import require_pointer
from projections.queries import fleet_stats
from projections.register import read_register, take
from telemetry.events import encode_event
from telemetry.reading import Reading
from telemetry.shards import list_shards
from tests.archive.records import chained
from tests.projections.logs import reading
from tests.support.make_run import tables_of
from tests.support.oracle import assert_tables_equal
from tests.support.projected import die_half_way, project, records_of
from tests.support.runbook import Shell
from tests.support.stack import Stack, open_stack
from tests.support.waiting import eventually

EARLY = [reading(f"s-{number % 7}", 60 * number, number) for number in range(40)]
LATE = [reading(f"s-{number % 9}", 60 * number, number) for number in range(30, 60)]
BROKEN = b"{broken"


@pytest.fixture
def made(endpoint: str, java: str) -> Iterator[Callable[[], Stack]]:
    """Environments: nothing is in them yet, and nothing is left of them."""
    stacks: list[Stack] = []

    def make() -> Stack:
        stacks.append(open_stack(endpoint, java, f"t-{uuid.uuid4().hex[:8]}"))
        return stacks[-1]

    yield make
    for stack in stacks:
        with suppress(ClientError):  # a test may have deleted it
            stack.kinesis.delete_stream(StreamName=stack.names.stream)
        for page in stack.dynamodb.get_paginator("list_tables").paginate():
            for name in page["TableNames"]:
                if name.startswith(f"{stack.names.prefix}-"):
                    stack.dynamodb.delete_table(TableName=name)


@pytest.fixture
def stack(made: Callable[[], Stack]) -> Stack:
    """One with a stream of two shards and its tables."""
    found = made()
    set_up(found.kinesis, found.dynamodb, found.names, shards=2)
    return found


@pytest.fixture
def typing(tmp_path: Path) -> Iterator[Callable[..., Shell]]:
    """A shell for a section, with the settings of an environment and the archive of the test."""
    shells: list[Shell] = []

    def begin(title: str, stack: Stack, **more: str) -> Shell:
        folder = tmp_path / f"shell-{len(shells)}"
        folder.mkdir()
        environ = {**stack.environ, "PORT": "0", "METRICS_PORT": "0", "ARCHIVE_TARGET": str(tmp_path / "archive"), **more}
        shells.append(Shell(title, environ, folder))
        return shells[-1]

    yield begin
    for shell in shells:
        shell.ends()


def put(stack: Stack, readings: list[Reading], *others: bytes) -> None:
    records: Any = [{"PartitionKey": one.sensor_id, "Data": encode_event(one, 0)} for one in readings]
    records += [{"PartitionKey": "odd", "Data": data} for data in others]
    stack.kinesis.put_records(StreamName=stack.names.stream, Records=records)


def archive(stack: Stack, folder: Path, records_max: int | None = None) -> set[bytes]:
    """So many records of each shard, or all that there are; what was in them."""
    folder.mkdir(exist_ok=True)
    created, held = require_pointer(stack.dynamodb, stack.names).stream_created, set[bytes]()
    for shard in list_shards(stack.kinesis, stack.names.stream).shards.values():
        records = list(records_of(stack, shard))[:records_max]
        chained(FolderTarget(folder), [records], shard=shard, created=created)
        held |= {one.data for one in records}
    return held


def lose_the_stream(stack: Stack) -> None:
    stack.kinesis.delete_stream(StreamName=stack.names.stream)

    def is_gone() -> None:
        assert stack.names.stream not in stack.kinesis.list_streams(Limit=1000)["StreamNames"]

    eventually(is_gone)


def as_it_is_now(stack: Stack) -> Stack:
    """With the tables and the stream that the pointer names."""
    return replace(stack, names=require_pointer(stack.dynamodb, stack.names).names(stack.names.prefix))


def test_a_stream_is_lost_and_the_figures_stay(stack: Stack, typing: Callable[..., Shell], tmp_path: Path) -> None:
    """The consumer had written everything, and the archive ends before that: what is sent again counts once."""
    put(stack, [*EARLY, *EARLY[:5]], BROKEN)
    project(stack)
    archive(stack, tmp_path / "archive", 9)
    lose_the_stream(stack)
    shell = typing("The stream was lost", stack)
    shell.types()
    assert "counted in generation 1; its shards are called 2/shardId-…" in shell.types()
    now = as_it_is_now(stack)
    assert_tables_equal(now, EARLY)
    rows = fleet_stats(stack.dynamodb, now.names).shards.values()
    assert all(row.progress.ended and row.progress.gap for row in rows)
    put(now, [*EARLY, *LATE])
    project(now)
    assert_tables_equal(now, {*EARLY, *LATE})


def test_a_stream_is_lost_and_new_tables_are_filled(stack: Stack, typing: Callable[..., Shell], tmp_path: Path) -> None:
    """The consumer had died in the middle, and the archive lacks what would complete it. All generations are known then."""
    put(stack, EARLY)
    die_half_way(stack)
    data = archive(stack, tmp_path / "archive", 9)
    archived = [one for one in EARLY if encode_event(one, 0) in data]
    lose_the_stream(stack)
    shell = typing("The stream was lost", stack)
    shell.types()
    said = shell.types(1)
    assert "half written" in said
    assert "telemetry continue --generation 2" in said
    assert f"would count {len(archived)} readings, {len(EARLY) - len(archived)} fewer" in shell.types(1)
    assert require_pointer(stack.dynamodb, stack.names).generation == 1
    assert "counted in generation 2" in shell.types()
    assert shell.left == []
    assert read_register(stack.dynamodb, stack.names).keys() == {1, 2}
    now = as_it_is_now(stack)
    assert_tables_equal(now, archived)
    put(now, [*EARLY, *LATE], BROKEN)
    project(now)
    assert_tables_equal(now, {*EARLY, *LATE})


@pytest.mark.parametrize("title", ["The region was lost", "Practise a restore"])
def test_another_environment_goes_on_with_the_archive(
    title: str, stack: Stack, made: Callable[[], Stack], typing: Callable[..., Shell], tmp_path: Path
) -> None:
    """Its tables are those of the first one, attribute for attribute; its own stream follows the archived one."""
    put(stack, [*EARLY, *EARLY[:5]], BROKEN)
    project(stack)
    archive(stack, tmp_path / "archive")
    other = made()
    shell = typing(title, other)
    shell.types()
    assert "it is its stream 2, counted in generation 1" in shell.types()
    now = as_it_is_now(other)
    assert tables_of(now) == tables_of(stack)
    match title:
        case "The region was lost":
            assert "may" in shell.types(1)  # nobody consumes yet, and the old shards have no end
        case _:
            assert "No difference, and the log is not whole" in shell.types(5)
    assert shell.left == []
    put(now, LATE)
    project(now)
    assert_tables_equal(now, {*EARLY, *LATE})


def test_letters_are_looked_at_and_decided(stack: Stack, typing: Callable[..., Shell], tmp_path: Path) -> None:
    """One that nobody reads, so that a retry leaves it; and the tables are what the log says, before and after."""
    put(stack, EARLY, BROKEN)
    project(stack)
    archive(stack, tmp_path / "archive")
    shell = typing("Are the figures right", stack)
    assert shell.types().startswith(("About", "Equal"))
    shell.types()
    assert shell.left == []
    [item] = stack.dynamodb.scan(TableName=stack.names.dead_letters)["Items"]
    place = f"{item['shard_id']['S']}:{item['place']['S'].replace('#', ':').rpartition(':')[0]}"
    shell = typing("Dead letters", stack)
    assert "not-json" in shell.types()
    assert "not-json" in shell.types(place=place)
    shell.types(4)
    shell.types(3)
    shell.types(place=place)
    shell.types()
    assert shell.left == []


def test_who_looks_first_is_told(stack: Stack, typing: Callable[..., Shell]) -> None:
    """That nobody consumes."""
    shell = typing("Runbook", stack, ARCHIVE_TARGET="")
    assert "No worker has ever given a sign of life." in shell.types(1)
    shell.types(1)
    assert shell.left == []


def test_a_generation_is_promoted(stack: Stack, typing: Callable[..., Shell], tmp_path: Path) -> None:
    """Once it is proved; and no promote is left under way."""
    put(stack, EARLY, BROKEN)
    archive(stack, tmp_path / "archive")
    second = replace(stack, names=replace(stack.names, generation=2))
    make_tables(stack.dynamodb, second.names)
    take(stack.dynamodb, second.names, 1)
    for one in (stack, second):
        project(one)
    shell = typing("Promote", stack)
    assert "Equal: generation 2" in shell.types()
    assert "g2 is live." in shell.types()
    assert "No promote is under way: generation 2 is live." in shell.types()
    assert shell.left == []
    assert require_pointer(stack.dynamodb, stack.names).generation == 2
