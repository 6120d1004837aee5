"""GET /api/stats: Maximum, Minimum and Average, exact, of all or a stretch of it (contract C15 to C18, "Reading")."""

from functools import lru_cache, partial

from starlette.requests import Request
from starlette.responses import Response

from producer_api.parameters import Asked, asked, flag
from producer_api.reading.answers import body_answer, etag_of, freshness, json_answer, not_modified, now_us
from producer_api.reading.asking import Question, Told
from producer_api.reading.common import AFTER, SENSOR_ID, WAIT, Stretch, awaited, stretch_of
from producer_api.reading.shapes import average_micro
from producer_api.reading.telling import detail_shape
from producer_api.reading.times import FROM, TO, TZ
from producer_api.services import services
from projections.dynamodb_reads import LiveLook
from projections.fold import Stats
from projections.marks import Answer, Which
from projections.ranges import Fleet, fleet_between, sensor_between, sensor_total
from projections.reads import ROWS_MAX, ROWS_WITH_PERCENTILES_MAX, ReadSteps
from projections.tiles import END_US
from telemetry.reading import decimal_text

DETAIL = flag(
    "detail", "Whether to tell everything that is known: counts, sums, percentiles, and which readings they come from."
)
PARAMETERS = (SENSOR_ID, FROM, TO, TZ, DETAIL, AFTER, WAIT)


async def stats(request: Request) -> Response:
    """The stats of everything, of a sensor, or of a stretch of time."""
    found = services(request)
    found.stream.require_ours()
    if not request.url.query:
        as_of_us, etag, body = _plain(await found.looks.get())
        headers = freshness(as_of_us) | {"ETag": etag}
        return not_modified(request, etag, headers) or Response(body, headers=headers, media_type="application/json")
    question = asked(request, PARAMETERS)
    stretch = stretch_of(question, now_us(), whole_minutes=question[SENSOR_ID] is None)
    key = ("stats", question[SENSOR_ID], stretch.from_us, stretch.until_us, question[DETAIL])
    told = await found.asking.ask(key, _question(question, stretch), awaited(question, _which(question, stretch)))
    return await _answer(request, told, stretch, detail=question[DETAIL], key=(*key, stretch.zone.name))


@lru_cache(maxsize=1)
def _plain(look: LiveLook) -> tuple[int | None, str, str]:
    """What the plain question is answered by all who ask it meanwhile: as of when, ETag and body."""
    told = Told(Answer(look.fleet.stats, look.fleet.marks(Which.TOTALS)), look.pointer.generation)
    return told.marks.as_of_us, etag_of(told, ()), stats_json(told.value)


def _which(question: Asked, stretch: Stretch) -> Which:
    """The mark that the answer stands on."""
    if question[SENSOR_ID] is not None:
        return Which.EVERYTHING
    return Which.WINDOWS if stretch.bounded else Which.TOTALS


def _question(question: Asked, stretch: Stretch) -> Question[Stats]:
    sensor_id = question[SENSOR_ID]
    if not stretch.bounded:
        return partial(sensor_total, sensor_id=sensor_id) if sensor_id is not None else _total
    from_us = 0 if stretch.from_us is None else stretch.from_us
    until_us = END_US if stretch.until_us is None else stretch.until_us
    if sensor_id is not None:
        return partial(sensor_between, sensor_id=sensor_id, from_us=from_us, until_us=until_us)
    rows_max = ROWS_WITH_PERCENTILES_MAX if question[DETAIL] else ROWS_MAX
    return partial(fleet_between, from_us=from_us, until_us=until_us, rows_max=rows_max)


def _total(fleet: Fleet) -> ReadSteps[Answer[Stats]]:
    return fleet.total()


async def _answer(request: Request, told: Told[Stats], stretch: Stretch, *, detail: bool, key: object) -> Response:
    # Details tell their age.
    headers = freshness(told.marks.as_of_us) | {"ETag": etag_of(told, (key, told.marks.as_of_us if detail else None))}
    if unchanged := not_modified(request, headers["ETag"], headers):
        return unchanged
    if detail:
        return await json_answer(partial(detail_shape, told, stretch), headers)
    return body_answer(stats_json(told.value).encode(), "application/json", headers)


def stats_json(stats: Stats) -> str:
    """The original's three keys in its order; `null` for what was never measured."""
    if stats.maximum is None or stats.minimum is None:
        return '{"Maximum": null, "Minimum": null, "Average": null}\n'
    maximum, minimum = decimal_text(stats.maximum.temperature_micro), decimal_text(stats.minimum.temperature_micro)
    middle = decimal_text(average_micro(stats.count, stats.sum_micro))
    return f'{{"Maximum": {maximum}, "Minimum": {minimum}, "Average": {middle}}}\n'
