"""What `telemetry promote` says, and how it exits, on a pointer and rows in memory."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from cli.failures import told
from cli.main import telemetry
from cli.promoting import Desk
from operations.verified import Verified
from projections.generations import Next
from telemetry.errors import NotSetUp, StoreUnavailable
from tests.support.promoting import LIVE, POINTER, Interrupted, MemoryWorld, row

type Typed = Callable[..., Result]


class Room:
    """What is there, and who has verified what."""

    def __init__(self) -> None:
        self.world = MemoryWorld({LIVE: row(5)}, {LIVE: row(9)})
        self.verified: Verified | None = Verified(2, time.time_ns() // 1000, {LIVE: 7})


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, room: Room) -> Typed:
    @contextmanager
    def desk() -> Iterator[Desk]:
        yield Desk(room.world, lambda generation: room.verified if generation == 2 else None)

    monkeypatch.setattr("cli.promoting.desk", desk)
    return lambda *words: CliRunner().invoke(telemetry, ["promote", *words])


def test_what_was_verified_is_made_live(typed: Typed, room: Room) -> None:
    """It says which, and the way back; typed once more it says the same, and does nothing."""
    answer = typed("g2")
    way_back = "g1 is filled by nobody now. The way back: telemetry rebuild --generation 1, telemetry promote g1."
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, f"g2 is live. {way_back}\n", "")
    assert room.world.said == ["g1 stands still until g2 is as far: 10 s at most."]
    assert room.world.at.generation == 2
    again = typed("g2")
    assert (again.exit_code, again.stdout) == (0, "g2 is live.\n")


@pytest.mark.parametrize("age_s", [None, 3_700])
def test_what_was_not_verified_lately_takes_a_word(typed: Typed, room: Room, age_s: int | None) -> None:
    """Status 1 and nothing done without it."""
    verified_us = time.time_ns() // 1000 - (age_s or 0) * 10**6
    room.verified = Verified(2, verified_us, {}) if age_s else None
    answer = typed("g2")
    assert (answer.exit_code, answer.stdout, room.world.at, room.world.at.next) == (1, "", POINTER, None)
    assert answer.stderr.startswith("Error: ")
    assert answer.stderr.endswith("telemetry verify g2 first, or say --unverified.\n")
    assert typed("g2", "--unverified").exit_code == 0
    assert room.world.at.generation == 2


@pytest.mark.parametrize(("ended", "word"), [(True, "--forget-unarchived"), (False, "--forget-before")])
def test_what_is_forgotten_takes_another_and_is_counted(typed: Typed, room: Room, word: str, *, ended: bool) -> None:
    """What the log has lost of the end of a shard, or of what came before."""
    room.world.tables = {1: {LIVE: row(9, ended=True)}, 2: {LIVE: row(7 if ended else 9, 7, ended=True)}}
    answer = typed("g2")
    assert (answer.exit_code, room.world.at) == (1, POINTER)
    assert "g2 counts 2 readings fewer" in answer.stderr
    assert word in answer.stderr
    answer = typed("g2", word)
    assert (answer.exit_code, answer.stderr) == (0, "It counts 2 readings fewer, or more than that.\n")


def test_one_that_cannot_succeed_is_taken_back_and_says_why(typed: Typed, room: Room) -> None:
    """With status 1."""
    room.verified = Verified(2, time.time_ns() // 1000, {LIVE: 3})
    room.world.tables[2] = {LIVE: row(4)}
    answer = typed("g2")
    assert (answer.exit_code, answer.stdout, room.world.at, room.world.at.next) == (1, "", POINTER, None)
    assert f"Error: g2 had not written all of {LIVE} as far as g1 counts after 10 s: taken back, g1 goes on." in answer.stderr


def test_one_that_was_killed_is_taken_back_by_hand(typed: Typed, room: Room) -> None:
    """And where there is none, that is said; both with status 0."""
    room.world.at = replace(POINTER, next=Next(2, "2026-11-26T12:00:00Z", "killed"))
    answer = typed("--take-back")
    assert (answer.exit_code, room.world.at, room.world.at.next) == (0, POINTER, None)
    text = "The promote of g2 that began at 2026-11-26T12:00:00Z is taken back. g1 is live, and its consumers go on.\n"
    assert answer.stdout == text
    answer = typed("--take-back")
    assert (answer.exit_code, answer.stdout) == (0, "No promote is under way: generation 1 is live.\n")


@pytest.mark.parametrize(
    "words",
    [(), ("g2", "--take-back"), ("--take-back", "--unverified"), ("two",), ("g0",), ("g2", "g3"), ("--forget-before",)],
)
def test_what_makes_no_sense_is_a_question_of_usage(typed: Typed, room: Room, words: tuple[str, ...]) -> None:
    """Status 2, and nothing is done."""
    answer = typed(*words)
    assert (answer.exit_code, answer.stdout, room.world.at, room.world.at.next) == (2, "", POINTER, None)
    assert "Usage: telemetry promote" in answer.stderr


def test_a_generation_without_tables_is_said(typed: Typed) -> None:
    """With what makes them."""
    answer = typed("g7")
    text = "Error: g7 has no tables here, or was dropped: telemetry generations shows which there are.\n"
    assert (answer.exit_code, answer.stderr) == (1, text)


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), 130), (StoreUnavailable("away"), 1), (NotSetUp("no"), 1)])
def test_one_that_is_interrupted_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    """Ctrl-C too: the live generation's consumers go on."""
    world = Interrupted({LIVE: row(5)}, {LIVE: row(9)}, error, 12)

    @contextmanager
    def desk() -> Iterator[Desk]:
        with told():
            yield Desk(world, lambda _: None)

    monkeypatch.setattr("cli.promoting.desk", desk)
    assert CliRunner().invoke(telemetry, ["promote", "g2", "--unverified"]).exit_code == status
    assert (world.at, world.at.next) == (POINTER, None)
    assert world.clock_s > 100


def test_help_says_what_it_exits_with() -> None:
    """And that figures stand still."""
    text = CliRunner().invoke(telemetry, ["promote", "--help"]).stdout
    assert "Exit status: 0 the generation is live" in text
    assert "stand still" in " ".join(text.split())
