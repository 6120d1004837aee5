"""POST /api/v2/write, /write and what their clients ask before: on a stream in memory, as an InfluxDB client meets them."""

import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from producer_api.doors.write import DOOR
from producer_api.guard import Guard, Limits
from producer_api.operating.outcomes import Outcomes
from telemetry.keys import Role
from telemetry.reading import Reading
from tests.producer_api.doors.app import Asked, asking, stored
from tests.producer_api.fakes import FakeKinesis, refused_with, store_but_time_out
from tests.producer_api.keys.entrance import entrance
from tests.producer_api.test_writer import scenario

AT_NS = 1_732_545_600_000_000_000
AT_US = AT_NS // 1000
GOOD = f"temperature,sensorId=a value=21.5 {AT_NS}"
READING = Reading(AT_US, "a", 21_500_000)
PATHS = ["/api/v2/write?org=o&bucket=b", "/write?db=d&rp=&u=me&p=secret&consistency=any"]


async def post(client: httpx.AsyncClient, body: str | bytes, path: str = PATHS[0], **headers: str) -> httpx.Response:
    """A body, which says of itself what the headers say."""
    return await client.post(path, content=body, headers=headers)


@scenario
async def test_what_is_stored_is_204_without_a_body(kinesis: FakeKinesis) -> None:
    """On both paths, of any Content-Type, packed or not; the header tells where it lies."""
    async with asking(kinesis) as client:
        for path in PATHS:
            for kind in ("", "text/plain; charset=utf-8", "application/octet-stream", "application/x-www-form-urlencoded", "x"):
                answer = await post(client, GOOD, path, **{"Content-Type": kind})
                assert (answer.status_code, answer.content) == (204, b"")
                assert answer.headers["x-stream-position"].startswith("shard-")
        packed = await post(client, gzip.compress(GOOD.encode()), **{"Content-Encoding": "gzip"})
        assert packed.status_code == 204
        assert set(stored(kinesis)) == {READING}
        assert client.outcomes.readings == {("write", "stored"): 11}


@scenario
async def test_nothing_to_store_is_204_as_well(kinesis: FakeKinesis) -> None:
    """Home Assistant tests a connection with an empty body; what is no temperature is passed over and counted."""
    async with asking(kinesis) as client:
        for body in ("", "\n", "# a comment\n", "  \r\n"):
            assert (await post(client, body)).status_code == 204
        assert not client.outcomes.readings
        answer = await post(client, "cpu,host=a usage=5\n°C,domain=climate,entity_id=a value=21\n")
        assert answer.status_code == 204
        assert client.outcomes.readings == {("write", "ignored"): 2}
    assert not stored(kinesis)


@scenario
async def test_bad_lines_are_400_with_their_numbers_and_the_good_ones_are_stored(kinesis: FakeKinesis) -> None:
    """In the form that clients of InfluxDB 2 and 1 read."""
    async with asking(kinesis) as client:
        answer = await post(client, f"# bad\ntemperature value=1\n{GOOD}\nnonsense\ncpu,host=a usage=5\n")
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/json"
        told = answer.json()
        assert told["code"] == "invalid-lines"
        assert told["message"] == told["error"]
        assert told["message"].startswith("line 2: sensorId: Expected a tag that names the sensor: sensorId, sensor_id, ")
        assert told["message"].endswith(" And 1 more.")
        assert [one["line"] for one in told["errors"]] == [2, 4]
        assert told["errors"][1]["detail"].startswith("Expected a blank and fields")
        assert client.outcomes.readings == {("write", "stored"): 1, ("write", "refused"): 2, ("write", "ignored"): 1}
    assert stored(kinesis) == [READING]


@scenario
async def test_an_answer_names_a_hundred_lines_at_most(kinesis: FakeKinesis) -> None:
    """It says how many there are."""
    async with asking(kinesis) as client:
        told = (await post(client, "bad\n" * 5000)).json()
        assert len(told["errors"]) == 100
        assert told["message"].endswith(" And 4999 more.")


@scenario
async def test_what_is_no_utf_8_spoils_its_line_only(kinesis: FakeKinesis) -> None:
    """And is told without breaking the answer."""
    async with asking(kinesis) as client:
        answer = await post(client, b"temperature,sensorId=\xff value=1\nm,x=\xff y=\xff\n" + GOOD.encode())
        assert answer.status_code == 400
        assert [one["line"] for one in answer.json()["errors"]] == [1, 2]
    assert stored(kinesis) == [READING]


