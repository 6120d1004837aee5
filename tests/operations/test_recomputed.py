"""Two ways to add readings up that share no code: the fold's and the verification's."""

from itertools import batched

from hypothesis import given
from hypothesis import strategies as st

from operations.recomputed import Day, Sum
from projections.fold import Fold
from projections.sheets import EMPTY, SheetFold
from telemetry.limits import TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN
from telemetry.reading import Reading

tenths = st.integers(-300, 300).map(lambda tenth: tenth * 10**5)
temperatures = st.integers(TEMPERATURE_MICRO_MIN, TEMPERATURE_MICRO_MAX) | tenths
readings = st.builds(Reading, st.integers(0, 10**6), st.sampled_from("ab"), temperatures)


@given(st.sets(readings, max_size=300))
def test_both_say_the_same_of_a_row(found: set[Reading]) -> None:
    """Whatever its readings; the histogram byte for byte, on whichever rung it ends."""
    fold, anew = Fold(), Sum()
    for one in found:
        fold.add(one)
    for some in batched(found, 120, strict=False):
        anew.absorb(Sum.of([(one.temperature_micro, one.measured_at_us, one.sensor_id) for one in some]))
    stats = fold.stats()
    assert (stats.count, stats.sum_micro, stats.sum_squares) == (anew.count, anew.total, anew.squares)
    assert (stats.minimum, stats.maximum, stats.first, stats.latest) == (
        anew.minimum, anew.maximum, anew.first, anew.latest,
    )  # fmt: skip
    assert stats.histogram == anew.histogram


@given(st.lists(st.builds(Reading, st.integers(0, 86_400 * 10**6 - 1), st.just("a"), temperatures), max_size=50))
def test_both_say_the_same_of_a_day(found: list[Reading]) -> None:
    """Quarter by quarter."""
    sheet, anew = SheetFold(EMPTY), Day()
    for one in found:
        sheet.add(one)
        anew.absorb(one.measured_at_us, Sum.of([(one.temperature_micro, one.measured_at_us, one.sensor_id)]))
    assert tuple(cell and tuple(cell) for cell in sheet.sheet()) == anew.cells
