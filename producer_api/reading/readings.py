"""GET /api/sensors/{id}/readings and /api/readings: a sensor's readings, page by page, or all of them as CSV or NDJSON."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from producer_api.parameters import Asked, asked, choice, whole
from producer_api.reading.answers import as_of_text, etag_of, freshness, json_answer, not_modified, now_us
from producer_api.reading.asking import Asking, Told
from producer_api.reading.common import AFTER, REQUIRED_SENSOR_ID, WAIT, Stretch, stretch_of
from producer_api.reading.cursors import CURSOR, cursor_of, key_of
from producer_api.reading.formats import FOR, FORMAT, MEDIA_TYPES, CsvWriter, Format, attachment, format_of
from producer_api.reading.sensors import required_id
from producer_api.reading.shapes import ENCODER, PlainReading, ReadingsShape, celsius
from producer_api.reading.times import FROM, TO, TZ
from producer_api.services import services
from producer_api.urls import asked_again
from projections.ranges import readings
from projections.reads import Page
from projections.tiles import END_US
from projections.zones import Zone, rfc3339_in
from telemetry.reading import Reading

_STREAMED_AT_ONCE: Final = 5_000
_STREAMED_BUCKET_MAX: Final = 10_000_000
"""Streams are unlimited; ten minutes of a sensor are read at once, and that many no sensor sends."""


class Order(StrEnum):
    """Which readings come first."""

    ASC = "asc"
    DESC = "desc"


ORDER: Final = choice("order", "asc: earliest first; desc: latest first.", Order.ASC)
LIMIT: Final = whole("limit", "How many readings a page of JSON holds at most.", 1, 10_000, 1_000)
PARAMETERS = (FROM, TO, TZ, ORDER, LIMIT, CURSOR, FORMAT, FOR, AFTER, WAIT)


async def one_sensors_readings(request: Request) -> Response:
    """The readings of the sensor that `sensorId` names."""
    question = asked(request, (REQUIRED_SENSOR_ID, *PARAMETERS))
    return await answer_readings(request, required_id(question), question)


async def answer_readings(request: Request, sensor_id: str, question: Asked) -> Response:
    """A sensor's readings in a stretch of time; none of an unknown sensor."""
    found = services(request)
    found.stream.require_ours()
    form = format_of(request, question)
    stretch = stretch_of(question, now_us(), whole_minutes=False)
    newest_first = question[ORDER] is Order.DESC
    bound = ("readings", sensor_id, newest_first)
    key = key_of(bound, question[CURSOR])
    after = key and Reading(key[0], sensor_id, key[1])
    pages = _Pages(found.asking, sensor_id, stretch, newest_first)
    limit = question[LIMIT] if form is Format.JSON else _STREAMED_AT_ONCE
    told = await pages.get(after, limit, question)
    etag = etag_of(told, (*bound, stretch.from_us, stretch.until_us, stretch.zone.name, after, limit, form, question[FOR]))
    headers = freshness(told.marks.as_of_us)
    if form is not Format.JSON:
        # A stream has no ETag: what follows its first page is read later.
        headers["Content-Disposition"] = attachment(f"{sensor_id}.{form.value}")
        lines = _lines(pages, told, stretch.zone, _Writer(form, spreadsheet=question[FOR]))
        return StreamingResponse(lines, headers=headers, media_type=MEDIA_TYPES[form])
    headers["ETag"] = etag
    follows = None
    if told.value.more:
        last = told.value.items[-1]
        cursor = cursor_of(bound, (last.measured_at_us, last.temperature_micro))
        follows = asked_again(request, "/api/readings", sensorId=sensor_id, cursor=cursor)
        headers["Link"] = f'<{follows}>; rel="next"'
    if unchanged := not_modified(request, etag, headers):
        return unchanged
    return await json_answer(partial(_page_shape, sensor_id, told, stretch.zone, follows), headers)


class _Pages:
    """The pages of a question, each asked for when it is wanted."""

    def __init__(self, asking: Asking, sensor_id: str, stretch: Stretch, newest_first: bool) -> None:  # noqa: FBT001
        self._asking = asking
        self._key = (sensor_id, stretch.from_us, stretch.until_us, newest_first)
        self._question = partial(
            readings,
            sensor_id=sensor_id,
            from_us=0 if stretch.from_us is None else stretch.from_us,
            until_us=END_US if stretch.until_us is None else stretch.until_us,
            newest_first=newest_first,
        )

    async def get(self, after: Reading | None, limit: int, question: Asked | None = None) -> Told[Page[Reading]]:
        """The page after a reading."""
        steps = partial(self._question, after=after, limit=limit)
        if limit == _STREAMED_AT_ONCE:
            steps = partial(steps, bucket_max=_STREAMED_BUCKET_MAX)
        positions, wait_s = (question[AFTER], question[WAIT]) if question else ((), 0.0)
        return await self._asking.ask(("readings", *self._key, after, limit), steps, positions, wait_s)


class _Writer:
    """Readings as lines."""

    def __init__(self, form: Format, *, spreadsheet: bool) -> None:
        self._csv = CsvWriter(spreadsheet=spreadsheet) if form is Format.CSV else None

    def header(self) -> bytes:
        """What stands before the first line."""
        return self._csv.header(PlainReading.__struct_fields__) if self._csv else b""

    def lines(self, found: Sequence[Reading], zone: Zone) -> bytes:
        """A line each."""
        shapes = (_shape(reading, zone) for reading in found)
        if self._csv:
            return self._csv.lines((one.timestamp, one.temperature) for one in shapes)
        return b"".join(ENCODER.encode(one) + b"\n" for one in shapes)


async def _lines(pages: _Pages, told: Told[Page[Reading]], zone: Zone, writer: _Writer) -> AsyncIterator[bytes]:
    """All pages. What fails after the first byte breaks the connection, which no client takes for the end."""
    yield writer.header()
    while True:
        yield await asyncio.to_thread(writer.lines, told.value.items, zone)
        if not told.value.more:
            return
        told = await pages.get(told.value.items[-1], _STREAMED_AT_ONCE)


def _page_shape(sensor_id: str, told: Told[Page[Reading]], zone: Zone, follows: str | None) -> ReadingsShape:
    shapes = [_shape(reading, zone) for reading in told.value.items]
    return ReadingsShape(sensor_id, shapes, as_of_text(told.marks.as_of_us), follows)


def _shape(reading: Reading, zone: Zone) -> PlainReading:
    return PlainReading(rfc3339_in(zone, reading.measured_at_us), celsius(reading.temperature_micro))
