"""What a page's URL asks to see: zone, stretch of time, interval, and which sensors are listed. Lenient: pages ignore what
they do not know, and say what they could not use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from starlette.requests import Request

from producer_api.urls import relative
from projections.calendar import Interval
from projections.times import Moment, parse_moment, parse_zone
from projections.zones import UTC_ZONE, Zone
from telemetry.errors import Unanswerable
from telemetry.limits import MICRO
from telemetry.reading import parse_sensor_id

SILENCE_FORM: Final = re.compile(r"(-?\d{1,12}):(.+)", re.ASCII | re.DOTALL)
"""Where a list in the order of silence goes on: when a sensor was last seen, in seconds since 1970, and its id."""
LIVE_POINTS_MAX: Final = 500
"""Windows that a live stream tells at most (contract, "Live")."""


class Range(StrEnum):
    """Which stretch of time the chart shows."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    ALL = "all"
    OWN = "own"


class Lately(NamedTuple):
    """A stretch that ends now."""

    length_s: int
    interval: Interval
    """Which windows it has when nothing else is asked for."""


LATELY: Final[Mapping[Range, Lately]] = {
    Range.HOUR: Lately(3_600, Interval.MINUTE),
    Range.DAY: Lately(86_400, Interval.HOUR),
    Range.WEEK: Lately(7 * 86_400, Interval.HOUR),
    Range.MONTH: Lately(31 * 86_400, Interval.DAY),
}
_LIVE_S: Final = {Interval.MINUTE: 60, Interval.HOUR: 3_600, Interval.DAY: 86_400}
"""Windows that live streams tell, by their length."""


class Listed(StrEnum):
    """Which sensors are listed."""

    SILENT = "silent"
    GONE = "gone"
    ID = "id"


@dataclass(frozen=True, slots=True)
class View:
    """What is to be seen."""

    given: Mapping[str, str] = field(default_factory=dict)
    """What the URL says, as far as it could be used; for links that keep it."""
    notes: tuple[str, ...] = ()
    """What could not be used, and why."""
    zone: Zone = UTC_ZONE
    range: Range | None = None
    """None: the shortest that holds the latest reading."""
    begin: Moment | None = None
    end: Moment | None = None
    """Of a range of one's own."""
    interval: Interval | None = None
    percentiles: bool = False
    windows: bool = True
    """Whether the page is to hold them: a script that has them from the stream wants the rest alone."""
    listed: Listed = Listed.SILENT
    prefix: str = ""
    after: str = ""

    def settled(self, latest_us: int | None, now_us: int) -> "View":
        """With a range, when the latest reading is this one."""
        if self.range:
            return self
        age_s = 0 if latest_us is None else (now_us - latest_us) // MICRO
        return replace(self, range=next((one for one, lately in LATELY.items() if age_s < lately.length_s), Range.ALL))

    @property
    def points(self) -> int | None:
        """How many windows that end now are shown; None when they do not, or a live stream does not tell such windows."""
        lately = LATELY.get(self.range) if self.range else None
        interval = lately and (self.interval or lately.interval)
        if not lately or interval not in _LIVE_S:
            return None
        points = max(1, lately.length_s // _LIVE_S[interval])
        return points if points <= LIVE_POINTS_MAX else None

    def link(self, path: str, **changed: str | None) -> str:
        """A relative URL with this view, some of it changed."""
        kept = {name: text for name, text in {**self.given, **changed}.items() if text}
        return relative(path, kept.items()) if kept else path


def view_of(request: Request) -> View:
    """What a request asks to see. A script that knows the viewer's zone says so in X-Time-Zone; the URL outranks it."""
    given: dict[str, str] = {}
    notes: list[str] = []
    values: dict[str, Any] = {}
    for name, (attribute, parse) in _PARSED.items():
        if not (text := request.query_params.get(name, "").strip()):
            continue
        try:
            values[attribute] = parse(text)
            given[name] = text
        except (ValueError, Unanswerable) as error:
            notes.append(f"{name} could not be used. {_why(error)}")
    if "zone" not in values and (hint := request.headers.get("X-Time-Zone")):
        values["zone"] = _zone_or_utc(hint)
    if "begin" in values or "end" in values:
        values.setdefault("range", Range.OWN)
    return View(given=given, notes=tuple(notes), windows=request.headers.get("X-Without") != "windows", **values)


def _why(error: ValueError | Unanswerable) -> str:
    return " ".join(error.parameters.values()) if isinstance(error, Unanswerable) else str(error)


def _zone_or_utc(name: str) -> Zone:
    """A browser may know a zone that we do not."""
    try:
        return parse_zone(name)
    except (ValueError, Unanswerable):
        return UTC_ZONE


def _parse_after(text: str) -> str:
    """Where a list goes on: after an id, or `seconds:id` in the order of silence."""
    match = SILENCE_FORM.fullmatch(text)
    parse_sensor_id(match[2] if match else text)
    return text


def _one_of[E: StrEnum](kind: type[E]) -> Any:
    def parse(text: str) -> E:
        if text not in [*kind]:
            raise ValueError(f"Expected {', '.join(kind)}.")
        return kind(text)

    return parse


_PARSED: Final[Mapping[str, tuple[str, Any]]] = {
    "tz": ("zone", parse_zone),
    "range": ("range", _one_of(Range)),
    "from": ("begin", parse_moment),
    "to": ("end", parse_moment),
    "interval": ("interval", lambda text: None if text == "auto" else _one_of(Interval)(text)),
    "p95": ("percentiles", lambda text: text == "true"),
    "sensors": ("listed", _one_of(Listed)),
    "sensor": ("prefix", parse_sensor_id),
    "after": ("after", _parse_after),
}
"""Each parameter, which attribute it becomes, and how."""
