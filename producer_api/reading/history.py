"""GET /api/stats/history: what was measured, window by window, on the calendar of any zone."""

import asyncio
from collections.abc import Iterator
from enum import StrEnum
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from producer_api.parameters import Asked, asked, choice, choice_of, whole
from producer_api.reading.answers import as_of_text, body_answer, etag_of, freshness, json_answer, not_modified, now_us
from producer_api.reading.asking import Told
from producer_api.reading.common import AFTER, PERCENTILES, SENSOR_ID, WAIT, Stretch, awaited, stretch_of
from producer_api.reading.cursors import CURSOR, cursor_of, key_of
from producer_api.reading.formats import FOR, FORMAT, MEDIA_TYPES, CsvWriter, Format, attachment, format_of
from producer_api.reading.shapes import ENCODER, HistoryShape, WindowShape, WindowWithPercentiles
from producer_api.reading.telling import window_shape
from producer_api.reading.times import FROM, TO, TZ
from producer_api.reading.windows import History, Wanted, page
from producer_api.services import services
from producer_api.urls import asked_again
from projections.calendar import Interval
from projections.marks import Which
from projections.zones import Zone, rfc3339_in

WINDOWS_MAX: Final = 5_000


class Gaps(StrEnum):
    """What is told of windows in which nothing was measured."""

    OMIT = "omit"
    NULL = "null"


INTERVAL: Final = choice_of(
    "interval",
    "What a window is long. auto: the finest that makes at most `points` windows.",
    {"auto": None, **{one.value: one for one in Interval}},
    "auto",
)
POINTS: Final = whole("points", "How many windows `interval=auto` makes at most.", 1, WINDOWS_MAX, 500)
LIMIT: Final = whole(
    "limit", "How many windows a page holds at most, those without readings among them.", 1, WINDOWS_MAX, WINDOWS_MAX
)
GAPS: Final = choice("gaps", "Whether windows in which nothing was measured are left out or told with nulls.", Gaps.OMIT)
PARAMETERS = (INTERVAL, POINTS, TZ, SENSOR_ID, FROM, TO, GAPS, PERCENTILES, LIMIT, CURSOR, FORMAT, FOR, AFTER, WAIT)


async def history(request: Request) -> Response:
    """Windows in order and without gap."""
    found = services(request)
    found.stream.require_ours()
    question = asked(request, PARAMETERS)
    form = format_of(request, question)
    stretch = stretch_of(question, now_us(), whole_minutes=question[SENSOR_ID] is None)
    wanted = Wanted(
        question[SENSOR_ID], stretch, question[INTERVAL], question[POINTS], question[LIMIT], percentiles=question[PERCENTILES]
    )
    begin_us = key_of(_bound(wanted, wanted.interval), question[CURSOR], int)
    key = ("history", *wanted.key(), begin_us)
    which = Which.WINDOWS if wanted.sensor_id is None else Which.EVERYTHING
    told = await found.asking.ask(key, partial(page, wanted=wanted, begin_us=begin_us), awaited(question, which))
    etag = etag_of(told, (*key, stretch.zone.name, question[GAPS], form, question[FOR], _state(told)))
    headers = freshness(told.marks.as_of_us) | {"ETag": etag}
    follows = None
    if told.value.next_us is not None:
        cursor = cursor_of(_bound(wanted, told.value.interval), told.value.next_us)
        follows = asked_again(request, {**stretch.fixed, "interval": told.value.interval.value, "cursor": cursor})
        headers["Link"] = f'<{follows}>; rel="next"'
    if unchanged := not_modified(request, etag, headers):
        return unchanged
    if form is Format.JSON:
        return await json_answer(partial(_shape, told, stretch, question, follows), headers)
    return await asyncio.to_thread(_table, told, stretch.zone, question, form, headers)


def _bound(wanted: Wanted, interval: Interval | None) -> object:
    """What a cursor goes on with: whatever else changes between two pages does no harm."""
    return "history", wanted.sensor_id, interval, wanted.stretch.zone.name.lower()


def _state(told: Told[History]) -> object:
    """What of the windows may change while the rows read stay as they are: which there are, and how many are over."""
    as_of_us, measured = told.marks.as_of_us, told.value.measured
    over = sum(as_of_us is not None and one.window.end_us <= as_of_us for one in measured)
    return told.value.from_us, measured[-1].window if measured else None, told.value.next_us, over


def _windows(told: Told[History], zone: Zone, question: Asked) -> Iterator[WindowShape]:
    for one, uncut in zip(told.value.measured, told.value.uncut, strict=True):
        if one.cell is not None or question[GAPS] is Gaps.NULL:
            yield window_shape(one, zone, told.marks.as_of_us, uncut=uncut)


def _shape(told: Told[History], stretch: Stretch, question: Asked, follows: str | None) -> HistoryShape:
    from_us, until_us = told.value.from_us, stretch.until_us
    return HistoryShape(
        told.value.interval.value,
        stretch.zone.name,
        None if from_us is None else rfc3339_in(stretch.zone, from_us),
        None if until_us is None else rfc3339_in(stretch.zone, until_us),
        as_of_text(told.marks.as_of_us),
        told.generation,
        list(_windows(told, stretch.zone, question)),
        follows,
    )


def _table(told: Told[History], zone: Zone, question: Asked, form: Format, headers: dict[str, str]) -> Response:
    """A line for each window."""
    rows = _windows(told, zone, question)
    headers["Content-Disposition"] = attachment(f"history-{question[SENSOR_ID] or 'all'}.{form.value}")
    if form is Format.NDJSON:
        return body_answer(b"".join(ENCODER.encode(row) + b"\n" for row in rows), MEDIA_TYPES[form], headers)
    names = (WindowWithPercentiles if question[PERCENTILES] else WindowShape).__struct_fields__
    writer = CsvWriter(spreadsheet=question[FOR])
    lines = ([getattr(row, name) for name in names] for row in rows)
    return body_answer(writer.header(names) + writer.lines(lines), MEDIA_TYPES[form], headers)
