"""What a key may do, tried as an outsider would: every route with every kind of key, rates, and what is told of a refusal."""

import asyncio
import base64
import re
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from producer_api.keys.gate import TRIED_BURST
from producer_api.keys.policy import POLICY
from telemetry.errors import TooFast, Unauthenticated
from telemetry.keys import Credential, Role
from tests.producer_api.doors.app import Asked, stored
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.keys.entrance import Entrance, entrance
from tests.producer_api.keys.table import SECRET
from tests.producer_api.test_writer import scenario
from tests.tidy.tree import ROOT

AT = "2026-03-01T12:00:00Z"
LOCAL = "http://127.0.0.1:8080"
OWN, FOREIGN = "hall-1", "cellar-1"
STRANGER = Credential("stranger", "x" * 30).text


def reading(sensor_id: str) -> dict[str, Any]:
    """Of a sensor."""
    return {"sensorId": sensor_id, "temperature": 21.5, "timestamp": AT}


def requests_of(sensor_id: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """A good request to each route, about this sensor."""
    ttn = {
        "end_device_ids": {"device_id": sensor_id},
        "received_at": AT,
        "uplink_message": {"decoded_payload": {"temperature": 1}},
    }
    chirpstack = {"deviceInfo": {"devEui": sensor_id}, "time": AT, "object": {"temperature": 1}}
    line = f"temperature,sensorId={sensor_id} value=21.5 1772366400000000000"
    asks = ["/sensor", "/api/stats", "/api/stats/history", "/api/sensor", "/api/readings", "/api/live"]
    opens = ["/livez", "/readyz", "/health", "/docs", "/docs/errors/no-key", "/openapi.json", "/static/docs.js"]
    return {
        **{path: ("GET", path, {}) for path in opens},
        "/ping": ("GET", "/ping?verbose=true", {}),
        "/api/session": ("DELETE", "/api/session", {}),
        "/api/temperature": ("PUT", "/api/temperature", {"json": reading(sensor_id)}),
        "/api/temperature/batch": ("POST", "/api/temperature/batch", {"json": [reading(sensor_id)]}),
        "/api/v2/write": ("POST", "/api/v2/write", {"content": line}),
        "/write": ("POST", "/write", {"content": line}),
        "/query": ("GET", "/query?q=SHOW+DATABASES", {}),
        "/api/webhooks/ttn": ("POST", "/api/webhooks/ttn", {"json": ttn}),
        "/api/webhooks/chirpstack": ("POST", "/api/webhooks/chirpstack?event=up", {"json": chirpstack}),
        "/": ("GET", "/", {}),
        **{path: ("GET", f"{path}?sensorId={sensor_id}", {}) for path in asks},
        "/api/sensors": ("GET", f"/api/sensors?prefix={sensor_id}", {}),
        "/api/sensors/{id}": ("GET", f"/api/sensors/{sensor_id}/readings", {}),
        **{path: ("GET", path, {}) for path in ("/api/status", "/metrics", "/connect")},
    }


async def status(client: Asked, request: tuple[str, str, dict[str, Any]], **headers: str) -> int:
    """What it is answered; a door's refusal of a single item counts as one."""
    method, path, more = request
    answer = await client.request(method, path, headers=headers, **more)
    if path.endswith("/batch") and answer.status_code == 207:
        return 207 if answer.json()["stored"] else 403
    return answer.status_code


async def tried(made: Entrance, text: str, header: str = "x-api-key") -> int:
    """What a key is answered at the gate, from the address that all share."""
    scope = {"path": "/api/stats", "method": "GET", "query_string": b"", "client": ("127.0.0.1", 1)}
    try:
        await made.gate.admit({**scope, "headers": [(header.encode(), text.encode())]}, POLICY["/api/stats"])
    except Unauthenticated:
        return 401
    except TooFast:
        return 429
    return 200


async def table_of(client: Asked, made: Entrance) -> list[list[str]]:
    """Every route with every kind of key."""
    keys = made.table
    expired = keys.make("expired", Role.ADMIN, expires_s=1)
    revoked = keys.make("revoked", Role.ADMIN)
    keys.revoke("revoked0")
    kinds: dict[str, tuple[str, dict[str, str]]] = {
        "no key": (OWN, {}),
        "wrong": (OWN, {"X-API-Key": STRANGER}),
        "expired": (OWN, {"X-API-Key": expired}),
        "revoked": (OWN, {"X-API-Key": revoked}),
        "ingest": (OWN, {"X-API-Key": keys.make("ingest", Role.INGEST, "hall-*")}),
        "ingest, other sensor": (FOREIGN, {"X-API-Key": keys.make("ingest", Role.INGEST, "hall-*")}),
        "read": (OWN, {"X-API-Key": keys.make("read", Role.READ)}),
        "read of some": (OWN, {"X-API-Key": keys.make("some", Role.READ, "hall-*")}),
        "read, other sensor": (FOREIGN, {"X-API-Key": keys.make("some", Role.READ, "hall-*")}),
        "admin": (OWN, {"X-API-Key": keys.make("admin", Role.ADMIN)}),
        "cookie": (OWN, {"Cookie": f"telemetry={keys.make('read', Role.READ)}"}),
        "cookie, from another site": (
            OWN,
            {
                "Cookie": f"telemetry={keys.make('read', Role.READ)}",
                "Origin": "https://evil.example",
                "Sec-Fetch-Site": "cross-site",
            },
        ),
    }
    rows = [["route", *kinds]]
    for path in requests_of(OWN):
        told = [str(await status(client, requests_of(sensor_id)[path], **headers)) for sensor_id, headers in kinds.values()]
        rows.append([f"`{requests_of(OWN)[path][0]} {path}`", *told])
    return rows


def test_every_route_with_every_kind_of_key_is_answered_as_the_document_shows() -> None:
    """docs/security.md has this table; what it says was read through by a person."""

    @scenario
    async def look(kinesis: FakeKinesis) -> None:
        async with entrance(kinesis, url=LOCAL) as (client, made):
            rows = await table_of(client, made)
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + "---|" * len(rows[0]))
        table = "\n".join(lines)
        text = (ROOT / "docs/security.md").read_text()
        [shown] = re.findall(r"^\| route \|.*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
        assert shown == table, f"write this into docs/security.md, and look at what changed:\n{table}"

    look()


def test_no_route_is_left_out_of_the_table() -> None:
    """A new one has to be tried with every kind of key."""
    shown = {
        "/docs/errors/{code}": "/docs/errors/no-key",
        "/static": "/static/docs.js",
        "/api/sensors/{rest:path}": "/api/sensors/{id}",
    }
    assert {shown.get(path, path) for path in POLICY} == set(requests_of(OWN))


def test_nothing_but_open_routes_is_answered_without_a_key() -> None:
    """And with none of the bad ones: read off the document's own table, whatever it says."""
    text = (ROOT / "docs/security.md").read_text()
    [shown] = re.findall(r"^\| route \|.*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()[2:]]
    is_open = {
        "/livez",
        "/readyz",
        "/health",
        "/docs",
        "/docs/errors/no-key",
        "/openapi.json",
        "/static/docs.js",
        "/ping",
        "/api/session",
    }
    for route, *answers in rows:
        path = route.strip("`").split()[1]
        if path in is_open:
            assert set(answers[:-1]) <= {"200", "204"}, route
        else:
            assert set(answers[:4]) == {"401"}, route


@scenario
async def test_a_refusal_says_what_is_wrong_in_words_and_never_the_key(kinesis: FakeKinesis) -> None:
    """RFC 6750's header, a problem, and for programs a code."""
    async with entrance(kinesis) as (client, made):
        text = made.table.make("read", Role.READ)
        none = await client.get("/api/stats")
        assert (none.json()["code"], none.headers["www-authenticate"]) == ("no-key", 'Bearer realm="telemetry"')
        typo = await client.get("/api/stats", headers={"Authorization": f"Bearer {text[:-1]}x"})
        assert typo.json()["code"] == "invalid-key"
        assert "mistyped" in typo.json()["detail"]
        assert 'error="invalid_token"' in typo.headers["www-authenticate"]
        role = await client.put("/api/temperature", json=reading(OWN), headers={"X-API-Key": text})
        assert (role.status_code, role.json()["code"]) == (403, "insufficient-role")
        assert 'error="insufficient_scope"' in role.headers["www-authenticate"]
        basic = await client.post("/write", content="")
        assert "Basic" in basic.headers["www-authenticate"]
        in_url = await client.get(f"/api/stats?key={text}")
        for answer in (none, typo, role, basic, in_url):
            assert answer.headers["content-type"] == "application/problem+json"
            assert text[13:40] not in answer.text + str(answer.headers)


@scenario
async def test_all_ways_to_send_a_key_are_the_same_key(kinesis: FakeKinesis) -> None:
    """As each client has it."""
    async with entrance(kinesis) as (client, made):
        text = made.table.make("ingest", Role.INGEST, "hall-*")
        basic = base64.b64encode(f"anybody:{text}".encode()).decode()
        line = f"temperature,sensorId={OWN} value=21.5 1772366400000000000"
        for path, headers in (
            ("/api/v2/write", {"Authorization": f"Token {text}"}),
            ("/api/v2/write", {"Authorization": f"Bearer {text}"}),
            ("/write?db=x", {"X-API-Key": text}),
            ("/write?db=x", {"Authorization": f"Basic {basic}"}),
        ):
            assert (await client.post(path, content=line, headers=headers)).status_code == 204
        for path in ("/write?u=me&p=secret", f"/write?u=me&p={text}"):
            refused = await client.post(path, content=line, headers={"X-API-Key": text})
            assert (refused.status_code, refused.json()["code"]) == (401, "invalid-key")
    assert len(set(stored(kinesis))) == 1


@scenario
async def test_foreign_and_unknown_sensors_are_the_same_refusal(kinesis: FakeKinesis) -> None:
    """Nobody learns by a key which other sensors there are; in a batch and in lines the others are stored."""
    async with entrance(kinesis) as (client, made):
        key = {"X-API-Key": made.table.make("ingest", Role.INGEST, "hall-*")}
        answers = [await client.put("/api/temperature", json=reading(one), headers=key) for one in (FOREIGN, "never-seen")]
        assert {(one.status_code, one.json()["code"], one.json()["detail"]) for one in answers} == {
            (403, "foreign-sensor", "The key is not for this sensor.")
        }
        batch = await client.post("/api/temperature/batch", json=[reading(OWN), reading(FOREIGN)], headers=key)
        assert (batch.status_code, batch.json()["stored"], batch.json()["refused"]) == (207, 1, 1)
        assert batch.json()["results"][1]["message"] == {"sensorId": "The key is not for this sensor."}
        body = f"temperature,sensorId={FOREIGN} value=1\ntemperature,sensorId=hall-2 value=1"
        lines = await client.post("/write", content=body, headers=key)
        assert (lines.status_code, lines.json()["errors"][0]["line"]) == (400, 1)
    assert {one.sensor_id for one in stored(kinesis)} == {OWN, "hall-2"}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/stats", "needs-sensor"),
        ("/api/stats?sensorId=hall-1&sensorId=cellar-1", "needs-sensor"),
        ("/api/live?sensorId=hall-1&sensorId=hall-2", "needs-sensor"),
        ("/api/sensors", "needs-sensor"),
        ("/api/sensors?prefix=hall", "needs-sensor"),
        ("/api/sensors?prefix=hall-&prefix=", "needs-sensor"),
        ("/api/stats?sensorId=cellar-1", "foreign-sensor"),
        ("/api/stats?sensorId=", "foreign-sensor"),
        ("/api/sensors/cellar-1", "foreign-sensor"),
        ("/api/sensors/hall%2D1%2Freadings", None),
        ("/api/sensors/hall-1%2F..%2Fcellar-1", None),
        ("/api/sensors/cellar-1/%2E%2E/hall-1", "foreign-sensor"),
        ("/api/stats?sensorId=%20hall-1%20", None),
        ("/api/sensors?prefix=hall-1", None),
    ],
)
def test_a_key_for_some_sensors_reads_these_and_no_more(path: str, code: str | None) -> None:
    """Fleets have no such rows; a path is cut before it is decoded, as the answer's is."""

    @scenario
    async def ask(kinesis: FakeKinesis) -> None:
        async with entrance(kinesis) as (client, made):
            url = httpx.URL("http://telemetry").copy_with(raw_path=path.encode())
            answer = await client.get(url, headers={"X-API-Key": made.table.make("some", Role.READ, "hall-*")})
            assert answer.status_code == (403 if code else 200)
            assert (answer.json()["code"] if code else None) == code

    ask()


