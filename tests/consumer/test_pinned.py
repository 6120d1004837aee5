"""A worker on one generation, whichever is live."""

import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from consumer.pinned import PinnedWorld, asked_generation, pinned_names, pinned_settings
from infra.setup import make_tables
from projections.generations import read_pointer
from projections.register import mark_dropped
from telemetry.errors import Dropped, NotRebuilt
from telemetry.names import ResourceNames
from tests.support.stack import Stack


@pytest.mark.parametrize(("words", "generation"), [([], None), (["--generation", "2"], 2), (["--generation=999999"], 999_999)])
def test_the_command_line_names_a_generation(monkeypatch: pytest.MonkeyPatch, words: list[str], generation: int | None) -> None:
    """Without it the live one is worked on."""
    monkeypatch.setattr(sys, "argv", ["consumer", *words])
    assert asked_generation() == generation


@pytest.mark.parametrize(
    "words", [["--generation", "0"], ["--generation", "g2"], ["--generation", "²"], ["--generation"], ["2"]]
)
def test_what_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """With status 2."""
    monkeypatch.setattr(sys, "argv", ["consumer", *words])
    with pytest.raises(SystemExit) as ended:
        asked_generation()
    assert (ended.value.code, "usage" in capsys.readouterr().err) == (2, True)


@pytest.fixture
def second(stack: Stack) -> Iterator[ResourceNames]:
    """The names of a generation beside the live one, which has tables."""
    names = replace(stack.names, generation=2)
    make_tables(stack.dynamodb, names)
    yield names
    for table in names.of_generation:
        stack.dynamodb.delete_table(TableName=table)


def test_it_works_on_its_generation_until_that_is_dropped(stack: Stack, second: ResourceNames) -> None:
    """By a name of its own, since its machine may have a worker on the live one; without tables it has nothing to work on."""
    assert pinned_settings(stack.settings, 2).worker_id == f"{stack.settings.worker_id}-g2"
    assert pinned_names(stack.kinesis, stack.dynamodb, stack.names, 2) == second
    with pytest.raises(NotRebuilt, match="g3 has no tables: telemetry rebuild --generation 3"):
        pinned_names(stack.kinesis, stack.dynamodb, stack.names, 3)
    pointer = read_pointer(stack.dynamodb, stack.names)
    assert pointer
    world = PinnedWorld(stack.settings, second, pointer)
    assert world.observe().leases == {}
    mark_dropped(stack.dynamodb, second, 1_800_000_000_000_000)
    with pytest.raises(Dropped):
        world.observe()
    with pytest.raises(Dropped):
        pinned_names(stack.kinesis, stack.dynamodb, stack.names, 2)
