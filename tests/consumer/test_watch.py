"""The watch, shown one look after another on a clock of the test's own."""

from dataclasses import replace
from typing import Any

import pytest

from consumer.watch import Patience, Verdict, Watch
from operations.observation import Leader, Lease, Observation, Worker
from projections.rows import PROGRESS, Progress, Row
from telemetry.shards import Shard, ShardMap

PATIENCE = Patience(look_every_s=1, leader_s=10, daemon_s=30, shard_s=75, start_s=90)
FAMILY = ShardMap([Shard("parent", 0, 99, closed=True), Shard("left", 0, 49, ("parent",)), Shard("right", 50, 99, ("parent",))])


class World:
    """Two shards of `me` and a leader `other`; time goes on by looks, a second each."""

    def __init__(self, patience: Patience = PATIENCE) -> None:
        self.watch = Watch("me", patience)
        self.now_s = 0.0
        self.beats: dict[str, int] = {"me": 0, "other": 0}
        self.moved = {"one": 0, "two": 0}
        self.dead: set[str] = set()
        self.ended: set[str] = set()
        self.measured = False
        self.stuck: set[str] = set()
        self.seen = Observation(
            shards=ShardMap([Shard("one", 0, 49), Shard("two", 50, 99)]),
            leases={"one": Lease("me", 0, ended=False), "two": Lease("me", 0, ended=False)},
            workers={},
            leader=Leader("other", "v1"),
            progress={},
        )

    def look(self, seconds: float = 1, **changes: Any) -> Verdict:
        """Let time go by for everybody who lives, then look."""
        self.now_s += seconds
        self.seen = replace(self.seen, **changes)
        for worker in self.beats.keys() - self.dead:
            self.beats[worker] += 1
        for shard in self.moved.keys() - self.stuck:
            self.moved[shard] += 1
        self.seen = replace(
            self.seen,
            workers={worker: Worker(str(beat), self.measured) for worker, beat in self.beats.items()},
            leases={
                shard: replace(lease, counter=self.beats.get(lease.owner or "", 0)) for shard, lease in self.seen.leases.items()
            },
            progress={
                shard: Row(PROGRESS, 7, progress=Progress(ended=shard in self.ended, beat=moved))
                for shard, moved in self.moved.items()
            },
        )
        return self.watch.see(self.seen, self.now_s)

    def until(self, seconds: int) -> Verdict:
        """The verdict after so many looks, a second apart, none of which found anything amiss before the last."""
        for _ in range(seconds - 1):
            verdict = self.look()
            assert (verdict.restart, verdict.dead_leader) == (None, None), (self.now_s, verdict)
        return self.look()


def test_while_everything_moves_there_is_nothing_to_do() -> None:
    """For an hour."""
    world = World()
    verdict = world.until(3600)
    assert (verdict.restart, verdict.dead_leader, verdict.without_lease) == (None, None, ())
    assert (verdict.working, verdict.starting, verdict.alive) == (("one", "two"), (), True)


def test_h24_a_shard_is_stuck_when_its_own_rows_stand_still() -> None:
    """Whatever KCL's metrics, leases and signs of life say: they go on here."""
    world = World()
    world.until(5)
    world.stuck = {"two"}
    assert world.until(74).restart is None
    assert world.look().restart == "two has not moved for 75 s"


def test_h07_a_daemon_without_a_sign_of_life_is_hung() -> None:
    """Its leases are not renewed and its own time stands still, so its shards stand still too; it need not take as long."""
    world = World()
    world.until(5)
    world.dead, world.stuck = {"me"}, {"one", "two"}
    assert world.until(29).restart is None
    assert world.look().restart == "the daemon has shown no sign of life for 30 s"


def test_a_daemon_that_starts_has_more_time_for_its_first_sign_of_life() -> None:
    """A busy machine starts Java slowly."""
    world = World()
    world.until(5)
    world.watch.begin()
    world.dead, world.stuck = {"me"}, {"one", "two"}
    verdict = world.until(90)
    assert (verdict.restart, verdict.alive, verdict.starting) == (None, False, ("one", "two"))
    assert world.look().restart


def test_h09_a_silent_leader_is_dead_after_ten_seconds_by_our_own_clock() -> None:
    """Neither its own time nor any of its leases moved."""
    world = World()
    world.until(5)
    world.dead = {"other"}
    assert world.until(9).dead_leader is None
    assert world.look().dead_leader == Leader("other", "v1")


