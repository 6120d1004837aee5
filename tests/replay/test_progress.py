"""The line that says how far a reading is."""

import pytest

from replay.progress import Course, duration, progress_line
from telemetry.log import LogRecord, Page, Position


def page(shard_id: str, arrived_ms: int) -> Page:
    return Page(shard_id, [LogRecord(1, arrived_ms, b"")])


def test_the_share_is_that_of_all_shards_in_time() -> None:
    """A shard that ended is read whole; arrival times beyond the ends, or that go back, change nothing."""
    course = Course(1000, 2000, 4)
    assert course.share == 0
    course.note(page("a", 1500))
    assert course.share == pytest.approx(0.125)
    course.note(page("a", 1400))
    course.note(page("b", 9000))
    assert course.share == pytest.approx(0.375)
    course.note(Page("a", ended=True))
    course.note(Page("c"))
    assert course.share == pytest.approx(0.5)


def test_a_reading_that_goes_on_begins_where_it_was() -> None:
    """With what was read before."""
    course = Course(1000, 2000, 2)
    course.go_on({"a": Position(1, 1500), "b": Position(1, 1900)}, {"b"})
    assert course.share == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("events", "elapsed_s", "share", "before", "line"),
    [
        (0, 0.0, 0.0, 0.0, "0 events  …  0 %  …"),
        (500, 10.0, 0.009, 0.0, "500 events  50/s  1 %  …"),
        (1_204_331, 60.0, 0.25, 0.0, "1,204,331 events  20,072/s  25 %  3 min left"),
        (100, 10.0, 0.75, 0.5, "100 events  10/s  75 %  10 s left"),
    ],
)
def test_the_line_says_how_many_how_fast_how_far_and_how_long(
    events: int, elapsed_s: float, share: float, before: float, line: str
) -> None:
    """Time left is told from a hundredth of the way on, by what this run has read."""
    assert progress_line(events, elapsed_s, share, before) == line


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59, "59 s"), (90, "2 min"), (3599, "1 h 0 min"), (11_400, "3 h 10 min")]
)
def test_durations_are_said_roughly(seconds: float, text: str) -> None:
    """In the unit that people say it in."""
    assert duration(seconds) == text
