"""GET /api/sensors, /api/sensors/{id} and /api/sensor: lists in both orders, and ids of every kind in paths and queries."""

import json
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from producer_api.reading.cursors import cursor_of
from producer_api.reading.sensors import Order
from projections.calendar import Interval
from telemetry.reading import Reading
from tests.producer_api.raw import get
from tests.producer_api.test_reading_history import all_pages
from tests.producer_api.world import MANY, ODD_IDS, World, average, celsius, problem, utc

MEMBERS = ["sensorId", "count", "first", "latest", "minimum", "maximum", "average", "silentForS"]


def plain(reading: Reading) -> dict[str, Any]:
    """As answers tell it."""
    return {"timestamp": utc(reading.measured_at_us), "temperature": celsius(reading.temperature_micro)}


def expected(world: World, sensor_id: str) -> dict[str, Any]:
    """What is told of a sensor, but for how long it has been silent."""
    some = world.of(sensor_id)
    values = [one.temperature_micro for one in some]
    figures = {"minimum": celsius(min(values)), "maximum": celsius(max(values)), "average": average(some)}
    return {"sensorId": sensor_id, "count": len(some), "first": plain(some[0]), "latest": plain(some[-1]), **figures}


def without_silence(told: dict[str, Any]) -> dict[str, Any]:
    """The same."""
    return {name: value for name, value in told.items() if name not in ("silentForS", "asOf")}


def known_ids(world: World) -> list[str]:
    """Every sensor's."""
    return sorted({one.sensor_id for one in world.known})


@pytest.mark.parametrize("order", ["id", "silent"])
def test_pages_together_hold_each_sensor_once(world: World, order: str) -> None:
    """With what it measured; by id in the order of text."""
    pages = all_pages(world, f"/api/sensors?order={order}&limit=29")
    listed = [one for page in pages for one in page["sensors"]]
    ids = known_ids(world)
    assert {one["sensorId"]: without_silence(one) for one in listed} == {name: expected(world, name) for name in ids}
    assert len(listed) == len(ids)
    assert all(list(one) == MEMBERS for one in listed)
    assert all(len(page["sensors"]) <= 29 for page in pages)
    if order == "id":
        assert [one["sensorId"] for one in listed] == ids


def test_those_that_have_been_silent_longest_come_first(world: World) -> None:
    """To the hour, by which the list is kept; how long each has been is exact."""
    listed = world.told("/api/sensors", order="silent", limit="1000")["sensors"]
    silent_s = [one["silentForS"] for one in listed]
    assert all(one >= following - 3600 for one, following in pairwise(silent_s))
    ago_s = datetime.now(UTC).timestamp() - datetime.fromisoformat(listed[0]["latest"]["timestamp"]).timestamp()
    assert silent_s[0] == pytest.approx(ago_s, abs=10)
    assert listed[0]["sensorId"].startswith("many-")


def test_sensors_are_found_by_prefix(world: World) -> None:
    """By id only."""
    many = [f"many-{number:03}" for number in range(MANY)]
    pages = all_pages(world, "/api/sensors?prefix=many-0&limit=17")
    assert [one["sensorId"] for page in pages for one in page["sensors"]] == many
    assert world.told("/api/sensors", prefix="many-0111")["sensors"] == []
    members = problem(world.get("/api/sensors", prefix="many-02", order="silent"), 422, "by-id-only")
    assert [one["sensorId"] for one in world.client.get(members["nearest"]).json()["sensors"]] == many[20:]


@pytest.mark.parametrize(
    "target",
    [
        "/api/sensors?limit=3",
        "/api/sensors?limit=3&order=silent",
        "/api/sensors?limit=3&prefix=many-",
        "/api/stats/history?interval=hour&limit=3",
        "/api/readings?sensorId=202&limit=3",
        "/api/readings?sensorId=202&limit=3&order=desc",
    ],
)
def test_a_cursor_that_was_altered_is_refused(world: World, target: str) -> None:
    """In any character, cut, or of another question; as it stands it is good."""
    follows = world.client.get(target).json()["next"]
    base, _, cursor = follows.rpartition("cursor=")
    assert world.client.get(follows).status_code == 200
    altered = [cursor[:number] + ("A" if sign != "A" else "B") + cursor[number + 1 :] for number, sign in enumerate(cursor)]
    # One that differs in a bit which no byte holds, or in the last byte's last bit.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    altered.append(cursor[:-1] + alphabet[alphabet.index(cursor[-1]) ^ 1])
    for wrong in (*altered[::5], altered[-1], cursor[:-1], f"{cursor}A", f"{cursor}=", f"{cursor}%20", "AAAA", "%C3%A9"):
        members = problem(world.client.get(f"{base}cursor={wrong}"), 400, "invalid-question")
        assert [error["parameter"] for error in members["errors"]] == ["cursor"]
    other = "/api/sensors?prefix=m" if "/sensors" not in target or "prefix" in target else "/api/readings?sensorId=a"
    problem(world.client.get(f"{other}&cursor={cursor}"), 400, "invalid-question")


def test_a_cursor_that_somebody_makes_is_read_as_strictly(world: World) -> None:
    """It is no secret how they are made."""
    for key in ([10**60, "a"], [-3_601, "a"], ["a", "a"], [1], "a", None):
        cursor = cursor_of(("sensors", Order.SILENT, ""), key)
        problem(world.get("/api/sensors", order="silent", cursor=cursor), 400, "invalid-question")
    # Of a clock that was never set: the first hour of a sensor's own began before 1970.
    epoch = world.told("/api/sensors", order="silent", cursor=cursor_of(("sensors", Order.SILENT, ""), [-3_600, "esp-1"]))
    assert epoch["sensors"][0]["sensorId"].startswith("many-")
    for last_id in ("", " ", "a\0", "a" * 300, 1):
        problem(world.get("/api/sensors", cursor=cursor_of(("sensors", Order.ID, ""), last_id)), 400, "invalid-question")
    for begin in (-(10**30), 10**30):
        cursor = cursor_of(("readings", "202", False), [begin, 0])
        told = world.told("/api/readings", sensorId="202", cursor=cursor, limit="1")["readings"]
        assert len(told) == (begin < 0)
        cursor = cursor_of(("history", None, Interval.DAY, "utc"), begin)
        assert world.told("/api/stats/history", interval="day", cursor=cursor)["windows"] == []


