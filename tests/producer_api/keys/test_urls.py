"""A key in a URL: refused where keys are on, whatever is asked for; told and logged nowhere, with and without keys."""

import asyncio
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from producer_api.keys.urls import KeysInUrls
from telemetry.keys import Credential, Role
from tests.producer_api.doors.app import asking
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.keys.entrance import entrance
from tests.producer_api.test_writer import scenario

SECRET = "0123456789ABCDEFGHIJabcdefghij"  # noqa: S105  of no key that there is
KEY = Credential("AbCdEf01", SECRET).text
TOLD = "tlm_AbCdEf01_…"
PATHS = [
    f"/api/stats?key={KEY}",
    f"/api/stats?x={KEY.replace('_', '%5F')}",
    f"/api/stats?%74lm_{KEY[4:]}",
    f"/api/stats?sensorId={KEY}x",
    f"/api/sensors/{KEY}/readings",
    f"/api/temprature/{KEY}",
    f"/api/temprature/x%2F{KEY}",
    f"/{KEY}",
    f"/docs/errors/{KEY}",
    f"/static/{KEY}",
    f"/ping?p={KEY}",
    f"/livez?key={KEY}",
    f"/readyz?{KEY}",
    f"/health?u=me&p={KEY}",
    f"/openapi.json?{KEY}",
    f"/connect?{KEY}",
    f"/?key={KEY}",
    f"/sensor?sensorId={KEY}",
    f"/write?u=me&p={KEY}",
    f"/api/session?key={KEY}",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_a_key_in_the_url_is_refused_in_words_and_not_repeated(path: str, method: str) -> None:
    """Even beside one where it should be: it is in a log by now."""

    @scenario
    async def ask(kinesis: FakeKinesis) -> None:
        async with entrance(kinesis) as (client, made):
            good = {"X-API-Key": made.table.make("admin", Role.ADMIN)}
            with capture_logs() as logs:
                answer = await client.request(method, path, headers=good)
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
            assert "A key in the URL is not taken: addresses end up in logs. Make a new key. Send it as" in answer.text
            assert SECRET not in f"{answer.text} {answer.headers} {logs} {client.recent.refused}"
            assert client.outcomes.refused == {"invalid-key": 1}
            assert made.table.reads == 0

    ask()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_without_keys_nothing_repeats_or_logs_it_either(path: str, method: str) -> None:
    """Whatever is answered: most of it fails here, where there are no tables, and failures are logged with their path."""

    @scenario
    async def ask(kinesis: FakeKinesis) -> None:
        async with asking(kinesis, raises=False) as client:
            with capture_logs() as logs:
                answer = await client.request(method, path)
            assert SECRET not in f"{answer.text} {answer.headers} {logs} {client.recent.refused}"

    ask()


def test_behind_it_a_request_has_the_key_nowhere_and_the_rest_as_it_was() -> None:
    """In the path as it came, too: its slashes and bytes are whoever reads that."""
    seen: dict[str, Any] = {}

    async def note(scope: Scope, _: Receive, __: Send) -> None:
        seen.update({name: scope[name] for name in ("path", "raw_path", "query_string")})

    async def nothing(*_: object) -> Any:
        """Neither comes nor goes."""

    scope = {
        "type": "http",
        "state": {"services": SimpleNamespace(gate=None)},
        "path": f"/api/sensors/a/b ä/{KEY}\udcff",
        "raw_path": f"/api/sensors/a%2Fb%20%C3%A4/{KEY.replace('_', '%5F')}%FF".encode(),
        "query_string": f"x=&p={KEY}&q=a%26b%FF".encode(),
    }
    asyncio.run(KeysInUrls(note)(scope, nothing, nothing))
    assert seen == {
        "path": f"/api/sensors/a/b ä/{TOLD}\udcff",
        "raw_path": f"/api/sensors/a%2Fb%20%C3%A4/{quote(TOLD)}%FF".encode(),
        "query_string": f"x=&p={quote(TOLD)}&q=a%26b%FF".encode(),
    }


@scenario
async def test_without_keys_a_request_goes_on_with_the_rest_of_its_url(kinesis: FakeKinesis) -> None:
    """A device that was set up for a server with keys is taken; what is told of a path still says which key it was."""
    async with asking(kinesis) as client:
        line = "temperature,sensorId=a value=21.5 1772366400"
        assert (await client.post(f"/write?u=a%26b&p={KEY}&precision=s", content=line)).status_code == 204
        assert (
            (await client.post(f"/write?p={KEY}&precision=x", content=line))
            .json()["error"]
            .endswith("'x'. Nothing was stored.")
        )
        assert TOLD in (await client.get(f"/api/temprature/{KEY}")).json()["detail"]
        untouched = await client.post("/write?db=%C3%A4%FF&x&precision=s", content=line)
        assert untouched.status_code == 204


@scenario
async def test_a_password_in_the_url_of_influxdb_1_is_refused_where_keys_are_on(kinesis: FakeKinesis) -> None:
    """Its clients put one there. Elsewhere `p` says nothing, and without keys it does there neither."""
    async with entrance(kinesis) as (client, made):
        good = {"X-API-Key": made.table.make("ingest", Role.INGEST)}
        for path in ("/write?db=x&u=me&p=secret", "/query?q=SHOW+DATABASES&p=secret"):
            refused = await client.post(path, headers=good)
            assert (refused.status_code, refused.json()["code"]) == (401, "invalid-key")
            assert "password of HTTP Basic" in refused.json()["detail"]
            assert "secret" not in refused.text
        assert (await client.post("/write?u=me&p=", headers=good)).status_code == 204
        assert (await client.get("/ping?u=me&p=secret")).status_code == 204
    async with asking(kinesis) as client:
        assert (await client.post("/write?u=me&p=secret")).status_code == 204


@scenario
async def test_pages_of_other_origins_may_read_why(kinesis: FakeKinesis) -> None:
    """And their browser's question beforehand is answered as ever."""
    async with entrance(kinesis, cors_origins="https://a.example") as (client, _):
        origin = {"Origin": "https://a.example"}
        before = await client.options(f"/api/stats?{KEY}", headers={**origin, "Access-Control-Request-Method": "GET"})
        assert before.status_code == 200
        answer = await client.get(f"/api/stats?{KEY}", headers=origin)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://a.example")


@scenario
async def test_a_key_is_no_requests_id(kinesis: FakeKinesis) -> None:
    """It would be in every line that is logged of it."""
    async with asking(kinesis) as client:
        assert (await client.get("/livez", headers={"X-Request-Id": "mine"})).headers["x-request-id"] == "mine"
        assert len((await client.get("/livez", headers={"X-Request-Id": KEY})).headers["x-request-id"]) == 32
