"""Archive and stream are one log to whoever types `telemetry replay`: no seam is seen, and what lies in neither is said."""

import csv
import io
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from archive.folder import FolderTarget
from archive.instants import instant
from archive.meta import State, encode_state
from archive.names import START, state_key
from cli.main import telemetry
from projections.generations import LogStream, Pointer
from telemetry.errors import StoreUnavailable
from telemetry.events import decode_event, encode_event
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord
from telemetry.reading import Reading, parse_timestamp, rfc3339
from telemetry.records import encode_record, whole_text
from telemetry.shards import Shard
from telemetry.streams import UNKNOWN_PARENT
from tests.archive.records import chained
from tests.cli.kinesis import STREAM, Kinesis

HOUR_MS = 3_600_000
NOW_MS = time.time_ns() // 1_000_000
CREATED_MS = NOW_MS - 240 * HOUR_MS
CREATED = f"{CREATED_MS / 1000:.3f}"
MIDDLE = HASH_KEY_MAX // 2
ROOT = Shard("shardId-000000000000", 0, HASH_KEY_MAX, closed=True)
LEFT = Shard("shardId-000000000001", 0, MIDDLE, (ROOT.shard_id,), closed=True)
RIGHT = Shard("shardId-000000000002", MIDDLE + 1, HASH_KEY_MAX, (ROOT.shard_id,), closed=True)
LAST = Shard("shardId-000000000003", 0, HASH_KEY_MAX, (LEFT.shard_id, RIGHT.shard_id))
SHARDS = (ROOT, LEFT, RIGHT, LAST)

type Typed = Callable[..., Result]


def records(begin_ms: int, numbers: range, sensors: str) -> list[LogRecord]:
    """Records of three readings of one sensor, one every minute. What was measured comes again now and then."""
    made = []
    for at, number in enumerate(numbers):
        sensor_id = sensors[number % len(sensors)]
        readings = [Reading((1000 + number - late * len(sensors)) * 1_000_000, sensor_id, 7) for late in range(3)]
        data = encode_record([encode_event(one, number) for one in readings])
        made.append(LogRecord(at + 1, begin_ms + at * 60_000, data))
    return made


HELD: Mapping[str, list[LogRecord]] = {
    ROOT.shard_id: records(CREATED_MS + HOUR_MS, range(60), "abcd"),
    LEFT.shard_id: records(NOW_MS - 30 * HOUR_MS, range(60, 120), "ab"),
    RIGHT.shard_id: records(NOW_MS - 4 * HOUR_MS, range(60, 120), "cd"),
    LAST.shard_id: records(NOW_MS - HOUR_MS, range(120, 170), "abcd"),
}
"""All of the log: a shard that is split, and two that are merged."""
IN_ARCHIVE = {ROOT.shard_id: 60, LEFT.shard_id: 60, RIGHT.shard_id: 30, LAST.shard_id: 0}
"""So many of each, from the first on; what is there of the stream begins behind that, or a few before."""
OVERLAP = 5


@dataclass
class World:
    """A stream, and an archive in a folder."""

    kinesis: Kinesis
    folder: Path
    pointer: Pointer | None = None

    @property
    def target(self) -> FolderTarget:
        return FolderTarget(self.folder)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """Half of the log only in the archive, the other half only in the stream, and a little in both."""
    made = World(Kinesis(CREATED_MS), tmp_path / "archive")
    for shard in SHARDS:
        held, cut = HELD[shard.shard_id], IN_ARCHIVE[shard.shard_id]
        if cut:
            objects = [held[begin : min(cut, begin + 13)] for begin in range(0, cut, 13)]
            chained(made.target, objects, shard=shard, created=CREATED, ended=cut == len(held))
        if shard is not ROOT:
            made.kinesis.put(shard, [] if shard is LEFT else held[max(0, cut - OVERLAP) :])
    monkeypatch.setattr("cli.contact.kinesis_client", lambda *_, **__: made.kinesis)
    monkeypatch.setattr("cli.sources.kinesis_client", lambda *_, **__: made.kinesis)
    monkeypatch.setattr("cli.sources.read_pointer", lambda *_: made.pointer)
    monkeypatch.setattr("replay.pace.pause_s", lambda _: 0.0)
    return made


