"""What was found, in the shapes that tell it."""

from msgspec.structs import asdict

from producer_api.reading.answers import as_of_text, lag_ms
from producer_api.reading.asking import Told
from producer_api.reading.common import Stretch
from producer_api.reading.shapes import (
    DetailShape,
    SensorShape,
    WindowShape,
    WindowWithPercentiles,
    average,
    celsius,
    deviation,
    percentiles_shape,
    plain,
    whole,
)
from projections.fold import Stats
from projections.histogram import percentile
from projections.history import Measured
from projections.percentiles import percentiles
from projections.zones import UTC_ZONE, Zone, rfc3339_in
from telemetry.limits import MICRO


def window_shape(measured: Measured, zone: Zone, as_of_us: int | None, *, uncut: bool = True) -> WindowShape:
    """What was measured in a window, as of a moment; with percentiles where there is a histogram."""
    cell = measured.cell
    window = WindowShape(
        rfc3339_in(zone, measured.window.start_us),
        rfc3339_in(zone, measured.window.end_us),
        cell.readings if cell else 0,
        cell and celsius(cell.minimum_micro),
        cell and average(cell.readings, cell.sum_micro),
        cell and celsius(cell.maximum_micro),
        partial=not uncut,
        open=as_of_us is None or measured.window.end_us > as_of_us,
    )
    return _with_percentiles(window, measured) if measured.histogram is not None else window


def _with_percentiles(window: WindowShape, measured: Measured) -> WindowWithPercentiles:
    known = asdict(window)
    if not (cell := measured.cell) or not measured.histogram:
        return WindowWithPercentiles(**known, p50=None, p95=None, p99=None, within=None)
    (p50, half), *others = (
        percentile(measured.histogram, permille, cell.minimum_micro, cell.maximum_micro) for permille in (500, 950, 990)
    )
    p95, p99 = (celsius(value) for value, _ in others)
    return WindowWithPercentiles(**known, p50=celsius(p50), p95=p95, p99=p99, within=celsius(half))


def detail_shape(told: Told[Stats], stretch: Stretch) -> DetailShape:
    """Everything that is known of a set of readings."""
    stats, zone, as_of_us = told.value, stretch.zone, told.marks.as_of_us
    return DetailShape(
        Maximum=stats.maximum and celsius(stats.maximum.temperature_micro),
        Minimum=stats.minimum and celsius(stats.minimum.temperature_micro),
        Average=average(stats.count, stats.sum_micro),
        Count=stats.count,
        Sum=celsius(stats.sum_micro),
        StandardDeviation=deviation(stats),
        Duplicates=None if stretch.bounded else stats.duplicates,
        MaximumReading=whole(stats.maximum, zone),
        MinimumReading=whole(stats.minimum, zone),
        First=whole(stats.first, zone),
        Latest=whole(stats.latest, zone),
        Percentiles=percentiles_shape(percentiles(stats)),
        From=None if stretch.from_us is None else rfc3339_in(zone, stretch.from_us),
        To=None if stretch.until_us is None else rfc3339_in(zone, stretch.until_us),
        AsOf=as_of_text(as_of_us),
        LagMs=None if as_of_us is None else lag_ms(as_of_us),
        Generation=told.generation,
    )


def sensor_shape(sensor_id: str, stats: Stats, now: int) -> SensorShape:
    """A sensor, and all that it measured, at a moment: microseconds since 1970."""
    latest = stats.latest
    return SensorShape(
        sensor_id=sensor_id,
        count=stats.count,
        first=plain(stats.first, UTC_ZONE),
        latest=plain(latest, UTC_ZONE),
        minimum=stats.minimum and celsius(stats.minimum.temperature_micro),
        maximum=stats.maximum and celsius(stats.maximum.temperature_micro),
        average=average(stats.count, stats.sum_micro),
        silent_for_s=latest and max(0, now - latest.measured_at_us) // MICRO,
    )
