"""What questions are refused, and what times in them mean (contract, "Time", "Reading"), against a running API."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.producer_api.raw import get
from tests.producer_api.world import World, asking, problem

QUESTIONS = {
    "/api/stats": {},
    "/api/stats/history": {},
    "/api/sensors": {},
    "/api/sensors/202": {},
    "/api/sensors/202/readings": {},
    "/api/sensor": {"sensorId": "202"},
    "/api/readings": {"sensorId": "202"},
}
"""Each path, with what it cannot do without."""
ENDS = {"from_": "2026-03-28T10:00", "to": "2026-03-28T12:00"}


def told_wrong(world: World, target: str) -> dict[str, str]:
    """What the 400 to a target says of each parameter."""
    members = problem(world.client.get(target), 400, "invalid-question")
    assert all(error["parameter"] in members["detail"] for error in members["errors"])
    return {error["parameter"]: error["detail"] for error in members["errors"]}


@pytest.mark.parametrize("path", QUESTIONS)
def test_what_is_not_a_parameter_of_a_question_is_refused_by_name(world: World, path: str) -> None:
    """So is one that is given twice, and one that is empty; HEAD is told the same."""
    needed = QUESTIONS[path]
    assert world.get(path, **needed).status_code == 200
    assert "Not a parameter of this question." in told_wrong(world, asking(path, **needed, colour="red"))["colour"]
    for query in ("=1", "_=1", "%00=1", "__proto__=1", "colour"):
        target = asking(path, **needed, colour="x").replace("colour=x", query)
        assert list(told_wrong(world, target)) == [query.removesuffix("=1").replace("%00", "\0")]
        assert world.client.head(target).status_code == 400
    name = "limit" if path != "/api/stats" and path not in ("/api/sensor", "/api/sensors/202") else "wait"
    assert told_wrong(world, asking(path, **needed, **{name: "1"}) + f"&{name}=1") == {
        name: "Given more than once: write it once."
    }
    assert told_wrong(world, asking(path, **needed, **{name: ""})) == {name: "Empty: leave it out, or write a value."}


def test_what_was_meant_is_named(world: World) -> None:
    """A slip of the pen, another case; else what the question takes."""
    wrong = told_wrong(world, "/api/stats/history?sensorID=1&fromm=1&Interval=day&point=5&xyzzy=1")
    for name, meant in (("sensorID", "sensorId"), ("fromm", "from"), ("Interval", "interval"), ("point", "points")):
        assert wrong[name].endswith(f"Did you mean {meant}?")
    assert wrong["xyzzy"].endswith("tz, sensorId, from, to, gaps, percentiles, limit, cursor, format, for, after, wait.")


def test_everything_that_is_wrong_is_told_at_once(world: World) -> None:
    """Whatever is wrong with each; 400 outranks 422."""
    query = "tz=Nowhere&from=yesterday&to=&detail=True&detail=true&wait=51&after=x&sensorId=%FF&sensorid=1"
    assert list(told_wrong(world, f"/api/stats?{query}")) == [
        *("detail", "sensorid", "from", "to", "wait", "after", "sensorId"),
    ]


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/api/stats", "detail=True", "true or false"),
        ("/api/stats", "detail=1", "true or false"),
        ("/api/stats", "sensorId=%20", "blank"),
        ("/api/stats", "sensorId=a%00b", "control"),
        ("/api/stats", f"sensorId={'a' * 257}", "256 characters"),
        ("/api/stats", "sensorId=%ff", "UTF-8"),
        ("/api/stats", "wait=-1", "seconds from 0 to 50"),
        ("/api/stats", "wait=50.001", "seconds from 0 to 50"),
        ("/api/stats", "wait=1e9", "seconds from 0 to 50"),
        ("/api/stats", "from=yesterday", "ISO 8601"),
        ("/api/stats", "from=2026-02-30", "exist"),
        ("/api/stats", "from=-1y", "ISO 8601"),
        ("/api/stats", "from=123456789012", "ISO 8601"),
        ("/api/stats", "from=1969-12-31", "1970 to 9999"),
        ("/api/stats", "from=NOW", "ISO 8601"),
        ("/api/stats/history", "interval=fortnight", "auto or minute"),
        ("/api/stats/history", "points=0", "1 to 5000"),
        ("/api/stats/history", "points=5001", "1 to 5000"),
        ("/api/stats/history", "limit=1.0", "1 to 5000"),
        ("/api/stats/history", "limit=%2B1", "1 to 5000"),
        ("/api/stats/history", "limit=%D9%A1", "1 to 5000"),
        ("/api/stats/history", "gaps=zero", "omit or null"),
        ("/api/stats/history", "format=xml", "json or csv or ndjson"),
        ("/api/stats/history", "for=excel", "spreadsheet"),
        ("/api/stats/history", "cursor=x", "next"),
        ("/api/sensors", "order=age", "id or silent"),
        ("/api/sensors", "limit=1001", "1 to 1000"),
        ("/api/readings", "order=ASC&sensorId=1", "asc or desc"),
        ("/api/readings", "limit=10001&sensorId=1", "1 to 10000"),
        ("/api/readings", "limit=5", "the question needs it"),
        ("/api/sensor", "", "the question needs it"),
    ],
)
def test_a_malformed_value_is_refused_with_what_is_expected(world: World, path: str, query: str, expected: str) -> None:
    """One error, which names the fix."""
    [detail] = told_wrong(world, f"{path}?{query}").values()
    assert expected in detail


@pytest.mark.parametrize("value", ["T0000" * 6000, "1T1" * 9000, "T00:00 " * 2000, "9" * 30_000])
def test_no_value_takes_long_to_refuse(world: World, value: str) -> None:
    """Others wait meanwhile."""
    start_s = time.monotonic()
    assert list(told_wrong(world, asking("/api/stats", from_=value))) == ["from"]
    assert time.monotonic() - start_s < 1


def test_no_number_of_parameters_takes_long_to_refuse(world: World) -> None:
    """Some are told of, if they are many."""
    wrong = told_wrong(world, "/api/stats?" + "&".join(f"sensoriD{number}" for number in range(2_000)))
    assert wrong == {"sensoriD100": "Expected at most 100 parameters."}


# --- Times ---


@pytest.mark.parametrize(
    ("from_", "to", "tz", "told"),
    [
        ("2026-03-28", "2026-03-29", "", ("2026-03-28T00:00:00Z", "2026-03-29T00:00:00Z")),
        ("2026-03-28", "20260330", "Europe/Berlin", ("2026-03-28T00:00:00+01:00", "2026-03-30T00:00:00+02:00")),
        ("2026-03-28T10:00Z", "2026-03-28 18:00:00.5", "+05:45", ("2026-03-28T15:45:00+05:45", "2026-03-28T18:00:00.5+05:45")),
        # Skipped: the instant of the change. Of two the first.
        ("2026-03-29T02:30", "2026-10-25T02:30", "europe/berlin", ("2026-03-29T03:00:00+02:00", "2026-10-25T02:30:00+02:00")),
        ("2026-03-28T10:00+01:00", "2026-03-28T10:00-01:00", "", ("2026-03-28T09:00:00Z", "2026-03-28T11:00:00Z")),
        ("1774656000123", "1774663200999", "", ("2026-03-28T00:00:00Z", "2026-03-28T02:00:00Z")),
    ],
)
def test_times_are_understood_as_documented(world: World, from_: str, to: str, tz: str, told: tuple[str, str]) -> None:
    """They are echoed as they were used; a sensor's to the instant, but what was not written out to the second."""
    question = {"from_": from_, "to": to, "sensorId": "202"} | ({"tz": tz} if tz else {})
    members = world.told("/api/stats", detail="true", **question)
    assert (members["From"], members["To"]) == told
    history = world.told("/api/stats/history", **question)
    assert (history["from"], history["to"], history["tz"]) == (*told, tz or "UTC")


