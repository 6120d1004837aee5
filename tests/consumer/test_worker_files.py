"""A worker's lock and status files, where several people share a machine and its temporary folder."""

import os
import stat
from pathlib import Path

import pytest

from consumer import __main__ as worker
from consumer.status import worker_path
from telemetry.errors import InvalidSettings
from telemetry.settings import Settings

SETTINGS = Settings()


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of the machine."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_r05_the_files_lie_in_a_folder_of_the_user_alone(shared: Path) -> None:
    """While the worker runs; asking for the status makes none."""
    path = worker_path(SETTINGS, "lock")
    assert list(shared.iterdir()) == []
    with worker._only_one(SETTINGS):
        assert path.exists()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(shared.iterdir()) == []


def test_r05_two_users_of_a_machine_are_not_in_each_others_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of one name, at once."""
    mine = worker_path(SETTINGS, "lock")
    uid = os.getuid()
    with worker._only_one(SETTINGS):
        monkeypatch.setattr("os.getuid", lambda: uid + 1)
        assert worker_path(SETTINGS, "lock").parent != mine.parent


def test_r05_workers_of_one_user_share_the_folder() -> None:
    """The first to go leaves the other's files."""
    other = Settings(worker_id="worker-2")
    with worker._only_one(other):
        with worker._only_one(SETTINGS):
            pass
        assert worker_path(other, "lock").exists()


def test_r05_a_second_worker_of_that_name_is_sent_away() -> None:
    """As before, by the name it has to change."""
    with worker._only_one(SETTINGS), pytest.raises(SystemExit, match="set WORKER_ID"), worker._only_one(SETTINGS):
        pytest.fail("both hold the lock")


def test_r05_a_folder_that_somebody_else_made_is_refused(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another owner, open to others, a link or no folder at all: what lies there could be anybody's."""
    uid = os.getuid()
    folder = shared / f"telemetry-{uid}"

    def refused() -> bool:
        with pytest.raises(InvalidSettings, match=f"{folder.parent}/telemetry-.* is not a folder of ours alone"):
            worker_path(SETTINGS, "json")
        return True

    folder.touch()
    assert refused()
    folder.unlink()
    folder.symlink_to(shared, target_is_directory=True)
    assert refused()
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o777)
    assert refused()
    folder.chmod(0o700)
    assert worker_path(SETTINGS, "json").parent == folder
    folder.rename(shared / f"telemetry-{uid + 1}")
    monkeypatch.setattr("os.getuid", lambda: uid + 1)
    assert refused()


def test_r05_a_temporary_folder_that_kcl_would_split_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """KCL takes the first word of a command for the program, so no record processor would ever start."""
    monkeypatch.setattr("tempfile.tempdir", "/tmp/a folder")  # noqa: S108  nothing is made there
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("consumer.__main__.configure_logs", lambda *_, **__: None)
    monkeypatch.setenv("JAVA", "/bin/true")
    with pytest.raises(SystemExit, match="TMPDIR='/tmp/a folder' holds a space"):
        worker.main()
