"""Which points are temperatures of which sensor, and what they come to in degrees Celsius: exactly."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_api.doors.lines import Point, parse_lines
from producer_api.doors.points import PRECISIONS_NS, reading_of_metric, reading_of_point
from producer_api.writing.parsing import Ignored
from telemetry.errors import InvalidReading
from telemetry.reading import Reading
from telemetry.settings import Settings

NOW_US = 1_732_545_700_000_000
AT_NS = 1_732_545_600_123_456_789
AT_US = AT_NS // 1000
SETTINGS = Settings()


def read(text: str, unit: str = "ns", **changed: Any) -> Reading | Ignored:
    """What the line is."""
    [line] = parse_lines(text)
    assert isinstance(line.says, Point), line
    settings = Settings(**changed)
    return reading_of_point(line.says, PRECISIONS_NS[unit], settings.id_tags, settings, NOW_US)


def faults(text: str, unit: str = "ns", **changed: Any) -> dict[str, str]:
    """What is wrong with it."""
    with pytest.raises(InvalidReading) as refused:
        read(text, unit, **changed)
    return refused.value.fields


@pytest.mark.parametrize(
    "text",
    [
        "temperature,sensorId=a value=21.15",
        "weather,sensor=a,host=pi temperature=21.15,humidity=40",
        "temperature,host=a value=21.15,temperature=30",
        'temperature,sensor_id=a value="21.15"',
        "°C,domain=sensor,entity_id=a value=21.15,battery=90",
    ],
)
def test_these_are_temperatures(text: str) -> None:
    """Exactly as they were written, to the microsecond."""
    assert read(f"{text} {AT_NS}") == Reading(AT_US, "a", 21_150_000)


@pytest.mark.parametrize(
    "text",
    [
        "cpu,host=a usage=5",
        "temperature,host=a usage=5",
        "°C,domain=climate,entity_id=a value=21,temperature=20",
        '°C,domain=sensor,entity_id=a state="on"',
        "climate.bath,domain=climate,entity_id=bath temperature=21,current_temperature=19",
        "%,domain=sensor,entity_id=a value=21",
    ],
)
def test_these_are_none_and_are_passed_over(text: str) -> None:
    """A thermostat's set-point is no reading."""
    assert isinstance(read(f"{text} {AT_NS}"), Ignored)


def test_the_first_tag_that_is_there_names_the_sensor() -> None:
    """By the setting's order, not the line's."""
    text = f"temperature,host=pi,device=d,sensorId=s value=1 {AT_NS}"
    assert read(text) == Reading(AT_US, "s", 1_000_000)
    assert read(text, write_id_tags="device,host") == Reading(AT_US, "d", 1_000_000)
    assert faults("temperature,room=1 value=1", write_id_tags="device,host") == {
        "sensorId": "Expected a tag that names the sensor: device, host."
    }


