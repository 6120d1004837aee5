"""Leases watched on clocks of the test's own: what moves is told at once, what does not when it is sure."""

from collections.abc import Callable
from dataclasses import replace

from operations.leasing import ENDED, WAITS, Leases, watch
from operations.observation import Leader, Lease, Observation, Worker
from operations.verdicts import ShardVerdict
from projections.rows import PROGRESS, Progress, Row
from telemetry.shards import Shard, ShardMap

FAMILY = ShardMap([Shard("parent", 0, 99, closed=True), Shard("left", 0, 49, ("parent",)), Shard("right", 50, 99, ("parent",))])
GONE = Lease(None, 3, ended=True)
"""Of a shard that the stream does not list any more."""


class Scene:
    """A parent that ended, one child that is read, and another; each look is told how many seconds have gone by."""

    def __init__(self, at: Callable[["Scene", Observation], Observation]) -> None:
        self.now_s = 0.0
        self._at = at

    def look(self) -> Observation:
        beat = int(self.now_s) + 1
        rows = {
            "parent": Row(PROGRESS, 9, progress=Progress(ended=True)),
            **{
                child: Row(PROGRESS, 10 + beat, as_of_us=int(self.now_s * 1e6), progress=Progress(beat=beat))
                for child in ("left", "right")
            },
        }
        held = Lease("me", beat, ended=False)
        leases = {"parent": Lease(None, 7, ended=True), "left": held, "right": held}
        workers = {"me": Worker(str(beat), measured=False)}
        return self._at(self, Observation(FAMILY, {**leases, "gone": GONE}, workers, Leader("me", "v1"), rows))

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def watched(at: Callable[[Scene, Observation], Observation]) -> Leases:
    scene = Scene(at)
    return watch(scene.look, lambda: scene.now_s, lambda: int(scene.now_s * 1e6), scene.sleep)


def with_lease(seen: Observation, lease: Lease) -> Observation:
    return replace(seen, leases={**seen.leases, "right": lease})


def with_row(seen: Observation, row: Row) -> Observation:
    return replace(seen, progress={**seen.progress, "right": row})


def test_what_moves_is_told_at_once() -> None:
    """Each shard with its owner and parents; those read to their end say so, listed or not."""
    found = watched(lambda _, seen: seen)
    told = {line.shard_id: (line.word, line.owner, line.moving, line.parents) for line in found.lines}
    assert told == {
        "gone": (ENDED, None, None, ()),
        "left": ("ok", "me", True, ("parent",)),
        "parent": (ENDED, None, None, ()),
        "right": ("ok", "me", True, ("parent",)),
    }
    assert (found.worst, found.leader, found.watched_s) == (ShardVerdict.OK, "me", 2.5)


def test_h24_a_stalled_shard_is_named_when_it_is_sure() -> None:
    """Its lease moves on, it does not; 35 s say so."""
    found = watched(lambda _, seen: with_row(seen, Row(PROGRESS, 10, progress=Progress(beat=1))))
    (right,) = (line for line in found.lines if line.shard_id == "right")
    assert (right.word, right.moving, right.position_age_s) == ("stalled", True, found.watched_s)
    assert 35 <= found.watched_s <= 40
    assert found.worst is ShardVerdict.STALLED


def test_a_stopped_shard_is_named() -> None:
    """At once without an owner or a lease; where the owner is dead when it is sure."""
    found = watched(lambda _, seen: with_lease(seen, Lease(None, 5, ended=False)))
    assert (found.worst, found.watched_s) == (ShardVerdict.STOPPED, 2.5)
    found = watched(
        lambda _, seen: replace(
            seen, leases={lease: one for lease, one in seen.leases.items() if lease != "right"}, leader=None
        )
    )
    assert (found.worst, found.leader) == (ShardVerdict.STOPPED, None)
    dead = Lease("dead", 5, ended=False)
    still = Row(PROGRESS, 10, progress=Progress(beat=1))
    found = watched(lambda _, seen: with_row(with_lease(seen, dead), still))
    (right,) = (line for line in found.lines if line.shard_id == "right")
    assert (right.word, right.owner, right.moving) == ("stopped", "dead", False)
    assert found.watched_s >= 35


def test_h29_a_rewound_shard_is_named() -> None:
    """Its row is behind what its lease says that it has, or behind where it was."""
    found = watched(lambda _, seen: with_lease(seen, replace(seen.leases["right"], checkpoint=10**55)))
    assert (found.worst, found.watched_s) == (ShardVerdict.REWOUND, 2.5)
    found = watched(lambda scene, seen: with_row(seen, Row(PROGRESS, 5, progress=Progress(beat=9))) if scene.now_s else seen)
    assert found.worst is ShardVerdict.REWOUND


def test_a_child_waits_for_its_parents() -> None:
    """It has no verdict, and nobody is blamed for it."""
    parent = Lease("me", 1, ended=False)

    def at(_: Scene, seen: Observation) -> Observation:
        beat = seen.leases["left"].counter
        rows = {"parent": Row(PROGRESS, beat, as_of_us=beat * 1_000_000, progress=Progress(beat=beat))}
        return replace(seen, leases={"parent": replace(parent, counter=beat)}, progress=rows)

    found = watched(at)
    assert {line.shard_id: line.word for line in found.lines} == {"left": WAITS, "parent": "ok", "right": WAITS}
