"""GET /api/stats/history: what was measured, window by window, on the calendar of any zone."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice, pairwise
from typing import Final

from msgspec.structs import asdict
from starlette.requests import Request
from starlette.responses import Response

from producer_api.parameters import Asked, asked, choice, choice_of, whole
from producer_api.reading.answers import as_of_text, body_answer, etag_of, freshness, json_answer, not_modified, now_us
from producer_api.reading.asking import Question, Told
from producer_api.reading.common import AFTER, PERCENTILES, SENSOR_ID, WAIT, Stretch, stretch_of
from producer_api.reading.cursors import CURSOR, cursor_of, key_of
from producer_api.reading.formats import FOR, FORMAT, MEDIA_TYPES, CsvWriter, Format, attachment, format_of
from producer_api.reading.shapes import ENCODER, HistoryShape, WindowShape, WindowWithPercentiles, average, celsius
from producer_api.reading.times import FROM, TO, TZ
from producer_api.services import services
from producer_api.urls import asked_again
from projections.calendar import Interval, windows
from projections.fold import Stats
from projections.histogram import percentile
from projections.history import Measured, fleet_history, fleet_runs, sensor_history
from projections.marks import Answer, Which
from projections.ranges import Fleet, sensor_total
from projections.reads import ROWS_MAX, ROWS_WITH_PERCENTILES_MAX, ReadSteps
from projections.tiles import END_US, MINUTE_US, length
from projections.zones import Zone, rfc3339_in
from telemetry.errors import Unanswerable

WINDOWS_MAX: Final = 5_000
_SHORTEST_US: Final[Mapping[Interval, int]] = {
    # No shorter one but where a clock is set back or a date skipped, which is less than once in 25.
    Interval.MINUTE: MINUTE_US,
    Interval.HOUR: 60 * MINUTE_US,
    Interval.DAY: 23 * 60 * MINUTE_US,
    Interval.WEEK: 6 * 1440 * MINUTE_US,
    Interval.MONTH: 27 * 1440 * MINUTE_US,
    Interval.YEAR: 364 * 1440 * MINUTE_US,
}


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


@dataclass(frozen=True, slots=True)
class History:
    """A page of windows, and what they mean."""

    interval: Interval
    from_us: int | None
    measured: Sequence[Measured]
    uncut: Sequence[bool]
    """Whether each is a whole window of the calendar."""
    next_us: int | None
    """Where the next page begins."""


async def history(request: Request) -> Response:
    """Windows in order and without gap."""
    found = services(request)
    found.stream.require_ours()
    question = asked(request, PARAMETERS)
    form = format_of(request, question)
    stretch = stretch_of(question, now_us(), whole_minutes=question[SENSOR_ID] is None)
    bound = ("history", question[SENSOR_ID], question[INTERVAL], stretch.zone.name.lower())
    begin_us = key_of(bound, question[CURSOR])
    key = (*bound, stretch.from_us, stretch.until_us, begin_us, question[POINTS], question[LIMIT], question[PERCENTILES])
    told = await found.asking.ask(key, _question(question, stretch, begin_us), question[AFTER], question[WAIT])
    as_of_us = told.marks.as_of_us
    over = sum(as_of_us is not None and one.window.end_us <= as_of_us for one in told.value.measured)
    etag = etag_of(told, (*key, stretch.zone.name, question[GAPS], form, question[FOR], over))
    headers = freshness(as_of_us) | {"ETag": etag}
    follows = None
    if told.value.next_us is not None:
        follows = asked_again(
            request,
            interval=told.value.interval.value,
            cursor=cursor_of(
                ("history", question[SENSOR_ID], told.value.interval, stretch.zone.name.lower()), told.value.next_us
            ),
        )
        headers["Link"] = f'<{follows}>; rel="next"'
    if unchanged := not_modified(request, etag, headers):
        return unchanged
    if form is Format.JSON:
        return await json_answer(partial(_shape, told, stretch, question, follows), headers)
    return await asyncio.to_thread(_table, told, stretch.zone, question, form, headers)


def _question(question: Asked, stretch: Stretch, begin_us: int | None) -> Question[History]:
    return partial(_page, question=question, stretch=stretch, begin_us=begin_us)


def _page(fleet: Fleet, question: Asked, stretch: Stretch, begin_us: int | None) -> ReadSteps[Answer[History]]:
    """The windows of a page, with what they hold."""
    sensor_id = question[SENSOR_ID]
    total = yield from (fleet.total() if sensor_id is None else sensor_total(fleet, sensor_id))
    from_us, until_us = _ends(stretch, total.value, whole_minutes=sensor_id is None)
    if from_us is None or until_us is None:
        marks = yield from fleet.marks(Which.WINDOWS if sensor_id is None else Which.EVERYTHING)
        return Answer(History(question[INTERVAL] or Interval.MINUTE, from_us, [], [], None), marks, total.read)
    begin_us = from_us if begin_us is None else begin_us
    tried = [question[INTERVAL]] if question[INTERVAL] else _fine_enough(question[POINTS], until_us - begin_us)
    most = question[LIMIT] if question[INTERVAL] else question[POINTS]
    shards = len(total.marks.shards)
    for interval in tried:
        assert interval
        cut = _edges(stretch, interval, begin_us, until_us, most)
        last = interval is tried[-1]
        if not last and (cut.more or _too_many_rows(cut.edges, shards, question)):
            continue
        try:
            answer = yield from _measured(fleet, cut.edges, question)
        except Unanswerable as error:
            if last or error.code != "question-too-large":
                raise
            continue
        page = History(interval, from_us, answer.value, cut.uncut, cut.edges[-1] if cut.more else None)
        return Answer(page, answer.marks, answer.read)
    raise AssertionError("the last interval is answered, or refused")


def _measured(fleet: Fleet, edges: Sequence[int], question: Asked) -> ReadSteps[Answer[Sequence[Measured]]]:
    try:
        if (sensor_id := question[SENSOR_ID]) is None:
            return (yield from fleet_history(fleet, edges, percentiles=question[PERCENTILES]))
        return (yield from sensor_history(fleet, sensor_id, edges, percentiles=question[PERCENTILES]))
    except Unanswerable as error:
        if error.code == "question-too-large":
            raise Unanswerable(error.code, error.parameters, {"interval": "auto", "limit": ""}) from None
        raise


def _ends(stretch: Stretch, total: Stats, *, whole_minutes: bool) -> tuple[int | None, int | None]:
    """From where to where windows are told: without ends, from the first reading to the last; None when there are none."""
    from_us, until_us = stretch.from_us, stretch.until_us
    if from_us is None and total.first:
        from_us = total.first.measured_at_us
        from_us -= from_us % MINUTE_US if whole_minutes else 0
    if until_us is None and total.latest:
        until_us = max(total.latest.measured_at_us, from_us or 0) + 1
    if from_us is not None and until_us is not None and from_us >= until_us:
        if stretch.from_us is None or stretch.until_us is None:
            return from_us, None  # nothing was measured there
        raise Unanswerable("nothing-between", {"from": "Expected a time before `to`."})
    return from_us, until_us


def _fine_enough(points: int, length_us: int) -> list[Interval | None]:
    """The intervals that may make so few windows, finest first."""
    fits: list[Interval | None] = [one for one in Interval if length_us <= _SHORTEST_US[one] * (points + 2) * 25 // 24]
    return fits or [Interval.YEAR]


@dataclass(frozen=True, slots=True)
class _Cut:
    """The edges of a page's windows."""

    edges: Sequence[int]
    uncut: Sequence[bool]
    more: bool