@pytest.mark.parametrize(
    ("unit", "time", "time_us"),
    [
        *[("ns", AT_NS, AT_US), ("n", AT_NS, AT_US), ("us", AT_US, AT_US), ("u", AT_US, AT_US), ("µs", AT_US, AT_US)],
        *[
            ("ms", AT_US // 1000, AT_US // 1000 * 1000),
            ("s", 7, 7_000_000),
            ("m", 7, 420_000_000),
            ("h", 1, 3_600_000_000),
        ],
    ],
)
def test_a_timestamp_counts_in_the_unit_that_was_named(unit: str, time: int, time_us: int) -> None:
    """What is finer than a microsecond is cut, as everywhere."""
    assert read(f"temperature,host=a value=1 {time}", unit) == Reading(time_us, "a", 1_000_000)


def test_without_a_timestamp_it_was_measured_now() -> None:
    """When it arrived."""
    assert read("temperature,host=a value=1") == Reading(NOW_US, "a", 1_000_000)


@pytest.mark.parametrize(
    ("unit", "degrees", "celsius"),
    [
        *[("°F", "32", "0"), ("°F", "212", "100"), ("°F", "70.7", "21.5"), ("°F", "-40", "-40"), ("°F", "0", "-17.777778")],
        *[("°F", "69.8", "21"), ("°F", "0e9999", "-17.777778"), ("°F", "1e-9999", "-17.777778"), ("°F", "68i", "20")],
        *[("K", "273.15", "0"), ("K", "0", "-273.15"), ("K", "294.6500005", "21.5"), ("K", "294.6500015", "21.500002")],
    ],
)
def test_other_units_are_converted_exactly(unit: str, degrees: str, celsius: str) -> None:
    """Rounded once, half-even, to 10⁻⁶."""
    said = read(f"{unit},domain=sensor,entity_id=a value={degrees} {AT_NS}")
    assert said == Reading(AT_US, "a", int(Decimal(celsius) * 10**6))


@given(st.decimals(-459, 18_000, allow_nan=False, allow_infinity=False))
def test_fahrenheit_is_never_off_by_a_millionth(degrees: Decimal) -> None:
    """Compared with fractions."""
    said = read(f"°F,domain=sensor,entity_id=a value={degrees:f} {AT_NS}")
    assert isinstance(said, Reading)
    exact = (Fraction(degrees) - 32) * 5 / 9
    assert abs(Fraction(said.temperature_micro, 10**6) - exact) <= Fraction(1, 2 * 10**6)
    digits = Decimal(exact.numerator) / Decimal(exact.denominator)
    if Fraction(digits) == exact:
        assert said.temperature_micro == int(digits.quantize(Decimal("1e-6"), ROUND_HALF_EVEN).scaleb(6))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("temperature,host=a value=-300", {"value": "Expected -273.15 to 10000 degrees Celsius."}),
        ("°F,domain=sensor,entity_id=a value=1e30", {"value": "Expected -273.15 to 10000 degrees Celsius."}),
        ('°F,domain=sensor,entity_id=a value="70"', {"value": "Expected a number in degrees Celsius. e.g. 18.7"}),
        ("temperature,host=a value=true", {"value": "Expected a number in degrees Celsius. e.g. 18.7"}),
        ('m,host=a temperature="warm"', {"temperature": "Expected a number in degrees Celsius. e.g. 18.7"}),
        ("temperature,host=a value=1 -1", {"timestamp": "Expected a year from 1970 to 9999 in UTC."}),
        ("temperature,host=\\  value=1", {"host": "This field cannot be blank."}),
    ],
)
def test_a_bad_reading_is_told_as_at_every_door(text: str, expected: dict[str, str]) -> None:
    """By the names that the line has."""
    assert faults(text) == expected


def test_a_clock_that_is_ahead_is_told() -> None:
    """A timestamp in milliseconds that is taken for nanoseconds, or the other way, lies decades off."""
    told = faults(f"temperature,host=a value=1 {AT_NS}", "us")
    assert told == {"timestamp": "Expected a year from 1970 to 9999 in UTC."}
    ahead_s = NOW_US // 10**6 + 25 * 3600
    assert faults(f"temperature,host=a value=1 {ahead_s}", "s")["timestamp"].startswith("More than 24 h ahead")


def metric(**changed: Any) -> dict[str, Any]:
    """One of Telegraf's CloudEvents, as its serializer writes it."""
    data = {"name": "temperature", "tags": {"host": "a"}, "fields": {"value": Decimal("21.15")}, "timestamp": AT_NS}
    return {
        "specversion": "1.0",
        "id": "x",
        "source": "telegraf",
        "type": "com.influxdata.telegraf.metric",
        "data": data | changed,
    }


def test_telegrafs_events_are_read_by_the_same_rule() -> None:
    """They have no subject."""
    assert reading_of_metric(metric(), SETTINGS.id_tags, SETTINGS, NOW_US) == Reading(AT_US, "a", 21_150_000)
    assert isinstance(reading_of_metric(metric(name="cpu"), SETTINGS.id_tags, SETTINGS, NOW_US), Ignored)
    home = metric(name="°F", tags={"domain": "sensor", "entity_id": "a"}, fields={"value": 212})
    assert reading_of_metric(home, SETTINGS.id_tags, SETTINGS, NOW_US) == Reading(AT_US, "a", 100_000_000)
    for name, wrong in (("name", 1), ("tags", []), ("fields", None), ("timestamp", "now"), ("timestamp", True)):
        with pytest.raises(InvalidReading, match=f"data.{name}: Expected "):
            reading_of_metric(metric(**{name: wrong}), SETTINGS.id_tags, SETTINGS, NOW_US)
    with pytest.raises(InvalidReading, match=r"data\.name"):
        reading_of_metric({"data": []}, SETTINGS.id_tags, SETTINGS, NOW_US)
