"""GET / for a key that is for some sensors: these, and nothing of the fleet's."""

import asyncio
import re
from types import SimpleNamespace
from typing import Any

from starlette.requests import Request

from producer_api.pages.own import own_page
from telemetry.keys import Key, Role


def page(listed: dict[str, list[str]], *patterns: str, more: bool = False) -> str:
    """The page of a key, where the directory lists these sensors by prefix."""

    async def ask(question: tuple[Any, ...], steps: object) -> object:
        rows = [SimpleNamespace(sensor_id=sensor_id) for sensor_id in listed[question[2]]]
        return SimpleNamespace(value=SimpleNamespace(sensors=rows, after="x" if more else None))

    services = SimpleNamespace(asking=SimpleNamespace(ask=ask))
    request = Request({"type": "http", "headers": [], "state": {"services": services}})
    answer = asyncio.run(own_page(request, Key("id", Role.READ, b"", 0, patterns)))
    return bytes(answer.body).decode()


def test_it_lists_what_the_patterns_name_with_links() -> None:
    """Known or not, where they are named one by one; each once."""
    html = page({"hall-": ["hall-1", "hall-2"]}, "cellar", "hall-*", "hall-2")
    assert re.findall(r'<a href="sensor\?sensorId=([^"]+)">', html) == ["cellar", "hall-1", "hall-2"]
    assert "There are more" not in html
    assert '<button name="end"' in html


def test_more_than_fit_are_said_to_be_there_and_ids_are_no_markup() -> None:
    """With how they are found."""
    html = page({"<": ["<b>"]}, "<*", more=True)
    assert "There are more" in html
    assert "<b>" not in html
    assert "sensorId=%3Cb%3E" in html
