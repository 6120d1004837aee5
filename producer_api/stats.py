"""GET /api/stats: Maximum, Minimum and Average of everything recorded, exact (contract C15 to C18)."""

from starlette.requests import Request
from starlette.responses import Response

from producer_api.services import services
from projections.fold import Stats
from telemetry.errors import InvalidQuestion
from telemetry.reading import decimal_text

_HUNDREDTH_MICRO = 10_000
_NO_PARAMETER = "Not a parameter of this question: it is about all sensors and all time. Leave it out."


async def fleet_stats(request: Request) -> Response:
    """The stats of the whole fleet, over all time."""
    if request.query_params:
        raise InvalidQuestion(dict.fromkeys(request.query_params, _NO_PARAMETER))
    services(request).stream.require_ours()
    fleet = await services(request).fleet.get()
    return Response(stats_json(fleet.stats), media_type="application/json", headers={"Cache-Control": "no-cache"})


def stats_json(stats: Stats) -> str:
    """The original's three keys in its order; `null` for what was never measured."""
    if stats.maximum is None or stats.minimum is None:
        return '{"Maximum": null, "Minimum": null, "Average": null}\n'
    maximum, minimum = decimal_text(stats.maximum.temperature_micro), decimal_text(stats.minimum.temperature_micro)
    return f'{{"Maximum": {maximum}, "Minimum": {minimum}, "Average": {decimal_text(average_micro(stats))}}}\n'


def average_micro(stats: Stats) -> int:
    """The average of at least one reading, rounded half-even to 0.01 °C, in 10⁻⁶ °C; in integers throughout."""
    unit = stats.count * _HUNDREDTH_MICRO
    hundredths, rest = divmod(stats.sum_micro, unit)
    if 2 * rest > unit or (2 * rest == unit and hundredths % 2):
        hundredths += 1
    return hundredths * _HUNDREDTH_MICRO
