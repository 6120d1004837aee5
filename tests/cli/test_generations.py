"""What `telemetry generations` and `telemetry drop` say, and how they exit."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from operations.stages import Stage, State
from projections.generations import LogStream, Pointer
from telemetry.errors import NotRebuilt
from telemetry.names import ResourceNames
from telemetry.settings import Settings

type Typed = Callable[..., Result]

STATES = [
    State(1, Stage.LIVE, "", 11_400_000, None, 2, ("worker-1",), at_work=True),
    State(2, Stage.LAGGING, "furthest behind: b", 8_231_004, 130 * 60_000_000, 4, ("w-g2",), at_work=True, gaps=("a", "b")),
    State(3, Stage.DROPPED, "at 2026-11-26T18:00:00Z"),
]


@pytest.fixture
def settings() -> dict[str, str]:
    """What is set; AWS is elsewhere unless the test says so."""
    return {"PREFIX": "t-cli"}


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> Typed:
    @contextmanager
    def contact(_: int = 1) -> Iterator[tuple[Settings, ResourceNames, None]]:
        from cli.failures import told

        with told():
            yield Settings.from_environment(settings), ResourceNames("t-cli"), None

    monkeypatch.setattr("cli.generations.contact", contact)
    monkeypatch.setattr("cli.generations.check_stream", lambda *_: Pointer(1, (LogStream("s", "1.000"),)))
    monkeypatch.setattr("cli.generations.watched", lambda *_: STATES)
    return lambda *words: CliRunner().invoke(telemetry, words)


def test_every_generation_has_a_line(typed: Typed) -> None:
    """State, readings, how far it is behind, who feeds it, and what it waits for."""
    answer = typed("generations")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "generation  state    readings    shards  behind live  workers",
        "g1          live     11,400,000  2       -            worker-1",
        "g2          lagging  8,231,004   4       2 h 10 min   w-g2  furthest behind: b  may lack readings of a and b",
        "g3          dropped  0           0       -            -  at 2026-11-26T18:00:00Z",
    ]


def test_programs_get_json(typed: Typed) -> None:
    """With names that stay."""
    told = json.loads(typed("generations", "--json").stdout)["generations"]
    assert told[1] == {
        "generation": 2,
        "state": "lagging",
        "why": "furthest behind: b",
        "readings": 8_231_004,
        "shards": 4,
        "behindLiveMs": 7_800_000,
        "workers": ["w-g2"],
        "gaps": ["a", "b"],
    }


def test_one_that_has_failed_is_found(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """By status 1."""
    monkeypatch.setattr("cli.generations.watched", lambda *_: [*STATES, State(4, Stage.FAILED, "the disk was full")])
    answer = typed("generations")
    assert (answer.exit_code, answer.stdout.splitlines()[-1].endswith("the disk was full")) == (1, True)


def test_a_watch_goes_on_until_it_is_interrupted(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it ends with 130, as shells count it."""
    looks = iter([STATES[:1], STATES])

    def see(*_: object) -> list[State]:
        try:
            return next(looks)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("cli.generations.Watch.see", see)
    monkeypatch.setattr("cli.generations.look", lambda *_: None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    answer = typed("generations", "--watch")
    assert (answer.exit_code, len(answer.stdout.splitlines())) == (130, 2 + 4)


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """What was to be dropped, and whether tables were to be deleted."""
    asked: list[tuple[int, bool]] = []

    def drop(_: object, __: str, ___: Pointer, generation: int, ____: int, *, delete: bool) -> tuple[list[str], list[str]]:
        asked.append((generation, delete))
        if generation == 1:
            raise NotRebuilt("g1 is live, or is being promoted: it stays.")
        return (["a", "b"], []) if delete else ([], ["a", "b"])

    monkeypatch.setattr("cli.generations.drop_generation", drop)
    return asked


def test_a_drop_deletes_where_it_made_the_tables(typed: Typed, dropped: list[Any], settings: dict[str, str]) -> None:
    """On one machine."""
    settings["AWS_ENDPOINT_URL"] = "http://127.0.0.1:4566"
    answer = typed("drop", "g2")
    assert (answer.exit_code, answer.stdout) == (0, "g2 is dropped; 2 tables are deleted.\n")
    assert dropped == [(2, True)]


def test_on_aws_the_tables_are_terraforms(typed: Typed, dropped: list[Any]) -> None:
    """The mark is made, and its variable named."""
    answer = typed("drop", "2")
    assert answer.exit_code == 0
    for part in ("g2 is dropped", "take 2 out of generations", "(a, b)"):
        assert part in answer.stdout
    assert dropped == [(2, False)]


def test_what_may_not_be_dropped_is_said(typed: Typed, dropped: list[Any]) -> None:
    """With status 1."""
    answer = typed("drop", "g1")
    assert (answer.exit_code, answer.stderr) == (1, "Error: g1 is live, or is being promoted: it stays.\n")
    assert dropped == [(1, False)]


@pytest.mark.parametrize("words", [["drop"], ["drop", "g0"], ["drop", "two"], ["drop", "g2", "g3"], ["generations", "g2"]])
def test_what_cannot_be_meant_is_refused(typed: Typed, dropped: list[Any], words: list[str]) -> None:
    """With status 2, and nothing is done."""
    assert (typed(*words).exit_code, dropped) == (2, [])
