"""Histograms: the same bytes whatever the order, the parts and the storing between; percentiles as near as they say."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import histogram
from projections.histogram import Histogram, Tally, decode, encode, merge, percentile

MICRO = 1_000_000
COLDEST, HOTTEST = -273_150_000, 10_000 * MICRO
WIDTHS = [
    1,
    *(hundredths * MICRO // 100 for hundredths in (1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000)),
]
COARSEST = len(WIDTHS) - 1


@st.composite
def stretches(draw: st.DrawFn) -> list[int]:
    """Temperatures at equal distances, or one many times; far more of them than are drawn."""
    step = draw(st.sampled_from([0, 1, 10_000, 100_000, 555_555, MICRO, 50 * MICRO, 199 * MICRO]))
    start = draw(st.sampled_from([COLDEST, 9_999 * MICRO]) | st.integers(-300, 300).map(lambda tenths: tenths * 100_000))
    start += draw(st.sampled_from([0, 0, 1, -1]))
    found = (start + step * number for number in range(draw(st.integers(1, 150))))
    return [temperature for temperature in found if COLDEST <= temperature <= HOTTEST]


temperatures = st.integers(COLDEST, HOTTEST) | st.integers(-30, 30).map(lambda tenths: tenths * 100_000)
sets = st.tuples(st.lists(temperatures, max_size=10), st.lists(stretches(), max_size=3)).map(
    lambda drawn: drawn[0] + [one for stretch in drawn[1] for one in stretch]
)
bounds = st.just((128, 384)) | st.tuples(st.integers(1, 12), st.integers(11, 60)) | st.sampled_from([(128, 40), (4, 384)])
seeds = st.integers(0, 2**32).map(Random)


@contextmanager
def bound(limits: tuple[int, int]) -> Iterator[None]:
    """At most so many bins and bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histogram, "BINS_MAX", limits[0])
        patch.setattr(histogram, "BYTES_MAX", limits[1])
        yield


def of(found: Iterable[int]) -> Histogram:
    tally = Tally()
    for temperature in found:
        tally.add(temperature)
    return decode(tally.data())


def over_and_over(part: Histogram, times: int) -> Histogram:
    """The part merged so many times."""
    made = Histogram()
    for bit in f"{times:b}":
        made = merge([made, made, part] if bit == "1" else [made, made])
    return made


