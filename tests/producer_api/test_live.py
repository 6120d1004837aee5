"""Live streams against a running API on a real stack: the whole state first, then what changes."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.producer_api.server import serving
from tests.producer_api.test_contract import project
from tests.producer_api.test_status import told_alike
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT


class Listener:
    """A client of a live stream, read by a thread of its own."""

    def __init__(self, url: str, query: str = "") -> None:
        self.events: list[tuple[str, Any]] = []
        self.ended, self.over_s = False, 0.0
        self.error: Exception | None = None
        self._client = httpx.Client(timeout=30)
        self._url = f"{url}/api/live{query}"
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def named(self, *names: str) -> list[Any]:
        """What events of these names said."""
        return [data for name, data in list(self.events) if name in names]

    def wait_for(self, name: str, times: int = 1) -> Any:
        """What the last of so many events of a name said."""

        def there() -> Any:
            found = self.named(name)
            assert len(found) >= times, (self.events, self.error)
            return found[-1]

        return eventually(there, within_s=30)

    def leave(self) -> None:
        """Hang up."""
        self._client.close()
        self._thread.join(30)

    def _read(self) -> None:
        try:
            with self._client.stream("GET", self._url) as answer:
                assert answer.status_code == 200, answer.read()
                assert answer.headers["content-type"].startswith("text/event-stream")
                name = ""
                for line in answer.iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        self.events.append((name, json.loads(value)))
            self.ended, self.over_s = True, time.monotonic()
        except (httpx.HTTPError, AssertionError) as error:
            self.error = error


@contextmanager
def listening(url: str, query: str = "") -> Iterator[Listener]:
    """A client that leaves at the end."""
    listener = Listener(url, query)
    try:
        yield listener
    finally:
        listener.leave()


def put(url: str, sensor_id: str, celsius: float, at: datetime) -> None:
    """Send a reading."""
    body = {"sensorId": sensor_id, "temperature": celsius, "timestamp": at.isoformat()}
    assert httpx.put(f"{url}/api/temperature", json=body).status_code == 200


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)


def test_a_stream_begins_with_the_state_and_tells_what_changes(api: str, stack: Stack) -> None:
    """Figures, the window that is open, one that was closed and is corrected; no rows are read when nothing moved."""
    closed = now() - timedelta(minutes=10)  # one instant: asked for twice it may lie in two windows
    put(api, "live-1", 20, closed)
    project(stack)
    with listening(api, "?points=30") as listener:
        first = listener.wait_for("snapshot")
        assert (first["interval"], first["tz"], first["generation"]) == ("minute", "UTC", 1)
        assert first["stats"]["Count"] >= 1
        assert [window["count"] for window in first["windows"] if not window["open"]][-1:] == [1]
        put(api, "live-1", 30, now())
        project(stack)
        assert listener.wait_for("stats")["Maximum"] == 30
        assert listener.wait_for("window")["maximum"] == 30
        put(api, "live-2", -5, closed)
        project(stack)
        corrected = listener.wait_for("correction")
        assert (corrected["minimum"], corrected["open"]) == (-5, False)
        assert listener.wait_for("freshness")["version"]
        assert len(listener.named("snapshot")) == 1


def test_a_streams_of_sensors_tell_theirs(api: str, stack: Stack) -> None:
    """Of one sensor the figures and windows are its own; of several the fleet's, and each one's beside."""
    put(api, "mine", 1, now())
    put(api, "other/é", 2, now())
    project(stack)
    with listening(api, "?sensorId=mine") as one, listening(api, "?sensorId=mine&sensorId=other%2F%C3%A9&interval=hour") as two:
        assert one.wait_for("snapshot")["stats"]["Count"] == 1
        both = two.wait_for("snapshot")
        assert both["stats"]["Count"] > 1
        assert [sensor["sensorId"] for sensor in both["sensors"]] == ["mine", "other/é"]
        put(api, "mine", 3, now())
        project(stack)
        assert one.wait_for("stats")["Maximum"] == 3
        assert two.wait_for("sensor")["maximum"] == 3


def test_once_ends_after_the_snapshot_and_is_the_same_for_all(api: str, stack: Stack) -> None:
    """The same question is answered alike, but for its age."""
    project(stack)
    answers = [httpx.get(f"{api}/api/live?once=true&tz=Europe/Paris&interval=day") for _ in range(2)]
    told = []
    for answer in answers:
        assert (answer.status_code, answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == (
            200,
            "no-store",
            "no",
        )
        name, data = answer.text.split("\n")[:2]
        told.append(json.loads(data.removeprefix("data: ")))
        assert (name, told[-1].pop("lagMs") >= 0, told[-1]["stats"].pop("LagMs") >= 0) == ("event: snapshot", True, True)
    assert told[0] == told[1]
    assert told[0]["tz"] == "Europe/Paris"
    assert httpx.head(f"{api}/api/live").status_code == 200


@pytest.mark.parametrize(
    "query", ["interval=week", "points=0", "points=501", "sensor=1", "once=1", "tz=", "once=true&once=true"]
)
def test_a_question_that_is_none_is_refused(api: str, query: str) -> None:
    """By name, before any event."""
    answer = httpx.get(f"{api}/api/live?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-question")
    assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


def test_streams_close_when_the_server_stops(stack: Stack, log: Path) -> None:
    """Within seconds, and not all at the same moment; the process ends well."""
    with serving(stack.environ, log) as server:
        listeners = [Listener(server.url, f"?points={number + 1}") for number in range(8)]
        for listener in listeners:
            listener.wait_for("snapshot")
        server.process.terminate()
        began_s = time.monotonic()
        assert server.process.wait(15) == 0
        for listener in listeners:
            listener.leave()
        assert all(listener.ended for listener in listeners), [listener.error for listener in listeners]
        assert max(listener.over_s for listener in listeners) - began_s < 8


def test_more_streams_than_are_served_are_refused(stack: Stack, log: Path) -> None:
    """With when to come back, and what to ask meanwhile; a place that becomes free is given away again."""
    with serving(stack.environ | {"LIVE_STREAMS_MAX": "2"}, log) as server:
        with listening(server.url) as one, listening(server.url) as two:
            one.wait_for("snapshot")
            two.wait_for("snapshot")
            refused = httpx.get(f"{server.url}/api/live")
            assert (refused.status_code, refused.json()["code"]) == (503, "too-many-streams")
            assert refused.headers["Retry-After"]
        with listening(server.url) as three:
            three.wait_for("snapshot")


def test_docs_live_shows_what_is_answered(api: str, stack: Stack) -> None:
    """The curl line is asked again: the members are those of the document, whatever their values now."""
    put(api, "202", 18.7, now())
    project(stack)
    text = (ROOT / "docs/live.md").read_text()
    line = r"^\$ curl -N 'http://127\.0\.0\.1:8080(\S+)'\nevent: snapshot\ndata: (.*)\n\n```"
    [(path, shown)] = re.findall(line, text, re.MULTILINE)

    def alike() -> None:
        name, _, rest = httpx.get(f"{api}{path}").text.partition("\n")
        assert name == "event: snapshot"
        data = rest.partition("\n")[0]
        told = json.loads(data.removeprefix("data: "), parse_int=float)
        assert told["windows"]
        assert told_alike(json.loads(shown, parse_int=float), told), data

    eventually(alike)
