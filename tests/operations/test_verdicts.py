"""Verdicts, shown one look after another on clocks of the test's own."""

from dataclasses import replace

import pytest

from operations.observation import Lease, Observation, Worker
from operations.verdicts import Judge, ShardState, ShardVerdict, worst
from projections.rows import PROGRESS, Progress, Row
from telemetry.shards import Shard, ShardMap

ONE = ShardMap([Shard("one", 0, 99)])
FAMILY = ShardMap([Shard("parent", 0, 99, closed=True), Shard("left", 0, 49, ("parent",)), Shard("right", 50, 99, ("parent",))])


class Story:
    """A shard whose worker lives, renews its lease and counts on, unless told otherwise; a look every five seconds."""

    def __init__(self) -> None:
        self.judge, self.now_s = Judge(), 0.0
        self.lives = self.moves = True
        self.behind_s = 0.0
        self.lease = Lease("me", 0, ended=False)
        self.row = Row(PROGRESS, 1)
        self.beat = 0

    def look(self, times: int = 1, *, leased: bool = True) -> ShardState:
        """What the last of so many looks said."""
        for _ in range(times):
            self.now_s += 5
            if self.lives:
                self.lease = replace(self.lease, counter=self.lease.counter + 1)
                self.beat += 1
            if self.moves:
                as_of_us = int((self.now_s - self.behind_s) * 1_000_000)
                beat = self.row.progress.beat + 1
                self.row = replace(self.row, position=self.row.position + 1, as_of_us=as_of_us, progress=Progress(beat=beat))
            workers = {"me": Worker(str(self.beat), measured=False)}
            seen = Observation(ONE, {"one": self.lease} if leased else {}, workers, None, {"one": self.row})
            (state,) = self.judge.see(seen, self.now_s, int(self.now_s * 1_000_000))
        return state


def test_a_shard_that_moves_is_ok_or_slow_by_its_lag() -> None:
    """Above 15 s figures are not complete."""
    story = Story()
    assert story.look(3) == ShardState("one", "me", ShardVerdict.OK, 0, 0.0)
    story.behind_s = 15
    assert story.look().verdict is ShardVerdict.OK
    story.behind_s = 15.001
    assert story.look() == ShardState("one", "me", ShardVerdict.SLOW, 15_001_000, 0.0)


def test_h24_a_shard_whose_worker_lives_and_that_stands_still_is_stalled() -> None:
    """First it is slow; the first look alone accuses nobody."""
    story = Story()
    story.moves = False
    story.behind_s = 100
    assert story.look(4).verdict is ShardVerdict.SLOW
    assert story.look(4) == ShardState("one", "me", ShardVerdict.STALLED, 40_000_000, 35.0)
    story.moves, story.behind_s = True, 0
    assert story.look().verdict is ShardVerdict.OK


def test_an_idle_shard_is_ok_and_its_position_grows_old() -> None:
    """Its beat goes on."""
    story = Story()
    story.look()
    for _ in range(20):
        story.row = replace(story.row, position=1)
        state = story.look()
    assert (state.verdict, state.position_age_s) == (ShardVerdict.OK, 100.0)


def test_a_shard_that_nobody_alive_reads_is_stopped() -> None:
    """Without lease, without owner, or with one that shows no sign of life any more."""
    story = Story()
    assert story.look(leased=False) == ShardState("one", None, ShardVerdict.STOPPED, 0, 0.0)
    story.lease = Lease(None, 0, ended=False)
    assert story.look().verdict is ShardVerdict.STOPPED
    story = Story()
    story.look()
    story.lives = story.moves = False
    assert story.look(6).verdict is ShardVerdict.SLOW
    assert story.look(1).verdict is ShardVerdict.STOPPED


def test_h29_a_position_that_went_back_is_said_until_it_is_where_it_was() -> None:
    """A table was restored: what is counted again makes figures small meanwhile."""
    story = Story()
    story.row = replace(story.row, position=10)
    story.look()
    story.row = replace(story.row, position=5)
    assert story.look(5).verdict is ShardVerdict.REWOUND
    assert story.look().verdict is ShardVerdict.OK


def test_h29_a_row_behind_its_lease_is_said() -> None:
    """A checkpoint names only what rows have: so they were taken back, and KCL goes on behind what is missing."""
    story = Story()
    story.lease = replace(story.lease, checkpoint=10)
    assert story.look().verdict is ShardVerdict.OK  # the rows may have been read before the leases
    assert story.look(7).verdict is ShardVerdict.REWOUND
    assert story.look().verdict is ShardVerdict.OK


def test_a_child_without_a_row_is_as_far_as_its_parents_end() -> None:
    """And one whose parent was never counted is behind by nobody knows how much."""
    leases = {"parent": Lease("me", 1, ended=True), "left": Lease("me", 1, ended=False)}
    ended = Row(PROGRESS, 9, as_of_us=1_000_000, progress=Progress(ended=True))
    seen = Observation(FAMILY, leases, {}, None, {"parent": ended})
    left, right = Judge().see(seen, 0, 3_000_000)
    assert (left.shard_id, left.lag_us, left.verdict) == ("left", 2_000_000, ShardVerdict.OK)
    assert (right.shard_id, right.owner, right.verdict) == ("right", None, ShardVerdict.STOPPED)
    left, _ = Judge().see(replace(seen, progress={}), 0, 3_000_000)
    assert (left.lag_us, left.verdict) == (None, ShardVerdict.SLOW)


@pytest.mark.parametrize(
    ("words", "word"), [("ok slow ok", "slow"), ("slow stalled", "stalled"), ("stopped rewound ok", "stopped"), ("", "stopped")]
)
def test_the_worst_part_decides(words: str, word: str) -> None:
    """Where nothing is read at all, nothing is ok."""
    states = [ShardState("one", "me", ShardVerdict(one), 0, 0.0) for one in words.split()]
    assert worst(states) == word
