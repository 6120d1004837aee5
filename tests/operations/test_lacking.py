"""What one generation lacks of another, shard by shard."""

import pytest

from operations.lacking import Lacking, furthest_behind, lacking, shards_named
from projections.retention import Gap
from projections.rows import Row
from tests.support.promoting import LIVE, OTHER, row

EARLY, LATE, WIDE = Gap(100, 200), Gap(150, 250), Gap(50, 300)


@pytest.mark.parametrize(
    ("live", "other", "found"),
    [
        (row(5), row(5), Lacking()),
        (row(5), row(9), Lacking()),
        (row(5), row(5, flushed=4), Lacking(behind=[LIVE])),
        (row(5), row(4), Lacking(behind=[LIVE])),
        (row(5), None, Lacking(behind=[LIVE])),
        (row(0), None, Lacking()),
        (row(5, ended=True), row(5, ended=True), Lacking()),
        # The log has lost what came after the third record.
        (row(5, ended=True), row(3, ended=True), Lacking(unarchived={LIVE: 2})),
        (row(5), row(3, ended=True, gap=LATE), Lacking(unarchived={LIVE: 2})),
        (row(5, 3), row(3, 3, ended=True), Lacking()),
        # And what came before it, or in the middle.
        (row(5), row(5, 3), Lacking(before={LIVE: 2})),
        (row(5), row(9, gap=EARLY), Lacking(before={LIVE: 0})),
        (row(5, gap=LATE), row(9, gap=EARLY), Lacking(before={LIVE: 0})),
        (row(5, gap=WIDE), row(9, gap=EARLY), Lacking()),
        (row(5), row(5, gap=EARLY), Lacking()),
    ],
)
def test_each_shard_is_as_far_behind_or_lost(live: Row, other: Row | None, found: Lacking) -> None:
    """As far is durable as far; a gap that both have, or that lies behind both, takes nothing away."""
    assert lacking({LIVE: live}, {} if other is None else {LIVE: other}, {LIVE}) == found
    assert found.readings == sum((*found.unarchived.values(), *found.before.values()))


def test_a_shard_that_left_the_stream_cannot_be_begun_any_more() -> None:
    """What it counted is lost, unless that is nothing; one that is listed is yet to be read."""
    assert lacking({LIVE: row(5), OTHER: row(7)}, {}, {OTHER}) == Lacking(behind=[OTHER], before={LIVE: 5})
    assert lacking({LIVE: row(5, 0)}, {}, set()) == Lacking()


def test_what_the_other_has_more_is_none_of_it() -> None:
    """It has begun a child before."""
    assert lacking({LIVE: row(5)}, {LIVE: row(5), OTHER: row(1)}, set()) == Lacking()


def test_how_far_behind_is_told_by_what_goes_on() -> None:
    """By the shard that is furthest; one that has ended cannot get further."""

    def until(as_of_us: int, *, ended: bool = False) -> Row:
        return Row(row(1).key, 1, as_of_us=as_of_us, progress=row(1, ended=ended).progress)

    live = {LIVE: until(500), OTHER: until(400)}
    assert furthest_behind(live, {LIVE: until(500), OTHER: until(300)}) == (100, OTHER)
    assert furthest_behind(live, {LIVE: until(700), OTHER: until(300, ended=True)}) == (-200, LIVE)
    assert furthest_behind(live, {}) == (0, "")


def test_shards_are_named_in_words() -> None:
    """One, two, or the first of many."""
    assert [shards_named("cba"[:number]) for number in (1, 2, 3)] == ["c", "b and c", "a and 2 other shards"]
