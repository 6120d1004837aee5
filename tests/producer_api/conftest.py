"""One API over known readings, for all tests of the read side."""

from collections.abc import Iterator

import httpx
import pytest

from tests.producer_api.server import serving
from tests.producer_api.world import World, readings
from tests.support.stack import new_stack


@pytest.fixture(scope="session")
def world(endpoint: str, java: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Readings of many sensors, counted. What a test adds concerns sensors and days of its own."""
    log = tmp_path_factory.mktemp("world") / "api.log"
    with (
        new_stack(endpoint, java) as stack,
        serving(stack.environ | {"CORS_ORIGINS": "https://a.example"}, log) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        made = World(client, stack)
        made.fill(list(readings()))
        yield made
    assert "Traceback" not in log.read_text()
