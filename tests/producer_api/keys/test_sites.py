"""Requests that other sites' pages have a browser make: refused, with and without keys."""

from typing import Any

import httpx
import pytest

from producer_api.keys.sites import is_ours
from producer_api.urls import host_of
from telemetry.keys import Role
from tests.producer_api.doors.app import asking, stored
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.keys.entrance import entrance
from tests.producer_api.test_writer import scenario

READING = {"sensorId": "a", "temperature": 1, "timestamp": "2026-03-01T12:00:00Z"}
EVIL = "https://evil.example"
PUBLIC = "https://telemetry.example"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://telemetry"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://telemetry"}, 200),
        ({"Origin": PUBLIC}, 200),
        ({"Origin": "https://friend.example", "Sec-Fetch-Site": "cross-site"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://other.telemetry.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": EVIL}, 403),
        ({"Origin": EVIL}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://telemetry:81"}, 403),
        ({"Origin": "http://telemetry.evil.example"}, 403),
    ],
)
def test_a_write_from_another_sites_page_is_refused(headers: dict[str, str], status: int) -> None:
    """Without keys, and with a good one."""

    @scenario
    async def write(kinesis: FakeKinesis) -> None:
        more: dict[str, Any] = {"public_url": PUBLIC, "cors_origins": "https://friend.example"}
        async with asking(kinesis, **more) as client:
            answers = [await client.put("/api/temperature", json=READING, headers=headers)]
            answers.append(await client.post("/write", content="temperature,host=a value=1 1000000000", headers=headers))
        assert len(stored(kinesis)) == (2 if status == 200 else 0)
        async with entrance(kinesis, **more) as (client, made):
            key = {"X-API-Key": made.table.make("ingest", Role.INGEST)}
            answers.append(await client.put("/api/temperature", json=READING, headers=headers | key))
        for answer in answers:
            assert answer.status_code in ((200, 204) if status == 200 else (403,))
            if status == 403:
                assert answer.json()["code"] == "other-site"

    write()


@scenario
async def test_reading_from_another_sites_page_is_the_browsers_to_forbid(kinesis: FakeKinesis) -> None:
    """It shows the page nothing without CORS headers; a link from another site works."""
    async with asking(kinesis) as client:
        assert (await client.get("/livez", headers={"Origin": EVIL, "Sec-Fetch-Site": "cross-site"})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080",
        "[::1]:8080",
        "10.1.2.3",
        "localhost",
        "api:8080",
        "telemetry.example",
        "x.localhost",
        "a.eu-west-1.elb.amazonaws.com",
    ],
)
def test_these_names_are_answered(host: str) -> None:
    """Addresses, this machine's, those without a dot, and PUBLIC_URL's."""
    assert is_ours(host_of(host), {"telemetry.example", ".elb.amazonaws.com"})


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "telemetry.example.evil",
        "127.0.0.1.evil.example",
        "a.evil-elb.com",
    ],
)
def test_a_name_that_somebody_else_may_have_given_us_is_not_answered(host: str) -> None:
    """Whatever is asked: a page under that name could read the answer (DNS rebinding)."""

    @scenario
    async def ask(kinesis: FakeKinesis) -> None:
        async with asking(kinesis, public_url=PUBLIC, allowed_hosts=".elb.com", url=f"http://{host}") as client:
            answers: list[httpx.Response] = [await client.get("/livez"), await client.put("/api/temperature", json=READING)]
            answers.append(await client.get("/docs"))
        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (403, "unknown-host")
        assert not stored(kinesis)

    ask()