@scenario
async def test_a_noisy_key_is_told_to_wait_and_a_batch_is_never_taken_in_part(kinesis: FakeKinesis) -> None:
    """Counted in readings; headers say what is left. Another key goes on."""
    async with entrance(kinesis) as (client, made):
        noisy = {"X-API-Key": made.table.make("noisy", Role.INGEST, rate=10.0, burst=20)}
        quiet = {"X-API-Key": made.table.make("quiet", Role.INGEST)}
        first = await client.put("/api/temperature", json=reading(OWN), headers=noisy)
        assert (first.headers["ratelimit-policy"], first.headers["ratelimit"]) == ('"readings";q=20;w=2', '"readings";r=19;t=1')
        batch = await client.post("/api/temperature/batch", json=[reading(f"{n}") for n in range(50)], headers=noisy)
        assert (batch.status_code, batch.json()["stored"], batch.headers["ratelimit"]) == (200, 50, '"readings";r=0;t=6')
        for _ in range(3):
            refused = await client.put("/api/temperature", json=reading(OWN), headers=noisy)
            assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (
                429,
                "too-many-requests",
                "4",
            )
            good = await client.put("/api/temperature", json=reading(OWN), headers=quiet)
            assert good.status_code == 200
            assert "ratelimit" not in good.headers
        made.clock.now_s += 3.2
        assert (await client.put("/api/temperature", json=reading(OWN), headers=noisy)).status_code == 200


