"""What pages say in words."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from operations.verdicts import ShardVerdict
from producer_api.pages.wording import (
    Level,
    Part,
    celsius_text,
    duration,
    figures_part,
    fleet_sentence,
    sensor_sentence,
    time_text,
)
from projections.sensors import Silent
from projections.zones import zone_of

COMPLETE = figures_part(ShardVerdict.OK, 0, 2, 2)


def said(sensors: int, silent: Silent | None, figures: Part) -> tuple[str, str, str]:
    """The sentence, its colour, and its word."""
    sentence = fleet_sentence(sensors, silent, figures)
    return ", ".join(part.text for part in sentence.parts), sentence.worst.level.value, sentence.worst.word


@pytest.mark.parametrize(
    ("sensors", "silent", "figures", "expected"),
    [
        (1204, Silent(6, 0), COMPLETE, ("1,204 sensors, 6 silent, figures complete", "attention", "Silent sensors")),
        (1, Silent(0, 0), COMPLETE, ("1 sensor, none silent, figures complete", "good", "Complete")),
        (9000, Silent(1001, 1001), COMPLETE, (
            "9,000 sensors, 1,000+ silent, 1,000+ more silent for over 30 days, figures complete", "attention", "Silent sensors"
        )),
        (3, Silent(0, 2), COMPLETE, (
            "3 sensors, none silent, 2 more silent for over 30 days, figures complete", "good", "Complete"
        )),
        (3, None, COMPLETE, ("3 sensors, silent ones not known, figures complete", "attention", "Partly seen")),
        (3, Silent(1, 0), figures_part(ShardVerdict.STOPPED, None, 1, 2), (
            "3 sensors, 1 silent, counting has stopped: nobody reads 1 of 2 shards", "bad", "Stopped"
        )),
        (3, Silent(0, 0), figures_part(ShardVerdict.SLOW, 42_000_000, 1, 2), (
            "3 sensors, none silent, figures 42 s behind", "attention", "Behind"
        )),
        (0, Silent(0, 0), COMPLETE, ("No reading has been counted yet, all is ready", "good", "Empty")),
        (0, Silent(0, 0), figures_part(ShardVerdict.STOPPED, None, 2, 2), (
            "No reading has been counted yet, counting has stopped: nobody reads 2 of 2 shards", "bad", "Stopped"
        )),
    ],
)  # fmt: skip
def test_the_sentences_worst_part_decides_its_colour(
    sensors: int, silent: Silent | None, figures: Part, expected: tuple[str, str, str]
) -> None:
    """And its word."""
    assert said(sensors, silent, figures) == expected


@pytest.mark.parametrize("found", [*ShardVerdict])
def test_every_verdict_has_words(found: ShardVerdict) -> None:
    """Only one of them is good."""
    part = figures_part(found, 60_000_000, 1, 2)
    assert part.text
    assert (part.level is Level.GOOD) == (found is ShardVerdict.OK)


def test_a_sensor_is_silent_after_a_quarter_of_an_hour() -> None:
    """Its own page knows to the second."""
    talking, silent, unknown = (sensor_sentence(1204, for_s, 900, COMPLETE) for for_s in (900, 901, None))
    assert [part.text for part in talking.parts] == ["1,204 readings", "the latest 15 min ago", "figures complete"]
    assert silent.parts[1].text == "silent for 15 min"
    assert [one.worst.word for one in (talking, silent, unknown)] == ["Complete", "Silent", "Empty"]


def test_numbers_and_times_are_written_out() -> None:
    """Never with an exponent; durations in the largest unit that is full; times in the zone."""
    assert [celsius_text(one) for one in (Decimal("1E-6"), Decimal(18), None)] == ["0.000001", "18", "–"]
    lengths = {0: "0 s", 59: "59 s", 60: "1 min", 3599: "59 min", 3600: "1 h", 86_400: "1 day", 200_000: "2 days"}
    assert {seconds: duration(seconds) for seconds in lengths} == lengths
    at_us = round(datetime(2021, 11, 26, 18, 10, tzinfo=UTC).timestamp() * 1_000_000)
    assert time_text(zone_of("Asia/Kathmandu"), at_us) == "26 Nov 2021, 23:55:00"
