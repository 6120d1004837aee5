"""The answer of GET /api/stats: exact, and rounded half-even at the very end."""

import json
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_api.reading.shapes import average_micro
from producer_api.reading.stats import stats_json
from projections.fold import Fold, Stats
from telemetry.reading import Reading
from tests.telemetry.strategies import TEMPERATURES_MICRO

EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)
HUNDREDTH_CELSIUS = Decimal("0.01")
NEAR_HALVES = st.integers(-100, 100).map(lambda number: number * 5_000)


def stats_of(temperatures_micro: list[int]) -> Stats:
    fold = Fold(Stats())
    for number, micro in enumerate(temperatures_micro):
        fold.add(Reading(number, "202", micro))
    return fold.stats()


def average(temperatures_micro: list[int]) -> Decimal:
    """What Decimal says with 200 digits."""
    mean = EXACT.divide(Decimal(sum(temperatures_micro)), Decimal(len(temperatures_micro) * 10**6))
    return mean.quantize(HUNDREDTH_CELSIUS, ROUND_HALF_EVEN)


@given(st.lists(TEMPERATURES_MICRO | NEAR_HALVES, min_size=1, max_size=20))
def test_the_answer_is_what_decimal_arithmetic_says(temperatures_micro: list[int]) -> None:
    """Maximum and minimum with all their digits, the average with two."""
    answer = json.loads(stats_json(stats_of(temperatures_micro)), parse_float=Decimal)
    assert list(answer) == ["Maximum", "Minimum", "Average"]
    assert answer["Maximum"] == Decimal(max(temperatures_micro)) / 10**6
    assert answer["Minimum"] == Decimal(min(temperatures_micro)) / 10**6
    assert answer["Average"] == average(temperatures_micro)


@given(st.integers(-(10**24), 10**24), st.integers(1, 10**15))
def test_sums_of_years_of_readings_lose_nothing(sum_micro: int, count: int) -> None:
    """Far beyond what a binary float holds."""
    mean = EXACT.divide(Decimal(sum_micro), Decimal(count * 10**6)).quantize(HUNDREDTH_CELSIUS, ROUND_HALF_EVEN, EXACT)
    assert Decimal(average_micro(count, sum_micro)) / 10**6 == mean


@pytest.mark.parametrize(
    ("celsius", "text"),
    [
        (["18"], "18"),
        (["18.7"], "18.7"),
        (["18.75"], "18.75"),
        (["0.005"], "0"),
        (["0.015"], "0.02"),
        (["0.025"], "0.02"),
        (["0.025001"], "0.03"),
        (["-0.005"], "0"),
        (["-0.015"], "-0.02"),
        (["-0.025"], "-0.02"),
        (["-0.000001"], "0"),
        (["18", "0.25"], "9.12"),
        (["1", "2", "2"], "1.67"),
        (["10", "20"], "15"),
    ],
)
def test_a_half_goes_to_the_even_hundredth_and_whole_numbers_have_no_point(celsius: list[str], text: str) -> None:
    """As text, because clients of the original parse integers; never -0."""
    answer = stats_json(stats_of([int(Decimal(value) * 10**6) for value in celsius]))
    assert answer.rstrip("\n").endswith(f'"Average": {text}}}')


def test_nothing_recorded_is_null() -> None:
    """Not zero, which nobody measured; repeats seen change nothing."""
    for stats in (Stats(), Stats(duplicates=1)):
        assert json.loads(stats_json(stats)) == {"Maximum": None, "Minimum": None, "Average": None}
