"""The API is asked again until it says what became of readings, for as long as it may come to say so."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from replay.api import Api, NotSent

STORED = {"stored": 2, "refused": 0, "results": [{"index": 0, "status": "stored"}, {"index": 1, "status": "stored"}]}
PARTLY = {
    "stored": 1,
    "refused": 1,
    "results": [{"index": 0, "status": "stored"}, {"index": 1, "status": "refused", "message": {"temperature": "why"}}],
}


class Server(NamedTuple):
    """A server that answers what it is told to, in order."""

    url: str
    answers: list[tuple[int, dict[str, str], object]]
    asked: list[tuple[str, str, bytes]]


@pytest.fixture
def server() -> Iterator[Server]:
    answers: list[tuple[int, dict[str, str], object]] = []
    asked: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked.append((self.command, self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            status, headers, told = answers.pop(0)
            body = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_POST  # noqa: N815  as http.server names them

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield Server(f"http://127.0.0.1:{found.server_port}", answers, asked)
        found.shutdown()


class Clock:
    """A clock that sleeping puts on."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_batch_is_sent_as_lines_and_what_is_refused_is_told(server: Server, clock: Clock) -> None:
    """By its index."""
    server.answers.extend([(200, {}, STORED), (207, {}, PARTLY)])
    api = Api(server.url + "/", clock=clock, sleep=clock.sleep)
    assert api.batch([b"1", b"2"]) == (2, {})
    assert api.batch([b"3", b"4"]) == (1, {1: {"temperature": "why"}})
    assert server.asked == [("POST", "/api/temperature/batch", b"1\n2"), ("POST", "/api/temperature/batch", b"3\n4")]


def test_what_is_not_known_to_be_stored_is_sent_again_whole(server: Server, clock: Clock) -> None:
    """After as long as the API asks for."""
    server.answers.extend([(503, {"Retry-After": "7"}, {}), (503, {}, {"results": []}), (200, {}, STORED)])
    assert Api(server.url, clock=clock, sleep=clock.sleep).batch([b"1", b"2"]).stored == 2
    assert [body for _, _, body in server.asked] == [b"1\n2"] * 3
    assert clock.now_s >= 7


def test_a_refusal_for_good_is_told_at_once(server: Server, clock: Clock) -> None:
    """Sending it again would change nothing."""
    server.answers.append((413, {}, {"detail": "too many"}))
    with pytest.raises(NotSent, match="answered 413: too many"):
        Api(server.url, clock=clock, sleep=clock.sleep).batch([b"1"])
    assert clock.now_s == 0


def test_patience_ends_within_seconds_where_nobody_ever_answered(clock: Clock) -> None:
    """A person waits for that, who may have mistaken the address."""
    with pytest.raises(NotSent, match=r"Nobody answers at http://127\.0\.0\.1:9: .*tried for 3 s"):
        Api("http://127.0.0.1:9", clock=clock, sleep=clock.sleep).batch([b"1"])
    assert 1 < clock.now_s <= 3


def test_patience_is_longer_with_who_has_answered(server: Server, clock: Clock) -> None:
    """An outage passes."""
    server.answers.extend([(200, {}, STORED), *[(503, {"Retry-After": "5"}, {})] * 20])
    api = Api(server.url, clock=clock, sleep=clock.sleep)
    api.batch([b"1"])
    with pytest.raises(NotSent, match=r"answered 503: .*tried for 60 s"):
        api.batch([b"1"])
    assert 50 < clock.now_s <= 60


def test_one_reading_is_put(server: Server, clock: Clock) -> None:
    """And what is wrong with it is told."""
    server.answers.extend([(200, {}, {"message": "fine"}), (400, {}, {"message": {"sensorId": "blank"}})])
    api = Api(server.url, clock=clock, sleep=clock.sleep)
    assert api.put({"sensorId": "a"}) == (1, {})
    assert api.put({"sensorId": ""}) == (0, {0: {"sensorId": "blank"}})
    assert server.asked[0] == ("PUT", "/api/temperature", b'{"sensorId": "a"}')
