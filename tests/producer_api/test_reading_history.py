"""GET /api/stats/history: windows against the raw readings grouped with `zoneinfo`, pages, and every form of them."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from telemetry.reading import Reading
from tests.producer_api.world import CLOCK_SET, DENSE_FROM, World, asking, average, celsius, exactly, problem, us

BERLIN = ZoneInfo("Europe/Berlin")
HISTORY = "/api/stats/history"
STARTS: dict[str, Callable[[datetime], datetime]] = {
    "minute": lambda one: one.replace(second=0),
    "hour": lambda one: one.replace(minute=0, second=0),
    "day": lambda one: one.replace(hour=0, minute=0, second=0, fold=0),
    "week": lambda one: (one - timedelta(days=one.weekday())).replace(hour=0, minute=0, second=0, fold=0),
    "month": lambda one: one.replace(day=1, hour=0, minute=0, second=0, fold=0),
    "year": lambda one: one.replace(month=1, day=1, hour=0, minute=0, second=0, fold=0),
}
"""Where the window begins that a local time lies in."""


def by_window(some: Sequence[Reading], interval: str, zone: ZoneInfo) -> dict[str, list[Reading]]:
    """Readings by the start of their window, as answers write it."""
    found: dict[str, list[Reading]] = {}
    for one in some:
        local = datetime.fromtimestamp(one.measured_at_us // 10**6, UTC).astimezone(zone)
        found.setdefault(STARTS[interval](local).isoformat(), []).append(one)
    return found


def told_of(window: Any) -> tuple[Any, ...]:
    """What a window says was measured."""
    return tuple(window[name] for name in ("count", "minimum", "average", "maximum"))


def expected(some: Sequence[Reading]) -> tuple[Any, ...]:
    """The same of readings."""
    values = [one.temperature_micro for one in some]
    return len(some), celsius(min(values)), average(some), celsius(max(values))


def all_pages(world: World, target: str) -> list[Any]:
    """A page and all that follow it, by `next`, which the Link header names too."""
    pages: list[Any] = []
    while target:
        answer = world.client.get(target)
        assert answer.status_code == 200, answer.text
        pages.append(exactly(answer))
        target = pages[-1]["next"] or ""
        assert answer.headers.get("Link", "") == (f'<{target}>; rel="next"' if target else "")
    return pages


@pytest.mark.parametrize("sensor", [{}, {"sensorId": "202"}])
@pytest.mark.parametrize("interval", ["hour", "day", "week", "month", "year"])
def test_windows_hold_what_was_measured_in_them(world: World, interval: str, sensor: dict[str, str]) -> None:
    """On Berlin's calendar, on the night that its clocks are set forward too; together they are the whole."""
    told = world.told(HISTORY, interval=interval, tz="Europe/Berlin", **sensor)
    windows = told["windows"]
    some = world.of(sensor.get("sensorId"))
    assert {one["start"]: told_of(one) for one in windows} == {
        start: expected(those) for start, those in by_window(some, interval, BERLIN).items()
    }
    assert (told["interval"], told["tz"], told["generation"], told["next"]) == (interval, "Europe/Berlin", 1, None)
    assert sum(one["count"] for one in windows) == len(some) == world.told("/api/stats", detail="true", **sensor)["Count"]
    assert not any(one["partial"] for one in windows)
    assert (told["from"], told["to"]) == (windows[0]["start"], None)


def test_a_day_on_which_the_clock_is_set_has_23_hours(world: World) -> None:
    """Each with the offset that holds then; told without gap where gaps are told."""
    told = world.told(HISTORY, interval="hour", tz="Europe/Berlin", gaps="null", from_="2026-03-29", to="2026-03-30")["windows"]
    assert len(told) == 23
    assert [one["start"] for one in told[1:3]] == ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"]
    assert all(one["end"] == following["start"] for one, following in pairwise(told))


def test_minutes_of_a_fleet_and_of_a_sensor_agree(world: World) -> None:
    """The one from rows, the other from readings."""
    question = {"from_": DENSE_FROM.isoformat(), "to": (DENSE_FROM + timedelta(minutes=40)).isoformat(), "interval": "minute"}
    fleet, sensor = (world.told(HISTORY, **question, **one)["windows"] for one in ({}, {"sensorId": "dense"}))
    assert fleet == sensor
    assert len(fleet) == 30