@pytest.mark.parametrize(("sensor", "floor_s"), [({"sensorId": "202"}, 1), ({}, 60)])
def test_times_from_now_on_are_floored(world: World, sensor: dict[str, str], floor_s: int) -> None:
    """To the second, for fleets to the minute; a day is 24 hours. So are epoch milliseconds."""
    now = datetime.now(UTC)
    for text, back in (("-90s", 90), ("-15m", 900), ("-24h", 86_400), ("-7d", 7 * 86_400), ("-2w", 14 * 86_400)):
        members = world.told("/api/stats", detail="true", from_=text, to="now", **sensor)
        begin, end = (datetime.fromisoformat(members[name]) for name in ("From", "To"))
        assert end.timestamp() % floor_s == 0
        assert timedelta(seconds=-floor_s) < end - now < timedelta(minutes=1)
        assert abs((end - begin).total_seconds() - back) in (0, floor_s / 2)
    members = world.told("/api/stats", detail="true", from_="1774656059999", **sensor)
    assert members["From"] == ("2026-03-28T00:00:59Z" if floor_s == 1 else "2026-03-28T00:00:00Z")


def test_a_blank_in_place_of_a_plus_is_told(world: World) -> None:
    """As clients write that do not encode it; encoded it is read."""
    for query in ("from=2026-03-28T10:00:00+01:00", "to=2026-03-28T10:00+0100", "tz=+02:00"):
        [detail] = told_wrong(world, f"/api/stats?{query}").values()
        assert "write + as %2B" in detail
        assert world.client.get(f"/api/stats?{query.replace('+', '%2B')}").status_code == 200


