"""Tables on LocalStack that several processes fill are those that one fills, item for item, also where one was killed."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archive.folder import FolderTarget
from archive.source import ArchiveSource
from cli.filling import Told
from cli.showing import Lines
from infra.setup import load_definition, make_tables
from operations.fillers import fillers
from operations.filling import Filled
from telemetry.errors import NotRebuilt
from telemetry.events import encode_event
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord, Page, Position
from telemetry.names import ResourceNames
from telemetry.shards import Shard
from tests.archive.records import CREATED, chained
from tests.projections.logs import START_S, reading, sensors_of
from tests.support.stack import Stack

HALF = HASH_KEY_MAX // 2
OLD, OTHER, LEFT, RIGHT = (f"shardId-{number:012}" for number in range(4))
SHARDS = (
    Shard(OLD, 0, HALF),
    Shard(OTHER, HALF + 1, HASH_KEY_MAX),
    Shard(LEFT, 0, HALF // 2, (OLD,)),
    Shard(RIGHT, HALF // 2 + 1, HASH_KEY_MAX, (OLD, OTHER)),
)
"""Two, one of which was split; a half of it was merged with the other."""


class Deadly(ArchiveSource):
    """Whoever reads this shard first, and is not we, is killed behind its first page."""

    def __init__(self, target: FolderTarget, shard_id: str, once: Path) -> None:
        super().__init__(target, [CREATED])
        self._shard_id, self._once, self._we = shard_id, once, os.getpid()

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        for page in super().read(shard, after):
            yield page
            if shard.shard_id == self._shard_id and os.getpid() != self._we and not self._once.exists():
                self._once.touch()
                os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> FolderTarget:
    """An archive of all shards but the end of the last one: repeats, late readings, strays and what is no event among them."""
    target = FolderTarget(tmp_path_factory.mktemp("archive"))
    for number, shard in enumerate(SHARDS):
        sensors = [*sensors_of(shard, 6), *sensors_of(shard, 1, inside=False)]
        lines = [encode_event(reading(sensor, 700 * at - 60 * number, at), 0) for at in range(9) for sensor in sensors]
        records = [
            LogRecord(100 * number + at, (START_S + 100 * number + at) * 1000, b"\n".join([*lines[at : at + 9], b"{broken"]))
            for at in range(1, len(lines) - 9, 5)
        ]
        chained(target, [records[:4], records[4:]], shard=shard, created=CREATED, ended=shard.shard_id != RIGHT)
    return target


@pytest.fixture
def generations(stack: Stack) -> Iterator[list[ResourceNames]]:
    """Two of them with empty tables."""
    made = [replace(stack.names, generation=number) for number in (7, 8)]
    for names in made:
        make_tables(stack.dynamodb, names)
    yield made
    shared = {stack.names.generations, stack.names.keys}
    for names in made:
        for table in load_definition(names)["tables"].values():
            if table["name"] not in shared:
                stack.dynamodb.delete_table(TableName=table["name"])


def fill(stack: Stack, names: ResourceNames, source: ArchiveSource, said: list[int] | None = None) -> Filled:
    note = (said if said is not None else []).append
    return Told(stack.settings, names, 0, note, Lines()).fill(source, 100_000, listed=[RIGHT])


def items(stack: Stack, names: ResourceNames) -> list[Any]:
    """All that the tables hold, but signs of life."""
    found = []
    for table in (names.stats, names.readings, names.dead_letters):
        pages = stack.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        found += [{name: _plain(value) for name, value in item.items() if name != "beat"} for p in pages for item in p["Items"]]
    return sorted(found, key=repr)


def _plain(value: Any) -> Any:
    """A set of strings has no order."""
    return sorted(value["SS"]) if "SS" in value else value


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets how many there are."""
    return lambda count: monkeypatch.setattr(os, "process_cpu_count", lambda: count)


@pytest.mark.parametrize("killed_in", [None, OLD, LEFT])
def test_several_processes_fill_as_one_does(
    stack: Stack, generations: list[ResourceNames], target: FolderTarget, tmp_path: Path, cores: Any, *, killed_in: str | None
) -> None:
    """Killed in a shard that others descend from, or in the last that ends, they are gone on with by several or by one."""
    alone, together = generations
    cores(1)
    expected = fill(stack, alone, ArchiveSource(target, [CREATED]))
    cores(3)
    source, said = Deadly(target, killed_in or "", tmp_path / "once"), list[int]()
    if killed_in:
        with pytest.raises(NotRebuilt, match="processes that fill the tables died"):
            fill(stack, together, source)
        cores(3 if killed_in == OLD else 1)
    filled = fill(stack, together, source, said)
    assert items(stack, together) == items(stack, alone)
    assert len(items(stack, alone)) > 100
    assert (filled.readings, filled.ended, filled.gaps) == (expected.readings, {OLD, OTHER, LEFT}, {})
    assert killed_in or filled.records == expected.records
    assert said[-1] == filled.readings > 0


def test_where_one_shard_is_left_one_process_fills(
    stack: Stack, generations: list[ResourceNames], target: FolderTarget, monkeypatch: pytest.MonkeyPatch, cores: Any
) -> None:
    """As many processes are begun as there are cores, and no more than shards that have not ended in the tables."""
    names, source = generations[0], ArchiveSource(target, [CREATED])
    counts: list[int] = []

    def noted(count: int, *given: Any) -> Any:
        counts.append(count)
        return fillers(count, *given)

    monkeypatch.setattr("cli.filling.fillers", noted)
    for count in (2, 8):
        cores(count)
        fill(stack, names, source)
    assert counts == [2]
