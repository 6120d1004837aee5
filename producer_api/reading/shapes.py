"""The shapes of answers: what is written as JSON and what OpenAPI says of it, in one definition.

Nothing measured is `null`; no member is ever missing. Numbers are exact: decimals, never binary floats.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import isqrt
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from projections.fold import Stats
from projections.percentiles import Percentiles
from projections.zones import Zone, rfc3339_in
from telemetry.limits import MICRO
from telemetry.reading import Reading

Celsius = Annotated[Decimal, Meta(description="Degrees Celsius, exact.")]
Rounded = Annotated[Decimal, Meta(description="Degrees Celsius, rounded half-even.")]
Time = Annotated[
    str,
    Meta(
        description="RFC 3339, in the zone asked for.",
        extra_json_schema={"format": "date-time"},
        examples=["2021-11-26T18:10:00Z"],
    ),
]
Whole = Annotated[int, Meta(ge=0)]

ENCODER: Final = msgspec.json.Encoder(decimal_format="number")

_HUNDREDTH_MICRO: Final = 10_000


class SensorReading(Struct, rename="camel"):
    """A reading and who measured it."""

    sensor_id: str
    timestamp: Time
    temperature: Celsius


class PlainReading(Struct):
    """A reading of a sensor that is named elsewhere."""

    timestamp: Time
    temperature: Celsius


class PercentilesShape(Struct):
    """The temperatures that so many percent of all do not exceed (nearest rank)."""

    p5: Celsius
    p25: Celsius
    p50: Celsius
    p75: Celsius
    p95: Celsius
    p99: Celsius
    within: Annotated[Decimal, Meta(description="The largest error of any of them; 0 where exact.")]


class StatsShape(Struct):
    """Everything recorded, in the original's three keys."""

    Maximum: Celsius | None
    Minimum: Celsius | None
    Average: Annotated[Rounded | None, Meta(description="To 2 decimals.")]


class DetailShape(Struct):
    """Everything that is known of a set of readings."""

    Maximum: Celsius | None
    Minimum: Celsius | None
    Average: Rounded | None
    Count: Whole
    Sum: Celsius
    StandardDeviation: Annotated[Rounded | None, Meta(description="Of all of them (population), to 6 decimals.")]
    Duplicates: Annotated[
        Whole | None, Meta(description="Repeats seen, which count once; null with a range: only totals know them.")
    ]
    MaximumReading: SensorReading | None
    MinimumReading: SensorReading | None
    First: SensorReading | None
    Latest: SensorReading | None
    Percentiles: PercentilesShape | None
    From: Time | None
    To: Time | None
    AsOf: Time | None
    LagMs: Whole | None
    Generation: int


class WindowShape(Struct):
    """What was measured in a window."""

    start: Time
    end: Time
    count: Whole
    minimum: Celsius | None
    average: Rounded | None
    maximum: Celsius | None
    partial: Annotated[bool, Meta(description="Cut by `from` or `to`.")]
    open: Annotated[bool, Meta(description="Not over at `asOf`.")]


class WindowWithPercentiles(WindowShape):
    """What was measured in a window, with percentiles."""

    p50: Celsius | None
    p95: Celsius | None
    p99: Celsius | None
    within: Celsius | None


class HistoryShape(Struct, rename="camel"):
    """Windows in order and without overlap."""

    interval: str
    tz: str
    from_: Time | None = msgspec.field(name="from")
    to: Time | None
    as_of: Time | None
    generation: int
    windows: Sequence[WindowShape]
    next: Annotated[str | None, Meta(description="Where the windows after these are.")]


class HistoryWithPercentiles(HistoryShape, rename="camel"):
    """Windows in order and without overlap, with percentiles."""

    windows: Sequence[WindowWithPercentiles]


class SensorShape(Struct, rename="camel"):
    """A sensor and all that it measured."""

    sensor_id: str
    count: Whole
    first: PlainReading | None
    latest: PlainReading | None
    minimum: Celsius | None
    maximum: Celsius | None
    average: Rounded | None
    silent_for_s: Annotated[Whole | None, Meta(description="Seconds since its latest reading was measured.")]


class OneSensorShape(SensorShape, rename="camel"):
    """A sensor and all that it measured, and as of when."""

    as_of: Time | None


class SensorsShape(Struct, rename="camel"):
    """Sensors in the order asked for."""

    sensors: list[SensorShape]
    as_of: Time | None
    next: str | None


class ReadingsShape(Struct, rename="camel"):
    """A sensor's readings by time."""

    sensor_id: str
    readings: list[PlainReading]
    as_of: Time | None
    next: str | None


def celsius(micro: int) -> Decimal:
    """10⁻⁶ °C as the shortest exact decimal."""
    whole, rest = divmod(micro, MICRO)
    return Decimal(whole) if not rest else Decimal(micro).scaleb(-6).normalize()


def average(count: int, sum_micro: int) -> Decimal | None:
    """The average rounded half-even to 0.01 °C; in integers throughout."""
    return celsius(average_micro(count, sum_micro)) if count else None


def average_micro(count: int, sum_micro: int) -> int:
    """The average of at least one reading, rounded half-even to 0.01 °C, in 10⁻⁶ °C."""
    unit = count * _HUNDREDTH_MICRO
    hundredths, rest = divmod(sum_micro, unit)
    if 2 * rest > unit or (2 * rest == unit and hundredths % 2):
        hundredths += 1
    return hundredths * _HUNDREDTH_MICRO


def deviation(stats: Stats) -> Decimal | None:
    """The population's standard deviation, rounded to 10⁻⁶ °C; in integers throughout."""
    if not stats.count:
        return None
    # n²σ² = nΣx² − (Σx)²
    doubled = isqrt(4 * (stats.count * stats.sum_squares - stats.sum_micro**2)) // stats.count
    return celsius((doubled + 1) // 2)


def plain(reading: Reading | None, zone: Zone) -> PlainReading | None:
    """A reading without its sensor."""
    return reading and PlainReading(rfc3339_in(zone, reading.measured_at_us), celsius(reading.temperature_micro))


def whole(reading: Reading | None, zone: Zone) -> SensorReading | None:
    """A reading with its sensor."""
    return reading and SensorReading(
        reading.sensor_id, rfc3339_in(zone, reading.measured_at_us), celsius(reading.temperature_micro)
    )


def percentiles_shape(found: Percentiles | None) -> PercentilesShape | None:
    """Percentiles in °C."""
    return found and PercentilesShape(*map(celsius, found))