@pytest.mark.parametrize(
    ("points", "interval"), [("5000", "minute"), ("500", "hour"), ("60", "day"), ("13", "week"), ("3", "month")]
)
def test_auto_is_the_finest_interval_that_makes_few_enough_windows(world: World, points: str, interval: str) -> None:
    """And is told."""
    begin = CLOCK_SET - timedelta(days=3 if points == "5000" else 10 if points == "500" else 58)
    told = world.told(HISTORY, points=points, from_=begin.isoformat(), to=CLOCK_SET.isoformat(), gaps="null")
    assert told["interval"] == interval
    assert 1 < len(told["windows"]) <= int(points)


@pytest.mark.parametrize("sensor", [{}, {"sensorId": "202"}])
@pytest.mark.parametrize(
    ("ends", "more", "limit"),
    [
        ({}, {"interval": "day"}, 2),
        ({"from_": "2026-03-27T09:47", "to": "2026-03-31"}, {"interval": "hour", "gaps": "null"}, 13),
        ({"from_": "2026-03-28T19:47", "to": "2026-03-29T20:11"}, {"points": "5000", "percentiles": "true"}, 600),
        ({"from_": "-1300w", "to": "now"}, {"interval": "month"}, 160),
    ],
)
def test_pages_together_are_the_whole(
    world: World, sensor: dict[str, str], ends: dict[str, str], more: dict[str, str], limit: int
) -> None:
    """By `next`, and by Link, to the end; also of what is counted back from now."""
    question = {"tz": "Europe/Berlin", **sensor, **ends, **more}
    whole = world.told(HISTORY, **question)
    pages = all_pages(world, asking(HISTORY, **question, limit=str(limit)))
    assert whole["next"] is None
    assert [window for page in pages for window in page["windows"]] == whole["windows"]
    assert len(pages) >= 2
    assert {page["interval"] for page in pages} == {whole["interval"]}
    assert len({(page["from"], page["to"]) for page in pages}) == 1


def test_gaps_are_left_out_or_told(world: World) -> None:
    """With nulls, and all else as it is."""
    question = {"from_": "2026-03-28T09:00", "to": "2026-03-28T21:00", "interval": "minute", "percentiles": "true"}
    with_gaps, without = (world.told(HISTORY, gaps=gaps, **question)["windows"] for gaps in ("null", "omit"))
    assert len(with_gaps) == 720
    assert [one for one in with_gaps if one["count"]] == without
    gap = next(one for one in with_gaps if not one["count"])
    assert gap == gap | dict.fromkeys(("minimum", "average", "maximum", "p50", "p95", "p99", "within"))
    assert list(gap) == [
        *("start", "end", "count", "minimum", "average", "maximum", "partial", "open"),
        *("p50", "p95", "p99", "within"),
    ]


def test_what_is_cut_and_what_is_not_over_says_so(world: World) -> None:
    """`partial` by the question's ends, `open` by how far the tables are."""
    told = world.told(
        HISTORY, interval="hour", sensorId="202", from_="2026-03-28T10:20:00.5", to="2026-03-28T12:40", gaps="null"
    )
    assert [one["partial"] for one in told["windows"]] == [True, False, True]
    assert (told["windows"][0]["start"], told["windows"][-1]["end"]) == ("2026-03-28T10:20:00.5Z", "2026-03-28T12:40:00Z")
    begin, end = datetime(2026, 3, 28, 10, 20, 0, 500_000, UTC), datetime(2026, 3, 28, 11, tzinfo=UTC)
    assert told_of(told["windows"][0]) == expected(world.of("202", begin, end))
    now = world.told(
        HISTORY, interval="day", from_="-3d", gaps="null", to=(datetime.now(UTC) + timedelta(days=3)).isoformat()[:10]
    )
    as_of = datetime.fromisoformat(now["asOf"])
    assert [one["open"] for one in now["windows"]] == [datetime.fromisoformat(one["end"]) > as_of for one in now["windows"]]
    assert {one["open"] for one in now["windows"]} == {True, False}


