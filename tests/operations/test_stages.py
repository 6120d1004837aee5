"""Where a generation is on its way, from what is seen of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from operations.stages import READY_S, Seen, Stage, state_of
from projections.fold import Stats
from projections.register import Registered
from projections.retention import Gap
from projections.rows import PROGRESS, Progress, Row

S = 1_000_000
AT_US = 1_800_000_000 * S


def row(as_of_s: float, count: int = 5, *, ended: bool = False, gap: Gap | None = None) -> Row:
    progress = Progress(ended=ended, gap=gap)
    return Row(PROGRESS, 7, Stats(count=count), AT_US + int(as_of_s * S), progress=progress)


LIVE = {"a": row(0, ended=True), "b": row(60), "c": row(60)}
LISTED = ("b", "c")


def seen(**how: Any) -> Seen:
    given: dict[str, Any] = {"number": 2, "live": False, "registered": Registered(2, AT_US), "tables": True, "listed": LISTED}
    return Seen(**given | how)


def own(as_of_s: float = 60) -> Mapping[str, Row]:
    return {"a": row(0, ended=True), "b": row(as_of_s), "c": row(60)}


@pytest.mark.parametrize(
    ("found", "stage", "why"),
    [
        (seen(filling=True), Stage.FILLING, "from the archive"),
        (seen(), Stage.FILLING, "nobody is seen at work: telemetry rebuild --generation 2 goes on"),
        (seen(leased=True, workers=("w",)), Stage.LAGGING, "not begun: b and c"),
        (seen(leased=True, workers=("w",), progress=own(60 - READY_S - 1)), Stage.LAGGING, "furthest behind: b"),
        (seen(leased=True, workers=("w",), progress=own(60 - READY_S)), Stage.READY, "telemetry promote g2 makes it live"),
        (seen(live=True, leased=True, progress=LIVE), Stage.LIVE, ""),
        (seen(leased=True, progress=own()), Stage.STANDBY, "nobody feeds it: telemetry rebuild --generation 2 catches it up"),
        (seen(registered=Registered(2, AT_US, AT_US), tables=False), Stage.DROPPED, "at 2027-01-15T08:00:00Z"),
        (seen(tables=False), Stage.FAILED, "its tables are not there: telemetry rebuild --generation 2 makes them"),
        (seen(live=True, tables=False), Stage.FAILED, "its tables are not there: python -m infra.setup makes them"),
        (
            seen(registered=Registered(2, AT_US, failure="The disk was full.")),
            Stage.FAILED,
            "The disk was full. telemetry rebuild --generation 2 goes on",
        ),
        (seen(registered=Registered(2, AT_US, failure="It was."), filling=True), Stage.FILLING, "from the archive"),
        (seen(registered=Registered(2, AT_US, AT_US), leased=True, workers=("w",)), Stage.DROPPED, "at 2027-01-15T08:00:00Z"),
    ],
)
def test_a_state_follows_from_what_is_seen(found: Seen, stage: Stage, why: str) -> None:
    """And always says what is waited for; nothing of it is kept anywhere."""
    state = state_of(found, LIVE)
    assert (state.stage, state.why) == (stage, why)


def test_how_far_it_is() -> None:
    """Readings of all shards, and by how much the one that is furthest behind is behind; never less than nothing."""
    state = state_of(seen(leased=True, workers=("w", "v"), progress=own(20)), LIVE)
    assert (state.readings, state.behind_us, state.shards, state.workers, state.at_work) == (15, 40 * S, 3, ("v", "w"), True)
    assert state_of(seen(leased=True, progress=own(99)), LIVE).behind_us == 0
    assert state_of(seen(), LIVE).behind_us is None
    assert state_of(seen(live=True, progress=LIVE), LIVE).behind_us is None


def test_a_row_that_says_nothing_yet_is_not_behind_since_1970() -> None:
    """A worker was there, and has read nothing: the shard is not begun."""
    state = state_of(seen(leased=True, workers=("w",), progress={**own(), "b": Row(PROGRESS)}), LIVE)
    assert (state.stage, state.why, state.behind_us) == (Stage.LAGGING, "not begun: b", 0)
    assert state_of(seen(leased=True, workers=("w",), progress={"b": Row(PROGRESS)}), LIVE).behind_us is None


def test_a_filling_counts_before_its_rows_do() -> None:
    """They are written when memory is full; what whoever fills has noted is more."""
    registered = Registered(2, AT_US, filled=1_000)
    assert state_of(seen(registered=registered, filling=True), LIVE).readings == 1_000
    assert state_of(seen(registered=registered, leased=True, progress=own()), LIVE).readings == 15


def test_what_it_may_lack_is_named() -> None:
    """A gap that the live generation does not have as well, and a shard that only that one has read."""
    narrow, wide = Gap(10, 20), Gap(5, 30)
    lacking = {**own(), "b": row(60, gap=wide)}
    del lacking["a"]
    assert state_of(seen(progress=lacking), LIVE).gaps == ("a", "b")
    assert state_of(seen(progress={**own(), "b": row(60, gap=narrow)}), {**LIVE, "b": row(60, gap=wide)}).gaps == ()
    assert state_of(seen(progress=own()), {**LIVE, "empty": row(0, count=0)}).gaps == ()
    assert state_of(seen(), LIVE).gaps == (), "nothing of it is there yet"
