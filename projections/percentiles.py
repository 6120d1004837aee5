"""Percentiles of what rows say together, with their largest error beside them. Pure."""

from typing import Final, NamedTuple

from projections.fold import Stats
from projections.histogram import decode, percentile

_PERMILLE: Final = (50, 250, 500, 750, 950, 990)


class Percentiles(NamedTuple):
    """The temperatures that 5, 25, 50, 75, 95 and 99 % of all readings do not exceed (nearest rank), in 10⁻⁶ °C."""

    p5_micro: int
    p25_micro: int
    p50_micro: int
    p75_micro: int
    p95_micro: int
    p99_micro: int
    within_micro: int
    """None of them is further than this from the true one; 0 when they are exact."""


def percentiles(stats: Stats) -> Percentiles | None:
    """Those of any stats, of one row or merged; None when nothing was measured. They stand on the marks that the stats do."""
    if stats.minimum is None or stats.maximum is None:
        return None
    coldest, hottest = stats.minimum.temperature_micro, stats.maximum.temperature_micro
    histogram = decode(stats.histogram)
    found = [percentile(histogram, permille, coldest, hottest) for permille in _PERMILLE]
    return Percentiles._make([*(value for value, _ in found), max(within for _, within in found)])
