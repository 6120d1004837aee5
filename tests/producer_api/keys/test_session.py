"""A person's key in a cookie: set over HTTPS or to this machine, unreadable for scripts, good for reading only."""

from typing import Any

import pytest

from telemetry.keys import Role
from tests.producer_api.doors.app import asking
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.keys.entrance import entrance
from tests.producer_api.test_writer import scenario

PATH = "/api/session"
LOCAL, PUBLIC = "http://127.0.0.1:8080", "https://telemetry.example"


@pytest.mark.parametrize(
    ("url", "more", "name", "secure"),
    [
        (LOCAL, {}, "telemetry", False),
        (PUBLIC, {"public_url": PUBLIC}, "__Host-telemetry", True),
        ("http://10.0.0.1", {"public_url": PUBLIC}, "__Host-telemetry", True),
    ],
)
def test_a_key_becomes_a_cookie(url: str, more: dict[str, Any], name: str, secure: bool) -> None:
    """For thirty days at most; behind a load balancer PUBLIC_URL says that people come by HTTPS."""

    @scenario
    async def sign_in(kinesis: FakeKinesis) -> None:
        async with entrance(kinesis, url=url, **more) as (client, made):
            key = made.table.make("read", Role.READ)
            answer = await client.post(PATH, json={"key": f" {key} "})
            assert answer.status_code == 204
            other, cookie = answer.headers.get_list("set-cookie")
            assert cookie.startswith(f"{name}={key};")
            assert "max-age=0" in other.lower()
            assert {other.partition("=")[0], name} == {"telemetry", "__Host-telemetry"}
            parts = set(cookie.lower().split("; "))
            assert {"httponly", "path=/", "samesite=lax", "max-age=2592000"} <= parts
            assert ("secure" in parts) is secure
            client.cookies.clear()
            opened = await client.get("/", headers={"Cookie": f"{name}={key}"})
            assert opened.status_code == 200
            sent = await client.put("/api/temperature", json={}, headers={"Cookie": f"{name}={key}"})
            assert sent.status_code == 401

    sign_in()


@scenario
async def test_it_lasts_no_longer_than_its_key(kinesis: FakeKinesis) -> None:
    """By the real clock, which browsers have."""
    async with entrance(kinesis, url=LOCAL) as (client, made):
        key = made.table.make("read", Role.READ, expires_s=int(made.clock.now_s) + 60)
        answer = await client.post(PATH, json={"key": key})
        assert "max-age=0" in answer.headers.get_list("set-cookie")[1].lower()


@scenario
async def test_over_plain_http_to_another_machine_there_is_none(kinesis: FakeKinesis) -> None:
    """It could be read on the way."""
    async with entrance(kinesis, url="http://10.0.0.1") as (client, made):
        answer = await client.post(PATH, json={"key": made.table.make("read", Role.READ)})
        assert (answer.status_code, answer.json()["code"]) == (403, "plain-http")
        assert "set-cookie" not in answer.headers


@scenario
async def test_what_is_no_key_sets_nothing(kinesis: FakeKinesis) -> None:
    """401 for what is none, 400 for what says none."""
    async with entrance(kinesis, url=LOCAL) as (client, made):
        made.table.make("read", Role.READ)
        for body, status in (({"key": "tlm_x"}, 401), ({"key": ""}, 401), ({}, 400), ([], 400), ({"key": 1}, 400)):
            answer = await client.post(PATH, json=body)
            assert (answer.status_code, "set-cookie" in answer.headers) == (status, False)


@scenario
async def test_the_form_works_without_a_script(kinesis: FakeKinesis) -> None:
    """It leads to the pages; a wrong key shows the form again, and says so."""
    async with entrance(kinesis, url=LOCAL) as (client, made):
        page = await client.get("/")
        assert page.status_code == 401
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["www-authenticate"].startswith("Bearer")
        assert 'action="api/session"' in page.text
        answer = await client.post(PATH, data={"key": made.table.make("read", Role.READ)})
        assert (answer.status_code, answer.headers["location"]) == (303, "../")
        wrong = await client.post(PATH, data={"key": "tlm_<b>"})
        assert wrong.status_code == 401
        assert "mistyped" in wrong.text
        assert "<b>" not in wrong.text


@scenario
async def test_a_session_ends_when_it_is_told_to(kinesis: FakeKinesis) -> None:
    """Both cookies go."""
    async with entrance(kinesis, url=LOCAL) as (client, _):
        answer = await client.delete(PATH)
        assert answer.status_code == 204
        cookies = answer.headers.get_list("set-cookie")
        assert [cookie.split("=")[0] for cookie in cookies] == ["__Host-telemetry", "telemetry"]
        assert all("max-age=0" in cookie.lower() for cookie in cookies)


@scenario
async def test_a_page_of_another_site_begins_no_session(kinesis: FakeKinesis) -> None:
    """It could else have a person look at somebody else's sensors."""
    async with entrance(kinesis, url=LOCAL) as (client, made):
        key = made.table.make("read", Role.READ)
        answer = await client.post(PATH, json={"key": key}, headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, answer.json()["code"]) == (403, "other-site")


@scenario
async def test_where_keys_are_off_there_is_nothing_to_begin(kinesis: FakeKinesis) -> None:
    """And nothing is set."""
    async with asking(kinesis, url=LOCAL) as client:
        answer = await client.post(PATH, json={"key": "anything"})
        assert (answer.status_code, "set-cookie" in answer.headers) == (204, False)
