"""What was seen, as the templates show it: texts and links, nothing left to reckon. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from producer_api.operating.status import StatusShape, status_shape
from producer_api.pages.chart import Chart, data_block
from producer_api.pages.looking import Fault, Seen, figures_now
from producer_api.pages.silence import SILENT_AFTER_S
from producer_api.pages.view import LATELY, Listed, Range, View
from producer_api.pages.wording import (
    Level,
    Sentence,
    celsius_text,
    counted,
    duration,
    fleet_sentence,
    sensor_sentence,
    time_text,
)
from producer_api.reading.shapes import WindowShape, average, celsius, deviation
from producer_api.urls import relative
from projections.calendar import Interval
from projections.fold import EMPTY, Stats
from projections.sensors import ListedSensor, Silent
from projections.zones import Zone, rfc3339_in
from telemetry.limits import MICRO, TIME_US_MAX, TIME_US_MIN
from telemetry.reading import Reading

_TO_THE_MINUTE: Final = len("2021-11-26T18:10")
_RANGES: Final = {
    Range.HOUR: "Hour",
    Range.DAY: "Day",
    Range.WEEK: "Week",
    Range.MONTH: "Month",
    Range.ALL: "All",
    Range.OWN: "From … to …",
}


class Time(NamedTuple):
    """A time: for people, and for scripts."""

    text: str
    iso: str


class Figure(NamedTuple):
    """One of the three figures."""

    name: str
    text: str
    sensor_id: str | None = None
    url: str = ""
    at: Time | None = None
    note: str = ""


class Listing(NamedTuple):
    """A sensor in the list."""

    sensor_id: str
    url: str
    readings: str
    minimum: str
    average: str
    maximum: str
    latest: Time | None
    silence: str
    silent: bool


class Row(NamedTuple):
    """A window in the table."""

    start: Time
    cells: Sequence[str]


class Choice(NamedTuple):
    """What may be chosen."""

    value: str
    label: str
    chosen: bool


def shown(seen: Seen, sensor_id: str | None) -> Mapping[str, Any]:
    """All that the templates of both pages name."""
    stats = EMPTY if isinstance(seen.figures, Fault) else seen.figures.value
    return {
        "sentence": _sentence(seen, stats, sensor_id),
        "empty": not isinstance(seen.figures, Fault) and not stats.count,
        "figures": list(_figures(seen.view, stats)),
        "facts": _facts(seen.view, stats),
        "as_of": None if seen.lag_us is None else _time(seen.view.zone, seen.now_us - seen.lag_us),
        "complete": figures_now(seen).level is Level.GOOD,
        **_chart(seen.chart, seen.view),
        "own": _own(seen.view, seen.now_us),
        "all_time": _page_url(seen.view, sensor_id, range="all", **{"from": None, "to": None}),
        **_sensors(seen),
        **_pipeline(seen, stats),
        "downloads": _downloads(seen, sensor_id),
    }


def _sentence(seen: Seen, stats: Stats, sensor_id: str | None) -> Sentence:
    part = figures_now(seen)
    if isinstance(seen.figures, Fault):
        return Sentence([part])
    if sensor_id is not None:
        return sensor_sentence(stats.count, _silent_for_s(stats, seen.now_us), SILENT_AFTER_S, part)
    silent = None if isinstance(seen.silent, Fault) else seen.silent
    return fleet_sentence(seen.sensors, silent, part)


def _figures(view: View, stats: Stats) -> Iterator[Figure]:
    for name, reading in (("Maximum", stats.maximum), ("Minimum", stats.minimum)):
        if reading is None:
            yield Figure(name, celsius_text(None))
        else:
            text, at = celsius_text(celsius(reading.temperature_micro)), _time(view.zone, reading.measured_at_us)
            yield Figure(name, text, reading.sensor_id, sensor_url(view, reading.sensor_id), at)
    note = f"of {counted(stats.count, 'reading')}" if stats.count else ""
    yield Figure("Average", celsius_text(average(stats.count, stats.sum_micro)), note=note)


def _facts(view: View, stats: Stats) -> Mapping[str, Any]:
    return {
        "count": f"{stats.count:,}",
        "deviation": celsius_text(deviation(stats)),
        "first": _reading_time(view.zone, stats.first),
        "latest": _reading_time(view.zone, stats.latest),
    }


def _chart(chart: Chart | Fault, view: View) -> Mapping[str, Any]:
    told = None if isinstance(chart, Fault) else chart
    lately = LATELY.get(view.range) if view.range else None
    usual = f"Automatic ({told.interval})" if told and not view.interval else "Automatic"
    return {
        "data": data_block(told) if told else "null",
        "chart_fault": chart.text if isinstance(chart, Fault) else "",
        "rows": _rows(view.zone, told.windows) if told else [],
        "more_windows": bool(told and told.more),
        "interval": told.interval if told else (lately.interval.value if lately else ""),
        "ranges": [Choice(one.value, label, one is view.range) for one, label in _RANGES.items()],
        "intervals": [
            Choice("auto", usual, view.interval is None),
            *(Choice(one.value, one.value.capitalize(), one is view.interval) for one in Interval),
        ],
    }


def _rows(zone: Zone, windows: Sequence[WindowShape]) -> Sequence[Row]:
    """With the offset where a change lies between, so that no two are called alike."""
    starts = [datetime.fromisoformat(window.start) for window in windows]
    changes = len({start.utcoffset() for start in starts}) > 1
    rows = []
    for start, window in zip(starts, windows, strict=True):
        text = time_text(zone, round(start.timestamp()) * MICRO)
        numbers = (window.minimum, window.average, window.maximum, getattr(window, "p95", None))
        at = Time(f"{text} {start:%:z}" if changes else text, window.start)
        rows.append(Row(at, [f"{window.count:,}", *map(celsius_text, numbers)]))
    return rows


def _sensors(seen: Seen) -> Mapping[str, Any]:
    view, page = seen.view, seen.listed
    listed = [] if isinstance(page, Fault) else [_listing(view, one, seen.now_us) for one in page.sensors]
    follows = None
    if not isinstance(page, Fault) and page.after is not None:
        after = page.after if isinstance(page.after, str) else "{}:{}".format(*page.after)
        follows = view.link("./", after=after) + "#sensors"
    others = [(one, text) for one, text in _LISTS.items() if one is not view.listed or view.prefix]
    silent = seen.silent if isinstance(seen.silent, Silent) else Silent(0, 0)
    return {
        "listed": listed,
        "listed_fault": page.text if isinstance(page, Fault) else "",
        "lists": [
            (text, view.link("./", sensors=one.value, sensor=None, after=None) + "#sensors")
            for one, text in others
            if one is not Listed.GONE or silent.gone
        ],
        "list_name": f"Sensors that begin with “{view.prefix}”" if view.prefix else _LISTS[view.listed],
        "follows": follows,
    }


_LISTS: Final = {
    Listed.SILENT: "Silent longest first",
    Listed.GONE: "Silent for over 30 days",
    Listed.ID: "By id",
}


def _listing(view: View, one: ListedSensor, now_us: int) -> Listing:
    stats, silent_s = one.stats, _silent_for_s(one.stats, now_us)
    return Listing(
        one.sensor_id,
        sensor_url(view, one.sensor_id),
        f"{stats.count:,}",
        celsius_text(stats.minimum and celsius(stats.minimum.temperature_micro)),
        celsius_text(average(stats.count, stats.sum_micro)),
        celsius_text(stats.maximum and celsius(stats.maximum.temperature_micro)),
        _reading_time(view.zone, stats.latest),
        "–" if silent_s is None else f"{duration(silent_s)} ago",
        silent_s is not None and silent_s > SILENT_AFTER_S,
    )


def _pipeline(seen: Seen, stats: Stats) -> Mapping[str, Any]:
    status: StatusShape | None = None if isinstance(seen.sight, Fault) else status_shape(seen.sight)
    known = not isinstance(seen.figures, Fault)
    letters = {code.value: number for code, number in seen.dead_letters.items() if number}
    return {
        "status": status,
        "status_fault": seen.sight.text if isinstance(seen.sight, Fault) else "",
        "shards": [
            (one.shard_id, one.owner or "nobody", one.verdict.value, _lag(one.lag_ms))
            for one in (status.shards if status else ())
        ],
        "repeats": f"{stats.duplicates:,}" if known else "–",
        "dead_letters": f"{sum(letters.values()):,}" if known else "–",
        "letters": letters,
        "archive": _archive(seen),
        "restarts": [
            (one.worker_id, restart.at, restart.reason)
            for one in (status.supervisors if status else ())
            for restart in one.restarts[:3]
        ],
    }


def _archive(seen: Seen) -> str:
    if seen.archive is None:
        return "not known here: ARCHIVE_TARGET is not set"
    if isinstance(seen.archive, Fault):
        return seen.archive.text
    return f"at most {duration(round(max(seen.archive.ages_s.values(), default=0)))} behind"


def _lag(lag_ms: int | None) -> str:
    return "–" if lag_ms is None else duration(lag_ms // 1000)


def _downloads(seen: Seen, sensor_id: str | None) -> Sequence[tuple[str, str]]:
    """Files of a sensor's readings."""
    if sensor_id is None:
        return []
    asked = [("sensorId", sensor_id), *([("tz", seen.view.zone.name)] if "tz" in seen.view.given else [])]
    forms: Mapping[str, Sequence[tuple[str, str]]] = {
        "CSV": [("format", "csv")],
        "CSV for spreadsheets": [("format", "csv"), ("for", "spreadsheet")],
        "NDJSON": [("format", "ndjson")],
    }
    return [(label, relative("api/readings", [*asked, *form])) for label, form in forms.items()]