@pytest.fixture
def typed(world: World) -> Typed:
    environ = {"PREFIX": "t-cli", "ARCHIVE_TARGET": str(world.folder), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    return lambda *words: CliRunner(env=environ).invoke(telemetry, ["replay", *words])


def expected(held: Mapping[str, Sequence[LogRecord]] = HELD, order: Sequence[Shard] = SHARDS) -> dict[str, list[Any]]:
    """Each sensor's readings in the order of the log, repeats left out: line, arrival, shard, record, number of the line."""
    found: dict[str, list[Any]] = defaultdict(list)
    seen: set[Reading] = set()
    for shard in order:
        for record in held[shard.shard_id]:
            for number, line in enumerate(_lines(record)):
                reading = decode_event(line)
                if reading not in seen:
                    seen.add(reading)
                    place = (shard.shard_id, str(record.sequence_number), number)
                    found[reading.sensor_id].append((line, reading, record.arrived_ms, *place))
    return found


def _lines(record: LogRecord) -> list[bytes]:

    text = whole_text(record.data)
    assert text
    return text.splitlines()


def by_sensor(lines: bytes) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for line in lines.splitlines():
        found[decode_event(line).sensor_id].append(line)
    return found


def lines_of(oracle: Mapping[str, Sequence[Any]]) -> dict[str, list[bytes]]:
    return {sensor_id: [row[0] for row in rows] for sensor_id, rows in oracle.items()}


def test_archive_and_stream_are_one_log(typed: Typed, world: World) -> None:
    """Each sensor's readings in their order, through two reshards; nothing is twice or missing, and nothing is said."""
    answer = typed()
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert by_sensor(answer.stdout_bytes) == lines_of(expected())
    assert set(world.kinesis.asked) == {RIGHT.shard_id, LAST.shard_id}, "what is archived to its end is not read again"


def test_csv_and_parquet_hold_the_same(typed: Typed, tmp_path: Path) -> None:
    """With the places that the readings have in the log."""
    answer = typed("--format", "csv")
    rows = list(csv.DictReader(io.StringIO(answer.stdout_bytes.decode(), newline="")))
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        place = (row["shard"], row["sequence_number"], int(row["line"]))
        found[row["sensor_id"]].append((Decimal(row["temperature"]), row["arrived_at"], *place))
    oracle = {
        sensor_id: [
            (Decimal(reading.temperature_micro) / 10**6, instant(arrived_ms), *place) for _, reading, arrived_ms, *place in each
        ]
        for sensor_id, each in expected().items()
    }
    assert {key: [(row[0], _ms(row[1]), *row[2:]) for row in each] for key, each in found.items()} == {
        key: [(row[0], _ms(row[1]), *row[2:]) for row in each] for key, each in oracle.items()
    }
    assert typed("--format", "parquet", "--output", str(tmp_path / "out")).exit_code == 0
    table: dict[str, list[Any]] = defaultdict(list)
    for row in pq.read_table(tmp_path / "out").to_pylist():
        arrived_ms = round(row["arrived_at"].timestamp() * 1000)
        table[row["sensor_id"]].append((row["temperature"], arrived_ms, row["shard"], row["sequence_number"], row["line"]))
    assert table == {key: [(row[0], _ms(row[1]), *row[2:]) for row in each] for key, each in oracle.items()}


def _ms(text: str) -> int:

    return parse_timestamp(text) // 1000


@pytest.mark.parametrize("taken_over", [False, True])
def test_a_replay_goes_on_over_the_seam(
    typed: Typed, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, taken_over: bool
) -> None:
    """Wherever it was ended, also when meanwhile the archiver took over what the stream held, and that is gone."""
    monkeypatch.setattr("replay.export._SAVED_EVERY_S", 0)
    monkeypatch.setattr("archive.reading._PAGE_BYTES", 2000)
    out, pages = tmp_path / "out", 0
    note = "cli.replaying.Shown.note"
    while True:
        with pytest.MonkeyPatch.context() as patch:
            left = [3 + pages]

            def interrupt(*_: object, left: list[int] = left) -> None:
                left[0] -= 1
                if not left[0]:
                    raise KeyboardInterrupt

            patch.setattr(note, interrupt)
            status = typed("--output", str(out)).exit_code
        if status == 0:
            break
        assert status == 130
        pages += 1
        if taken_over and pages == 4:
            chained_on(world, RIGHT)
            world.kinesis.records[RIGHT.shard_id] = []
    assert pages >= 5
    assert by_sensor(out.read_bytes()) == lines_of(expected())


def chained_on(world: World, shard: Shard) -> None:
    """The archiver goes on behind what it had, to the shard's end."""
    whole = FolderTarget(world.folder.with_name("whole"))
    held, cut = HELD[shard.shard_id], IN_ARCHIVE[shard.shard_id]
    objects = [held[begin : min(cut, begin + 13)] for begin in range(0, cut, 13)]
    for key in chained(whole, [*objects, held[cut:]], shard=shard, created=CREATED, ended=True):
        with whole.get(key) as source:
            world.target.put_new(key, source.read())


def test_a_hole_between_archive_and_stream_is_said(typed: Typed, world: World) -> None:
    """With what was printed, and a status of its own; but not to whoever asks for none of it."""
    early = [one._replace(arrived_ms=NOW_MS - 200 * HOUR_MS + at) for at, one in enumerate(HELD[RIGHT.shard_id][:30])]
    folder = world.folder.with_name("early")
    for shard, each, ended in ((ROOT, HELD[ROOT.shard_id], True), (LEFT, HELD[LEFT.shard_id], True), (RIGHT, early, False)):
        chained(FolderTarget(folder), [each], shard=shard, created=CREATED, ended=ended)
    world.folder.rename(world.folder.with_name("moved"))
    folder.rename(world.folder)
    world.kinesis.records[RIGHT.shard_id] = HELD[RIGHT.shard_id][40:]
    answer = typed()
    hole = f"A gap: what arrived in {RIGHT.shard_id} from {_rfc3339(early[-1].arrived_ms)} to "
    assert (answer.exit_code, answer.stderr.count("A gap"), hole in answer.stderr) == (5, 1, True)
    kept = {**HELD, RIGHT.shard_id: [*early, *HELD[RIGHT.shard_id][40:]]}
    assert by_sensor(answer.stdout_bytes) == lines_of(expected(kept))
    assert typed("--by", "arrived", "--from", "-2h").exit_code == 0
    assert typed("--by", "arrived", "--to", "-220h").exit_code == 0


def _rfc3339(time_ms: int) -> str:

    return rfc3339(time_ms * 1000)


def test_an_idle_shard_that_is_archived_has_no_gap(typed: Typed, world: World) -> None:
    """A look at its tip says so, whether it ever held something or not; without one nobody knows."""
    idle = Shard("shardId-000000000009", 0, 0)
    world.kinesis.put(idle, [])
    chain_end_ms = NOW_MS - 100 * HOUR_MS
    quiet = Shard("shardId-000000000008", 0, 0)
    world.kinesis.put(quiet, [])
    chained(world.target, [[LogRecord(1, chain_end_ms, b"{}\n")]], shard=quiet, created=CREATED)
    answer = typed()
    assert (answer.exit_code, answer.stderr.count("A gap")) == (5, 2)
    for shard, last in ((idle, START), (quiet, START._replace(sequence_number=1))):
        state = State.of(last, None, NOW_MS - HOUR_MS)
        world.target.put_state(state_key(CREATED, shard.shard_id), encode_state(state))
    answer = typed()
    assert (answer.exit_code, answer.stderr.count("A gap")) == (0, 0)


def test_a_shard_that_left_the_stream_without_an_end_has_a_gap(typed: Typed, world: World) -> None:
    """Nobody has what followed."""
    del world.kinesis.shards[RIGHT.shard_id]
    answer = typed()
    assert (answer.exit_code, answer.stderr.count("A gap")) == (5, 1)
    assert f"A gap: what arrived in {RIGHT.shard_id} from" in answer.stderr
    assert " on may have left the stream" in answer.stderr


def test_a_source_can_be_named(typed: Typed, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream alone, whatever is archived; the archive alone, and AWS is not asked at all."""
    streamed = {shard.shard_id: world.kinesis.records[shard.shard_id] for shard in (LEFT, RIGHT, LAST)}
    answer = typed("--source", "stream")
    assert by_sensor(answer.stdout_bytes) == lines_of(expected(streamed, (LEFT, RIGHT, LAST)))
    archived = {shard.shard_id: HELD[shard.shard_id][: IN_ARCHIVE[shard.shard_id]] for shard in SHARDS}

    def nobody(*_: object, **__: object) -> None:
        pytest.fail("AWS was asked")

    for name in ("cli.contact.kinesis_client", "cli.sources.kinesis_client", "cli.sources.dynamodb_client"):
        monkeypatch.setattr(name, nobody)
    answer = typed("--source", "archive")
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert by_sensor(answer.stdout_bytes) == lines_of(expected(archived))


def test_without_an_archive_auto_is_the_stream(world: World) -> None:
    """As it always was."""
    answers = [
        CliRunner(env={"PREFIX": "t-cli", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}).invoke(telemetry, ["replay", *words])
        for words in ([], ["--source", "stream"])
    ]
    assert by_sensor(answers[0].stdout_bytes) == by_sensor(answers[1].stdout_bytes)


def test_what_arrived_earlier_is_not_fetched(typed: Typed, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a chain that lies before what is asked for only the last object is looked at."""
    looked_at: list[str] = []
    get_tail = FolderTarget.get_tail

    def noting(self: FolderTarget, key: str, size_bytes: int) -> bytes:
        looked_at.append(key)
        return get_tail(self, key, size_bytes)

    monkeypatch.setattr(FolderTarget, "get_tail", noting)
    answer = typed("--by", "arrived", "--from", "-45m")
    assert answer.exit_code == 0
    assert sorted(key.split("/")[2] for key in looked_at) == [ROOT.shard_id, LEFT.shard_id, RIGHT.shard_id]
    begin_ms = NOW_MS - 45 * 60_000
    assert {decode_event(line).sensor_id for line in answer.stdout_bytes.splitlines()} == set("abcd")
    assert answer.stdout.count("\n") <= 3 * sum(one.arrived_ms >= begin_ms - 60_000 for one in HELD[LAST.shard_id])


def test_a_dry_run_counts_what_is_archived_by_the_objects_ends(typed: Typed) -> None:
    """Exactly but for the share of sensors; what is to be read of the stream behind that comes from samples."""
    answer = typed("--dry-run", "--source", "archive")
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert answer.stdout == "About 450 readings, repeats included; 13 archived objects of 0.0 MB to read; 1 s.\n"
    answer = typed("--dry-run", "--source", "archive", "--by", "arrived", "--to", "-100h")
    assert answer.stdout == "About 180 readings, repeats included; 5 archived objects of 0.0 MB to read; 1 s.\n"
    answer = typed("--dry-run", "--source", "archive", "--sensor", "a")
    assert int(answer.stdout.split()[1]) == pytest.approx(3 * (15 + 30), rel=0.2)
    answer = typed("--dry-run")
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert "; 13 archived objects of 0.0 MB and 0.0 MB of the stream to read; " in answer.stdout
    assert int(answer.stdout.split()[1]) == pytest.approx(690, rel=0.5)  # a burst is taken for more than it is


THEN_MS = NOW_MS - 5 * HOUR_MS
CONTINUED = Pointer(
    2,
    (LogStream(STREAM, CREATED), LogStream(STREAM, f"{THEN_MS / 1000:.3f}", (LAST.shard_id,))),
)
SECOND = Shard(ROOT.shard_id, 0, HASH_KEY_MAX)


@pytest.fixture
def continued(world: World) -> World:
    """A log whose first stream is gone, and that goes on in a second one."""
    chained_on(world, RIGHT)
    chained(world.target, [HELD[LAST.shard_id]], shard=LAST, created=CREATED, ended=True, stream_end=True)
    world.kinesis.created_ms = THEN_MS
    world.kinesis.shards.clear()
    world.kinesis.put(SECOND, records(THEN_MS, range(200, 240), "abcd"))
    world.pointer = CONTINUED
    return world


@pytest.mark.parametrize("before", [LAST.shard_id, UNKNOWN_PARENT])
def test_earlier_streams_are_read_from_the_archive(typed: Typed, continued: World, before: str) -> None:
    """Before the one that is there, whose shards are called as in the log, whatever is known of those before them."""
    first, second = CONTINUED.streams
    continued.pointer = replace(CONTINUED, streams=(first, replace(second, before=(before,))))
    answer = typed("--format", "csv")
    assert (answer.exit_code, answer.stderr) == (0, "")
    found = {row["shard"] for row in csv.DictReader(io.StringIO(answer.stdout))}
    assert found == {*(shard.shard_id for shard in SHARDS), f"2/{SECOND.shard_id}"}
    held = {**HELD, "2": continued.kinesis.records[SECOND.shard_id]}
    assert by_sensor(typed().stdout_bytes) == lines_of(expected(held, (*SHARDS, replace(SECOND, shard_id="2"))))


def test_an_earlier_stream_that_nobody_archived_is_a_gap(typed: Typed, continued: World) -> None:
    """Whether there is an archive or not; so is a shard of it. Who asks for the stream or for later is told of none."""
    answer = CliRunner(env={"PREFIX": "t-cli"}).invoke(telemetry, ["replay"])
    assert answer.exit_code == 5
    assert f"A gap: what arrived in the log's stream 1 from {_rfc3339(CREATED_MS)} to {_rfc3339(THEN_MS)} " in answer.stderr
    assert CliRunner(env={"PREFIX": "t-cli"}).invoke(telemetry, ["replay", "--source", "stream"]).exit_code == 0
    assert CliRunner(env={"PREFIX": "t-cli"}).invoke(telemetry, ["replay", "--by", "arrived", "--from", "-280m"]).exit_code == 0
    first, second = CONTINUED.streams
    lost = replace(second, before=(LAST.shard_id, "shardId-000000000005"))
    continued.pointer = replace(CONTINUED, streams=(first, lost))
    answer = typed()
    assert (answer.exit_code, answer.stderr.count("A gap")) == (5, 1)
    assert "A gap: what arrived in shardId-000000000005 from" in answer.stderr


@pytest.mark.parametrize("source", ["auto", "archive"])
def test_a_lost_shard_of_a_lost_stream_is_a_gap(typed: Typed, continued: World, source: str) -> None:
    """Whatever the pointer knows of it, and whoever is asked: a shard that ended was followed by others. So says a dry run."""
    first, second = CONTINUED.streams
    continued.pointer = replace(CONTINUED, streams=(first, replace(second, before=(UNKNOWN_PARENT,))))
    chained(continued.target, [records(THEN_MS, range(200, 240), "abcd")], shard=SECOND, created=second.created)
    assert typed("--source", source).exit_code == 0
    shutil.rmtree(continued.folder / "log" / CREATED / LAST.shard_id)
    lost = (
        f"A gap: what arrived in unarchived shards of the log's stream 1 from {_rfc3339(CREATED_MS)} to {_rfc3339(THEN_MS)} may"
    )
    for words in ((), ("--dry-run",)):
        answer = typed("--source", source, *words)
        assert answer.exit_code == 5
        assert lost in answer.stderr
    assert typed("--source", source, "--by", "arrived", "--from", "-280m").exit_code == 0


def test_a_shard_that_was_seen_empty_is_a_gap_from_then_on(typed: Typed, continued: World) -> None:
    """In a stream that was lost; of its keys nothing else is missing."""
    shutil.rmtree(continued.folder / "log" / CREATED / LAST.shard_id)
    seen_ms = THEN_MS - HOUR_MS
    continued.target.put_state(state_key(CREATED, LAST.shard_id), encode_state(State.of(START, None, seen_ms, LAST)))
    answer = typed()
    assert (answer.exit_code, answer.stderr.count("A gap")) == (5, 1)
    assert f"A gap: what arrived in {LAST.shard_id} from {_rfc3339(seen_ms)} to {_rfc3339(THEN_MS)} may" in answer.stderr


def test_a_stream_that_the_log_does_not_know_is_refused(typed: Typed, continued: World) -> None:
    """Its shards have no names yet; what is archived can be read."""
    continued.kinesis.created_ms = THEN_MS + 1
    answer = typed()
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "telemetry continue" in answer.stderr
    assert "--source archive" in answer.stderr
    assert typed("--source", "archive").exit_code == 0


def test_another_source_or_archive_is_no_place_to_go_on_from(typed: Typed, world: World, tmp_path: Path) -> None:
    """It might have other records."""
    out = str(tmp_path / "out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.replaying.export", _fail)
        assert typed("--output", out).exit_code == 1
    answer = typed("--output", out, "--source", "stream")
    assert answer.exit_code == 1
    assert f"ARCHIVE_TARGET was {world.folder} and is not given, --source was auto and is stream" in answer.stderr
    assert typed("--output", out).exit_code == 0


def _fail(*_: object, **__: object) -> None:
    raise StoreUnavailable("away")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("", "ARCHIVE_TARGET is not set: name a folder, or s3://bucket/prefix."),
        ("nowhere", "there is no such folder. Name the one that holds the archive."),
        ("empty", "holds no archive: nothing in it is called log/…."),
    ],
)
def test_an_archive_that_is_not_there_is_a_sentence(tmp_path: Path, where: str, said: str) -> None:
    """And nothing is made where it was looked for."""
    (tmp_path / "empty").mkdir()
    environ = {"ARCHIVE_TARGET": str(tmp_path / where) if where else ""}
    answer = CliRunner(env=environ).invoke(telemetry, ["replay", "--source", "archive"])
    assert (answer.exit_code, answer.stdout, answer.stderr.count("\n")) == (1, "", 1)
    assert said in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_spoilt_object_is_named(typed: Typed, world: World) -> None:
    """Status 1; what came before it was printed."""
    keys = list(world.target.list_after(f"log/{CREATED}/{ROOT.shard_id}/"))
    path = world.folder / keys[2]
    path.write_bytes(path.read_bytes()[:-20])
    answer = typed()
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"Error: {keys[2]} does not end as an object of an archive.")
    assert answer.stdout.count("\n") > 0


def test_a_tail_from_further_back_begins_in_the_archive(world: World, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on in the stream; from a time that the stream surely holds, the archive is not asked."""
    world.kinesis.put(replace(LAST, closed=True), HELD[LAST.shard_id])
    environ = {"PREFIX": "t-cli", "ARCHIVE_TARGET": str(world.folder)}
    answer = CliRunner(env=environ).invoke(telemetry, ["tail", "--from", "-9999h"])
    assert (answer.exit_code, answer.stderr) == (0, "")
    everything = [line for shard in SHARDS for record in HELD[shard.shard_id] for line in _lines(record)]
    assert sorted(answer.stdout_bytes.splitlines()) == sorted(everything)
    monkeypatch.setattr("cli.sources.ArchiveSource", _fail)
    answer = CliRunner(env=environ).invoke(telemetry, ["tail", "--from", "-30m"])
    assert answer.exit_code == 0
