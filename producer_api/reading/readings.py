"""GET /api/sensors/{id}/readings and /api/readings: a sensor's readings, page by page, or all of them as CSV or NDJSON."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from producer_api.parameters import Asked, asked, choice, whole
from producer_api.reading.answers import Export, as_of_text, body_answer, etag_of, freshness, json_answer, not_modified, now_us
from producer_api.reading.asking import Asking, Told
from producer_api.reading.common import AFTER, REQUIRED_SENSOR_ID, WAIT, Stretch, awaited, stretch_of
from producer_api.reading.cursors import CURSOR, cursor_of, key_of
from producer_api.reading.formats import FOR, FORMAT, MEDIA_TYPES, CsvWriter, Format, attachment, format_of
from producer_api.reading.shapes import ENCODER, PlainReading, ReadingsShape, SensorReading, celsius
from producer_api.reading.times import FROM, TO, TZ
from producer_api.services import services
from producer_api.urls import asked_again
from projections.marks import Which
from projections.ranges import readings
from projections.reads import Page
from projections.tiles import END_US
from projections.zones import Zone, rfc3339_in
from telemetry.reading import Reading

_STREAMED_AT_ONCE: Final = 5_000
"""About so many readings of a stream are in memory: the ten minutes that make them up are read whole."""


class Order(StrEnum):
    """Which readings come first."""

    ASC = "asc"
    DESC = "desc"


ORDER: Final = choice("order", "asc: earliest first; desc: latest first.", Order.ASC)
LIMIT: Final = whole(
    "limit",
    "How many readings a page holds at most. Left out, CSV and NDJSON have no pages: they are streams of all readings.",
    1,
    10_000,
    1_000,
)
PARAMETERS = (FROM, TO, TZ, ORDER, LIMIT, CURSOR, FORMAT, FOR, AFTER, WAIT)


async def one_sensors_readings(request: Request) -> Response:
    """The readings of the sensor that `sensorId` names."""
    question = asked(request, (REQUIRED_SENSOR_ID, *PARAMETERS))
    return await answer_readings(request, question[REQUIRED_SENSOR_ID], question)


async def answer_readings(request: Request, sensor_id: str, question: Asked) -> Response:
    """A sensor's readings in a stretch of time; none of an unknown sensor."""
    found = services(request)
    found.stream.require_ours()
    form = format_of(request, question)
    stretch = stretch_of(question, now_us(), whole_minutes=False)
    newest_first = question[ORDER] is Order.DESC
    bound = ("readings", sensor_id, newest_first)
    key = key_of(bound, question[CURSOR], tuple[int, int])
    after = key and Reading(key[0], sensor_id, key[1])
    pages = _Pages(found.asking, sensor_id, stretch, newest_first)
    streamed = form is not Format.JSON and LIMIT not in question
    told = await pages.get(after, None if streamed else question[LIMIT], question)
    headers = freshness(told.marks.as_of_us)
    writer = _Writer(form, sensor_id, stretch.zone, spreadsheet=question[FOR])
    if form is not Format.JSON:
        headers["Content-Disposition"] = attachment(f"{sensor_id}.{form.value}")
    if streamed:
        # A stream has no ETag: what follows its first page is read later.
        lines = _lines(pages, told, writer) if request.method == "GET" else _nothing()
        return Export(lines, headers=headers, media_type=MEDIA_TYPES[form])
    follows = None
    if told.value.more:
        last = told.value.items[-1]
        changed = {"sensorId": sensor_id, "cursor": cursor_of(bound, (last.measured_at_us, last.temperature_micro))}
        follows = asked_again(request, {**stretch.fixed, **changed}, "/api/readings")
        headers["Link"] = f'<{follows}>; rel="next"'
    known_by = (*bound, stretch.from_us, stretch.until_us, stretch.zone.name, after, question[LIMIT], form, question[FOR])
    headers["ETag"] = etag_of(told, known_by)
    if unchanged := not_modified(request, headers["ETag"], headers):
        return unchanged
    if form is Format.JSON:
        return await json_answer(partial(_page_shape, sensor_id, told, stretch.zone, follows), headers)
    body = await asyncio.to_thread(writer.lines, told.value.items)
    return body_answer(writer.header() + body, MEDIA_TYPES[form], headers)


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

    async def get(self, after: Reading | None, limit: int | None, question: Asked | None = None) -> Told[Page[Reading]]:
        """The page after a reading; of a stream when it has no limit."""
        steps = partial(self._question, after=after, limit=limit or _STREAMED_AT_ONCE, whole_buckets=limit is None)
        waits = awaited(question, Which.EVERYTHING) if question else None
        return await self._asking.ask(("readings", *self._key, after, limit), steps, waits)


class _Writer:
    """Readings as lines."""

    def __init__(self, form: Format, sensor_id: str, zone: Zone, *, spreadsheet: bool) -> None:
        self._csv = CsvWriter(spreadsheet=spreadsheet) if form is Format.CSV else None
        self._sensor_id = sensor_id
        self._zone = zone

    def header(self) -> bytes:
        """What stands before the first line."""
        return self._csv.header(["sensorId", "timestamp", "temperature"]) if self._csv else b""

    def lines(self, found: Sequence[Reading]) -> bytes:
        """A line each, which says whose reading it is: lines of several sensors may come together."""
        shapes = (SensorReading(self._sensor_id, *_told(reading, self._zone)) for reading in found)
        if self._csv:
            return self._csv.lines((one.sensor_id, one.timestamp, one.temperature) for one in shapes)
        return b"".join(ENCODER.encode(one) + b"\n" for one in shapes)


async def _lines(pages: _Pages, told: Told[Page[Reading]], writer: _Writer) -> AsyncIterator[bytes]:
    """All pages."""
    yield writer.header()
    while True:
        yield await asyncio.to_thread(writer.lines, told.value.items)
        if not told.value.more:
            return
        told = await pages.get(told.value.items[-1], None)


async def _nothing() -> AsyncIterator[bytes]:
    """A stream's headers alone are asked for."""
    yield b""


def _page_shape(sensor_id: str, told: Told[Page[Reading]], zone: Zone, follows: str | None) -> ReadingsShape:
    shapes = [PlainReading(*_told(reading, zone)) for reading in told.value.items]
    return ReadingsShape(sensor_id, shapes, as_of_text(told.marks.as_of_us), follows)


def _told(reading: Reading, zone: Zone) -> tuple[str, Decimal]:
    return rfc3339_in(zone, reading.measured_at_us), celsius(reading.temperature_micro)
