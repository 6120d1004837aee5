"""What is done about what is seen: a world that tells a story, look by look."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from consumer.alive import read_status
from consumer.history import History
from consumer.oversight import Oversight
from consumer.status import StatusFile, main, worker_path
from consumer.watch import Patience
from operations.observation import Leader, Lease, Observation
from operations.restarts import Restart
from projections.generations import Next
from projections.rows import PROGRESS, Row
from telemetry.errors import PointerMoved, StreamMissing, TelemetryError, WrongStream
from telemetry.settings import Settings
from telemetry.shards import Shard, ShardMap

PATIENCE = Patience(look_every_s=1, leader_s=3, daemon_s=5, shard_s=8, start_s=20)
SHARDS = ShardMap([Shard("one", 0, 99)])


class StoryWorld:
    """Our daemon lives and moves its one shard unless told otherwise; the leader is another worker, and silent."""

    def __init__(self) -> None:
        self.looks = 0
        self.away = False
        self.gone: TelemetryError | None = None
        self.moved: PointerMoved | None = None
        self.pointers = 0
        self.stuck = False
        self.stuck_at = 0
        self.leader_is_back = self.helpless = False
        self.leases = {"one": "me"}
        self.remade: list[str] = []
        self.coming: Next | None = None
        self.taken_back: list[int] = []
        """At which look at the pointer."""
        self.keeps_its_mark = False

    def take_back(self, seen: Next) -> bool:
        assert seen == self.coming
        self.taken_back.append(self.pointers)
        self.coming = self.coming if self.keeps_its_mark else None
        return not self.keeps_its_mark

    def follow(self) -> Next | None:
        self.pointers += 1
        if self.away:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        if self.moved:
            raise self.moved
        return self.coming

    def observe(self) -> Observation:
        if self.gone:
            raise self.gone
        if self.away:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        self.looks += 1
        leases = {shard: Lease(owner, self.looks, ended=False) for shard, owner in self.leases.items()}
        moved = self.stuck_at if self.stuck else self.looks
        return Observation(SHARDS, leases, {}, Leader("other", "v1"), {"one": Row(PROGRESS, moved)})

    def remove_leader(self, seen: Observation) -> bool:
        if self.helpless:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "told"}}, "DeleteItem")
        return not self.leader_is_back

    def make_leases(self, seen: Observation) -> list[str]:
        self.remade += seen.without_lease()
        return self.remade

    def take_lease(self, shard_id: str, owner: str) -> bool:
        raise AssertionError("nobody has two more than we do")


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Subject:
    """An oversight in a story, looked at a second at a time."""

    def __init__(self, status: StatusFile, path: Path) -> None:
        self.world, self.clock, self.path = StoryWorld(), Clock(), path
        self.oversight = Oversight("me", PATIENCE, status, self.clock)
        self.oversight.world = self.world
        self.oversight.begin()

    def looks(self, count: int) -> list[str]:
        """The reasons for a restart that so many looks gave."""
        reasons = []
        for _ in range(count):
            self.clock.now_s += 1
            reasons.append(self.oversight.look())
        return [reason for reason in reasons if reason]

    def status(self) -> dict[str, object]:
        return read_status(self.path, 0)


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[Subject]:
    path = tmp_path / "status.json"
    with StatusFile(path, "me") as status:
        yield Subject(status, path)
    assert list(tmp_path.iterdir()) == []


def test_it_looks_when_it_is_time_and_not_before(subject: Subject) -> None:
    """The supervisor asks ten times a second."""
    for _ in range(20):
        subject.clock.now_s += 0.125
        subject.oversight.look()
    assert subject.world.looks == 2


def test_the_pointer_is_looked_at_every_second(subject: Subject) -> None:
    """However seldom it looks at all the rest; one that has moved is told to whoever asked."""
    with StatusFile(subject.path, "me") as status:
        seldom = Oversight("me", replace(PATIENCE, look_every_s=10), status, subject.clock)
        seldom.world = subject.world
        seldom.begin()
        for _ in range(72):
            subject.clock.now_s += 0.125
            assert seldom.look() is None
        assert (subject.world.pointers, subject.world.looks) == (9, 0)
        subject.world.moved = PointerMoved("to another generation")
        subject.clock.now_s += 1
        with pytest.raises(PointerMoved):
            seldom.look()
        subject.world.gone = subject.world.moved
        assert not seldom.worked()


def test_h09_a_dead_leaders_lock_is_removed_and_our_daemon_takes_its_place(subject: Subject) -> None:
    """KCL would ask for the lock after half a minute; a daemon that starts asks at once."""
    assert subject.looks(3) == []
    (reason,) = subject.looks(1)
    assert "the leader other is dead" in reason


def test_h09_a_leader_that_beat_in_time_keeps_its_lock(subject: Subject) -> None:
    """The removal is conditional on what was seen; when it is refused nothing is started anew."""
    subject.world.leader_is_back = True
    assert subject.looks(60) == []


def test_h13_a_lost_lease_is_made_again(subject: Subject) -> None:
    """By the worker that misses it."""
    subject.world.leader_is_back = True
    subject.world.leases = {}
    subject.looks(4)
    assert subject.world.remade == ["one"]


def test_aws_being_away_is_no_reason_to_restart(subject: Subject) -> None:
    """A shard cannot move then; its child retries in place. The status says what cannot be seen, and why."""
    subject.world.leader_is_back = True
    subject.looks(3)
    subject.world.away = subject.world.stuck = True
    assert subject.looks(100) == []
    assert "Could not connect" in str(subject.status()["cannot_see"])
    subject.world.away = False
    assert subject.looks(8) == []
    assert subject.status()["cannot_see"] is None
    assert subject.looks(1) == ["one has not moved for 8 s"]


def test_a_daemon_that_waits_for_a_promote_is_not_started_anew(subject: Subject) -> None:
    """However long it waits. Once the mark is gone it has as long as ever to move."""
    subject.world.leader_is_back = True
    subject.looks(3)
    subject.world.coming, subject.world.keeps_its_mark = Next(2, "then", "a"), True
    subject.world.stuck, subject.world.stuck_at = True, subject.world.looks
    assert subject.looks(100) == []
    subject.world.coming = None
    assert subject.looks(7) == []
    assert subject.looks(1) == ["one has not moved for 8 s"]


def test_a_mark_that_is_older_than_any_promote_is_taken_back(subject: Subject) -> None:
    """Of the same promote, by our own clock, and once; others that follow each other are under way."""
    subject.world.coming = Next(2, "then", "a")
    subject.looks(14)
    subject.world.coming = Next(2, "then", "b")
    subject.looks(15)
    assert subject.world.taken_back == []
    subject.looks(1)
    assert subject.world.taken_back == [30]
    subject.looks(30)
    assert subject.world.taken_back == [30]


def test_s02_a_missing_stream_ends_the_run_with_its_own_sentence(subject: Subject) -> None:
    """It may come back: the next start says the same until it does."""
    subject.world.gone = StreamMissing("the stream is not there")
    assert subject.looks(1) == ["the stream is not there"]
    assert not subject.oversight.worked()


def test_s02_a_stream_made_again_is_seen_at_the_next_look(subject: Subject) -> None:
    """By whoever asks first."""
    subject.world.gone = WrongStream("made again")
    with pytest.raises(WrongStream):
        subject.looks(1)
    with pytest.raises(WrongStream):
        subject.oversight.worked()


def test_what_cannot_be_mended_hides_no_restart(subject: Subject) -> None:
    """Rights that lack for one thing do not keep another from being done."""
    subject.world.helpless = True
    subject.looks(3)
    subject.world.stuck, subject.world.stuck_at = True, subject.world.looks
    assert subject.looks(8) == ["one has not moved for 8 s"]


def test_the_status_tells_phase_shards_and_restarts(subject: Subject) -> None:
    """From start to work to a restart."""
    subject.world.leader_is_back = True
    subject.oversight.tell("starting", daemon_pid=4711)
    subject.looks(1)
    assert subject.status()["phase"] == "starting"
    subject.looks(1)
    assert subject.status()["phase"] == "working"
    assert subject.status()["shards"] == {"working": ["one"], "starting": [], "without_lease": []}
    subject.oversight.tell("restarting", reason="the daemon ended with status 70", failures=1)
    assert subject.status()["restarts"] == 1
    assert subject.status()["last_restart"]["reason"] == "the daemon ended with status 70"  # type: ignore[index]


def test_restarts_are_kept_as_they_are_told_and_by_the_next_look_that_sees_anything(subject: Subject) -> None:
    """A phase without a reason is none."""
    kept: list[tuple[Restart, ...]] = []
    away = [True]

    def keep(restarts: tuple[Restart, ...]) -> None:
        if away[0]:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        kept.append(restarts)

    with StatusFile(subject.path, "me") as status:
        oversight = Oversight("me", PATIENCE, status, subject.clock, history=History(keep))
        oversight.world = subject.world
        oversight.tell("starting", daemon_pid=4711)
        oversight.tell("restarting", reason="record processor 4712 died", failures=1)
        assert kept == []
        away[0] = False
        oversight.worked()
    (((restart,)),) = kept
    assert restart.reason == "record processor 4712 died"
    assert abs(restart.at_us / 1e6 - time.time()) < 60


def test_a_run_worked_when_a_shard_moved_however_shortly_before_its_end(subject: Subject) -> None:
    """It is looked at once more; what stands where it stood before the run shows nothing."""
    subject.looks(2)
    subject.oversight.begin()
    subject.world.stuck = True
    subject.world.stuck_at = subject.world.looks
    assert not subject.oversight.worked()
    subject.world.stuck = False
    assert subject.oversight.worked()
    subject.world.away = True
    subject.oversight.begin()
    assert not subject.oversight.worked()


def test_a_status_that_nobody_writes_any_more_says_so(subject: Subject) -> None:
    """A supervisor that was killed leaves its file behind; it must not look like work."""
    subject.oversight.tell("working")
    written = float(str(subject.status()["written_at_s"]))
    assert read_status(subject.path, written + 59)["phase"] == "working"
    assert read_status(subject.path, written + 61)["phase"] == "not running"
    assert read_status(subject.path.with_name("none.json"), 0) == {"phase": "not running"}


@pytest.fixture
def status_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the worker of this environment keeps its status."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    path = worker_path(Settings.from_environment(os.environ), "json")
    path.parent.mkdir(mode=0o700)
    return path


def test_s13_a_worker_is_well_while_its_supervisor_is_at_work_whatever_it_has_to_do(status_path: Path) -> None:
    """A new container brings no table back: one that starts, starts anew or sees nothing is left to go on."""
    assert main() == 1
    with StatusFile(status_path, "me") as status:
        assert main() == 0
        status.sight("DynamoDB is away")
        status.phase("restarting", reason="the daemon ended with status 70")
        assert main() == 0
    assert main() == 1


@pytest.mark.parametrize("was", [{"written_at_s": -61.0}, {"boot": "the run of the machine before this one"}])
def test_s13_a_status_that_was_left_behind_is_told_whatever_the_clock_is_set_to(status_path: Path, was: dict[str, Any]) -> None:
    """Its age is measured by a clock that all processes share and nobody sets."""
    with StatusFile(status_path, "me"):
        written = json.loads(status_path.read_text())
        assert 0 <= time.monotonic() - written["written_at_s"] < 60
        older = {name: written[name] + value if name == "written_at_s" else value for name, value in was.items()}
        status_path.write_text(json.dumps(written | older))
        assert main() == 1