def test_h09_a_leader_that_renews_only_a_lease_is_alive() -> None:
    """Its time stamp may be late; a renewal is a sign of life as good."""
    world = World()
    world.seen = replace(world.seen, leases={**world.seen.leases, "two": Lease("other", 0, ended=False)})
    for _ in range(60):
        verdict = world.look()
        world.seen = replace(world.seen, workers={**world.seen.workers, "other": Worker("0", measured=False)})
    assert verdict.dead_leader is None


def test_h09_to_lose_a_lease_is_no_sign_of_life() -> None:
    """Somebody else took it."""
    world = World()
    world.until(5)
    world.look(leases=leases_of(one="other", two="other", three="me", four="me"))
    world.dead = {"other"}
    assert world.until(5).dead_leader is None
    world.seen = replace(world.seen, leases=leases_of(one="other", two="me", three="me", four="me"))
    assert world.until(4).dead_leader is None
    assert world.look().dead_leader


@pytest.mark.parametrize("leader", [None, Leader("me", "v1")], ids=["none", "ourselves"])
def test_h09_no_leader_and_ourselves_are_left_alone(leader: Leader | None) -> None:
    """KCL elects one when there is none, and our own daemon is judged as such."""
    world = World()
    world.dead = {"me", "other"}
    for _ in range(60):
        verdict = world.look(leader=leader)
    assert verdict.dead_leader is None


def test_what_happened_while_we_stood_still_ourselves_says_nothing() -> None:
    """A supervisor that was stopped, or could not look for long, has no evidence: patience begins anew."""
    world = World()
    world.until(5)
    world.dead, world.stuck = {"me", "other"}, {"one", "two"}
    verdict = world.look(seconds=600)
    assert (verdict.restart, verdict.dead_leader) == (None, None)
    assert world.until(10).dead_leader


def test_a_shard_waits_for_its_parents() -> None:
    """A child that has a lease while its parent is read, as after a merge, is not stuck; nor is a shard at its end."""
    world = World()
    world.stuck = {"one", "two"}
    leases = {"parent": Lease("other", 0, ended=False), "left": Lease("me", 0, ended=False)}
    assert world.look(shards=FAMILY, leases=leases).restart is None
    assert world.until(100).restart is None
    world.look(leases={**leases, "parent": Lease("other", 0, ended=True)})
    for _ in range(100):
        verdict = world.look()
    assert verdict.restart == "left has not moved for 100 s"
    world.look(leases={name: Lease("me", 0, ended=True) for name in leases})
    assert world.until(100).restart is None


@pytest.mark.parametrize(("leader", "owner", "stuck"), [("me", None, True), ("me", "gone", True), ("other", "gone", False)])
def test_the_leader_answers_for_shards_that_nobody_alive_holds(leader: str, owner: str | None, stuck: bool) -> None:
    """It assigns leases; when it does not, its daemon is started anew."""
    world = World()
    world.stuck = {"two"}
    leases = {"one": Lease("me", 0, ended=False), "two": Lease(owner, 0, ended=False)}
    for _ in range(150):
        verdict = world.look(leader=Leader(leader, "v1"), leases=leases)
    assert (verdict.restart is not None) is stuck


def test_a_shard_that_came_to_us_has_all_its_time_before_it() -> None:
    """However long it stood still in other hands."""
    world = World()
    world.stuck = {"two"}
    world.look(leases=leases_of(one="me", two="other"))
    assert world.until(200).restart is None
    world.look(leases=leases_of(one="me", two="me"))
    assert world.until(89).restart is None
    assert world.look().restart == "two has not moved for 90 s"


def test_what_a_shard_did_in_other_hands_is_not_our_work() -> None:
    """It came to us a moment ago and has not moved since: we are still starting it."""
    world = World()
    world.look(leases=leases_of(one="me", two="other"))
    world.look()
    world.stuck = {"two"}
    verdict = world.look(leases=leases_of(one="me", two="me"))
    assert (verdict.working, verdict.starting) == (("one",), ("two",))


def test_a_child_that_waits_for_its_parent_is_not_starting() -> None:
    """A worker that works on all it can is at work."""
    world = World()
    world.moved["parent"] = 0
    shards = ShardMap([Shard("parent", 0, 99, closed=True), Shard("left", 0, 99, ("parent",))])
    world.look(shards=shards, leases=leases_of(parent="me", left="me"))
    verdict = world.look()
    assert (verdict.working, verdict.starting) == (("parent",), ())


def test_a_shard_at_its_end_may_wait_for_the_one_it_is_merged_with() -> None:
    """KCL keeps its lease until then, and nothing of it moves any more."""
    world = World()
    world.stuck, world.ended = {"two"}, {"two"}
    world.seen = replace(world.seen, leases={**world.seen.leases, "two": Lease("me", 0, ended=True)})
    assert world.until(300).restart is None