@scenario
async def test_a_body_sent_again_counts_once(kinesis: FakeKinesis) -> None:
    """It is the same events; so are equal lines. Without a timestamp it is not, and that is counted."""
    async with asking(kinesis) as client:
        for _ in range(3):
            assert (await post(client, f"{GOOD}\n{GOOD}\n")).status_code == 204
        assert set(stored(kinesis)) == {READING}
        assert client.outcomes.untimed == 0
        await post(client, "temperature,sensorId=b value=1\ncpu,host=b usage=1")
        assert client.outcomes.untimed == 1


@scenario
async def test_a_line_whose_fate_is_unknown_makes_it_503_bad_lines_beside_it_or_not(kinesis: FakeKinesis) -> None:
    """Clients then send all again."""
    for body in (GOOD, f"nonsense\n{GOOD}"):
        async with asking(kinesis, deadline_s=0.2) as client:
            kinesis.faults.extend([store_but_time_out] * 200)
            answer = await post(client, body)
            kinesis.faults.clear()
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            told = answer.json()
            assert told["code"] == "not-confirmed"
            assert told["message"] == told["error"] == told["detail"]
            assert (await post(client, GOOD)).status_code == 204
    assert set(stored(kinesis)) == {READING}


@scenario
async def test_a_log_that_refuses_is_503_too(kinesis: FakeKinesis) -> None:
    """It is never the sender's mistake."""
    async with asking(kinesis, deadline_s=0.2) as client:
        kinesis.faults.extend([refused_with("AccessDeniedException")] * 200)
        answer = await post(client, GOOD)
        kinesis.faults.clear()
        assert (answer.status_code, answer.json()["code"]) == (503, "log-refuses")


