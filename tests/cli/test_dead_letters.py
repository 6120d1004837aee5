"""What `telemetry dead-letters` says, and how it exits, on a log in memory."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

from cli.letters import Desk
from cli.main import telemetry
from projections.effects import Origin
from telemetry.events import TEMPERATURE_RECORDED, UPCASTERS, encode_event
from telemetry.letter_marks import Outcome
from tests.projections.logs import SHARD, reading, record
from tests.support.letters import MemoryLog

PLACE = f"{SHARD.shard_id}:1:0"
UNKNOWN = encode_event(reading("a"), 0).replace(TEMPERATURE_RECORDED.encode(), b"telemetry.temperature.recorded.v2")

type Typed = Callable[..., Result]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> MemoryLog:
    made = MemoryLog(record(1, b'{"broken\x1b[2J', UNKNOWN))
    made.project()

    @contextmanager
    def desk() -> Iterator[Desk]:
        yield Desk(made, made)

    monkeypatch.setattr("cli.letters.desk", desk)
    return made


@pytest.fixture
def typed(log: MemoryLog) -> Typed:
    return lambda *words: CliRunner().invoke(telemetry, ["dead-letters", *words])


def test_letters_are_listed_by_reason(typed: Typed, log: MemoryLog) -> None:
    """With how many there are, how many are undecided, the first, the last, and one to look at."""
    answer = typed()
    assert answer.exit_code == 0
    first = next(line for line in answer.stdout.splitlines() if line.startswith("not-json"))
    assert first.split() == ["not-json", "1", "1", "2023-11-14T22:13:21Z", "2023-11-14T22:13:21Z", PLACE]
    assert "unknown-type" in answer.stdout
    log.stores.dead_letters.clear()
    assert (typed().exit_code, typed().stdout) == (0, "No dead letters.\n")


def test_one_is_shown(typed: Typed) -> None:
    """What a terminal would take for a command is told by its number; or all bytes are."""
    answer = typed("show", PLACE)
    assert answer.exit_code == 0
    assert '{"broken\\x1b[2J' in answer.stdout
    assert "reason   not-json: not JSON" in answer.stdout
    assert "decided  nothing yet" in answer.stdout
    hexed = typed("show", PLACE, "--hex").stdout.splitlines()[-1]
    assert hexed.startswith("00000000  7b 22 62 72 6f 6b 65 6e 1b")
    assert hexed.endswith('{"broken.[2J')


@pytest.mark.parametrize("words", [["show"], ["discard", "--because", "why"]])
def test_a_place_without_a_letter_is_said(typed: Typed, log: MemoryLog, words: list[str]) -> None:
    """Status 3; what is no place at all is a question of usage."""
    answer = typed(words[0], f"{SHARD.shard_id}:9:0", *words[1:])
    assert (answer.exit_code, answer.stdout) == (3, "")
    assert "no dead letter at" in answer.stderr
    assert typed(words[0], "there", *words[1:]).exit_code == 2
    assert len(log.records) == 1


def test_a_letter_is_discarded(typed: Typed, log: MemoryLog) -> None:
    """By whom and why is on the log; it is listed as decided, and no retry takes it."""
    answer = typed("discard", PLACE, "--because", "a test of ours", "--by", "ada")
    assert (answer.exit_code, answer.stdout.split(".")[0]) == (0, f"Discarded: {PLACE}")
    mark = log.project().marks[Origin(SHARD.shard_id, 1, 0)]
    assert (mark.outcome, mark.by, mark.because) == (Outcome.DISCARDED, "ada", "a test of ours")
    assert "discarded by ada" in typed("show", PLACE).stdout
    assert typed("retry", "--reason", "not-json").exit_code == 3
    assert typed("discard", PLACE, "--because", " ").exit_code == 2
    assert typed("discard", PLACE).exit_code == 2


def test_what_cannot_be_read_still_is_said(typed: Typed, log: MemoryLog) -> None:
    """Status 4, and nothing is appended."""
    answer = typed("retry")
    assert (answer.exit_code, answer.stdout) == (4, "0 letters can be read: 0 events appended.\n")
    assert "2 cannot be read still (not-json 1, unknown-type 1)" in answer.stderr
    assert len(log.records) == 1


def test_what_can_be_read_is_appended(typed: Typed, log: MemoryLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once; a dry run only says so, and one that brings it back is told apart."""
    monkeypatch.setitem(
        UPCASTERS,
        "telemetry.temperature.recorded.v2",
        lambda event: {**event, "type": TEMPERATURE_RECORDED},
    )
    words = ("retry", "--reason", "unknown-type", "--by", "ada")
    answer = typed(*words, "--dry-run")
    assert (answer.exit_code, answer.stdout) == (0, "1 letters can be read: 1 events would be appended.\n")
    assert len(log.records) == 1
    answer = typed(*words, "--max", "1")
    assert (answer.exit_code, answer.stdout) == (0, "1 letters can be read: 1 events appended.\n")
    log.project()
    answer = typed(*words)
    assert (answer.exit_code, answer.stdout, answer.stderr.split(":")[0]) == (3, "", "Nothing matched")
    assert "resolved by ada" in typed("show", f"{SHARD.shard_id}:1:1").stdout


def test_all_are_exported(typed: Typed, log: MemoryLog) -> None:
    """As JSON lines with their bytes and what was decided; of none it is status 3."""
    typed("discard", PLACE, "--because", "why", "--by", "ada")
    log.project()
    answer = typed("export")
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert (answer.exit_code, [one["place"] for one in found]) == (0, [PLACE, f"{SHARD.shard_id}:1:1"])
    assert base64.b64decode(found[0]["data_base64"]) == b'{"broken\x1b[2J'
    assert (found[0]["mark"]["because"], found[1]["mark"]) == ("why", None)
    log.stores.dead_letters.clear()
    log.stores.marks.clear()
    assert typed("export").exit_code == 3
