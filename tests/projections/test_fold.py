"""The fold: exact, independent of order and of how the readings were split up."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from projections.fold import Fold, Stats, merge
from telemetry.reading import Reading
from tests.projections.logs import expected_stats, few_readings, readings

sets_of_readings = st.lists(st.one_of(readings, few_readings), unique=True, max_size=20)


def fold(found: list[Reading]) -> Stats:
    folding = Fold(Stats())
    for one in found:
        folding.add(one)
    return folding.stats()


@given(sets_of_readings)
def test_the_fold_is_what_fractions_add_up_to(found: list[Reading]) -> None:
    """Count, sum, sum of squares and extremes equal those of an oracle that sorts and adds fractions."""
    assert fold(found) == expected_stats(found)


@given(sets_of_readings, sets_of_readings)
def test_what_was_stored_is_added_to(stored: list[Reading], more: list[Reading]) -> None:
    """A fold that begins with a row's stats is the fold of both, and what it said on the way does not change afterwards."""
    folding = Fold(fold(stored))
    before = folding.stats()
    rest = [one for one in more if one not in stored]
    for one in rest:
        folding.add(one)
    assert folding.stats() == folding.stats() == expected_stats(stored + rest)
    assert before == expected_stats(stored)


@given(sets_of_readings, st.randoms())
def test_the_order_of_readings_does_not_matter(found: list[Reading], chance: Random) -> None:
    """Any permutation of a set folds to the same stats."""
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert fold(shuffled) == fold(found)


@given(st.lists(st.tuples(st.integers(0, 4), few_readings), unique_by=lambda pair: pair[1], max_size=15))
def test_merging_any_partition_is_the_fold_of_all(placed: list[tuple[int, Reading]]) -> None:
    """However readings are spread over shards, some of them empty, the merged rows say the same."""
    parts = [fold([one for place, one in placed if place == part]) for part in range(5)]
    assert merge(parts) == fold([one for _, one in placed])


def test_equal_temperatures_go_to_the_earliest_timestamp() -> None:
    """The reading named as minimum and as maximum is the earliest of those that tie, whatever came first."""
    late, early = Reading(2, "a", 5), Reading(1, "z", 5)
    assert (fold([late, early]).minimum, fold([late, early]).maximum) == (early, early)


def test_equal_temperatures_and_timestamps_go_to_the_first_sensor_id() -> None:
    """The last tie is broken by the sensor id, so that every rebuild names the same reading."""
    other, first = Reading(1, "b", 5), Reading(1, "a", 5)
    assert (fold([other, first]).minimum, fold([other, first]).maximum) == (first, first)
    assert merge([fold([other]), fold([first])]).maximum == first


def test_a_duplicate_changes_nothing_but_its_own_count() -> None:
    """A repeat is noted and not folded; merged rows add the notes up."""
    folding = Fold(fold([Reading(1, "a", 5)]))
    folding.repeat()
    assert folding.stats() == expected_stats([Reading(1, "a", 5)], duplicates=1)
    assert merge([folding.stats(), folding.stats()]).duplicates == 2


def test_the_fold_of_nothing_measured_nothing() -> None:
    """No rows and empty rows merge to no reading at all, rather than to zeros that were never measured."""
    assert merge([]) == merge([Stats(), Stats()]) == Stats()
    assert Stats().minimum is None
