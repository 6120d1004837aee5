"""A replay into a file or folder goes on where it was, however it ended, and nothing is twice or missing in what it wrote."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from telemetry.errors import StoreUnavailable
from telemetry.events import decode_event, encode_event
from tests.cli.fakes import STRETCH, Stream, record, there
from tests.projections.logs import reading
from tests.support.stack import Stack
from tests.support.waiting import eventually

type Typed = Callable[..., Result]

READINGS = [reading(f"sensor-{number % 3}", number // 2 % 17, number % 5) for number in range(200)]
"""Most of them come again, late."""
RECORDS = [
    record(*(encode_event(one, begin) for one in READINGS[begin : begin + 10]), number=begin + 1) for begin in range(0, 200, 10)
]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """A log of twenty records, three a page; what a page held is saved at once."""
    made = Stream(RECORDS, page_records=3)
    there(monkeypatch, made)
    monkeypatch.setattr("replay.export._SAVED_EVERY_S", 0)
    monkeypatch.setattr("replay.parquet.PART_ROWS", 40)
    return made


@pytest.fixture
def typed(stream: Stream) -> Typed:
    return lambda *words: CliRunner(env={"PREFIX": "t-cli"}).invoke(telemetry, ["replay", *words])


def content(path: Path) -> Any:
    """What was written, whatever the parts it is in."""
    return pq.read_table(path).to_pylist() if path.is_dir() else path.read_bytes()


@pytest.mark.parametrize(("form", "repeats"), [("jsonl", "mark"), ("csv", "keep"), ("csv", "drop"), ("parquet", "drop")])
def test_what_broke_off_goes_on_and_is_equal(typed: Typed, stream: Stream, tmp_path: Path, form: str, repeats: str) -> None:
    """To what is written without a break; the place goes when all is done."""
    words = ("--format", form, "--repeats", repeats, "--output")
    assert typed(*words, str(tmp_path / "whole")).exit_code == 0
    stream.breaks_after = 6
    answers = [typed(*words, str(tmp_path / "out")) for _ in range(8)]
    broken = [answer for answer in answers if answer.exit_code]
    assert {answer.stderr for answer in broken} <= {"Error: Kinesis went away\n"} | {a.stderr for a in answers[-1:]}
    assert len(broken) >= 3
    stream.breaks_after = None
    if (tmp_path / "out.place").exists():
        assert typed(*words, str(tmp_path / "out")).exit_code == 0
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


def test_parquet_of_what_comes_seldom_goes_on_where_it_broke_off(
    typed: Typed, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though no part is ever full: by time."""
    monkeypatch.setattr("replay.parquet._PART_S", 0)
    stream.breaks_after = 6
    out = tmp_path / "out"
    words = ("--format", "parquet", "--sensor", "sensor-0", "--output", str(out))
    assert typed(*words).exit_code == 1
    first = out / "part-000000.parquet"
    before = first.stat().st_mtime_ns
    stream.breaks_after = None
    assert typed(*words).exit_code == 0
    assert first.stat().st_mtime_ns == before
    assert {row["sensor_id"] for row in content(out)} == {"sensor-0"}
    assert typed("--format", "parquet", "--sensor", "sensor-0", "--output", str(tmp_path / "whole")).exit_code == 0
    assert content(out) == content(tmp_path / "whole")


@pytest.fixture
def broken(typed: Typed, stream: Stream, tmp_path: Path) -> Path:
    """The output of a replay that broke off after two pages."""
    stream.breaks_after = 6
    assert typed("--from", "2020-01-01", "--output", str(tmp_path / "out")).exit_code == 1
    stream.breaks_after = None
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "2020-01-02"], "--from was 2020-01-01 and is 2020-01-02"),
        ([], "--from was 2020-01-01 and is not given"),
        (["--from", "2020-01-01", "--sensor", "b", "--sensor", "a"], "--sensor was not given and is a, b"),
        (["--from", "2020-01-01", "--repeats", "keep"], "--repeats was drop and is keep"),
        (["--from", "2020-01-01", "--format", "csv"], "--format was jsonl and is csv"),
    ],
)
def test_who_asks_something_else_of_an_old_place_is_refused(typed: Typed, broken: Path, words: list[str], said: str) -> None:
    """Naming what differs; nothing is touched."""
    before = broken.read_bytes()
    answer = typed(*words, "--output", str(broken))
    assert answer.exit_code == 1
    assert said in answer.stderr
    assert "Ask the same to go on with it" in answer.stderr
    assert broken.read_bytes() == before


