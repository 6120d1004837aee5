"""A person's key in a cookie: set over HTTPS or to this machine, unreadable for scripts, good for reading only."""

import re
from typing import Any
from urllib.parse import urljoin

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


@scenario
async def test_a_key_that_opens_no_page_begins_no_session(kinesis: FakeKinesis) -> None:
    """A person would be stuck with it for thirty days; the form says so in words."""
    async with entrance(kinesis, url=LOCAL) as (client, made):
        key = made.table.make("ingest", Role.INGEST)
        answer = await client.post(PATH, json={"key": key})
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient-role")
        by_form = await client.post(PATH, data={"key": key})
        assert (by_form.status_code, by_form.headers["content-type"]) == (403, "text/html; charset=utf-8")
        for told in (answer, by_form):
            assert "The key is to send readings with, and opens no page" in told.text
            assert "set-cookie" not in told.headers
        for role in (Role.READ, Role.ADMIN):
            assert (await client.post(PATH, json={"key": made.table.make(role.value, role)})).status_code == 204


@scenario
async def test_whoever_may_not_see_a_page_is_shown_the_form_and_why(kinesis: FakeKinesis) -> None:
    """Another key may do; a program that asks for no page is told as ever."""
    async with entrance(kinesis, url=LOCAL) as (client, made):
        some = {"Cookie": f"telemetry={made.table.make('some', Role.READ, 'hall-*')}"}
        for path, code, words in (
            ("/connect", "insufficient-role", "The key is for read; this is for admin."),
            ("/sensor?sensorId=cellar-1", "foreign-sensor", "The key is not for this sensor."),
        ):
            answer = await client.get(path, headers=some)
            assert answer.status_code == 403
            assert answer.headers["www-authenticate"] == 'Bearer realm="telemetry", error="insufficient_scope"'
            assert words in answer.text
            assert '<form id="sign-in"' in answer.text
            assert client.outcomes.refused[code] == 1
        assert (await client.get("/api/status", headers=some)).json()["code"] == "insufficient-role"


@scenario
async def test_the_form_leads_to_the_same_places_from_wherever_it_is_shown(kinesis: FakeKinesis) -> None:
    """Below the path at which a proxy may have put us, so relatively."""
    async with entrance(kinesis, url=LOCAL) as (client, _):
        for shown in (
            await client.get("/"),
            await client.get("/sensor?sensorId=a"),
            await client.post(PATH, data={"key": "x"}),
        ):
            assert shown.status_code == 401
            [action] = re.findall(r' action="([^"]+)"', shown.text)
            assert urljoin(str(shown.url), action) == f"{LOCAL}{PATH}"
            links = re.findall(r' (?:href|src)="([^"]+)"', shown.text)
            assert len(links) == 3
            for link in links:
                assert (await client.get(urljoin(str(shown.url), link))).status_code == 200


@scenario
async def test_a_form_ends_a_session_and_only_one_of_ours(kinesis: FakeKinesis) -> None:
    """A page has it who came with a key, and no other; it leads to the form to sign in."""
    async with entrance(kinesis, url=LOCAL) as (_, made), asking(kinesis, url=LOCAL, gate=made.gate) as client:
        await client.post(PATH, json={"key": made.table.make("admin", Role.ADMIN)})
        page = await client.get("/connect")
        form = '<form method="post" action="api/session"><button name="end" value="yes">Sign out</button></form>'
        assert (page.status_code, form in page.text) == (200, True)
        foreign = await client.post(PATH, data={"end": "yes"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert (foreign.status_code, "set-cookie" in foreign.headers) == (403, False)
        ended = await client.post(PATH, data={"end": "yes"})
        assert (ended.status_code, ended.headers["location"]) == (303, "../")
        assert all("max-age=0" in cookie.lower() for cookie in ended.headers.get_list("set-cookie"))
        assert (await client.get("/connect")).status_code == 401
    async with asking(kinesis, url=LOCAL) as client:
        assert "Sign out" not in (await client.get("/connect")).text
