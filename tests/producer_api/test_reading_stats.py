"""GET /api/stats of a sensor and of stretches, plain and in detail, against the raw readings (contract C16, "Reading")."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest

from telemetry.reading import Reading
from tests.producer_api.world import CLOCK_SET, DENSE_FROM, World, at, average, celsius, exactly, rounded, utc

MEMBERS = [
    *("Maximum", "Minimum", "Average", "Count", "Sum", "StandardDeviation", "Duplicates", "MaximumReading", "MinimumReading"),
    *("First", "Latest", "Percentiles", "From", "To", "AsOf", "LagMs", "Generation"),
]
CUT = (CLOCK_SET - timedelta(hours=3, minutes=7), CLOCK_SET + timedelta(hours=5, minutes=11))
"""Hours of the sensor 202 cut at both ends."""
STRETCHES: dict[str, tuple[str | None, datetime | None, datetime | None]] = {
    "everything": (None, None, None),
    "a sensor": ("202", None, None),
    "a fleet's minutes": (None, *CUT),
    "a fleet's days": (None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
    "from a day on": (None, datetime(2026, 3, 10, tzinfo=UTC), None),
    "until a day": ("202", None, CLOCK_SET),
    "a sensor to the microsecond": ("202", CUT[0] + timedelta(microseconds=1), CUT[1] + timedelta(microseconds=999)),
    "between two readings of a sensor": ("dense", DENSE_FROM + timedelta(seconds=1), DENSE_FROM + timedelta(minutes=9)),
}


def question(sensor_id: str | None, begin: datetime | None, end: datetime | None) -> dict[str, str]:
    """As parameters."""
    named = (("sensorId", sensor_id), ("from_", begin and begin.isoformat()), ("to", end and end.isoformat()))
    return {name: text for name, text in named if text}


def whole(reading: Reading) -> dict[str, Any]:
    """As answers tell it."""
    told = {"sensorId": reading.sensor_id, "timestamp": utc(reading.measured_at_us)}
    return told | {"temperature": celsius(reading.temperature_micro)}


def deviation(some: Sequence[Reading]) -> Fraction:
    """Of the whole population, rounded to 6 decimals."""
    values = [one.temperature_micro for one in some]
    middle = celsius(sum(values)) / len(values)
    variance = Fraction(sum(value * value for value in values), 10**12 * len(values)) - middle * middle
    with localcontext(prec=60):
        return rounded(Fraction((Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt()), 6)


def percentile(some: Sequence[Reading], percent: int) -> Fraction:
    """Of the nearest rank."""
    ordered = sorted(one.temperature_micro for one in some)
    return celsius(ordered[max(-(-len(ordered) * percent // 100), 1) - 1])


@pytest.mark.parametrize("stretch", STRETCHES)
def test_detail_tells_exactly_what_was_measured(world: World, stretch: str) -> None:
    """Every member, in this order, of all and of any part."""
    asked = STRETCHES[stretch]
    some, told = world.of(*asked), world.told("/api/stats", detail="true", **question(*asked))
    values = [one.temperature_micro for one in some]
    assert list(told) == MEMBERS
    assert len(some) > 10
    expected = {
        "Maximum": celsius(max(values)),
        "Minimum": celsius(min(values)),
        "Average": average(some),
        "Count": len(some),
        "Sum": celsius(sum(values)),
        "StandardDeviation": deviation(some),
        "Latest": whole(some[-1]),
        "Generation": 1,
    }
    assert {name: told[name] for name in expected} == expected
    assert told["First"]["timestamp"] == utc(some[0].measured_at_us)
    for name in ("MaximumReading", "MinimumReading", "First"):
        assert told[name] in map(whole, some)
    assert told["MaximumReading"]["temperature"] == told["Maximum"]
    assert told["MinimumReading"]["temperature"] == told["Minimum"]
    bounded = any(asked[1:])
    assert (told["Duplicates"] is None) is bounded
    assert [told["From"], told["To"]] == [one and one.isoformat().replace("+00:00", "Z") for one in asked[1:]]
    assert told["LagMs"] >= 0
    assert told["AsOf"].endswith("Z")


@pytest.mark.parametrize("stretch", STRETCHES)
def test_percentiles_are_as_near_as_they_say(world: World, stretch: str) -> None:
    """Nearest rank, none further from the true one than `within`."""
    asked = STRETCHES[stretch]
    some, told = world.of(*asked), world.told("/api/stats", detail="true", **question(*asked))["Percentiles"]
    assert list(told) == ["p5", "p25", "p50", "p75", "p95", "p99", "within"]
    for percent in (5, 25, 50, 75, 95, 99):
        assert abs(told[f"p{percent}"] - percentile(some, percent)) <= told["within"]


def test_percentiles_of_few_readings_are_exact(world: World) -> None:
    """`within` is 0 then."""
    told = world.told("/api/stats", detail="true", sensorId="a/b")["Percentiles"]
    assert told == {"p5": Fraction("0.1"), **dict.fromkeys(("p25", "p50"), Fraction("0.1"))} | dict.fromkeys(
        ("p75", "p95", "p99"), Fraction("0.2")
    ) | {"within": 0}


@pytest.mark.parametrize("stretch", STRETCHES)
def test_without_detail_the_originals_three_keys_are_told(world: World, stretch: str) -> None:
    """To the letter (C16), and no other."""
    asked = STRETCHES[stretch]
    told = world.told("/api/stats", detail="true", **question(*asked))
    answer = world.get("/api/stats", **question(*asked))
    assert list(exactly(answer).items()) == [(name, told[name]) for name in ("Maximum", "Minimum", "Average")]
    assert answer.text.startswith('{"Maximum": ')
    assert answer.text.count(" ") == 5


def test_of_nothing_null_is_told(world: World) -> None:
    """An unknown sensor, a stretch without readings: 200, and no member is missing."""
    for asked in ({"sensorId": "nobody"}, {"sensorId": "202", "to": "2020-01-01"}, {"from_": "2027-01-01"}):
        assert world.get("/api/stats", **asked).text == '{"Maximum": null, "Minimum": null, "Average": null}\n'
        told = world.told("/api/stats", detail="true", **asked)
        assert list(told) == MEMBERS
        assert (told["Count"], told["Sum"], told["Duplicates"]) == (0, 0, 0 if asked == {"sensorId": "nobody"} else None)
        nulls = ("StandardDeviation", "MaximumReading", "MinimumReading", "First", "Latest", "Percentiles")
        assert [told[name] for name in nulls] == [None] * 6


def test_times_are_told_in_the_zone_asked_for(world: World) -> None:
    """But `AsOf`, which is UTC."""
    told = world.told("/api/stats", detail="true", sensorId="202", tz="Asia/Kathmandu", from_="2026-03-28T15:05")
    first = next(one for one in world.of("202") if one.measured_at_us == 1_774_689_600_000_000)
    assert told["From"] == "2026-03-28T15:05:00+05:45"
    assert told["First"]["timestamp"] == "2026-03-28T15:05:00+05:45"
    assert told["First"]["temperature"] == celsius(first.temperature_micro)
    assert told["AsOf"].endswith("Z")


def test_a_repeat_counts_as_one_and_is_told_of(world: World) -> None:
    """By the total: stretches do not know of it."""
    reading = at("2026-01-20T10:00+00:00", "twice", "1.5")
    for _ in range(2):
        world.send(reading)
    world.count()
    told = world.told("/api/stats", detail="true", sensorId="twice")
    assert (told["Count"], told["Duplicates"], told["StandardDeviation"]) == (1, 1, 0)
    assert world.told("/api/stats", detail="true", sensorId="twice", from_="2026-01-20")["Duplicates"] is None


def test_numbers_are_written_out_and_exact(world: World) -> None:
    """No binary fraction, no exponent; the average half-even to 2 decimals."""
    world.send(at("2026-01-21T10:00+00:00", "tiny", "0.000001"), at("2026-01-21T10:01+00:00", "tiny", "9999.999999"))
    world.send(at("2026-01-21T10:02+00:00", "tiny", "-273.15"))
    world.count()
    text = world.get("/api/stats", detail="true", sensorId="tiny").text
    assert '"Maximum":9999.999999,"Minimum":-273.15,"Average":3242.28,"Count":3,"Sum":9726.85,"StandardDeviation":' in text
    assert '"p5":-273.15,' in text
    assert '"First":{"sensorId":"tiny","timestamp":"2026-01-21T10:00:00Z","temperature":0.000001}' in text
    assert world.get("/api/stats", sensorId="tiny").text == '{"Maximum": 9999.999999, "Minimum": -273.15, "Average": 3242.28}\n'