@scenario
async def test_unknown_keys_are_tried_so_often_and_no_oftener(kinesis: FakeKinesis) -> None:
    """Anybody can compute a checksum: the table is spared, and a key that is known is not."""
    async with entrance(kinesis) as (client, made):
        known = {"X-API-Key": made.table.make("read", Role.READ)}
        assert (await client.get("/api/stats", headers=known)).status_code == 200
        strangers = [Credential(f"{number:08}", "x" * 30).text for number in range(TRIED_BURST + 5)]
        answers = [await tried(made, text) for text in strangers]
        assert answers == [401] * TRIED_BURST + [429] * 5
        assert made.table.reads == 1 + TRIED_BURST
        assert (await client.get("/api/stats", headers=known)).status_code == 200
        made.clock.now_s += 0.3
        assert [await tried(made, Credential(f"new{number:05}", "x" * 30).text) for number in range(4)] == [401] * 3 + [429]


@scenario
async def test_a_good_key_costs_its_address_no_try(kinesis: FakeKinesis) -> None:
    """All devices behind a load balancer share one; nor does a certificate's key, or one that has expired."""
    async with entrance(kinesis, certificates=True) as (client, made):
        texts = [made.table.make(f"{number:08}", Role.READ) for number in range(TRIED_BURST + 5)]
        assert {await tried(made, text) for text in texts} == {200}
        expired = [made.table.make(f"x{number:07}", Role.READ, expires_s=1) for number in range(TRIED_BURST + 5)]
        assert {await tried(made, text) for text in expired} == {401}
        for number in range(TRIED_BURST + 5):
            made.table.make(f"c{number:07}", Role.READ)
        named = [f"CN=c{number:07}" for number in range(TRIED_BURST + 5)]
        assert {await tried(made, name, "x-amzn-mtls-clientcert-subject") for name in named} == {200}
        assert (await client.get("/api/stats", headers={"X-API-Key": STRANGER})).status_code == 401


