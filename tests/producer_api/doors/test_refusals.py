"""What was sent and refused is kept for a while with its code and in words, whoever refused it: `/connect` shows it."""

from typing import Any

import pytest

from telemetry.keys import Credential, Role
from tests.producer_api.doors.app import Asked, asking
from tests.producer_api.fakes import FakeKinesis, refused_with
from tests.producer_api.keys.entrance import entrance
from tests.producer_api.test_writer import scenario

PUT, BATCH, WRITE, TTN = "/api/temperature", "/api/temperature/batch", "/api/v2/write", "/api/webhooks/ttn"
AT = "2026-03-01T12:00:00Z"
GOOD = {"sensorId": "a", "temperature": 1, "timestamp": AT}
BAD = {"sensorId": "b", "temperature": "warm", "timestamp": AT}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PACKED = {"Content-Encoding": "gzip"}
KEY = Credential("AbCdEf01", "0123456789ABCDEFGHIJabcdefghij").text


async def last(client: Asked, method: str, path: str, **more: Any) -> tuple[int, str, str, str]:
    """What such a request is answered, and what is kept of it: one refusal."""
    before = len(client.recent.refused)
    answer = await client.request(method, path, **more)
    assert len(client.recent.refused) == before + 1
    kept = client.recent.refused[-1]
    return answer.status_code, kept.door, kept.code, kept.why


@pytest.mark.parametrize(
    ("request_line", "more", "status", "code", "words"),
    [
        (f"PUT {PUT}", {"content": "sensorId=a", "headers": FORM}, 415, "unsupported-media-type", "application/json"),
        (f"PUT {PUT}", {"json": BAD}, 400, "invalid-reading", "temperature: Expected a number"),
        (f"PUT {PUT}", {"content": b"x", "headers": PACKED}, 400, "invalid-reading", "Expected a body in gzip"),
        (f"PUT {PUT}", {"content": " " * 17_000}, 413, "content-too-large", "larger than 16384 bytes"),
        (f"POST {PUT}", {"json": GOOD}, 405, "method-not-allowed", "not allowed"),
        (f"POST {BATCH}", {"content": "{"}, 400, "invalid-batch", "expected a JSON array"),
        (f"POST {BATCH}", {"content": "[]", "headers": FORM}, 415, "unsupported-media-type", "application/x-ndjson"),
        (f"POST {BATCH}", {"json": [GOOD, BAD, BAD]}, 207, "invalid-reading", "reading 1: temperature: Expected a number"),
        (f"POST {BATCH}", {"json": [{}] * 5001}, 413, "content-too-large", "more than 5000"),
        (f"GET {WRITE}", {}, 405, "method-not-allowed", "not allowed"),
        (f"POST {WRITE}?precision=x", {"content": "m v=1"}, 400, "invalid-lines", "precision: Expected ns"),
        (f"POST {WRITE}", {"content": "nonsense\nm v=1\nnonsense"}, 400, "invalid-lines", "line 1: Expected a blank"),
        (f"POST {WRITE}", {"content": b"x", "headers": PACKED}, 400, None, "Expected a body in gzip"),
        (f"POST {WRITE}", {"content": "m v=1\n" * 5001}, 413, "content-too-large", "more than 5000"),
        ("GET /query?q=SELECT+1", {}, 400, "bad-request", "Expected SHOW"),
        (f"POST {TTN}", {"content": "x", "headers": FORM}, 415, "unsupported-media-type", "application/json"),
        (f"POST {TTN}", {"content": "{"}, 400, "invalid-reading", "Expected a JSON object"),
        (f"POST {TTN}", {"json": GOOD, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403, "other-site", "another site"),
        (
            f"POST {WRITE}",
            {"content": "", "headers": {"Host": "a.example"}},
            403,
            "unknown-host",
            "not reached under this name",
        ),
    ],
)
def test_every_refusal_of_what_is_sent_is_kept_once(
    request_line: str, more: dict[str, Any], status: int, code: str | None, words: str
) -> None:
    """The mistakes that are made most when a device is set up."""

    @scenario
    async def send(kinesis: FakeKinesis) -> None:
        async with asking(kinesis) as client:
            answered, door, kept, why = await last(client, *request_line.split(), **more)
            assert (answered, door) == (status, request_line.partition("?")[0])
            assert kept == (code or kept)
            assert words in why

    send()


@scenario
async def test_a_batch_tells_the_first_bad_reading_and_how_many_more_there_are(kinesis: FakeKinesis) -> None:
    """One that is refused many times over leaves room for others."""
    async with asking(kinesis) as client:
        *_, why = await last(client, "POST", BATCH, json=[GOOD, BAD, BAD, BAD])
        assert why.endswith("e.g. 18.7 And 2 more.")
        *_, why = await last(client, "POST", BATCH, json=[BAD])
        assert why.endswith("e.g. 18.7")


@scenario
async def test_what_could_not_be_stored_is_kept_too(kinesis: FakeKinesis) -> None:
    """Whoever waits for a reading that does not come sees why."""
    async with asking(kinesis, deadline_s=0.2) as client:
        kinesis.faults.extend([refused_with("AccessDeniedException")] * 500)
        for method, path, more in (("PUT", PUT, {"json": GOOD}), ("POST", BATCH, {"json": [GOOD]}), ("POST", WRITE, {})):
            content = {"content": "temperature,sensorId=a value=1"} if path == WRITE else {}
            assert (await last(client, method, path, **more, **content))[::2] == (503, "log-refuses")
        kinesis.faults.clear()
        assert client.outcomes.refused == {"log-refuses": 3}


@scenario
async def test_refusals_of_keys_are_kept_and_those_of_other_routes_are_not(kinesis: FakeKinesis) -> None:
    """Nobody sets up a device there."""
    async with entrance(kinesis) as (client, made):
        assert (await last(client, "PUT", PUT, json=GOOD))[2] == "no-key"
        few = {"X-API-Key": made.table.make("few", Role.INGEST, "hall-*", rate=1.0, burst=1)}
        assert (await last(client, "PUT", PUT, json=GOOD, headers=few))[2] == "foreign-sensor"
        assert (await last(client, "PUT", PUT, json=GOOD, headers=few))[2] == "too-many-requests"
        made.table.away = True
        made.clock.now_s += 700
        assert (await last(client, "PUT", PUT, json=GOOD, headers=few))[2] == "keys-unavailable"
        kept = len(client.recent.refused)
        for path in ("/api/stats", "/", "/nothing"):
            assert (await client.get(path)).status_code >= 400
        assert len(client.recent.refused) == kept


@scenario
async def test_no_key_is_kept_that_somebody_put_in_the_wrong_place(kinesis: FakeKinesis) -> None:
    """Whole or cut off: texts repeat what was not understood."""
    async with asking(kinesis) as client:
        for method, path, more in (
            ("POST", WRITE, {"content": f"temperature,sensorId=a value={KEY}"}),
            ("PUT", PUT, {"content": "{}", "headers": {"Content-Type": KEY}}),
            ("POST", BATCH, {"json": [{"sensorId": "a", "temperature": KEY, "timestamp": AT}]}),
            ("POST", WRITE, {"content": f"cpu,{'x' * 30}{KEY}"}),
        ):
            *_, why = await last(client, method, path, **more)
            assert "0123456789" not in why.lower()
        await client.post(WRITE, content=f"{KEY} value=1")
        assert client.recent.ignored
        assert "0123456789" not in str(client.recent.ignored)
