"""What `telemetry verify` says, and how it exits, on tables and a log in memory."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from cli.verifying import Proof
from operations.verified import Verified
from projections.memory import MemoryStores
from projections.rows import PROGRESS
from telemetry.log import Gap
from telemetry.names import ResourceNames
from tests.projections.logs import SHARD, reading, record
from tests.support.verifying import Parts, Tables, WholeLog, project

PARTS: Parts = {SHARD: [record(1, reading("a"), reading("a", 1)), record(2, reading("b"))]}

type Typed = Callable[..., Result]


@pytest.fixture
def stores() -> MemoryStores:
    return project(PARTS)


@pytest.fixture
def gaps() -> list[Gap]:
    """What of the log is missing; nothing, unless the test says so."""
    return []


@pytest.fixture
def missing() -> list[Gap]:
    """Of which streams nobody has anything; none, unless the test says so."""
    return []


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, stores: MemoryStores, gaps: list[Gap], missing: list[Gap], tmp_path: Path) -> Typed:
    @contextmanager
    def proof(generation: int | None) -> Iterator[Proof]:
        log = WholeLog(PARTS, gaps[0] if gaps else None)
        yield Proof(ResourceNames("t", generation or 1), Tables(stores), lambda: (log, missing))

    monkeypatch.setattr("cli.verifying.proof", proof)
    return lambda *words: CliRunner().invoke(telemetry, ["verify", "--tmp", str(tmp_path), *words])


def _damage(stores: MemoryStores) -> None:
    key = SHARD.shard_id, PROGRESS
    stores.rows[key] = replace(stores.rows[key], stats=replace(stores.rows[key].stats, count=4))


def test_what_is_equal_is_said(typed: Typed, tmp_path: Path) -> None:
    """With what it costs before it begins; nothing is left behind."""
    answer = typed("g3")
    assert (answer.exit_code, answer.stdout.startswith("Equal: generation 3, 3 readings")) == (0, True)
    assert answer.stderr.startswith("About 3 readings")
    assert list(tmp_path.iterdir()) == []


def test_what_is_equal_is_kept_for_promote(
    monkeypatch: pytest.MonkeyPatch, stores: MemoryStores, gaps: list[Gap], tmp_path: Path
) -> None:
    """With the place of each shard when it began; not of a part, nor of what differs or has a gap."""
    kept: list[Verified] = []

    @contextmanager
    def proof(generation: int | None) -> Iterator[Proof]:
        log = WholeLog(PARTS, gaps[0] if gaps else None)
        yield Proof(ResourceNames("t", generation or 1), Tables(stores), lambda: (log, ()), kept.append)

    monkeypatch.setattr("cli.verifying.proof", proof)

    def typed(*words: str) -> int:
        return CliRunner().invoke(telemetry, ["verify", "--tmp", str(tmp_path), *words]).exit_code

    assert typed("g2", "--sensor", "a") == typed("g2", "--since", "-1d") == typed("g2", "--shard", SHARD.shard_id) == 0
    assert kept == []
    assert typed("g2") == 0
    (found,) = kept
    assert (found.generation, found.positions) == (2, {SHARD.shard_id: 2})
    assert abs(found.at_us / 1e6 - time.time()) < 60
    gaps.append(Gap(SHARD.shard_id, 1, 2))
    assert typed("g2") == 5
    gaps.clear()
    _damage(stores)
    assert typed("g2") == 4
    assert kept == [found]


def test_what_differs_is_named(typed: Typed, stores: MemoryStores) -> None:
    """Row, attribute, stored, right; status 4. Where nothing of it was asked for it is equal."""
    _damage(stores)
    answer = typed()
    lines = answer.stdout.splitlines()
    assert (answer.exit_code, lines[0]) == (4, f"stats  all total {SHARD.shard_id}  count: stored 4, right 3")
    assert lines[1].startswith("1 differences: generation 1")
    assert "looking at them again" in answer.stderr
    assert typed("--sensor", "a").exit_code == 0


def test_a_log_with_a_gap_proves_nothing(typed: Typed, gaps: list[Gap], stores: MemoryStores) -> None:
    """Status 5, whatever was found."""
    gaps.append(Gap(SHARD.shard_id, 0, 1))
    answer = typed()
    assert (answer.exit_code, "the log is not whole" in answer.stdout, "A gap" in answer.stderr) == (5, True, True)
    _damage(stores)
    assert typed().exit_code == 5


def test_a_stream_that_nobody_archived_is_a_gap(typed: Typed, missing: list[Gap]) -> None:
    """Though no shard of it is known."""
    missing.append(Gap("the log's stream 1", 0, 1))
    answer = typed()
    assert (answer.exit_code, "the log's stream 1" in answer.stderr) == (5, True)


@pytest.mark.parametrize("words", [["g0"], ["two"], ["g1000000"], ["--since", "then"], ["--sensor", ""]])
def test_what_cannot_be_meant_is_refused(typed: Typed, words: list[str]) -> None:
    """Status 2."""
    assert typed(*words).exit_code == 2