@scenario
async def test_as_many_first_requests_may_be_in_hand_as_an_address_may_try(kinesis: FakeKinesis) -> None:
    """A fleet's after a start: none is told to wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("producer_api.keys.ring._READ_S_MAX", 60)  # the machine may be busy
        async with entrance(kinesis) as (_, made):
            made.table.held.clear()
            texts = [made.table.make(f"{number:08}", Role.READ) for number in range(TRIED_BURST)]
            waiting = [asyncio.create_task(tried(made, text)) for text in texts]
            await asyncio.wait(waiting, timeout=0)
            assert await tried(made, STRANGER) == 429
            made.table.held.set()
            assert set(await asyncio.gather(*waiting)) == {200}


@scenario
async def test_while_the_table_is_away_readings_go_on_and_unknown_keys_are_503(kinesis: FakeKinesis) -> None:
    """Not 401: nobody is to throw a good key away."""
    async with entrance(kinesis) as (client, made):
        known = {"X-API-Key": made.table.make("ingest", Role.INGEST)}
        other = {"X-API-Key": made.table.make("other", Role.INGEST)}
        assert (await client.put("/api/temperature", json=reading(OWN), headers=known)).status_code == 200
        made.table.away = True
        made.clock.now_s += 300
        assert (await client.put("/api/temperature", json=reading(OWN), headers=known)).status_code == 200
        unsure = await client.put("/api/temperature", json=reading(OWN), headers=other)
        assert (unsure.status_code, unsure.json()["code"]) == (503, "keys-unavailable")
        assert unsure.headers["retry-after"]


@scenario
async def test_after_an_outage_of_five_minutes_a_key_revoked_meanwhile_stops_within_ten_seconds(kinesis: FakeKinesis) -> None:
    """Of the table's return; until then it goes on, as do all that were known. Then it is asked twice a second."""
    async with entrance(kinesis) as (client, made):
        good = {"X-API-Key": made.table.make("good", Role.INGEST)}
        gone = {"X-API-Key": made.table.make("gone", Role.INGEST)}

        async def answers(later_s: float = 0.5) -> tuple[int, int]:
            made.clock.now_s += later_s
            first = await client.put("/api/temperature", json=reading(OWN), headers=good)
            return first.status_code, (await client.put("/api/temperature", json=reading(OWN), headers=gone)).status_code

        assert await answers() == (200, 200)
        made.table.away = True
        del made.table.keys["gone0000"]
        assert {await answers(7.5) for _ in range(40)} == {(200, 200)}
        made.table.away = False
        after = [await answers() for _ in range(24)]
        assert {one for one, _ in after} == {200}
        assert {other for _, other in after[20:]} == {401}


