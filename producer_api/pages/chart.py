"""The chart's windows: those that a live stream goes on with, or a page of history where no stream tells such windows."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import Struct

from producer_api.live.topics import VERSION, Topic, state_of
from producer_api.pages.view import LATELY, Range, View
from producer_api.reading.answers import as_of_text
from producer_api.reading.asking import Asking
from producer_api.reading.common import Stretch
from producer_api.reading.shapes import ENCODER, WindowShape
from producer_api.reading.telling import window_shape
from producer_api.reading.windows import Wanted, page
from projections.calendar import Interval
from projections.calendar import windows as calendar_windows
from projections.dynamodb_reads import LiveLook
from projections.tiles import END_US, MINUTE_US, check_between
from telemetry.limits import MICRO, TIME_US_MIN

_POINTS: Final = 500
_WINDOWS_MAX: Final = 2_000
"""More dots than there are on a screen."""

_ESCAPED: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


class Chart(Struct, rename="camel"):
    """What the page's script begins with, in a block of JSON."""

    version: str
    sensor_id: str | None
    tz: str
    zone_given: bool
    """Whether the URL names it; else it is the viewer's own, as far as that is known."""
    interval: str
    points: int | None
    """So many windows does a live stream tell; None when none tells these."""
    percentiles: bool
    to_now: bool
    """Whether windows may still come."""
    generation: int
    as_of: str | None
    windows: Sequence[WindowShape]
    more: bool
    """Whether windows after these were left out."""


async def chart_of(sensor_id: str | None, view: View, look: LiveLook, asking: Asking, now_us: int) -> Chart:
    """The windows of a settled view. Raises Unanswerable when they cannot be told, and what asking raises."""
    assert view.range is not None
    lately = LATELY.get(view.range)
    interval = view.interval or (lately.interval if lately else None)
    if view.points is not None and interval is not None and not view.percentiles:
        topic = Topic((sensor_id,) if sensor_id is not None else (), interval, view.points, view.zone)
        told = (await state_of(topic, look, asking, now_us)).snapshot
        return _chart(
            sensor_id,
            view,
            interval=interval,
            generation=told.generation,
            as_of=told.as_of,
            windows=told.windows,
            more=False,
        )
    wanted = Wanted(sensor_id, _stretch(view, interval, now_us), interval, _POINTS, _WINDOWS_MAX, percentiles=view.percentiles)
    found = await asking.ask(("history", *wanted.key(), None), partial(page, wanted=wanted, begin_us=None))
    shapes = [
        window_shape(one, view.zone, found.marks.as_of_us, uncut=uncut)
        for one, uncut in zip(found.value.measured, found.value.uncut, strict=True)
        if one.cell is not None
    ]
    return _chart(
        sensor_id,
        view,
        interval=found.value.interval,
        generation=found.generation,
        as_of=as_of_text(found.marks.as_of_us),
        windows=shapes,
        more=found.value.next_us is not None,
    )


def data_block(chart: Chart) -> str:
    """The chart as JSON that may stand in a script element: nothing in it ends that, or begins a comment."""
    return ENCODER.encode(chart).decode().translate(_ESCAPED)


def _chart(
    sensor_id: str | None,
    view: View,
    *,
    interval: Interval,
    generation: int,
    as_of: str | None,
    windows: Sequence[WindowShape],
    more: bool,
) -> Chart:
    return Chart(
        version=VERSION,
        sensor_id=sensor_id,
        tz=view.zone.name,
        zone_given="tz" in view.given,
        interval=interval.value,
        points=view.points,
        percentiles=view.percentiles,
        to_now=view.range is not Range.OWN or view.end is None,
        generation=generation,
        as_of=as_of,
        windows=windows,
        more=more,
    )


def _stretch(view: View, interval: Interval | None, now_us: int) -> Stretch:
    """From a window's beginning where it ends now, so that the first one is whole; else as it was asked for."""
    if view.range is Range.OWN:
        begin_us, end_us = (None if one is None else one.at(view.zone, now_us, MINUTE_US) for one in (view.begin, view.end))
        check_between(TIME_US_MIN if begin_us is None else begin_us, END_US if end_us is None else end_us)
        return Stretch(begin_us, end_us, view.zone, {})
    lately = LATELY.get(view.range) if view.range else None
    if not lately or not interval:
        return Stretch(None, None, view.zone, {})
    begin_us = now_us - lately.length_s * MICRO
    return Stretch(next(calendar_windows(view.zone, interval, begin_us, begin_us + 1)).start_us, None, view.zone, {})