def sensor_url(view: View, sensor_id: str) -> str:
    """A sensor's page, relative, with what of the view it takes over."""
    kept = {name: text for name, text in view.given.items() if name not in ("sensors", "sensor", "after")}
    return relative("sensor", [("sensorId", sensor_id), *kept.items()])


def _own(view: View, now_us: int) -> Mapping[str, str]:
    """A range of one's own as the inputs take it: without an offset, in the zone shown."""
    ends = {"from": view.begin, "to": view.end}
    times = {name: None if one is None else one.at(view.zone, now_us, MICRO) for name, one in ends.items()}
    # Of a time that is none, however it was asked for, the question's refusal is told.
    shown = {name: time for name, time in times.items() if time is not None and TIME_US_MIN <= time <= TIME_US_MAX}
    return {name: rfc3339_in(view.zone, shown[name])[:_TO_THE_MINUTE] if name in shown else "" for name in times}


def _page_url(view: View, sensor_id: str | None, **changed: str | None) -> str:
    return view.link("./", **changed) if sensor_id is None else view.link("sensor", sensorId=sensor_id, **changed)


def _silent_for_s(stats: Stats, now_us: int) -> int | None:
    return None if stats.latest is None else max(0, now_us - stats.latest.measured_at_us) // MICRO


def _reading_time(zone: Zone, reading: Reading | None) -> Time | None:
    return None if reading is None else _time(zone, reading.measured_at_us)


def _time(zone: Zone, time_us: int) -> Time:
    return Time(time_text(zone, time_us), rfc3339_in(zone, time_us))