def test_percentiles_are_as_near_as_they_say(world: World) -> None:
    """In each window; exact where few were measured."""
    windows = world.told(HISTORY, interval="hour", percentiles="true", sensorId="202")["windows"]
    readings = by_window(world.of("202"), "hour", ZoneInfo("UTC"))
    for window, some in zip(windows, readings.values(), strict=True):
        ordered = sorted(celsius(one.temperature_micro) for one in some)
        for percent in (50, 95, 99):
            assert abs(window[f"p{percent}"] - ordered[-(-len(ordered) * percent // 100) - 1]) <= window["within"]
        assert window["within"] == 0


# --- Forms ---

TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8; header=present", "ndjson": "application/x-ndjson"}
SOME = {"from_": "2026-03-28T09:00", "to": "2026-03-29T09:00", "interval": "hour", "gaps": "null", "sensorId": "202"}


@pytest.mark.parametrize("percentiles", ["true", "false"])
def test_csv_and_ndjson_say_the_same_as_json(world: World, percentiles: str) -> None:
    """CSV by RFC 4180: CRLF, a header, null is empty; a line of NDJSON is a window."""
    question = SOME | {"percentiles": percentiles}
    windows = world.told(HISTORY, **question)["windows"]
    table, lines = world.get(HISTORY, format="csv", **question), world.get(HISTORY, format="ndjson", **question)
    assert table.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert table.text.count("\n") == table.text.count("\r\n") == len(windows) + 1
    names, *rows = csv.reader(io.StringIO(table.text, newline=""))
    assert names == list(windows[0])
    assert [[_cell(value) for value in window.values()] for window in windows] == [
        [_number(cell) for cell in row] for row in rows
    ]
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line, parse_float=Fraction) for line in lines.text.splitlines()] == windows
    for answer, ending in ((table, "csv"), (lines, "ndjson")):
        name = f"history-202.{ending}"
        assert answer.headers["content-disposition"] == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"


def _cell(value: Any) -> Any:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


def _number(cell: str) -> Any:
    try:
        return Fraction(cell)
    except ValueError:
        return cell


def test_csv_for_spreadsheets_has_a_byte_order_mark(world: World) -> None:
    """Numbers stay numbers, negative ones too; anything but CSV is not for spreadsheets."""
    plain, marked = (world.get(HISTORY, format="csv", **SOME, **more) for more in ({}, {"for_": "spreadsheet"}))
    assert ",-11.25," in plain.text
    assert marked.content == b"\xef\xbb\xbf" + plain.content
    members = problem(world.get(HISTORY, for_="spreadsheet", **SOME), 422, "csv-only")
    assert world.client.get(members["nearest"]).content == marked.content


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        *(("", "json"), ("*/*", "json"), ("application/json", "json"), ("text/html, */*;q=0.1", "json")),
        *(("text/csv", "csv"), ("text/*", "csv"), ("application/*", "json"), ("application/x-ndjson", "ndjson")),
        *(("application/jsonl", "ndjson"), ("application/ndjson", "ndjson"), ("TEXT/CSV", "csv")),
        *(("text/csv;q=0.5, application/json;q=0.4", "csv"), ("text/csv;q=0.4, application/json;q=0.5", "json")),
        *(("text/csv, application/json", "json"), ("application/json;q=0, */*", "csv")),
        *(("text/csv; charset=utf-8; q=1, */*; q=0.9", "csv"), ("application/json;q=0, text/*;q=0, */*", "ndjson")),
        *(("text/html", None), ("application/json;q=0", None), ("*/*;q=0", None), ("image/*, text/html", None)),
        *(("application/json;q=none", None), ("text/csv;q=0.000", None), (",", None)),
    ],
)
def test_the_form_is_what_accept_likes_best(world: World, accept: str, kind: str | None) -> None:
    """By weight, the most specific name first; ties are JSON; nothing that fits is 406."""
    answer = world.client.get("/api/readings?sensorId=202&limit=1", headers={"Accept": accept})
    if kind is None:
        problem(answer, 406, "not-acceptable")
    else:
        assert (answer.status_code, answer.headers["content-type"]) == (200, TYPES[kind])


def test_a_parameter_outranks_accept(world: World) -> None:
    """Of history as of readings; also where nothing that is accepted fits."""
    for path in (HISTORY, "/api/readings"):
        for accept, kind in (("text/csv", "csv"), ("text/html", None)):
            answer = world.client.get(f"{path}?sensorId=202&limit=1", headers={"Accept": accept})
            assert answer.headers["content-type"] == (TYPES[kind] if kind else "application/problem+json")
            told = world.client.get(f"{path}?sensorId=202&limit=1&format=ndjson", headers={"Accept": accept})
            assert told.headers["content-type"] == TYPES["ndjson"]


def test_grafanas_infinity_data_source_is_answered(world: World) -> None:
    """As its dashboards ask: 13 digits of milliseconds, which lie on no whole minute; names empty where nothing is chosen."""
    begin, end = us(CLOCK_SET - timedelta(hours=6)) // 1000 + 123, us(CLOCK_SET) // 1000 + 456
    target = f"{HISTORY}?from={begin}&to={end}&tz=UTC&points=1000&gaps=null&percentiles=true"
    answer = world.client.get(
        target, headers={"User-Agent": "Grafana/12.0", "Accept": "application/json", "Accept-Encoding": "gzip"}
    )
    told = exactly(answer)
    assert (told["interval"], len(told["windows"]), told["from"]) == ("minute", 360, "2026-03-28T19:00:00Z")
    assert told["to"] == "2026-03-29T01:00:00Z"
