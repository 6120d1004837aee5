"""The simulated sensors of `make run DEMO=1` cope with an API that refuses."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from infra.local.sensors import Sender


@contextmanager
def answering(statuses: list[int], received: list[bytes]) -> Iterator[str]:
    """The URL of a server that gives these answers, the last of them for ever."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"why")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def bodies(count: int) -> list[dict[str, object]]:
    return [{"sensorId": str(number)} for number in range(count)]


def test_r05_a_refused_reading_is_said_and_never_sent_again() -> None:
    """A narrow TEMPERATURE_MAX refuses for good; it is said for the first, the tenth, the hundredth."""
    received: list[bytes] = []
    out = io.StringIO()
    with answering([400], received) as url:
        sender = Sender(url, out)
        sender.send(bodies(12))
        sender.send([])
    assert len(received) == 12
    assert out.getvalue() == "".join(f"{count} readings refused and dropped, the last with 400: why\n" for count in (1, 10))


def test_r05_what_may_not_be_stored_is_sent_again() -> None:
    """503, 429 and a lost connection; the others are stored."""
    received: list[bytes] = []
    with answering([200, 503, 429, 200], received) as url:
        sender = Sender(url, io.StringIO())
        sender.send(bodies(4))
        assert sender.unsent == bodies(3)[1:]
        sender.send([])
        assert sender.unsent == []
    sender.send(bodies(2))
    assert sender.unsent == bodies(2)
