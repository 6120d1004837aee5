"""The supervisor with runs that are only said to have happened."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from consumer.supervisor import supervise
from telemetry.errors import WrongStream


class Stopping(threading.Event):
    """An event that notes the waits on it, none of which takes time, and is set by the last of them."""

    def __init__(self, waits_max: int) -> None:
        super().__init__()
        self.waits: list[float | None] = []
        self._waits_max = waits_max

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        if len(self.waits) == self._waits_max:
            self.set()
        return self.is_set()


class FakeRun:
    """A run of the daemon that has ended with `status`, or goes on for ever when that is None."""

    def __init__(self, status: int | None = 1) -> None:
        self._status = status
        self.calls: list[str] = []

    @property
    def pid(self) -> int:
        return 4711

    def poll(self) -> int | None:
        return self._status

    def stop(self) -> int:
        self.calls.append("stop")
        return 0

    def kill(self) -> int:
        self.calls.append("kill")
        return -9


def runs_of(make: Callable[[], FakeRun]) -> tuple[list[FakeRun], Callable[[Path], FakeRun]]:
    """A list that fills with the runs that were started, and the function that starts them."""
    runs: list[FakeRun] = []

    def start(folder: Path) -> FakeRun:
        assert list(folder.iterdir()) == []
        (folder / "a file of this run").touch()
        runs.append(make())
        return runs[-1]

    return runs, start


def test_h06_the_daemon_is_started_again_after_growing_pauses_for_ever() -> None:
    """However often it ends, and with whatever status, it is started again; pauses double up to ten seconds."""
    runs, start = runs_of(FakeRun)
    stopping = Stopping(waits_max=1100)
    supervise(start, stopping)
    assert len(runs) == 1100
    assert stopping.waits[:8] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])
    assert set(stopping.waits[8:]) == {10.0}


def test_an_exit_with_status_zero_is_no_reason_to_stop() -> None:
    """The daemon is meant to run for ever: an orderly end that nobody asked for is an end all the same."""
    runs, start = runs_of(lambda: FakeRun(status=0))
    supervise(start, Stopping(waits_max=3))
    assert len(runs) == 3


def test_a_run_that_was_steady_begins_the_pauses_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an hour's work an end is not part of a series of failures."""
    runs, make = runs_of(FakeRun)
    clock = SimpleNamespace(now_s=0.0)

    def start(folder: Path) -> FakeRun:
        clock.now_s += 3600 if len(runs) == 2 else 1
        return make(folder)

    monkeypatch.setattr("consumer.supervisor.time", SimpleNamespace(monotonic=lambda: clock.now_s))
    stopping = Stopping(waits_max=4)
    supervise(start, stopping)
    assert stopping.waits == pytest.approx([0.2, 0.4, 0.2, 0.4])


def test_what_an_ended_daemon_left_behind_is_killed_before_the_next_start() -> None:
    """Children of a daemon that died must not work beside those of its successor."""
    runs, make = runs_of(FakeRun)

    def start(folder: Path) -> FakeRun:
        assert all(run.calls == ["kill"] for run in runs)
        return make(folder)

    supervise(start, Stopping(waits_max=3))
    assert [run.calls for run in runs] == [["kill"]] * 3


def test_a_running_daemon_is_stopped_in_order() -> None:
    """Told to stop, the supervisor shuts the daemon down, by its grace and not by force, and starts no other."""
    runs, start = runs_of(lambda: FakeRun(status=None))
    supervise(start, Stopping(waits_max=5))
    assert [run.calls for run in runs] == [["stop"]]


def test_told_to_stop_beforehand_nothing_is_started() -> None:
    """A signal that came during the preparations is not forgotten."""
    runs, start = runs_of(FakeRun)
    stopping = Stopping(waits_max=1)
    stopping.set()
    supervise(start, stopping)
    assert runs == []


def test_told_to_stop_during_a_pause_no_other_run_is_started() -> None:
    """The pause is waited on the event itself, so that a signal ends it."""
    runs, start = runs_of(FakeRun)
    supervise(start, Stopping(waits_max=1))
    assert len(runs) == 1


def test_the_folder_of_a_run_is_gone_when_it_has_ended() -> None:
    """Properties and scripts of ended runs do not pile up."""
    folders: list[Path] = []
    _, make = runs_of(FakeRun)

    def start(folder: Path) -> FakeRun:
        assert not any(old.exists() for old in folders)
        folders.append(folder)
        return make(folder)

    supervise(start, Stopping(waits_max=3))
    assert len(set(folders)) == 3
    assert not any(folder.exists() for folder in folders)


def test_h06_aws_being_away_at_a_start_is_one_more_failure() -> None:
    """The supervisor outlives it and tries again."""
    starts = []

    def start(_: Path) -> FakeRun:
        starts.append("tried")
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    supervise(start, Stopping(waits_max=3))
    assert starts == ["tried"] * 3


def test_h29_a_stream_made_again_ends_the_supervision() -> None:
    """No restart would make the positions right."""

    def start(_: Path) -> FakeRun:
        raise WrongStream("made again")

    with pytest.raises(WrongStream):
        supervise(start, Stopping(waits_max=3))