@scenario
async def test_precisions_of_both_versions_are_taken_and_others_refused(kinesis: FakeKinesis) -> None:
    """As a whole: nothing is stored at a guess."""
    async with asking(kinesis) as client:
        for precision, time in (("s", AT_US // 10**6), ("ms", AT_US // 1000), ("u", AT_US), ("n", AT_NS), ("", AT_NS)):
            answer = await client.post(
                "/write", params={"precision": precision}, content=f"temperature,sensorId=a value=21.5 {time}"
            )
            assert answer.status_code == 204
        refused = await client.post("/write?precision=fortnight", content=GOOD)
        assert refused.status_code == 400
        assert refused.json()["error"].startswith("precision: Expected ns, n, us")
    assert set(stored(kinesis)) == {READING}


@scenario
async def test_more_than_5000_lines_or_4_mebibytes_are_413(kinesis: FakeKinesis) -> None:
    """Telegraf then sends half of it at a time."""
    async with asking(kinesis) as client:
        assert (await post(client, "m v=1\n" * 5000)).status_code == 204
        assert (await post(client, "m v=1\n" * 5001)).status_code == 413
        assert (await post(client, "#" * (4 * 1024 * 1024))).status_code == 204
        assert (await post(client, "#" * (4 * 1024 * 1024 + 1))).status_code == 413


@scenario
async def test_a_body_that_cannot_be_unpacked_is_told_as_bad_lines_are(kinesis: FakeKinesis) -> None:
    """Its client shows what it shows of these."""
    async with asking(kinesis) as client:
        answer = await post(client, b"no gzip", **{"Content-Encoding": "gzip"})
        told = answer.json()
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
        assert (told["code"], told["errors"], told["error"]) == ("invalid-lines", [], told["message"])
        assert told["error"].startswith("Expected a body in gzip, as Content-Encoding says")


@scenario
async def test_every_refusal_has_what_clients_of_influxdb_show(kinesis: FakeKinesis) -> None:
    """The text as `error` and as `message`, whoever refuses; elsewhere a problem has no `error`."""
    refusals: list[tuple[str, dict[str, Any], int]] = [
        ("POST", {"content": "x" * (DOOR.body_bytes_max + 1)}, 413),
        ("POST", {"content": "m v=1\n" * (DOOR.items_max + 1)}, 413),
        ("POST", {"content": "x", "headers": {"Content-Encoding": "br"}}, 415),
        ("POST", {"content": "x", "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ("PUT", {}, 405),
        ("POST", {"content": "nonsense"}, 400),
    ]
    keyed: list[tuple[dict[str, str], int]] = []
    async with asking(kinesis) as client, entrance(kinesis) as (guarded, made):
        for path in ("/write", "/api/v2/write"):
            answers = [(await client.request(method, path, **more), status) for method, more, status in refusals]
            few = made.table.make("few", Role.INGEST, rate=1.0, burst=1)
            keyed = [({}, 401), ({"X-API-Key": few[:-1]}, 401), ({"X-API-Key": made.table.make("read", Role.READ)}, 403)]
            keyed += [({"X-API-Key": few}, 204 if path == "/write" else 429)]
            answers += [(await guarded.post(path, content=GOOD, headers=headers), status) for headers, status in keyed]
            for answer, status in answers:
                assert answer.status_code == status
                if status != 204:
                    told = answer.json()
                    assert told["error"] == told["message"] == told.get("detail", told["error"])
                    assert told["error"]
        assert "error" not in (await client.get("/nothing")).json()
        assert "error" in (await client.put("/query")).json()


@scenario
async def test_clients_are_told_that_the_server_is_well(kinesis: FakeKinesis) -> None:
    """Each in the form that it asks for; some do not start without."""
    async with asking(kinesis) as client:
        health = (await client.get("/health")).json()
        assert (health["name"], health["status"], health["checks"]) == ("telemetry", "pass", [])
        for answer in (await client.get("/ping"), await client.head("/ping"), await client.get("/ping?verbose=false")):
            assert (answer.status_code, answer.headers["x-influxdb-version"]) == (204, health["version"])
        assert (await client.get("/ping?verbose=true")).json() == {"version": health["version"]}


@scenario
async def test_every_database_is_there(kinesis: FakeKinesis) -> None:
    """SHOW and CREATE DATABASE succeed, in the query or in a form; whatever else is 400 in words."""
    databases = {"statement_id": 0, "series": [{"name": "databases", "columns": ["name"], "values": [["telemetry"]]}]}

    async with asking(kinesis) as client:
        ways: list[Callable[[str], Awaitable[httpx.Response]]] = [
            lambda q: client.get("/query", params={"q": q, "db": "x"}),
            lambda q: client.post("/query", params={"q": q}),
            lambda q: client.post("/query", data={"q": q}),
        ]
        for ask in ways:
            assert (await ask("SHOW DATABASES")).json() == {"results": [databases]}
            assert (await ask('CREATE DATABASE "telegraf"')).json() == {"results": [{"statement_id": 0}]}
            both = (await ask("show retention policies on x; show databases;")).json()
            assert both == {"results": [{"statement_id": 0}, databases | {"statement_id": 1}]}
            for refused in ("SELECT 1", "", ";", "DROP DATABASE x", "SHOW DATABASES; DROP DATABASE x", "SHOWS"):
                answer = await ask(refused)
                assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize(("begun", "told"), [({"path": "/write"}, True), ({"path": "/api/stats"}, False), ({}, False)])
def test_a_refusal_before_the_routes_has_it_as_well(begun: dict[str, str], told: bool) -> None:
    """Of a body that takes too long, or a head that never ends."""
    guard = Guard(Limits(1, 1, 1, 1), Outcomes())
    members, _ = guard.refused(408, "The body took too long.", {"headers": [], **begun}, "")
    assert members.get("error") == ("The body took too long." if told else None)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_other_methods_are_405(method: str) -> None:
    """As everywhere."""

    @scenario
    async def ask(kinesis: FakeKinesis) -> None:
        async with asking(kinesis) as client:
            answer = await client.request(method, "/write")
            assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")

    ask()


@scenario
async def test_telegrafs_events_come_in_at_the_batch_door(kinesis: FakeKinesis) -> None:
    """Those that are no temperatures are said to be ignored."""

    def event(**data: Any) -> dict[str, Any]:
        told = {"name": "temperature", "tags": {"host": "a"}, "fields": {"value": 21.5}, "timestamp": AT_NS} | data
        kind = "com.influxdata.telegraf.metric"
        return {"specversion": "1.0", "id": "1", "source": "telegraf", "type": kind, "data": told}

    async with asking(kinesis) as client:
        answer = await _batch(client, [event(), event(name="cpu"), event(tags={})])
        assert answer.status_code == 207
        told = answer.json()
        assert {name: told[name] for name in ("stored", "refused", "unknown", "ignored")} == {
            "stored": 1,
            "refused": 1,
            "unknown": 0,
            "ignored": 1,
        }
        assert [one["status"] for one in told["results"]] == ["stored", "ignored", "refused"]
        assert (await _batch(client, [event(name="cpu")])).status_code == 200
    assert stored(kinesis) == [READING]


async def _batch(client: Asked, events: list[dict[str, Any]]) -> httpx.Response:
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    return await client.post("/api/temperature/batch", json=events, headers=headers)