def _edges(stretch: Stretch, interval: Interval, begin_us: int, until_us: int, most: int) -> _Cut:
    """At most so many windows, cut to the ends that were asked for; without an end, the last one is whole."""
    found = list(islice(windows(stretch.zone, interval, begin_us, until_us), most + 1))
    more = len(found) > most
    found = found[:most]
    end_us = found[-1].end_us if more or stretch.until_us is None else until_us
    edges = [max(found[0].start_us, begin_us), *(one.end_us for one in found[:-1]), min(end_us, END_US)]
    whole_ones = [one == cut for one, cut in zip(found, pairwise(edges), strict=True)]
    if stretch.from_us is None:
        whole_ones[0] = whole_ones[0] or begin_us <= edges[0]
    return _Cut(edges, whole_ones, more)


def _too_many_rows(edges: Sequence[int], shards: int, question: Asked) -> bool:
    """Whether a fleet's rows may be more than the bound admits; a sensor's lie in few shards."""
    if question[SENSOR_ID] is not None:
        return False
    rows = sum(map(length, fleet_runs(edges, percentiles=question[PERCENTILES])))
    return rows * shards > (ROWS_WITH_PERCENTILES_MAX if question[PERCENTILES] else ROWS_MAX)


def _windows(told: Told[History], zone: Zone, question: Asked) -> Iterator[WindowShape]:
    as_of_us = told.marks.as_of_us
    for one, uncut in zip(told.value.measured, told.value.uncut, strict=True):
        cell = one.cell
        if cell is None and question[GAPS] is Gaps.OMIT:
            continue
        window = WindowShape(
            rfc3339_in(zone, one.window.start_us),
            rfc3339_in(zone, one.window.end_us),
            cell.readings if cell else 0,
            cell and celsius(cell.minimum_micro),
            cell and average(cell.readings, cell.sum_micro),
            cell and celsius(cell.maximum_micro),
            partial=not uncut,
            open=as_of_us is None or one.window.end_us > as_of_us,
        )
        yield _with_percentiles(window, one) if one.histogram is not None else window


def _with_percentiles(window: WindowShape, measured: Measured) -> WindowWithPercentiles:
    known = asdict(window)
    if not (cell := measured.cell) or not measured.histogram:
        return WindowWithPercentiles(**known, p50=None, p95=None, p99=None, within=None)
    (p50, half), *others = (
        percentile(measured.histogram, permille, cell.minimum_micro, cell.maximum_micro) for permille in (500, 950, 990)
    )
    p95, p99 = (celsius(value) for value, _ in others)
    return WindowWithPercentiles(**known, p50=celsius(p50), p95=p95, p99=p99, within=celsius(half))


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
    if form is Format.NDJSON:
        return body_answer(b"".join(ENCODER.encode(row) + b"\n" for row in rows), MEDIA_TYPES[form], headers)
    names = (WindowWithPercentiles if question[PERCENTILES] else WindowShape).__struct_fields__
    writer = CsvWriter(spreadsheet=question[FOR])
    lines = ([getattr(row, name) for name in names] for row in rows)
    headers["Content-Disposition"] = attachment(f"history-{question[SENSOR_ID] or 'all'}.csv")
    return body_answer(writer.header(names) + writer.lines(lines), MEDIA_TYPES[form], headers)
