"""GET /connect: snippets that can be pasted as they are, and what came in last."""

import ast
import json
import re
import tomllib

from producer_api.pages.snippets import snippets
from tests.producer_api.doors.app import asking
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.test_writer import scenario

BASE = "https://telemetry.example:8443"


def texts(*, keyed: bool) -> dict[str, str]:
    """The snippets by tool."""
    return {one.tool: one.text for one in snippets(BASE, keyed=keyed)}


def test_each_tool_gets_this_servers_address_and_no_blank_is_left() -> None:
    """With keys, also the place for one."""
    for keyed in (False, True):
        for tool, text in texts(keyed=keyed).items():
            assert "telemetry.example" in text, tool
            assert not re.search(r"@[A-Z_]+@", text), tool
            assert text.count("YOUR_KEY") == (1 if keyed else 0), tool


def test_they_are_what_their_tools_read() -> None:
    """TOML, Python, JSON in a shell."""
    for keyed in (False, True):
        told = texts(keyed=keyed)
        telegraf = tomllib.loads(told["Telegraf"])
        assert telegraf["outputs"]["influxdb_v2"][0]["urls"] == [BASE]
        ast.parse(told["Python"])
        [body] = re.findall(r"-d '(.*)'", told["curl"])
        assert set(json.loads(body)) == {"sensorId", "temperature", "timestamp"}
        assert "host: telemetry.example\n  port: 8443\n  ssl: true" in told["Home Assistant"]
        assert "max_retries: 3" in told["Home Assistant"]


@scenario
async def test_what_came_in_last_is_shown_and_why_the_rest_did_not(kinesis: FakeKinesis) -> None:
    """Five of each, the last one first; nobody's text becomes markup."""
    async with asking(kinesis) as client:
        for number in range(7):
            at = f"2026-03-01T12:00:0{number}Z"
            sent = {"sensorId": f"<b>{number}", "temperature": number / 2, "timestamp": at}
            assert (await client.put("/api/temperature", json=sent)).status_code == 200
        await client.put("/api/temperature", json={"sensorId": "<i>", "temperature": "warm"})
        await client.post("/write", content="cpu,host=a usage=5\nnonsense\n")
        page = await client.get("/connect")
        assert page.status_code == 200
        assert re.findall(r"<td>&lt;b&gt;(\d)</td>", page.text) == ["6", "5", "4", "3", "2"]
        assert "temperature: Expected a number in degrees Celsius. e.g. 18.7" in page.text
        assert '<a href="docs/errors/invalid-reading">invalid-reading</a>: The reading was refused: ' in page.text
        assert '<td>POST /write</td><td><a href="docs/errors/invalid-lines">' in page.text
        assert "No temperature: " in page.text
        assert "<td>write</td>" in page.text
        assert "<b>" not in page.text
        assert "http://telemetry/api/temperature" in page.text
