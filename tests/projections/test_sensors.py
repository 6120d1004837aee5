"""The list of sensors: each once, in order, with what it measured, at a cost that does not grow with the fleet."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.effects import Sighting, run
from projections.fleet import FleetReader
from projections.marks import Answer
from projections.memory import MemoryStores
from projections.memory_reads import MemoryReads
from projections.reads import Listing, Page, Reads, ReadSteps, Silence
from projections.rows import DIRECTORY_SCOPES
from projections.sensors import ListedSensor, SensorPage, Silent, sensors, silence, silent_sensors
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading
from telemetry.shards import Shard, hash_key
from tests.projections.logs import START_S, expected_stats, reading, record
from tests.projections.worlds import HALVES, ask, filled, life, value
from tests.support.oracle import expected_seen_s

PARENT = Shard("shardId-000000000000", 0, HASH_KEY_MAX, closed=True)
CHILDREN = tuple(
    replace(half, shard_id=f"shardId-{number:012}", parents=(PARENT.shard_id,)) for number, half in enumerate(HALVES, 1)
)
FIRST = Silence(-1, "")
"""Before all that have been seen."""
ids = st.text("ab#ü🌡", min_size=1, max_size=3)
readings = st.builds(
    Reading, st.integers(0, 20).map(lambda hours: (START_S - hours * 1_800) * 1_000_000), ids, st.integers(-50, 50)
)
fleets = st.tuples(st.lists(readings, max_size=40), st.integers(0, 40))


def resharded(some: list[Reading], before: int) -> MemoryStores:
    """What is stored when the shard ended after `before` of the readings and two others went on."""
    stores = MemoryStores()
    run(life(PARENT, [record(1, *some[:before])], ended=True), stores)
    for shard in CHILDREN:
        run(life(shard, [record(2, *(one for one in some[before:] if shard.holds(hash_key(one.sensor_id))))]), stores)
    return stores


def expected(some: list[Reading]) -> dict[str, ListedSensor]:
    """What is listed of each sensor, repeats aside."""
    found = {}
    for sensor_id in {one.sensor_id for one in some}:
        mine = [one for one in set(some) if one.sensor_id == sensor_id]
        newest_us = max(one.measured_at_us for one in mine)  # all were measured before they arrived
        found[sensor_id] = ListedSensor(sensor_id, expected_seen_s(sensor_id, newest_us), expected_stats(mine))
    return found


def listed[C](
    stores: MemoryStores, first: C, page: Callable[[FleetReader, C], ReadSteps[Answer[SensorPage[C]]]]
) -> list[ListedSensor]:
    """All pages one after the other, counts of repeats left out."""
    found: list[ListedSensor] = []
    after = first
    while True:
        answer = ask(page(FleetReader(), after), stores).value
        found += (one._replace(stats=replace(one.stats, duplicates=0)) for one in answer.sensors)
        if answer.after is None:
            return found
        after = answer.after


@settings(max_examples=80)
@given(fleets, st.integers(1, 7), st.text("ab#ü", max_size=2))
def test_pages_by_id_hold_every_sensor_once(fleet: tuple[list[Reading], int], limit: int, prefix: str) -> None:
    """In the order of ids, those that begin with a prefix, with the stats of all shards."""
    stores, wanted = resharded(*fleet), expected(fleet[0])
    found = listed(stores, "", lambda reader, after: sensors(reader, prefix, after, limit))
    assert found == [wanted[sensor_id] for sensor_id in sorted(wanted) if sensor_id.startswith(prefix)]


@settings(max_examples=80)
@given(fleets, st.integers(1, 7))
def test_pages_by_silence_hold_every_sensor_once(fleet: tuple[list[Reading], int], limit: int) -> None:
    """Those first that were seen longest ago; at rest."""
    stores, wanted = resharded(*fleet), expected(fleet[0])
    found = listed(stores, FIRST, lambda reader, after: silent_sensors(reader, after, limit))
    assert found == sorted(wanted.values(), key=lambda one: (one.seen_s, one.sensor_id))


@given(st.integers(1, 30), st.text("ab#ü", max_size=2), ids)
def test_a_page_holds_as_many_as_asked_for_while_there_are(limit: int, prefix: str, after: str) -> None:
    """From any key on, of a sensor or not."""
    stores = filled(reading(sensor_id) for sensor_id in (*"ab#ü", "aa", "ab", "ba", "a#", "üü"))
    page = value(stores, lambda fleet: sensors(fleet, prefix, after, limit))
    left = sorted(one for one in stores.directory if one.startswith(prefix) and one > after)
    assert [one.sensor_id for one in page.sensors] == left[:limit]
    assert page.after is not None or len(left) <= limit


def test_sensors_seen_at_one_moment_are_told_apart_by_id() -> None:
    """A page may end between two of them."""
    stores = MemoryStores()
    for number in range(100):
        stores.sight("shardId-000000000000", [Sighting(f"s-{number:03}", number // 50, new=True)])
    found = listed(stores, FIRST, lambda fleet, after: silent_sensors(fleet, after, 7))
    assert [one.sensor_id for one in found] == [f"s-{number:03}" for number in range(100)]


def test_a_sensor_that_the_directory_knows_and_no_row_is_listed_empty() -> None:
    """A worker may die between the two writes."""
    stores = MemoryStores()
    stores.sight("shardId-000000000000", [Sighting("a", 7, new=True)])
    for (one,) in (value(stores, sensors).sensors, value(stores, silent_sensors).sensors):
        assert (one.sensor_id, one.seen_s, one.stats.count) == ("a", 7, 0)


class DirectoryReads(MemoryReads):
    """Counts what is read of the directory, how many questions that takes, and how many of them are asked at once."""

    questions = items = 0

    def __init__(self, stores: MemoryStores) -> None:
        super().__init__(stores)
        self.rounds: list[int] = []

    def at_once[T](self, questions: Sequence[Callable[[Reads], T]]) -> Sequence[T]:
        self.rounds.append(len(questions))
        return super().at_once(questions)

    def sensors(self, scope: str, after: str, prefix: str, limit: int) -> Page[Listing]:
        return self._count(super().sensors(scope, after, prefix, limit))

    def silent(self, scope: str, after: Silence | None, limit: int) -> Page[Silence]:
        return self._count(super().silent(scope, after, limit))

    def _count[T](self, page: Page[T]) -> Page[T]:
        self.questions += 1
        self.items += len(page.items)
        return page


@pytest.mark.parametrize("question", [sensors, silent_sensors])
def test_a_page_costs_the_same_in_every_fleet(question: Callable[[FleetReader], ReadSteps[object]]) -> None:
    """About twice the page is read of the directory, in a question for each of its parts and a few again."""
    costs = []
    for size in (1_000, 5_000):
        stores = MemoryStores()
        for number in range(size):
            stores.sight("shardId-000000000000", [Sighting(f"s-{number:06}", number, new=True)])
        reads = DirectoryReads(stores)
        run(question(FleetReader()), reads)
        costs.append((reads.questions, reads.items))
        assert reads.rounds[0] == len(DIRECTORY_SCOPES)  # none of the first pages waits for another
        assert sum(reads.rounds) == reads.questions  # and no part is asked for more than it takes
    assert all(questions <= 32 and items <= 400 for questions, items in costs)


@pytest.mark.parametrize(
    ("first_s", "expected", "rounds"),
    [(2_000_000, Silent(0, 0), 1), (1_000_000, Silent(501, 0), 2), (0, Silent(0, 501), 3)],
)
@pytest.mark.parametrize("size", [1_500, 3_000])
def test_silent_sensors_cost_the_same_to_count_in_every_fleet(size: int, first_s: int, expected: Silent, rounds: int) -> None:
    """A question to each part, all at once, where all is well; else again until enough are seen, and once beyond those gone."""
    stores = MemoryStores()
    sightings = [Sighting(f"s-{number:06}", first_s + number, new=True) for number in range(size)]
    stores.sight("shardId-000000000000", sightings)
    reads = DirectoryReads(stores)
    with mock.patch("projections.sensors._COUNTED_AT_ONCE", 25):
        assert run(silence(1_000_000, 2_000_000, 500), reads) == expected
    assert reads.rounds == [len(DIRECTORY_SCOPES)] * rounds


def test_a_page_that_takes_too_many_rows_is_cut_short() -> None:
    """At least one sensor comes, and the rest with the next pages."""
    stores = MemoryStores()
    for shard_id in ("0", "1"):
        stores.sight(shard_id, [Sighting(f"s-{number}", 7, new=True) for number in range(9)])
    with mock.patch("projections.sensors.ROWS_MAX", 5):
        page = value(stores, sensors)
        assert [one.sensor_id for one in page.sensors] == ["s-0", "s-1"]
        found = listed(stores, FIRST, silent_sensors)
        assert [one.sensor_id for one in found] == [f"s-{number}" for number in range(9)]


@settings(max_examples=60)
@given(fleets, st.integers(0, 12), st.integers(0, 12), st.integers(1, 9))
def test_silent_sensors_are_counted_up_to_a_bound(
    fleet: tuple[list[Reading], int], gone_h: int, silent_h: int, most: int
) -> None:
    """Those that are gone apart; beyond the bound it is one more than that, whatever there is."""
    stores, wanted = resharded(*fleet), expected(fleet[0])
    gone_s, silent_s = sorted((START_S - gone_h * 3_600, START_S - silent_h * 3_600))
    gone = sum(one.seen_s < gone_s for one in wanted.values())
    silent = sum(gone_s <= one.seen_s < silent_s for one in wanted.values())
    with mock.patch("projections.sensors._COUNTED_AT_ONCE", 2):
        found = run(silence(gone_s, silent_s, most), MemoryReads(stores))
    assert found == Silent(min(silent, most + 1), min(gone, most + 1))
