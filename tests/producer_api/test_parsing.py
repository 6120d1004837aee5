"""What a deployment's settings refuse at the HTTP edge, on top of the hard limits."""

import json
from decimal import Decimal
from typing import Any

import pytest

from producer_api.writing.parsing import parse_reading
from telemetry.errors import InvalidReading
from telemetry.reading import Reading, rfc3339
from telemetry.settings import Settings

NOW_US = 1_637_950_200_000_000  # 2021-11-26T18:10:00Z
HOUR_US = 3600 * 10**6


def parsed(settings: Settings, **changed: Any) -> Reading:
    body = {"sensorId": "202", "temperature": 18, "timestamp": "2021-11-26T18:10:00"} | changed
    return parse_reading(json.dumps(body).encode(), settings, NOW_US)


def faults(settings: Settings, **changed: Any) -> dict[str, str]:
    with pytest.raises(InvalidReading) as refused:
        parsed(settings, **changed)
    return refused.value.fields


def test_a_plausible_range_includes_its_ends() -> None:
    """And the answer names it."""
    office = Settings(temperature_min=Decimal(-10), temperature_max=Decimal("45.5"))
    for celsius in (-10, 45.5, 20):
        assert parsed(office, temperature=celsius).temperature_micro == celsius * 10**6
    for celsius in (-10.000001, 45.500001, 200):
        assert faults(office, temperature=celsius) == {"temperature": "Expected -10 to 45.5 degrees Celsius."}


def test_a_range_that_leaves_out_zero_does_not_hide_another_fault() -> None:
    """A temperature that could not be read is told as such, and only so."""
    furnace = Settings(temperature_min=Decimal(500))
    assert faults(furnace, temperature="hot") == {"temperature": "Expected a number in degrees Celsius. e.g. 18.7"}


@pytest.mark.parametrize("hours", [0, 0.5, 24])
def test_the_clock_may_be_ahead_as_far_as_the_setting_says(hours: float) -> None:
    """To the microsecond; the past is never refused."""
    settings = Settings(clock_skew_h_max=hours)
    latest_us = NOW_US + int(hours * HOUR_US)
    assert parsed(settings, timestamp=rfc3339(latest_us)).measured_at_us == latest_us
    assert parsed(settings, timestamp="1970-01-01T00:00:00Z").measured_at_us == 0
    assert faults(settings, timestamp=rfc3339(latest_us + 1)) == {
        "timestamp": f"More than {hours:g} h ahead of the server's clock, which says 2021-11-26T18:10:00Z."
    }
