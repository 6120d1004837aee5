"""The supervisor with runs that are only said to have happened."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from consumer.supervisor import supervise
from telemetry.errors import NotSetUp, PointerMoved, StreamMissing, WrongStream


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

    def __init__(self, status: int | None = 1, dead_processor: int | None = None) -> None:
        self._status = status
        self._dead_processor = dead_processor
        self.calls: list[str] = []

    @property
    def pid(self) -> int:
        return 4711

    def poll(self) -> int | None:
        return self._status

    def dead_processor(self) -> int | None:
        return self._dead_processor

    def stop(self) -> int:
        self.calls.append("stop")
        return 0

    def kill(self) -> int:
        self.calls.append("kill")
        return -9


class Overseer:
    """Sees what it is told to see, and notes the phases it is told of."""

    def __init__(self, worked: Iterable[bool] = (), reasons: Iterable[str | None] = ()) -> None:
        self._worked_now = False
        self.phases: list[tuple[str, dict[str, Any]]] = []
        self.wrong = False
        self.moves = 0
        """How often the pointer is still to move."""
        self._worked = iter(worked)
        self._reasons = iter(reasons)

    def begin(self) -> None:
        self._worked_now = next(self._worked, False)

    def worked(self) -> bool:
        return self._worked_now

    def look(self) -> str | None:
        if self.wrong:
            raise WrongStream("made again")
        if self.moves:
            self.moves -= 1
            raise PointerMoved("to generation 2")
        return next(self._reasons, None)

    def tell(self, phase: str, **details: Any) -> None:
        self.phases.append((phase, details))


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
    supervise(start, Overseer(), stopping)
    assert len(runs) == 1100
    assert stopping.waits[:8] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])
    assert set(stopping.waits[8:]) == {10.0}


def test_an_exit_with_status_zero_is_no_reason_to_stop() -> None:
    """The daemon is meant to run for ever: an orderly end that nobody asked for is an end all the same."""
    runs, start = runs_of(lambda: FakeRun(status=0))
    supervise(start, Overseer(), Stopping(waits_max=3))
    assert len(runs) == 3


def test_a_run_that_worked_begins_the_pauses_anew() -> None:
    """Whoever projected something is not part of a series of failures, however soon it was killed."""
    _, start = runs_of(FakeRun)
    stopping = Stopping(waits_max=4)
    supervise(start, Overseer(worked=[False, False, True, False]), stopping)
    assert stopping.waits == pytest.approx([0.2, 0.4, 0.2, 0.4])


def test_h06_starts_that_fail_after_a_run_that_worked_are_failures() -> None:
    """AWS went away with the daemon: the pauses grow although the last run had worked."""
    _, make = runs_of(FakeRun)
    folders: list[Path] = []

    def start(folder: Path) -> FakeRun:
        folders.append(folder)
        if len(folders) > 1:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return make(folder)

    stopping = Stopping(waits_max=4)
    supervise(start, Overseer(worked=[True]), stopping)
    assert stopping.waits == pytest.approx([0.2, 0.4, 0.8, 1.6])


def test_h07_a_run_that_hangs_is_killed_and_the_reason_told() -> None:
    """Not asked to shut down: a hung process would not hear it."""
    runs, start = runs_of(lambda: FakeRun(status=None))
    overseer = Overseer(reasons=[None, "shard-1 has not moved for 75 s"])
    supervise(start, overseer, Stopping(waits_max=4))
    assert [run.calls for run in runs] == [["kill"], ["stop"]]
    restarts = [details["reason"] for phase, details in overseer.phases if phase == "restarting"]
    assert restarts == ["shard-1 has not moved for 75 s"]


def test_h06_a_record_processor_that_died_ends_the_run_at_once() -> None:
    """Left to itself the daemon takes its whole grace of 20 s to follow it."""
    runs, start = runs_of(lambda: FakeRun(status=None, dead_processor=4712))
    overseer = Overseer()
    supervise(start, overseer, Stopping(waits_max=2))
    assert runs[0].calls == ["kill"]
    assert overseer.phases[1][1]["reason"] == "record processor 4712 died"


def test_a_pointer_that_moved_is_followed_at_once() -> None:
    """Without a pause, and it is no restart: nothing has failed."""
    runs, start = runs_of(lambda: FakeRun(status=None))
    overseer, stopping = Overseer(), Stopping(waits_max=4)
    overseer.moves = 2
    supervise(start, overseer, stopping)
    assert [run.calls for run in runs] == [["kill"], ["kill"], ["stop"]]
    assert [phase for phase, _ in overseer.phases] == ["starting", "following"] * 2 + ["starting", "stopping"]
    assert overseer.phases[1][1] == {"why": "to generation 2"}
    assert set(stopping.waits) == {0.1}


def test_the_phases_of_a_run_are_told() -> None:
    """With the reason for each restart."""
    statuses = iter([1, None])
    _, start = runs_of(lambda: FakeRun(next(statuses)))
    overseer = Overseer()
    supervise(start, overseer, Stopping(waits_max=3))
    assert [phase for phase, _ in overseer.phases] == ["starting", "restarting", "starting", "stopping"]
    assert overseer.phases[1][1] == {"reason": "the daemon ended with status 1", "failures": 1, "pause_s": 0.2}


def test_what_an_ended_daemon_left_behind_is_killed_before_the_next_start() -> None:
    """Children of a daemon that died must not work beside those of its successor."""
    runs, make = runs_of(FakeRun)

    def start(folder: Path) -> FakeRun:
        assert all(run.calls == ["kill"] for run in runs)
        return make(folder)

    supervise(start, Overseer(), Stopping(waits_max=3))
    assert [run.calls for run in runs] == [["kill"]] * 3


def test_a_running_daemon_is_stopped_in_order() -> None:
    """Told to stop, the supervisor shuts the daemon down, by its grace and not by force, and starts no other."""
    runs, start = runs_of(lambda: FakeRun(status=None))
    supervise(start, Overseer(), Stopping(waits_max=5))
    assert [run.calls for run in runs] == [["stop"]]


def test_told_to_stop_beforehand_nothing_is_started() -> None:
    """A signal that came during the preparations is not forgotten."""
    runs, start = runs_of(FakeRun)
    stopping = Stopping(waits_max=1)
    stopping.set()
    supervise(start, Overseer(), stopping)
    assert runs == []


def test_told_to_stop_during_a_pause_no_other_run_is_started() -> None:
    """The pause is waited on the event itself, so that a signal ends it."""
    runs, start = runs_of(FakeRun)
    supervise(start, Overseer(), Stopping(waits_max=1))
    assert len(runs) == 1


def test_the_folder_of_a_run_is_gone_when_it_has_ended() -> None:
    """Properties and scripts of ended runs do not pile up."""
    folders: list[Path] = []
    _, make = runs_of(FakeRun)

    def start(folder: Path) -> FakeRun:
        assert not any(old.exists() for old in folders)
        folders.append(folder)
        return make(folder)

    supervise(start, Overseer(), Stopping(waits_max=3))
    assert len(set(folders)) == 3
    assert not any(folder.exists() for folder in folders)


def test_h06_aws_being_away_at_a_start_is_one_more_failure() -> None:
    """The supervisor outlives it and tries again."""
    starts = []

    def start(_: Path) -> FakeRun:
        starts.append("tried")
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    supervise(start, Overseer(), Stopping(waits_max=3))
    assert starts == ["tried"] * 3


def test_h29_a_stream_made_again_ends_the_supervision() -> None:
    """No restart would make the positions right."""

    def start(_: Path) -> FakeRun:
        raise WrongStream("made again")

    with pytest.raises(WrongStream):
        supervise(start, Overseer(), Stopping(waits_max=3))


def test_s02_a_stream_made_again_under_a_running_daemon_ends_both_and_says_so() -> None:
    """The daemon by force: what it holds may come from the other stream."""
    runs, start = runs_of(lambda: FakeRun(status=None))
    overseer = Overseer()
    overseer.wrong = True
    with pytest.raises(WrongStream):
        supervise(start, overseer, Stopping(waits_max=3))
    assert [run.calls for run in runs] == [["kill"]]
    assert overseer.phases[-1] == ("refusing", {"reason": "made again"})


def test_a_pointer_that_is_not_there_yet_is_waited_for() -> None:
    """A task that starts before the set-up has run does not end, and is no restart that anybody would be told of."""
    runs, make = runs_of(lambda: FakeRun(status=None))
    starts = []

    def start(folder: Path) -> FakeRun:
        starts.append("tried")
        if len(starts) < 3:
            raise NotSetUp("no pointer")
        return make(folder)

    overseer = Overseer()
    stopping = Stopping(waits_max=4)
    supervise(start, overseer, stopping)
    assert [phase for phase, _ in overseer.phases] == ["waiting", "waiting", "starting", "stopping"]
    assert stopping.waits[:2] == [10.0, 10.0]
    assert [run.calls for run in runs] == [["stop"]]


def test_a_pointer_that_goes_while_a_daemon_runs_ends_the_run_and_is_waited_for() -> None:
    """Nobody knows any more what the daemon works on."""
    runs, start = runs_of(lambda: FakeRun(status=None))
    overseer = Overseer()
    gone = iter([NotSetUp("no pointer")])

    def look() -> None:
        for error in gone:
            raise error

    overseer.look = look  # type: ignore[method-assign]
    supervise(start, overseer, Stopping(waits_max=3))
    assert [run.calls for run in runs] == [["kill"], ["stop"]]
    assert [phase for phase, _ in overseer.phases] == ["starting", "waiting", "starting", "stopping"]


def test_s02_a_missing_stream_is_waited_for() -> None:
    """It may come back as it was."""
    _, make = runs_of(lambda: FakeRun(status=None))
    starts = []

    def start(folder: Path) -> FakeRun:
        starts.append("tried")
        if len(starts) < 3:
            raise StreamMissing("the stream is not there")
        return make(folder)

    overseer = Overseer()
    supervise(start, overseer, Stopping(waits_max=4))
    assert len(starts) == 3
    assert overseer.phases[0][1]["reason"] == "the daemon could not be started: the stream is not there"