@scenario
async def test_answers_to_keys_are_kept_by_nobody_but_who_asked(kinesis: FakeKinesis) -> None:
    """Caches between must not hand them on; the day of use is noted."""
    async with entrance(kinesis) as (client, made):
        answer = await client.get("/api/stats", headers={"X-API-Key": made.table.make("read", Role.READ)})
        assert answer.headers["cache-control"] == "private, no-cache"
        assert {"Authorization", "X-API-Key", "Cookie"} <= set(answer.headers["vary"].split(", "))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others, timeout=5)
        assert made.table.keys["read0000"].used_on == "1970-01-12"


@scenario
async def test_whoever_sets_up_a_device_sees_why_its_key_is_refused(kinesis: FakeKinesis) -> None:
    """Among the last refusals, without the key."""
    async with entrance(kinesis) as (client, _):
        await client.put("/api/temperature", json=reading(OWN), headers={"X-API-Key": STRANGER})
        [refusal] = client.recent.refused
        assert (refusal.door, refusal.code) == ("PUT /api/temperature", "invalid-key")
        assert "no such key" in refusal.why
        assert "x" * 30 not in refusal.why


@scenario
async def test_no_secret_is_in_a_log_line_or_a_metric(kinesis: FakeKinesis) -> None:
    """Whatever is done with a key, good or bad; only its id may be seen."""
    with capture_logs() as logs:
        async with entrance(kinesis, url=LOCAL) as (client, made):
            made.table.make("ingest", Role.INGEST, "hall-*")
            rows = await table_of(client, made)
            text = made.table.make("admin", Role.ADMIN)
            made.table.away = True
            made.clock.now_s += 700
            await client.get(f"/api/stats?key={text}", headers={"X-API-Key": text})
            await client.get("/api/stats", headers={"X-API-Key": text})
            told = f"{logs} {client.outcomes.readings} {client.outcomes.refused} {list(client.recent.refused)}"
    assert rows
    assert logs
    assert SECRET not in told
    assert "x" * 30 not in told


@scenario
async def test_who_listens_learns_that_the_key_was_revoked(kinesis: FakeKinesis) -> None:
    """Live streams ask this every second."""
    async with entrance(kinesis) as (_, made):
        scope = {"path": "/api/live", "method": "GET", "query_string": b"", "client": None}
        key = made.table.make("read", Role.READ)
        headers = [(b"x-api-key", key.encode())]
        grant = await made.gate.admit({**scope, "headers": headers}, POLICY["/api/live"])
        assert not grant.ended()
        made.table.revoke("read0000")
        made.clock.now_s += 5
        assert not grant.ended()
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=5)
        assert grant.ended()


@scenario
async def test_who_listens_by_a_secret_that_is_changed_goes_on_for_its_grace(kinesis: FakeKinesis) -> None:
    """And no longer; who has the new one does, and so does a certificate, which has none."""
    async with entrance(kinesis, certificates=True) as (_, made):
        scope = {"path": "/api/live", "method": "GET", "query_string": b"", "client": None}
        old = made.table.make("read", Role.READ)
        new = Credential("read0000", "y" * 30)
        admitted = []
        for header, text in (("x-api-key", old), ("x-amzn-mtls-clientcert-subject", "CN=read0000"), ("x-api-key", new.text)):
            if text == new.text:
                made.table.rotate(made.table.keys["read0000"], new.digest, int(made.clock()) + 20)
            headers = [(header.encode(), text.encode())]
            admitted.append(await made.gate.admit({**scope, "headers": headers}, POLICY["/api/live"]))
        assert [grant.ended() for grant in admitted] == [False, False, False]
        made.clock.now_s += 19
        assert [grant.ended() for grant in admitted] == [False, False, False]
        made.clock.now_s += 1
        assert [grant.ended() for grant in admitted] == [True, False, False]
