"""Marks: how far an answer goes, what it holds for sure, and when it may have changed."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.effects import run
from projections.fleet import FleetReader
from projections.history import fleet_history, sensor_history
from projections.marks import Answer, HashRange, Marks, ShardMark, Which, marks_of, uncovered
from projections.memory import MemoryStores
from projections.memory_reads import MemoryReads
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from projections.ranges import fleet_between, readings, sensor_between, sensor_total
from projections.reads import ReadSteps
from projections.rows import PROGRESS, Mark, Progress, Row
from projections.sensors import sensors, silent_sensors
from projections.tiles import END_US, HOUR_US
from telemetry.limits import HASH_KEY_MAX
from tests.projections.logs import NEVER, START_S, Clock, reading, record
from tests.projections.logs import SHARD as WHOLE
from tests.projections.worlds import ask, finish

LOW, HIGH, ALL = (0, 2**127 - 1), (2**127, HASH_KEY_MAX), (0, HASH_KEY_MAX)
EDGES = [0, 1, 2**126, 2**127 - 1, 2**127, HASH_KEY_MAX]
hash_ranges = st.tuples(st.sampled_from(EDGES), st.sampled_from(EDGES)).map(lambda pair: (min(pair), max(pair)))
HOURS = range(START_S // 3600 * HOUR_US, (START_S // 3600 + 4) * HOUR_US, HOUR_US)


def marks(**shards: ShardMark) -> Marks:
    """Marks of these shards."""
    return Marks(Which.TOTALS, shards)


def test_each_mark_is_the_rows_own() -> None:
    """Totals go as far as the row itself; the two others as the row says."""
    progress = Progress(windows=Mark(2, 20), flushed=Mark(1, 10), hash_range=ALL)
    rows = {"a": Row(PROGRESS, 3, as_of_us=30, progress=progress)}
    found = {which: marks_of(rows, which).shards["a"] for which in Which}
    assert found == {
        Which.TOTALS: (3, 30, False, ALL),
        Which.WINDOWS: (2, 20, False, ALL),
        Which.EVERYTHING: (1, 10, False, ALL),
    }


@given(st.lists(st.none() | hash_ranges, max_size=6))
def test_what_ranges_leave_uncovered(ranges: list[HashRange | None]) -> None:
    """Key by key, at and beside every edge."""
    rest = uncovered(ranges)
    for key in {max(0, min(edge + beside, HASH_KEY_MAX)) for edge in EDGES for beside in (-1, 0, 1)}:
        held = any(first <= key <= last for first, last in filter(None, ranges))
        assert any(first <= key <= last for first, last in rest) is not held
    assert all(first <= last for first, last in rest)
    assert all(one[1] < other[0] for one, other in pairwise(rest))


def test_as_of_is_the_earliest_of_the_shards_that_are_not_ended() -> None:
    """None when nothing is known."""
    assert marks().as_of_us is None
    assert marks(a=ShardMark(1, 5, True, None)).as_of_us is None
    found = marks(old=ShardMark(1, 5, True, ALL), low=ShardMark(2, 9, False, LOW), high=ShardMark(2, 7, False, HIGH))
    assert found.as_of_us == 7


def test_a_child_without_a_row_counts_as_its_parents_end() -> None:
    """Of the parents, not of what lies before them; and of no shard whose children all have rows."""
    old, parent = ShardMark(1, 3, True, ALL), ShardMark(2, 5, True, LOW)
    assert marks(old=old, parent=parent, high=ShardMark(2, 9, False, HIGH)).as_of_us == 5
    one, other = (ShardMark(2, 9, False, (first, first + 2**126 - 1)) for first in (0, 2**126))
    assert marks(old=old, parent=parent, high=ShardMark(2, 9, False, HIGH), one=one).as_of_us == 5
    assert marks(old=old, parent=parent, high=ShardMark(2, 9, False, HIGH), one=one, other=other).as_of_us == 9


def test_a_position_is_held_behind_the_mark_or_when_its_shard_has_ended() -> None:
    """Whoever waits for a position of an ended shard is answered; of a shard without a row nothing is known yet."""
    found = marks(open=ShardMark(10, 5, False, None), ended=ShardMark(10, 5, True, None))
    assert (found.holds("open", 10), found.holds("open", 11), found.holds("new", 1)) == (True, False, None)
    assert (found.holds("ended", 10), found.holds("ended", 11)) == (True, True)


def test_an_etag_tells_question_and_positions_apart_and_nothing_else() -> None:
    """Not the order of shards, and not a time that moves while nothing happens."""
    one, other = ShardMark(1, 5, False, LOW), ShardMark(2, 5, False, HIGH)
    etag = marks(a=one, b=other).etag("stats")
    assert etag == marks(b=other, a=one._replace(as_of_us=6)).etag("stats")
    differing = [
        marks(a=one, b=other).etag("history"),
        marks(a=one, b=other).etag("stats", "x"),
        marks(a=other, b=one).etag("stats"),
        marks(a=one).etag("stats"),
        Marks(Which.WINDOWS, {"a": one, "b": other}).etag("stats"),
    ]
    assert len({etag, *differing}) == 6


QUESTIONS: dict[str, tuple[Which, Callable[[FleetReader], ReadSteps[Answer[Any]]]]] = {
    "fleet": (Which.WINDOWS, lambda fleet: fleet_between(fleet, 0, END_US)),
    "history": (Which.WINDOWS, lambda fleet: fleet_history(fleet, HOURS)),
    "history with percentiles": (Which.WINDOWS, lambda fleet: fleet_history(fleet, HOURS, percentiles=True)),
    "sensor": (Which.EVERYTHING, lambda fleet: sensor_total(fleet, "a")),
    "sensor's range": (Which.EVERYTHING, lambda fleet: sensor_between(fleet, "a", 0, END_US)),
    "sensor's history": (Which.EVERYTHING, lambda fleet: sensor_history(fleet, "a", HOURS)),
    "sensor's cut hours": (Which.EVERYTHING, lambda fleet: sensor_history(fleet, "a", [one + 1 for one in HOURS])),
    "readings": (Which.EVERYTHING, lambda fleet: readings(fleet, "a", 0, END_US)),
    "sensors": (Which.EVERYTHING, sensors),
    "silent": (Which.EVERYTHING, silent_sensors),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_stands_on_the_mark_of_what_it_read(name: str) -> None:
    """Its ETag changes when that was written, not when the totals run ahead, and no later; and so does what it says."""
    which, question = QUESTIONS[name]
    stores, clock = MemoryStores(), Clock()
    projector = ShardProjector(WHOLE, clock, FlushPolicy(windows_every_s=5, few_every_s=NEVER, everything_every_s=NEVER))

    def told() -> tuple[object, str, int | None]:
        answer = ask(question(FleetReader()), stores)
        assert answer.marks == ask(FleetReader().marks(which), stores)
        return answer.value, answer.etag("this question"), answer.marks.shards[WHOLE.shard_id].position

    run(projector.start(), stores)
    run(projector.project([record(1, reading("a"))], caught_up=True), stores)
    run(projector.flush(), stores)
    first = told()
    assert first[2] == 1
    clock.now_s += 1
    run(projector.project([record(2, reading("a", 3600), reading("b"))], caught_up=True), stores)
    assert ask(FleetReader().total(), stores).marks.shards[WHOLE.shard_id].position == 2
    assert told() == first
    clock.now_s += 5
    run(projector.project([], caught_up=True), stores)
    assert all(one != other for one, other in zip(told(), first, strict=True)) is (which is Which.WINDOWS)
    assert (told() == first) is (which is Which.EVERYTHING)
    run(projector.flush(), stores)
    last = told()
    assert all(one != other for one, other in zip(last, first, strict=True))
    assert last[2] == 2


@pytest.mark.parametrize("name", QUESTIONS)
def test_marks_are_read_first(name: str) -> None:
    """What is written between two questions may be in the answer, and is not in its marks; the ETag tells all the same."""
    _, question = QUESTIONS[name]
    stores = MemoryStores()
    projector = ShardProjector(WHOLE, Clock())
    run(projector.start(), stores)
    run(projector.project([record(1, reading("a"))], caught_up=True), stores)
    run(projector.flush(), stores)
    fleet, reads = FleetReader(), MemoryReads(stores)
    run(fleet.read(), reads)
    early = ask(question(fleet), stores)
    steps = question(fleet)
    next_question = steps.send(next(steps)(reads))
    run(projector.project([record(2, reading("a", 3600), reading("b", 3600))], caught_up=True), stores)
    run(projector.flush(), stores)
    answer = finish(steps, next_question, reads)
    assert answer.marks.shards[WHOLE.shard_id].position == 1
    assert answer.value == ask(question(fleet), stores).value != early.value
    assert answer.etag("") not in {early.etag(""), ask(question(fleet), stores).etag("")}
