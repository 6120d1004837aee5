"""Whether a stretch may have left the stream: sums, no clock."""

import pytest

from archive.names import Place
from archive.wholeness import Stretch, is_whole

NOW_MS = 1_764_147_600_000
DAY_MS = 86_400_000
YOUNG_MS, OLD_MS = NOW_MS - int(0.9 * DAY_MS) + 1, NOW_MS - int(0.9 * DAY_MS)


@pytest.mark.parametrize(
    ("stretch", "oldest", "whole"),
    [
        (Stretch(Place(7, YOUNG_MS)), None, True),
        (Stretch(Place(7, OLD_MS)), None, False),
        (Stretch(Place(7, OLD_MS), tip_seen_ms=YOUNG_MS), None, True),
        (Stretch(Place(7, OLD_MS)), 7, True),
        (Stretch(Place(7, OLD_MS)), 6, True),
        (Stretch(Place(7, OLD_MS)), 8, False),
        (Stretch(Place(7, OLD_MS), born_after_ms=YOUNG_MS), None, True),
        (Stretch(Place(), born_after_ms=YOUNG_MS), None, True),
        (Stretch(Place(), born_after_ms=OLD_MS), None, False),
        (Stretch(Place(), tip_seen_ms=YOUNG_MS), None, True),
        (Stretch(Place()), 1, False),
        (Stretch(Place()), None, False),
    ],
    ids=str,
)
def test_a_stretch_is_whole_if_something_proves_it(stretch: Stretch, oldest: int | None, whole: bool) -> None:
    """The record it follows or a look at the tip is young, or the stream keeps that record; a start has its birth instead."""
    assert is_whole(stretch, NOW_MS, DAY_MS, oldest) == whole
