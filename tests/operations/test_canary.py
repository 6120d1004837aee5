"""The canary's way, with an API that answers what it is told to."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from operations.canary import Answer, CanaryFailed, addresses, asker, fly

PLACE = "shardId-000000000000:495"


class Api:
    """Answers in order, and notes what it was asked."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []

    def __call__(self, method: str, path: str, body: bytes | None) -> Answer:
        self.asked.append((method, path))
        if body:
            self.bodies.append(body)
        return Answer(self._statuses.pop(0), {"X-Stream-Position": PLACE}, '{"detail": "because"}')


def test_it_stores_a_reading_and_waits_until_that_is_counted() -> None:
    """By its place in the log; the reading is the same whenever it flies, so it is counted once."""
    api = Api(200, 200, 200, 200, 200, 200)
    fly(api)
    fly(api)
    assert api.asked[:3] == [("GET", "/readyz"), ("PUT", "/api/temperature"), ("GET", f"/api/stats?after={PLACE}&wait=50")]
    assert len({bytes(body) for body in api.bodies}) == 1
    assert json.loads(api.bodies[0])["sensorId"] == "canary"


@pytest.mark.parametrize(
    ("statuses", "said"),
    [([503], "not ready: 503"), ([200, 503], "not stored: 503"), ([200, 200, 503], f"{PLACE} was not counted: 503")],
)
def test_it_says_at_which_step_it_failed(statuses: list[int], said: str) -> None:
    """And what was answered."""
    with pytest.raises(CanaryFailed, match=said) as failed:
        fly(Api(*statuses))
    assert "because" in str(failed.value)


class Ecs:
    """Two tasks of a service, one of which runs."""

    def __init__(self, *arns: str) -> None:
        self._arns = list(arns)

    def list_tasks(self, **asked: str) -> dict[str, list[str]]:
        assert asked == {"cluster": "t-dev", "serviceName": "api", "desiredStatus": "RUNNING"}
        return {"taskArns": self._arns}

    def describe_tasks(self, **asked: object) -> dict[str, list[object]]:
        assert asked == {"cluster": "t-dev", "tasks": self._arns}
        interfaces = [{"networkInterfaces": [{"privateIpv4Address": "10.1.1.7"}]}]
        return {
            "tasks": [{"lastStatus": "RUNNING", "containers": interfaces}, {"lastStatus": "PENDING", "containers": interfaces}]
        }


def test_it_finds_the_tasks_that_run() -> None:
    """By their addresses within the network; without any there is nobody to ask."""
    assert addresses(Ecs("one", "two"), "t-dev", "api") == ["10.1.1.7"]
    assert addresses(Ecs(), "t-dev", "api") == []


class _Door(BaseHTTPRequestHandler):
    """Answers everything, and notes which key came with what."""

    def do_GET(self) -> None:
        self.server.seen.append((self.command, self.path.partition("?")[0], self.headers.get("Authorization")))  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("X-Stream-Position", PLACE)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(("keys", "sent"), [((), (None, None)), (("one", "two"), ("Bearer one", "Bearer two"))])
def test_it_stores_with_one_key_and_asks_with_another(keys: tuple[str, ...], sent: tuple[str | None, ...]) -> None:
    """A key to send with reads nothing, and one to read with sends nothing."""
    with HTTPServer(("127.0.0.1", 0), _Door) as server:
        server.seen = []  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        fly(asker(f"http://127.0.0.1:{server.server_port}", *keys))
        server.shutdown()
        thread.join()
        seen = server.seen  # type: ignore[attr-defined]
    store, ask = sent
    assert seen == [("GET", "/readyz", ask), ("PUT", "/api/temperature", store), ("GET", "/api/stats", ask)]