@pytest.mark.parametrize(
    ("from_", "to", "nearest"),
    [
        ("2026-03-28T10:00:29", "2026-03-28T12:00:31", ("2026-03-28T10:00:00Z", "2026-03-28T12:01:00Z")),
        ("2026-03-28T10:00:00.000001", "2026-03-28T12:00", ("2026-03-28T10:00:00Z", "2026-03-28T12:00:00Z")),
        ("2026-03-28T10:00:10", "2026-03-28T10:00:20", ("2026-03-28T10:00:00Z", "2026-03-28T10:01:00Z")),
        ("2026-03-28T10:00", "2026-03-28T10:00:20", ("2026-03-28T10:00:00Z", "2026-03-28T10:01:00Z")),
        ("2026-03-28T10:00:10", "9999-12-31T23:59:59", ("2026-03-28T10:00:00Z", None)),
    ],
)
def test_a_fleets_questions_lie_on_whole_minutes(world: World, from_: str, to: str, nearest: tuple[str, str | None]) -> None:
    """Else 422, with a URL of the nearest that works; a sensor's lie anywhere."""
    for path in ("/api/stats", "/api/stats/history"):
        members = problem(world.get(path, from_=from_, to=to), 422, "not-whole-minutes")
        assert {error["parameter"] for error in members["errors"]} <= {"from", "to"}
        answer = world.client.get(members["nearest"])
        assert answer.status_code == 200
        if path.endswith("history"):
            assert answer.json()["to"] == nearest[1]
        assert world.get(path, from_=from_, to=to, sensorId="202").status_code == 200
    told = world.client.get(members["nearest"].replace("/api/stats/history", "/api/stats") + "&detail=true").json()
    assert (told["From"], told["To"]) == nearest


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"from_": "2026-03-28", "to": "2026-03-28"}, "nothing-between"),
        ({"from_": "now", "to": "-1h"}, "nothing-between"),
        ({"to": "1970-01-01"}, "nothing-between"),
        ({"from_": "-999999999w"}, "beyond-the-years"),
        ({"to": "1970-01-01", "tz": "Asia/Tokyo"}, "beyond-the-years"),
        ({"tz": "Mars/Olympus_Mons"}, "unknown-zone"),
        ({"tz": "posix/Europe/Berlin"}, "unknown-zone"),
        ({"tz": "localtime"}, "unknown-zone"),
    ],
)
def test_a_question_about_nothing_is_not_answered(world: World, question: dict[str, str], code: str) -> None:
    """422, for fleets and sensors alike."""
    for path in ("/api/stats", "/api/stats/history", "/api/readings"):
        problem(world.get(path, sensorId="202", **question), 422, code)


@pytest.mark.parametrize(
    ("typed", "meant"), [("Europe/Berlim", "Europe/Berlin"), ("tokyo", "Asia/Tokyo"), ("US/Pacfic", "US/Pacific")]
)
def test_an_unknown_zone_is_answered_with_one_that_is_near(world: World, typed: str, meant: str) -> None:
    """`nearest` asks the same with it, of an id in a path too."""
    for path in ("/api/stats/history", "/api/sensors/x%2Freadings/readings"):
        members = problem(world.client.get(asking(path, tz=typed, **ENDS)), 422, "unknown-zone")
        assert meant in members["errors"][0]["detail"]
        told = get(world.url, members["nearest"])
        assert told.status == 200
        assert members["nearest"].startswith(f"{path}?")
        assert f"tz={meant.replace('/', '%2F')}" in members["nearest"] or f"tz={meant}" in members["nearest"]


def test_a_zone_whose_offset_is_no_whole_minute_can_be_asked_of_a_sensor_only(world: World) -> None:
    """Monrovia before 1972."""
    question = {"tz": "Africa/Monrovia", "from_": "1971-01-01", "to": "1971-02-01", "interval": "day"}
    members = problem(world.get("/api/stats/history", **question), 422, "not-whole-minutes")
    members = problem(world.client.get(members["nearest"]), 422, "not-whole-minutes")
    assert [error["parameter"] for error in members["errors"]] == ["tz"]
    assert world.client.get(members["nearest"]).status_code == 200
    assert world.get("/api/stats/history", sensorId="202", **question).status_code == 200
