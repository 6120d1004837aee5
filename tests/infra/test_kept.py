"""What earlier runs left: one run at a time has it, it is moved aside whole, and its streams make one log."""

import re
from pathlib import Path

import pytest

from archive.chain import archived_streams
from archive.folder import FolderTarget
from archive.meta import State, encode_state
from archive.names import START, Place, created_ms, state_key
from archive.source import ArchiveSource
from infra.local import kept
from operations.succession import losses, pointer_to
from projections.memory import MemoryStores
from projections.retention import Gap
from telemetry.errors import ArchiveUnreadable, InvalidSettings, WrongStream
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord
from telemetry.settings import Settings
from telemetry.shards import Shard
from telemetry.streams import UNKNOWN_PARENT
from tests.archive.records import chained

FIRST, SECOND, THIRD = "1764147529.316", "1764247529.000", "1764347529.000"
ONE, OTHER = Shard("shardId-000000000000", 0, 9), Shard("shardId-000000000001", 10, HASH_KEY_MAX)
MS = 1_764_147_530_000


class ClosableStores(MemoryStores):
    """As those on DynamoDB."""

    def close(self) -> None:
        """Nothing is open."""


def put(
    folder: Path, shard: Shard, created: str, *, ended: bool = True, stream_end: bool = True, records: int = 1
) -> FolderTarget:
    """Some records, put there; the shard ended with its stream, unless it is said otherwise."""
    target = FolderTarget(folder)
    objects = [[LogRecord(at + 1, MS + at, b"{}\n") for at in range(records)]]
    chained(target, objects, shard=shard, created=created, ended=ended, stream_end=ended and stream_end)
    return target


def look_at(target: FolderTarget, shard: Shard, created: str, place: Place = START) -> None:
    """The archiver saw nothing behind a place."""
    seen_ms = created_ms(created) + 78_000
    target.put_state(state_key(created, shard.shard_id), encode_state(State.of(place, None, seen_ms, shard)))


def test_a_folder_is_one_runs(tmp_path: Path) -> None:
    """Another is told so, until the first has gone."""
    with (
        kept.locked(tmp_path / "p"),
        pytest.raises(InvalidSettings, match=r"^Another make run .*/p: .* another PREFIX"),
        kept.locked(tmp_path / "p"),
    ):
        pass
    with kept.locked(tmp_path / "p"):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """With what is to be done."""
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSettings, match=r"^ARCHIVE_TARGET=.*/file/p: .* Name a folder"), kept.locked(tmp_path / "file/p"):
        pass


def test_what_is_moved_aside_is_whole(tmp_path: Path) -> None:
    """Under a name with the time in it, however often; where nothing is, nothing is moved."""
    folder, names = tmp_path / "p", set[Path]()
    for _ in range(3):
        with kept.locked(folder):
            assert kept.move_aside(folder) is None
            put(folder, ONE, FIRST)
            aside = kept.move_aside(folder)
            assert aside
            assert not folder.exists()
            with kept.locked(folder):
                assert archived_streams(FolderTarget(folder)) == []
        assert re.fullmatch(r"p\.\d{4}-\d\d-\d\dT\d{6}Z(-\d)?", aside.name)
        assert archived_streams(FolderTarget(aside)) == [FIRST]
        names.add(aside)
    assert len(names) == 3


def test_the_pointer_holds_all_streams(tmp_path: Path) -> None:
    """The first shards of each follow the last ones of the one before, or, where nothing is archived of it, of that before."""
    child = Shard("shardId-000000000002", 0, 9, (ONE.shard_id,))
    for shard in (ONE, OTHER, child):
        target = put(tmp_path, shard, FIRST)
    streams = [FIRST, SECOND, THIRD]
    pointer = pointer_to("s", streams, ArchiveSource(target, streams).shards())
    last = (OTHER.shard_id, child.shard_id)
    assert [stream.created for stream in pointer.streams] == streams
    assert [stream.before for stream in pointer.streams] == [(), last, last]
    put(tmp_path, ONE, SECOND)
    pointer = pointer_to("s", streams, ArchiveSource(target, streams).shards())
    assert [stream.before for stream in pointer.streams] == [(), last, (f"2/{ONE.shard_id}",)]
    assert pointer_to("s", [FIRST, SECOND], ()).streams[1].before == (UNKNOWN_PARENT,)
    with pytest.raises(WrongStream, match="no later than"):
        pointer_to("s", [SECOND, FIRST], ())


