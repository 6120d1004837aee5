"""What the doctor says of one look."""

from dataclasses import replace

import pytest

from operations.doctor import diagnose
from operations.observation import Leader, Lease, Observation, Worker
from projections.retention import Gap
from projections.rows import PROGRESS, Progress, Row
from telemetry.shards import Shard, ShardMap

NOW_US = 1_700_000_000_000_000
ONE = ShardMap([Shard("one", 0, 99)])


def seen(lease: Lease | None, row: Row | None, leader: Leader | None = None) -> Observation:
    leader = leader or Leader("me", "v1")
    return Observation(
        ONE, {"one": lease} if lease else {}, {"me": Worker("1", measured=False)}, leader, {"one": row} if row else {}
    )


HELD = Lease("me", 1, ended=False)
CURRENT = Row(PROGRESS, 1, as_of_us=NOW_US)


def test_the_doctor_has_nothing_to_say_when_all_is_well() -> None:
    """A worker for every shard, and progress."""
    assert diagnose(seen(HELD, CURRENT), NOW_US + 60_000_000) == []


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (seen(None, CURRENT), "one has no lease"),
        (seen(Lease(None, 1, ended=False), CURRENT), "one belongs to no worker"),
        (seen(HELD, None), "one has projected nothing yet; its worker is me"),
        (seen(HELD, Row(PROGRESS, 1, as_of_us=NOW_US - 61_000_000)), "one is 61 s behind"),
        (
            Observation(
                ShardMap([Shard("one", 0, 99, closed=True), Shard("child", 0, 99, ("one",))]),
                {"one": HELD},
                {"me": Worker("1", measured=False)},
                Leader("me", "v1"),
                {"one": Row(PROGRESS, 1, as_of_us=NOW_US - 61_000_000)},
            ),
            "one is 61 s behind",
        ),
        (
            seen(HELD, replace(CURRENT, progress=Progress(gap=Gap(0, 1_000_000)))),
            "one: what arrived after 1970-01-01T00:00:00Z and before 1970-01-01T00:00:01Z may have left the stream unread",
        ),
        (
            seen(Lease("me", 1, ended=True), replace(CURRENT, progress=Progress(ended=True, gap=Gap(0, 1)))),
            "may have left the stream unread",
        ),
        (seen(Lease(None, 1, ended=False), replace(CURRENT, progress=Progress(ended=True))), "one belongs to no worker"),
        (Observation(ONE, {"one": HELD}, {}, None, {"one": CURRENT}), "start a consumer"),
        (Observation(ONE, {"one": HELD}, {"me": Worker("1", measured=False)}, None, {"one": CURRENT}), "Nobody assigns"),
    ],
    ids=[
        "h13 no lease",
        "no owner",
        "no progress",
        "behind",
        "closed and behind",
        "s05 gap",
        "s05 gap of an ended shard",
        "s13 ended and unheard",
        "no worker",
        "no leader",
    ],
)
def test_h13_h24_the_doctor_says_what_is_wrong(observation: Observation, words: str) -> None:
    """One sentence for one fault."""
    (finding,) = diagnose(observation, NOW_US)
    assert words in finding