# --- One sensor ---


@pytest.mark.parametrize("sensor_id", ODD_IDS)
def test_any_id_is_served_as_itself(world: World, sensor_id: str) -> None:
    """In a path, where each `/` and `%` of it is written as %XX, and in a query; the sensor and its readings."""
    path = f"/api/sensors/{quote(sensor_id, safe='')}"
    answers = [get(world.url, path), get(world.url, f"/api/sensor?sensorId={quote(sensor_id, safe='')}")]
    for answer in answers:
        assert answer.status == 200
        told = json.loads(answer.body, parse_float=Fraction)
        assert without_silence(told) == expected(world, sensor_id)
        assert list(told) == [*MEMBERS, "asOf"]
    answers = [get(world.url, f"{path}/readings"), get(world.url, f"/api/readings?sensorId={quote(sensor_id, safe='')}")]
    for answer in answers:
        told = json.loads(answer.body, parse_float=Fraction)
        assert (told["sensorId"], told["readings"]) == (sensor_id, [plain(one) for one in world.of(sensor_id)])
    assert world.told("/api/stats", detail="true", sensorId=sensor_id)["Count"] == 2


@pytest.mark.parametrize("sensor_id", ODD_IDS)
def test_the_next_page_and_the_nearest_question_are_about_the_same_sensor(world: World, sensor_id: str) -> None:
    """Whichever way it was asked, also with signs that need not be encoded."""
    encoded = quote(sensor_id, safe="").encode()
    raw = encoded if set(sensor_id) & set("%&+# ") or not sensor_id.isascii() else sensor_id.encode()
    some = [plain(one) for one in world.of(sensor_id)]
    for target in (b"/api/readings?limit=1&sensorId=" + raw, b"/api/sensors/" + encoded + b"/readings?limit=1"):
        first = json.loads(get(world.url, target).body, parse_float=Fraction)
        follows = json.loads(get(world.url, first["next"]).body, parse_float=Fraction)
        assert (follows["sensorId"], first["readings"] + follows["readings"]) == (sensor_id, some)
        nearest = get(world.url, target + b"&tz=Europe/Berlim").problem["nearest"]
        assert json.loads(get(world.url, nearest).body)["sensorId"] == sensor_id


def test_a_path_is_cut_before_it_is_decoded(world: World) -> None:
    """`x%2Freadings` is a sensor, `x/readings` are a sensor's readings; what is no segment is no sensor."""
    assert json.loads(get(world.url, "/api/sensors/x%2Freadings").body)["sensorId"] == "x/readings"
    assert "readings" in json.loads(get(world.url, "/api/sensors/x/readings").body)
    assert json.loads(get(world.url, "/api/sensors/readings/readings").body)["sensorId"] == "readings"
    assert json.loads(get(world.url, "/%61pi/sensors/%78").body)["sensorId"] == "x"
    for path in ("/api/sensors/", "/api/sensors//readings", "/api/sensors/a/b", "/api/sensors/x/readings/", "/api/sensors%2Fx"):
        assert get(world.url, path).problem["code"] == "not-found"
    assert json.loads(get(world.url, "/api/sensors/a%252Fb").body)["sensorId"] == "a%2Fb"


@pytest.mark.parametrize("raw", ["%ff", "a%C3", "%ED%A0%80", "%C0%AF", "%00", "a%09b", "%E2%80%AE", "%20", "a" * 257])
def test_what_is_no_id_is_refused(world: World, raw: str) -> None:
    """Wrong UTF-8, control and format characters, blanks, too much: 400, in paths and queries, naming the id."""
    for target in ("/api/sensors/{}", "/api/sensors/{}/readings", "/api/sensor?sensorId={}", "/api/readings?sensorId={}"):
        members = get(world.url, target.format(raw)).problem
        assert (members["status"], members["code"]) == (400, "invalid-question")
        assert [error["parameter"] for error in members["errors"]] == ["sensorId"]


def test_an_id_is_the_same_sensor_however_it_is_composed(world: World) -> None:
    """Trimmed, and in Unicode's composed form, as when it was sent."""
    for raw in ("Ku%CC%88che", "%20K%C3%BCche%20"):
        assert json.loads(get(world.url, f"/api/sensors/{raw}").body)["sensorId"] == "Küche"
        assert json.loads(get(world.url, f"/api/sensor?sensorId={raw}").body)["sensorId"] == "Küche"


def test_an_unknown_sensor_is_no_resource(world: World) -> None:
    """404; questions about it are answered and empty."""
    for path in ("/api/sensors/nobody", "/api/sensor?sensorId=nobody"):
        assert "nobody" in problem(world.client.get(path), 404, "unknown-sensor")["detail"]
        assert world.client.head(path).status_code == 404
    for path in ("/api/sensors/nobody/readings", "/api/readings?sensorId=nobody"):
        told = world.client.get(path).json()
        assert (told["sensorId"], told["readings"], told["next"]) == ("nobody", [], None)
    told = world.told("/api/stats/history", sensorId="nobody")
    assert (told["windows"], told["from"], told["to"], told["next"]) == ([], None, None, None)