@pytest.mark.parametrize("owner", ["me", "gone", None])
def test_s13_a_shard_whose_row_says_ended_while_its_lease_does_not_is_taken_up_again(owner: str | None) -> None:
    """Whoever read it died between our row and KCL's checkpoint; its children wait for KCL to hear of the end."""
    world = World()
    world.stuck, world.ended = {"two"}, {"two"}
    leases = {"one": Lease("me", 0, ended=False), "two": Lease(owner, 0, ended=False)}
    reasons = {world.look(leader=Leader("me", "v1"), leases=leases).restart for _ in range(150)}
    assert any(reason and reason.startswith("two has not moved") for reason in reasons)


def test_a_shard_of_another_living_worker_is_not_ours_to_judge() -> None:
    """Its own supervisor sees it."""
    world = World()
    world.stuck = {"two"}
    world.look(leases={"one": Lease("me", 0, ended=False), "two": Lease("other", 0, ended=False)})
    assert world.until(200).restart is None


def test_h13_a_shard_that_stays_without_a_lease_is_found() -> None:
    """Not at once: KCL may be making it."""
    world = World()
    world.look(leases={"one": Lease("me", 0, ended=False)})
    assert world.until(9).without_lease == ()
    assert world.until(2).without_lease == ("two",)


@pytest.mark.parametrize(
    ("leases", "read", "missing"),
    [
        ({"parent": False}, "", []),
        ({"parent": True}, "", ["left", "right"]),
        ({"parent": True, "left": False, "right": False}, "", []),
        ({"left": False, "right": False}, "parent", []),
        ({"left": False, "right": False}, "", ["parent"]),
        ({"left": False}, "parent", ["right"]),
        ({}, "", ["parent"]),
        ({}, "parent", ["left", "right"]),
    ],
    ids=[
        "parent read",
        "parent ended",
        "children read",
        "parent forgotten",
        "parent lost",
        "one child",
        "all",
        "both children",
    ],
)
def test_h13_a_missing_lease_is_told_from_one_that_is_not_due(leases: dict[str, bool], read: str, missing: list[str]) -> None:
    """Children get theirs at the parent's end, whose own KCL removes some time after; the progress row remembers the end."""
    rows = {shard: Lease("me", 1, ended=ended) for shard, ended in leases.items()}
    progress = {read: Row(PROGRESS, 1, progress=Progress(ended=True))}
    assert Observation(FAMILY, rows, {}, None, progress).without_lease() == missing


def test_h13_a_merged_parent_is_missed_although_its_child_has_a_lease() -> None:
    """KCL makes a merged child's lease when the first of its parents ends, and would pass over what is left of the other."""
    shards = ShardMap([Shard("a", 0, 49, closed=True), Shard("b", 50, 99, closed=True), Shard("c", 0, 99, ("a", "b"))])
    leases = {"a": Lease("me", 1, ended=True), "c": Lease("me", 1, ended=False)}
    assert Observation(shards, leases, {}, None, {"b": Row(PROGRESS, 1)}).without_lease() == ["b"]


def leases_of(**owners: str) -> dict[str, Lease]:
    return {shard: Lease(owner, 0, ended=False) for shard, owner in owners.items()}


@pytest.mark.parametrize(
    ("owners", "take"),
    [
        ({"one": "other", "two": "other"}, ("two", "other")),
        ({"one": "other"}, None),
        ({"one": "other", "two": "me"}, None),
        ({"one": "other", "two": "other", "three": "me"}, None),
        ({"one": "me", "two": "me"}, None),
    ],
    ids=["two to none", "one to none", "one each", "two to one", "all ours"],
)
def test_a_worker_takes_its_share(owners: dict[str, str], take: tuple[str, str] | None) -> None:
    """From whoever has at least two more; not at once, because KCL may be moving leases itself."""
    world = World()
    world.look(leases=leases_of(**owners))
    assert all(world.look().take is None for _ in range(9))
    assert world.look().take == take


def test_nothing_is_taken_where_kcl_balances_itself() -> None:
    """By the load of the hosts, which counts of shards would only disturb."""
    world = World()
    world.measured = True
    world.look(leases=leases_of(one="other", two="other"))
    assert all(world.look().take is None for _ in range(60))


def test_nothing_is_taken_from_the_dead() -> None:
    """The leader assigns their shards."""
    world = World()
    world.look(leases=leases_of(one="other", two="other"))
    world.dead = {"other"}
    assert all(world.look().take is None for _ in range(60))