def test_a_replay_that_wrote_nothing_leaves_no_place(typed: Typed, stream: Stream, tmp_path: Path) -> None:
    """Whoever typed it wrong may type something else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.replaying.Log", _fail)
        assert typed("--output", str(tmp_path / "out")).exit_code == 1
    assert not list(tmp_path.iterdir())


def _fail(*_: object) -> NoReturn:
    raise StoreUnavailable("away")


def test_times_ago_mean_what_they_meant_at_first(typed: Typed, stream: Stream, tmp_path: Path) -> None:
    """And what arrived since then is not read either: it is one question."""
    stream.breaks_after = 6
    words = ("--by", "arrived", "--to", "-1s", "--output", str(tmp_path / "out"))
    assert typed(*words).exit_code == 1
    stream.breaks_after = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.contact.look_at", lambda *_: replace(STRETCH, until_ms=10**15))
        patch.setattr("cli.replaying.now_us", lambda: 10**16)
        assert typed(*words).exit_code == 0
    assert stream.asked[0] == stream.asked[1]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_full_disk_is_said_and_gone_on_from(typed: Typed, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, status 1; with more room the same command goes on."""

    def full(_: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    words = ("--format", form, "--output", str(tmp_path / "out"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", full)
        answer = typed(*words)
    assert (answer.exit_code, answer.stderr) == (1, "Error: Cannot write: No space left on device.\n")
    assert typed(*words).exit_code == 0


def test_what_was_written_beyond_the_place_is_cut(typed: Typed, broken: Path) -> None:
    """It was never vouched for."""
    with broken.open("ab") as file:
        file.write(b"half of a line" * 100_000)
    assert typed("--from", "2020-01-01", "--output", str(broken)).exit_code == 0
    assert {decode_event(line) for line in broken.read_bytes().splitlines()} == set(READINGS)


def test_an_output_that_was_altered_is_refused(typed: Typed, broken: Path) -> None:
    """There would be a hole in it."""
    broken.write_bytes(broken.read_bytes()[:10])
    answer = typed("--from", "2020-01-01", "--output", str(broken))
    assert answer.exit_code == 1
    assert "was altered since" in answer.stderr


def test_a_stream_made_anew_is_another_log(typed: Typed, broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its positions say nothing of the old one's."""
    monkeypatch.setattr("cli.contact.look_at", lambda *_: replace(STRETCH, created_ms=1))
    answer = typed("--from", "2020-01-01", "--output", str(broken))
    assert answer.exit_code == 1
    assert "made anew since" in answer.stderr


def test_two_at_the_same_output_are_one_too_many(typed: Typed, broken: Path) -> None:
    """The second is refused."""
    with closing(sqlite3.connect(broken.with_name("out.place"), isolation_level=None)) as other:
        other.execute("begin exclusive")
        answer = typed("--from", "2020-01-01", "--output", str(broken))
    assert answer.exit_code == 1
    assert "is another replay writing there?" in answer.stderr


def test_what_is_there_is_not_written_over(typed: Typed, tmp_path: Path) -> None:
    """Neither a file, nor a folder with something in it, nor one in the place of the other; an empty folder is fine."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    assert typed("--output", str(tmp_path / "file")).exit_code == 2
    assert typed("--output", str(tmp_path / "folder")).exit_code == 2
    assert typed("--format", "parquet", "--output", str(tmp_path / "file")).exit_code == 2
    assert (tmp_path / "file").read_text() == "mine"
    assert typed("--format", "parquet", "--output", str(tmp_path / "folder")).exit_code == 0
    assert typed("--format", "parquet", "--output", str(tmp_path / "folder")).exit_code == 2
    (tmp_path / "new.place").write_text("a shopping list, which is longer than the head of a database would be" * 20)
    answer = typed("--output", str(tmp_path / "new"))
    assert answer.exit_code == 1
    assert "is not the place of a replay" in answer.stderr


def test_who_is_interrupted_is_told_how_to_go_on(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 130; and so it goes on."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.replaying.Shown.note", interrupt)
        answer = typed("--output", str(tmp_path / "out"))
    assert (answer.exit_code, answer.stdout) == (130, "")
    assert answer.stderr == f"Interrupted. The same command goes on with {tmp_path / 'out'}.\n"
    assert typed("--output", str(tmp_path / "out")).exit_code == 0
    assert {decode_event(line) for line in (tmp_path / "out").read_bytes().splitlines()} == set(READINGS)


KILLED = """
import cli.main, replay.export, replay.pace
replay.export._SAVED_EVERY_S = 0  # so that few readings are enough to be killed among
replay.pace.pause_s = lambda _: 0.2
cli.main.telemetry()
"""


def test_killed_three_times_it_goes_on_and_is_equal(stack: Stack, tmp_path: Path) -> None:
    """With kill -9, against a stream of two shards: each distinct reading once, each sensor's in their order."""
    log = [reading(f"sensor-{number % 7}", number % 150, number % 150) for number in range(1200)]
    for begin in range(0, len(log), 400):
        entries = [{"Data": encode_event(one, 0) + b"\n", "PartitionKey": one.sensor_id} for one in log[begin : begin + 400]]
        stack.kinesis.put_records(StreamName=stack.names.stream, Records=entries)  # type: ignore[arg-type]
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", KILLED, "replay", "--output", str(out)]
    for _ in range(3):
        before = out.stat().st_size if out.exists() else 0
        running = subprocess.Popen(command, env=stack.environ, stderr=subprocess.PIPE)

        def has_gone_on(before: int = before, running: subprocess.Popen[bytes] = running) -> None:
            assert running.poll() is not None or (out.exists() and out.stat().st_size > before)

        eventually(has_gone_on, within_s=60)
        running.kill()
        assert running.communicate()[1] == b""
        assert running.returncode == -9, "it was done before it could be killed"
    done = subprocess.run(command, env=stack.environ, capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")
    found = [decode_event(line) for line in out.read_bytes().splitlines()]
    assert len(found) == len(set(found))
    for sensor_id in {one.sensor_id for one in log}:
        expected = list(dict.fromkeys(one for one in log if one.sensor_id == sensor_id))
        assert [one for one in found if one.sensor_id == sensor_id] == expected
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