def test_what_may_be_missing_is_said_with_its_bounds(tmp_path: Path) -> None:
    """Of a stream's shards together; also of those of which nothing was archived. Of a stream that has its ends nothing is."""
    target = put(tmp_path, ONE, FIRST)
    put(tmp_path, OTHER, FIRST)
    streams = [FIRST, SECOND]
    assert list(losses(ArchiveSource(target, streams), {}, streams)) == []
    gap = Gap(MS * 1000, 1_764_247_529_000_000)
    [said] = losses(ArchiveSource(target, streams), {ONE.shard_id: gap}, streams)
    assert "after 2025-11-26T08:58:50.000Z and before 2025-11-27T12:45:29.000Z may be missing" in said
    streams.append(THIRD)
    put(tmp_path, ONE, SECOND)
    look_at(target, OTHER, SECOND)
    seen = "after 2025-11-27T12:46:47.000Z and before 2025-11-28T16:32:09.000Z"
    assert seen in list(losses(ArchiveSource(target, streams), {}, streams))[-1]
    later = gap._replace(from_us=gap.until_us + 10**9)
    assert seen in list(losses(ArchiveSource(target, streams), {f"2/{ONE.shard_id}": later}, streams))[-1]
    look_at(target, OTHER, SECOND, Place(1, 1))
    [said] = losses(ArchiveSource(target, streams), {}, streams)
    assert "after 2025-11-27T12:45:29.000Z and before" in said


def test_a_shard_that_ended_before_its_stream_was_lost_has_children_that_are_missing(tmp_path: Path) -> None:
    """Where nothing tells of them, not even the pointer."""
    target = put(tmp_path, ONE, FIRST)
    put(tmp_path, OTHER, FIRST, stream_end=False)
    streams = [FIRST, SECOND]
    [said] = losses(ArchiveSource(target, streams), {}, streams)
    assert "after 2025-11-26T08:58:49.316Z and before 2025-11-27T12:45:29.000Z may be missing" in said


def test_a_stream_in_which_nothing_came_is_forgotten(tmp_path: Path) -> None:
    """Once all its shards have ended; not one of which a record is archived."""
    target = put(tmp_path, ONE, FIRST, records=0)
    look_at(target, ONE, FIRST)
    put(tmp_path, OTHER, FIRST)
    kept.forget_if_empty(tmp_path, FIRST)
    assert archived_streams(target) == [FIRST]
    put(tmp_path, ONE, SECOND, records=0)
    put(tmp_path, ONE, THIRD, records=0, ended=False)
    for created in (SECOND, THIRD):
        look_at(target, ONE, created)
        kept.forget_if_empty(tmp_path, created)
    assert archived_streams(target) == [FIRST, THIRD]


def test_an_archive_that_cannot_be_read_is_named_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object, and FRESH=1; everything is still there."""
    target = put(tmp_path, ONE, FIRST)
    [path] = tmp_path.rglob("*.ndjson.gz")
    path.write_bytes(path.read_bytes()[:-30])
    monkeypatch.setattr(kept, "make_missing", lambda *_: SECOND)
    monkeypatch.setattr(kept, "AwsStores", lambda *_: ClosableStores())
    with pytest.raises(ArchiveUnreadable, match=re.escape(path.name) + r".* FRESH=1 begins anew"):
        kept.go_on(Settings(aws_endpoint_url="http://127.0.0.1:9"), tmp_path, pytest.fail)
    assert path.exists()
    assert target.get_tail(str(path.relative_to(tmp_path)), 1)
