"""The line that says how far a generation is."""

import pytest

from cli.rebuild_line import Filling, Rate, rebuild_line
from operations.stages import Stage, State

MINUTE_US = 60_000_000


def test_a_filling_says_how_far_how_fast_and_how_long() -> None:
    """As the documents show it."""
    state = State(2, Stage.FILLING, "", 8_231_004, 130 * MINUTE_US, 2)
    assert rebuild_line(state, Filling(11_400_000, 82_400, 380, 500, processes=2)) == (
        "g2  filling  8,231,004 of ~11,400,000 readings (72.2 %)  82,400/s  2 shards  writes 380 of 500 units/s  "
        "behind live 2 h 10 min  ready in ~38 s  held back: how fast 2 processes read and fold"
    )


def test_what_holds_it_back_is_said() -> None:
    """The bucket of units when that is empty; else those who are at work, be it one alone."""
    state = State(2, Stage.FILLING, "", 5_000, None, 1)
    line = rebuild_line(state, Filling(10_000, 100, 499, 500))
    assert line == (
        "g2  filling  5,000 of ~10,000 readings (50.0 %)  100/s  1 shard  writes 499 of 500 units/s  ready in ~50 s  "
        "held back: --max-units"
    )
    assert rebuild_line(state, Filling(10_000, 100, 90, 500)).endswith("held back: how fast one process reads and folds")


@pytest.mark.parametrize(("readings", "of"), [(99, 10_000), (10_000, 10_000), (10_001, 10_000), (5, 0)])
def test_nobody_guesses_before_there_is_something_to_guess_from(readings: int, of: int) -> None:
    """No time is told before one in a hundred, nor after the end; no share is above the whole, and of nothing there is none."""
    line = rebuild_line(State(2, Stage.FILLING, "", readings, None, 1), Filling(of, 100, None, 500))
    assert "ready in" not in line
    assert "writes" not in line
    assert (f"{readings:,} of ~{max(readings, of):,} readings" if of else f"{readings:,} readings  ") in line
    assert ("(100.0 %)" in line) is (readings >= of > 0)


def test_afterwards_the_state_says_what_is_waited_for() -> None:
    """A generation that is behind by less than a second is not behind."""
    lagging = State(2, Stage.LAGGING, "furthest behind: shardId-7", 5_000, 40_000_000, 2)
    assert (
        rebuild_line(lagging)
        == "g2  lagging  5,000 readings  2 shards  behind live 40 s  held back: furthest behind: shardId-7"
    )
    ready = State(2, Stage.READY, "telemetry promote g2 makes it live", 5_000, 999_999, 2)
    assert rebuild_line(ready) == "g2  ready  5,000 readings  2 shards  held back: telemetry promote g2 makes it live"
    assert rebuild_line(State(2, Stage.LIVE, "", 1, None, 1)) == "g2  live  1 readings  1 shard"


def test_a_rate_is_of_the_last_seconds() -> None:
    """None before there are two looks; what was long ago does not count."""
    rate = Rate()
    assert rate.note(0, 0) is None
    assert rate.note(5, 100) == 20
    assert rate.note(10, 100) == 10
    assert rate.note(15, 100) == 0
    assert rate.note(15, 100) == 0
