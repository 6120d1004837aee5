"""What `telemetry archive compact` answers to whoever types it, and what lies in the archive then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from archive.folder import FolderTarget
from archive.meta import Gap
from archive.names import START, Place
from cli.main import telemetry
from telemetry.events import encode_event
from telemetry.log import LogRecord
from telemetry.reading import Reading, parse_timestamp
from telemetry.records import encode_record
from telemetry.shards import Shard
from tests.archive.records import chained

FIRST, SECOND = Shard("shardId-000000000000", 0, 49), Shard("shardId-000000000001", 50, 99)
ARRIVED_MS = 1_764_147_600_000
MONDAY, TUESDAY = "2025-11-24", "2025-11-25"

type Typed = Callable[..., Result]


def records(first: int, *days: str, sensor_id: str = "a") -> list[LogRecord]:
    """Records of three readings of a day each."""
    made = []
    for at, day in enumerate(days):
        noon_us = parse_timestamp(f"{day}T12:00:00Z")
        some = [Reading(noon_us + number * 1_000_000, sensor_id, number) for number in range(3)]
        made.append(
            LogRecord(
                first + at,
                ARRIVED_MS + first + at,
                encode_record([encode_event(one, number) for number, one in enumerate(some)]),
            )
        )
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def typed(folder: Path) -> Typed:
    environ = {"ARCHIVE_TARGET": str(folder), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    return lambda *words: CliRunner(env=environ).invoke(telemetry, ["archive", "compact", *words])


def held(folder: Path) -> list[tuple[Any, ...]]:
    return sorted(
        (path.parent.name, row["sensor_id"], row["measured_at"].timestamp(), row["temperature"])
        for path in folder.glob("readings/dt=*/*.parquet")
        for row in pq.read_table(path, partitioning=None).to_pylist()
    )


def test_days_are_made_and_gone_on_with(typed: Typed, folder: Path) -> None:
    """What is new is read, once; late readings join their day; nothing new is said, status 0."""
    target = FolderTarget(folder)
    chained(target, [records(1, MONDAY), records(2, TUESDAY)], shard=FIRST)
    answer = typed()
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert answer.stdout == f"6 readings read; 2 parts of 2 days, {MONDAY} to {TUESDAY}, replaced.\n"
    chained(target, [records(1, MONDAY, sensor_id="b")], shard=SECOND)
    assert typed().stdout == f"3 readings read; 1 parts of 1 days, {MONDAY} to {MONDAY}, replaced.\n"
    assert len(held(folder)) == 9
    answer = typed()
    assert (answer.exit_code, answer.stdout) == (0, "0 readings read; nothing was new: all of them are in readings/.\n")


def test_what_would_be_taken_is_said(typed: Typed, folder: Path) -> None:
    """And nothing is written."""
    chained(FolderTarget(folder), [records(1, MONDAY), records(2, TUESDAY, TUESDAY)], shard=FIRST)
    said = f"About 9 readings, repeats included, in 2 objects, measured on 2 days, {MONDAY} to {TUESDAY}.\n"
    assert typed("--dry-run").stdout == said
    assert not (folder / "readings").exists()
    assert typed().exit_code == 0
    assert typed("--dry-run").stdout == "About 0 readings, repeats included, in 0 objects.\n"


def test_a_day_is_made_anew(typed: Typed, folder: Path) -> None:
    """Whatever was taken; the others are left alone."""
    chained(FolderTarget(folder), [records(1, MONDAY), records(2, TUESDAY)], shard=FIRST)
    assert typed().exit_code == 0
    before = held(folder)
    for path in folder.glob("readings/dt=*/*"):
        path.unlink()
    assert "nothing was new" in typed().stdout
    assert typed("--day", TUESDAY).stdout == f"3 readings read; 1 parts of 1 days, {TUESDAY} to {TUESDAY}, replaced.\n"
    assert held(folder) == before[3:]
    assert typed("--day", MONDAY, "--day", TUESDAY).exit_code == 0
    assert held(folder) == before


def test_all_is_made_anew_without_the_place(typed: Typed, folder: Path) -> None:
    """Nothing is doubled."""
    chained(FolderTarget(folder), [records(1, MONDAY), records(2, MONDAY)], shard=FIRST)
    assert typed().exit_code == 0
    before = held(folder)
    (folder / "readings/taken.json").unlink()
    assert typed().stdout == "6 readings read; nothing was new: all of them are in readings/.\n"
    assert held(folder) == before


def test_a_gap_is_said(typed: Typed, folder: Path) -> None:
    """By status 5; what there is was taken."""
    gap = Gap.between(START, Place(1, ARRIVED_MS))
    chained(FolderTarget(folder), [records(1, MONDAY)], shard=FIRST, gaps={0: gap})
    for words in (["--dry-run"], []):
        answer = typed(*words)
        assert answer.exit_code == 5
        assert f"A gap: what arrived in {FIRST.shard_id} from" in answer.stderr
    assert len(held(folder)) == 3


def test_what_is_no_event_is_counted(typed: Typed, folder: Path) -> None:
    """On standard error; status 0."""
    some = [*records(1, MONDAY), LogRecord(2, ARRIVED_MS + 2, b"{no event\n")]
    chained(FolderTarget(folder), [some], shard=FIRST)
    answer = typed()
    assert answer.exit_code == 0
    assert "Passed over what is no event, in 1 places" in answer.stderr


@pytest.mark.parametrize(
    ("words", "target", "status", "said"),
    [
        (["--day", "yesterday"], "here", 2, "'yesterday' does not match the format '%Y-%m-%d'"),
        ([], "", 1, "Error: ARCHIVE_TARGET is not set: name a folder, or s3://bucket/prefix.\n"),
        ([], "nowhere", 1, "there is no such folder"),
        ([], "here", 1, "holds no archive"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, words: list[str], target: str, status: int, said: str) -> None:
    """In a sentence, with its status."""
    (tmp_path / "here").mkdir()
    environ = {"ARCHIVE_TARGET": str(tmp_path / target) if target else ""}
    answer = CliRunner(env=environ).invoke(telemetry, ["archive", "compact", *words])
    assert answer.exit_code == status
    assert said in answer.stderr


def test_a_spoilt_place_is_said(typed: Typed, folder: Path) -> None:
    """With what to do; status 1."""
    chained(FolderTarget(folder), [records(1, MONDAY)], shard=FIRST)
    (folder / "readings").mkdir()
    (folder / "readings/taken.json").write_text("x")
    answer = typed()
    assert (answer.exit_code, "Remove it: all is taken anew." in answer.stderr) == (1, True)


def test_without_pyarrow_the_extra_is_named(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1."""
    monkeypatch.setattr("cli.archiving.find_spec", lambda _: None)
    answer = typed()
    assert (answer.exit_code, "telemetry-pipeline[parquet]" in answer.stderr) == (1, True)
