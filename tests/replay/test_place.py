"""What a place keeps comes back as it was."""

import json

from replay.events import Passed
from replay.place import Progress
from telemetry.errors import ReasonCode
from telemetry.log import Gap, Position


def test_a_progress_is_told_and_read_again() -> None:
    """Every part of it, through JSON."""
    progress = Progress({"a": Position(int("1" * 56), 5)}, {"b"}, 3, 4, 5, Passed(lost=7), {"a": Gap("a", 1, None)})
    progress.passed.codes[ReasonCode.NOT_JSON] = 6
    assert Progress.of(json.loads(json.dumps(progress.told()))) == progress


def test_gaps_of_a_shard_are_told_as_one() -> None:
    """From the first one's beginning to the last one's end, which may not be known."""
    progress = Progress()
    for gap in (Gap("a", 5, 7), Gap("a", 9, 11), Gap("b", 1, 2)):
        progress.add(gap)
    assert progress.gaps == {"a": Gap("a", 5, 11), "b": Gap("b", 1, 2)}
    progress.add(Gap("a", 11, None))
    progress.add(Gap("a", 1, 2))
    assert progress.gaps["a"] == Gap("a", 1, None)
