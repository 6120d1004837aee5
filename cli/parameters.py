"""How options are read: times, zones and sensors, as the API reads them (contract, "Time")."""

import re
from enum import StrEnum
from typing import Any, Final, NamedTuple

import click

from projections.times import Moment, parse_moment
from projections.zones import UnknownZone, Zone, zone_of
from telemetry.letter_marks import LetterPlace, parse_place
from telemetry.limits import MICRO
from telemetry.names import GENERATION_MAX
from telemetry.reading import parse_sensor_id

_BLANK_OFFSET: Final = re.compile(r".*[Tt ]\d\d:?\d\d.* \d\d(?::?\d\d)?", re.ASCII)

_SPEED: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)x", re.ASCII)

_GENERATION: Final = re.compile(r"g?([1-9]\d{0,5})", re.ASCII)


class TypedTime(NamedTuple):
    """A time as it was typed, and what it means."""

    text: str
    moment: Moment

    def at(self, zone: Zone, now_us: int) -> int:
        """The instant, in microseconds since 1970; what counts back from now is floored to the second."""
        return self.moment.at(zone, now_us, MICRO)


class Time(click.ParamType[TypedTime]):
    """A date, ISO 8601, or a time ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> TypedTime:
        """What was typed, read but for the zone."""
        if _BLANK_OFFSET.fullmatch(value):
            self.fail(f"{value!r}: a blank stands where an offset's plus or minus was meant.", param, ctx)
        try:
            return TypedTime(value, parse_moment(value))
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class TimeZone(click.ParamType[Zone]):
    """An IANA name in any case, or an offset."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Zone:
        """The zone."""
        if isinstance(value, Zone):
            return value
        try:
            return zone_of(value)
        except UnknownZone as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class Speed(click.ParamType[float]):
    """How many times as fast, as in `10x`."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, above 0."""
        if not (match := _SPEED.fullmatch(value)) or not float(match[1]):
            self.fail(f"{value!r}: expected a number above 0 and an x, e.g. 10x or 0.5x.", param, ctx)
        return float(match[1])


class OneOf[T: StrEnum](click.Choice[T]):
    """One of an enumeration, by its value."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:  # noqa: ARG002  click's signature
        """What is typed for it."""
        return str(choice)


class Sensor(click.ParamType[str]):
    """A sensor id, trimmed and checked as PUT does it."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id as events hold it."""
        try:
            return parse_sensor_id(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class LetterAt(click.ParamType[LetterPlace]):
    """The place of a dead letter."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> LetterPlace:
        """The place, read."""
        try:
            return parse_place(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class Generation(click.ParamType[int]):
    """A projection generation, as in `g2`."""

    name = "generation"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Its number, from 1 on."""
        if not (match := _GENERATION.fullmatch(value)) or int(match[1]) > GENERATION_MAX:
            self.fail(f"{value!r}: expected g and a whole number from 1 to {GENERATION_MAX}, e.g. g2.", param, ctx)
        return int(match[1])