def size(counts: dict[int, int]) -> int:
    """What these bins take, by the text of the format: 11 bytes, and for each number one byte every seven bits."""
    numbers = sorted(counts)
    divisor = math.gcd(*numbers) or 1
    written = [counts[numbers[0]]]
    for before, after in pairwise(numbers):
        written += [(after - before) // divisor, counts[after]]
    return 11 + sum(math.ceil(number.bit_length() / 7) for number in written)


def expected(found: Iterable[int], times: int = 1, *, limits: tuple[int, int] = (128, 384)) -> tuple[int, dict[int, int]]:
    """Rung and bins by counting all temperatures anew on each rung."""
    different = Counter(found)
    for rung, width in enumerate(WIDTHS):
        counts: Counter[int] = Counter()
        for temperature in sorted(different):
            counts[math.floor(Fraction(temperature, width))] += different[temperature] * times
        if not counts or rung == COARSEST or (len(counts) <= limits[0] and size(counts) <= limits[1]):
            return rung, dict(counts)
    raise AssertionError


@given(sets, bounds, seeds)
def test_any_order_and_any_storing_between_is_the_count_of_the_sorted_set(
    found: list[int], limits: tuple[int, int], chance: Random
) -> None:
    """Whether a tally is read, or written down and begun again from the bytes, between any two readings."""
    chance.shuffle(found)
    with bound(limits):
        tally = Tally()
        for temperature in found:
            tally.add(temperature)
            match chance.randrange(20):
                case 0:
                    tally.data()
                case 1:
                    tally = Tally(tally.data())
        made = decode(tally.data())
        assert made == decode(tally.data()) == of(reversed(found))
        assert encode(made) == encode(of(sorted(found)))
    assert (made.rung, dict(made.bins)) == expected(found, limits=limits)
    assert len(encode(made)) == (size(dict(made.bins)) if found else 0)
    assert made.count == len(found)
    assert made.width_micro == WIDTHS[made.rung]
    if made.rung < COARSEST:
        assert len(made.bins) <= limits[0]
        assert len(encode(made)) <= limits[1]


@given(sets, bounds, seeds)
def test_any_parts_merged_in_any_groups_are_the_whole(found: list[int], limits: tuple[int, int], chance: Random) -> None:
    """Some parts empty, some written down between: the same bytes, within the same bounds."""
    groups: list[list[int]] = [[] for _ in range(chance.randint(1, 8))]
    for temperature in found:
        chance.choice(groups).append(temperature)
    with bound(limits):
        parts = [of(group) for group in groups]
        while len(parts) > 1:
            chance.shuffle(parts)
            some = chance.randint(1, 3)
            merged = merge(parts[:some])
            parts = [decode(encode(merged)) if chance.random() < 0.5 else merged, *parts[some:]]
        assert encode(merge(parts)) == encode(parts[0]) == encode(of(found))
    assert (parts[0].rung, dict(parts[0].bins)) == expected(found, limits=limits)


@given(sets, st.integers(1, 10**10))
def test_counts_of_any_size_are_kept_and_take_their_room(found: list[int], times: int) -> None:
    """Ever larger counts can ask for a coarser rung by their bytes alone."""
    made = over_and_over(of(found), times)
    assert (made.rung, dict(made.bins)) == expected(found, times)
    assert decode(encode(made)) == made


@given(sets.filter(bool), temperatures, st.sampled_from([(128, 384), (10_000, 10_000)]))
def test_one_more_reading_never_makes_it_finer_or_shorter(found: list[int], more: int, limits: tuple[int, int]) -> None:
    """Shorter on its rung, that is: what makes the rung independent of how the set came together."""
    with bound(limits):
        before, after = of(found), of([*found, more])
    assert after.rung >= before.rung
    if after.rung == before.rung:
        assert len(encode(after)) >= len(encode(before))


def test_the_bytes_are_these() -> None:
    """Rung, divisor and first number in five bytes each, then counts and distances as varints."""
    assert encode(of([-200_000, *[300_000] * 300])).hex(" ") == "00 00 00 01 86 a0 ff ff ff ff fe 01 05 ac 02"
    assert encode(of([0])).hex(" ") == "00 00 00 00 00 01 00 00 00 00 00 01"


def test_nothing_takes_no_bytes() -> None:
    """A row without a reading stores nothing; empty parts change nothing."""
    assert Tally().data() == b""
    assert decode(b"") == merge([]) == merge([Histogram(), Histogram()]) == Histogram()
    assert merge([Histogram(), of([5])]) == of([5])
    assert Histogram().count == 0


@pytest.mark.parametrize("found", [[0], [-1], [COLDEST], [HOTTEST], [COLDEST, HOTTEST], [0, 0, -1], [-100_000, 0]])
def test_few_temperatures_are_exact(found: list[int]) -> None:
    """At both limits, around zero, and a difference as wide as any: kept as they are."""
    assert of(found) == Histogram(0, tuple(sorted(Counter(found).items()))) == decode(encode(of(found)))


def test_all_temperatures_there_are_fit_the_coarsest_rung() -> None:
    """Whatever a million sensors send, the bound holds: on some rung before, and four bins on the last."""
    every = range(COLDEST, HOTTEST + 1, 1_234_567)
    made = of(every)
    assert (made.rung, dict(made.bins)) == expected(every)
    assert made.width_micro == 100 * MICRO
    assert [math.floor(Fraction(edge, WIDTHS[-1])) for edge in (COLDEST, HOTTEST)] == [-1, 2]


def test_a_tally_stays_small_between() -> None:
    """It lies in memory for many rows, and may not be read for long."""
    tally = Tally()
    for temperature in range(COLDEST, HOTTEST, 1_234_567):
        tally.add(temperature)
        assert len(tally._bins) <= 2 * histogram.BINS_MAX


def test_the_coarsest_rung_keeps_what_is_there() -> None:
    """Bounds that nothing fits."""
    found = [COLDEST, 0, 4_999_999_999, 5_000_000_000, HOTTEST]
    with bound((1, 1)):
        assert of(found) == merge(of([one]) for one in found) == Histogram(COARSEST, ((-1, 1), (0, 2), (1, 1), (2, 1)))


def test_a_sensor_of_tenths_stays_exact_for_years() -> None:
    """Two years of seconds within 7 °C: the divisor of its bins' numbers makes a distance of 0.1 °C one byte."""
    tenths = of(21_000_000 + 100_000 * number for number in range(-35, 36))
    years = over_and_over(tenths, 2 * 365 * 86_400 // 71)
    assert years.rung == 0
    assert len(encode(years)) == 11 + 71 * 3 + 70


def in_a_room(chance: Random) -> Iterator[int]:
    """Tenths."""
    yield from (round(210 + 15 * math.sin(minute / 229) + chance.gauss(0, 1)) * 100_000 for minute in range(5_000))


def outdoors_for_a_year(chance: Random) -> Iterator[int]:
    """Hundredths, every hour, above and below 0."""
    for hour in range(8_760):
        season, day = math.cos(hour / 8_760 * math.tau), math.cos(hour / 24 * math.tau)
        yield round((8 - 12 * season - 5 * day + chance.gauss(0, 3)) * 100) * 10_000


def in_a_mixed_fleet(chance: Random) -> Iterator[int]:
    """Rooms, fridges, freezers, cryogenics, ovens and kilns, of which some are few."""
    places = [(21, 1.5, 3_000), (4, 0.8, 900), (-19, 1, 500), (-196, 0.3, 40), (180, 30, 400), (1_240, 60, 60)]
    for mean, deviation, number in places:
        yield from (round(chance.gauss(mean, deviation) * 100) * 10_000 for _ in range(number))


def in_fahrenheit(chance: Random) -> Iterator[int]:
    """Tenths of °F, written in °C with six digits."""
    yield from (round(Fraction(round(chance.gauss(700, 90)) - 320, 18) * MICRO) for _ in range(3_000))


def at_random(chance: Random) -> Iterator[int]:
    """Anything."""
    yield from (chance.randint(COLDEST, HOTTEST) for _ in range(500))


def assert_percentiles(found: Iterable[int], permilles: Iterable[int]) -> Histogram:
    """Each lies as near to the true one as it says: the reading at place ⌈p·n⌉ of the sorted ones."""
    readings = sorted(found)
    made = of(readings)
    for permille in permilles:
        value, within = percentile(made, permille, readings[0], readings[-1])
        rank = max(1, math.ceil(Fraction(permille, 1000) * len(readings)))
        assert abs(value - readings[rank - 1]) <= within, permille
        assert readings[0] <= value <= readings[-1]
        assert within == (0 if made.rung == 0 else Fraction(WIDTHS[made.rung], 2))
    return made


@pytest.mark.parametrize(
    ("place", "width_micro"),
    [
        (in_a_room, 1),
        (outdoors_for_a_year, 500_000),
        (in_a_mixed_fleet, 5 * MICRO),
        (in_fahrenheit, 500_000),
        (at_random, 100 * MICRO),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_percentiles_are_as_near_as_they_say(place: Callable[[Random], Iterator[int]], width_micro: int) -> None:
    """On data such as it comes, at every thousandth."""
    chance = Random(12)  # noqa: S311  repeatable on purpose
    assert assert_percentiles(place(chance), range(1001)).width_micro == width_micro


@given(sets.filter(bool), bounds)
def test_percentiles_of_any_set_are_as_near_as_they_say(found: list[int], limits: tuple[int, int]) -> None:
    """Those that are answered, and both ends."""
    with bound(limits):
        assert_percentiles(found, [0, 1, 50, 250, 500, 750, 950, 990, 999, 1000])


def test_a_percentile_is_never_beyond_what_was_measured() -> None:
    """The middle of a bin that is only partly filled is cut to the minimum and to the maximum."""
    half = Histogram(5, ((20, 3),))
    assert percentile(half, 500, 20_600_000, 20_900_000) == (20_600_000, 500_000)
    assert percentile(half, 500, 20_000_000, 20_100_000) == (20_100_000, 500_000)
    assert percentile(half, 500, 20_000_000, 20_900_000) == (20_500_000, 500_000)
