"""What one connection may cost, and what odd ones are told (findings E1 to E5, E8, E20, E23; hazard H25)."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.producer_api.raw import LIVEZ, VALID, Connection, ask, chunked, put
from tests.producer_api.server import Server, serving
from tests.support.logs import log_lines
from tests.support.stack import Stack
from tests.support.waiting import eventually

QUICK = {
    "REQUEST_TIMEOUT_S": "1",
    "KEEP_ALIVE_S": "2",
    "LOAD_BALANCER_IDLE_S": "0",
    "CONNECTIONS_MAX": "20",
    "PUT_DEADLINE_S": "2",
    "DRAIN_S": "1",
}
"""An API whose deadlines are over soon."""

UPGRADES = {
    "jdk": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"),
    "curl": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    "websocket": (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ),
    "tls": ("Upgrade: TLS/1.0", "Connection: keep-alive, upgrade"),
    "several": ("Connection: upgrade", "Upgrade: h2c, websocket"),
}


@pytest.fixture(scope="module")
def quick(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An API with short deadlines, shared by the module."""
    with serving({**stack.environ, **QUICK}, tmp_path_factory.mktemp("api") / "api.log") as server:
        yield server


@pytest.fixture
def own(stack: Stack, log: Path) -> Iterator[Server]:
    """One that the test may stop."""
    with serving({**stack.environ, **QUICK}, log) as server:
        yield server


@pytest.mark.parametrize("offer", UPGRADES)
def test_e01_an_offer_to_upgrade_is_ignored(quick: Server, offer: str) -> None:
    """E1, E2: 200 over HTTP/1.1, whichever way the bytes are cut, one answer a request, and the connection stays usable."""
    request = put(VALID, *UPGRADES[offer])
    head = request.removesuffix(VALID)
    for pieces in ([request], [head, VALID], [head[:30], head[30:] + VALID[:10], VALID[10:]], [request + LIVEZ]):
        with Connection(quick.url) as connection:
            assert connection.send(*pieces).answer().status == 200
            if pieces != [request + LIVEZ]:
                connection.send(LIVEZ)
            assert connection.answer().body == b'{"status":"ok"}'


def test_e01_an_offer_with_a_chunked_body_and_one_without_a_body_are_ignored(quick: Server) -> None:
    """The body is whatever the head says, as if there were no offer."""
    request = put(chunked(VALID), *UPGRADES["jdk"], "Transfer-Encoding: chunked")
    asked = LIVEZ.replace(b"Host: x", b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c")
    with Connection(quick.url) as connection:
        connection.send(request + asked, asked, request)
        assert [connection.answer().status for _ in range(4)] == [200] * 4


def test_e02_an_offer_of_websockets_does_not_spoil_the_end(own: Server) -> None:
    """SIGTERM while it is open: exit status 0, nothing in the log that looks like a fault."""
    with Connection(own.url) as connection:
        assert connection.send(put(VALID, *UPGRADES["websocket"])).answer().status == 200
        own.process.send_signal(signal.SIGTERM)
        assert connection.rest() == b""
        assert own.process.wait(20) == 0
    log = own.log.read_text()
    assert "Traceback" not in log, log


def test_e03_pipelined_requests_press_back(quick: Server) -> None:
    """50,000 on one connection whose answers nobody reads: memory stays, others are served, and it is cut in the end."""
    before_mb = quick.memory_mb()
    with Connection(quick.url) as connection:
        connection.send_until_cut(LIVEZ * 500, 100)
        quick.lives()
        assert quick.memory_mb() < before_mb + 20
    with Connection(quick.url) as connection:
        connection.send(LIVEZ * 300 + put() * 100)
        assert [connection.answer().status for _ in range(400)] == [200] * 400


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"a" * 100_000,
        b"a: b\r\n" * 20_000,
        b"a" * 100_000 + b": b",
        b"Cookie: " + b"a=b; " * 20_000,
        b"X: y\r\n " + b"z" * 100_000,
    ],
    ids=["one long value", "many short headers", "a long name", "a long cookie", "folded"],
)
def test_e04_a_head_beyond_32_kilobytes_is_refused(quick: Server, head: bytes) -> None:
    """431 with a problem, and then the connection ends; one just below is read."""
    with Connection(quick.url) as connection:
        connection.send_until_cut(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n", 1)
        answer = connection.answer()
        assert answer.status in (431, 400)
        assert answer.problem["detail"]
        assert connection.rest() == b""


def test_e04_a_head_just_below_the_bound_is_read(quick: Server) -> None:
    """31 kB."""
    assert ask(quick.url, LIVEZ.replace(b"\r\n\r\n", b"\r\nX: " + b"a" * 31_000 + b"\r\n\r\n")).status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n" * 50_000 + LIVEZ,
        put(b"1;" + b"a" * 100_000, "Transfer-Encoding: chunked"),
        put(chunked(VALID)[:-2] + b"a: b\r\n" * 20_000, "Transfer-Encoding: chunked"),
        put(chunked(VALID)[:-2] + b"a: " + b"b" * 100_000, "Transfer-Encoding: chunked"),
    ],
    ids=["target", "blank lines", "chunk extension", "trailers", "one long trailer"],
)
def test_e04_what_is_neither_head_nor_body_is_bounded_too(quick: Server, request_bytes: bytes) -> None:
    """As is everything that makes a parser work and a request no longer."""
    with Connection(quick.url) as connection:
        connection.send_until_cut(request_bytes, 1)
        assert connection.answer().problem["status"] == 431
        assert connection.rest() == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", None),
        (LIVEZ[:20], 408),
        (b"\r\n", None),
        (put()[:-20], 408),
        (put(chunked(VALID)[:-5], "Transfer-Encoding: chunked"), 408),
    ],
    ids=["nothing", "half a head", "a blank line", "half a body", "half a chunked body"],
)
def test_e05_h25_what_does_not_come_in_time_is_not_waited_for(quick: Server, sent: bytes, status: int | None) -> None:
    """408 for what has begun, silence for what has not; then the connection ends."""
    with Connection(quick.url) as connection:
        connection.send(sent)
        if status:
            answer = connection.answer()
            assert (answer.problem["status"], answer.headers["connection"]) == (status, "close")
        assert connection.rest() == b""


def test_e05_an_idle_connection_ends(quick: Server) -> None:
    """After its answer, when no other request comes."""
    with Connection(quick.url) as connection:
        assert connection.send(LIVEZ).answer().status == 200
        assert connection.rest() == b""


def test_e05_bytes_that_trickle_are_not_progress_enough(quick: Server) -> None:
    """A head's time runs from its first byte, however many follow."""
    with Connection(quick.url) as connection:

        def cut() -> None:
            assert not connection.send_until_cut(b"a", 1)

        connection.send(LIVEZ[:-2] + b"X: ")
        eventually(cut)


def test_e05_there_are_so_many_connections_and_no_more(quick: Server) -> None:
    """Beyond, one that only waits gives way; while none has waited long, a new one is told 503. Descriptors stay bounded."""
    crowd = [Connection(quick.url) for _ in range(60)]
    told = [connection for connection in crowd[30:] if b"503 Service Unavailable" in connection.rest()]
    assert len(told) >= 20
    assert quick.descriptors() < 200

    def served() -> None:
        quick.lives()

    eventually(served)
    for connection in crowd:
        connection.close()


@pytest.mark.parametrize(
    "headers", [(), ("Expect: 100-continue",), ("Content-Type: application/json",), ("Content-Encoding: gzip",)], ids=str
)
def test_e08_a_body_that_says_it_is_too_long_is_refused_unread(quick: Server, headers: tuple[str, ...]) -> None:
    """413 from the head alone, no invitation to go on, and the connection ends."""
    with Connection(quick.url) as connection:
        answer = connection.send(put(b"", *headers, length=300_000_000)).answer()
        assert (answer.problem["status"], answer.headers["connection"]) == (413, "close")
        assert connection.send_until_cut(b" " * 65536, 5000) < 50_000_000
    quick.lives()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (put(b"", "Content-Type: text/plain", length=50), 415),
        (put(b"", length=50).replace(b"/api/temperature", b"/nowhere"), 404),
        (put(b"", length=50).replace(b"PUT", b"POST"), 405),
        (put(b"", length=50).replace(b"PUT /api/temperature", b"GET /livez"), 200),
    ],
    ids=["415", "404", "405", "200"],
)
def test_e08_an_answer_before_the_body_ends_the_connection(quick: Server, request_bytes: bytes, status: int) -> None:
    """What the client still sends is thrown away, and never taken for its next request."""
    with Connection(quick.url) as connection:
        answer = connection.send(request_bytes).answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        connection.send(LIVEZ, b"x" * 100_000)
        assert connection.rest() == b""


def test_e08_an_answer_after_the_body_leaves_the_connection_open(quick: Server) -> None:
    """Also when the endpoint did not look at it."""
    with Connection(quick.url) as connection:
        connection.send(put().replace(b"/api/temperature", b"/nowhere") + LIVEZ)
        assert [connection.answer().status, connection.answer().status] == [404, 200]


def test_e08_a_body_that_is_awaited_is_invited(quick: Server) -> None:
    """100, then 200."""
    with Connection(quick.url) as connection:
        connection.send(put(b"", "Expect: 100-continue", length=len(VALID)))
        assert connection._read.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert connection._read.readline() == b"\r\n"
        assert connection.send(VALID).answer().status == 200


@pytest.mark.parametrize("cut", [20, -20], ids=["half a head", "half a body"])
def test_e20_what_hangs_at_sigterm_holds_nobody_up(own: Server, cut: int) -> None:
    """A body gets its moment and then a problem with an id; nothing is logged as a fault, and the exit status is 0."""
    with Connection(own.url) as connection, Connection(own.url) as idle:
        idle.send(LIVEZ).answer()
        connection.send(put()[:cut])
        own.lives()
        own.process.send_signal(signal.SIGTERM)
        if cut < 0:
            assert "stopping" in connection.answer().problem["detail"]
        assert connection.rest() == idle.rest() == b""
        assert own.process.wait(20) == 0
    log = own.log.read_text()
    assert "Traceback" not in log, log


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"CONNECT example:443 HTTP/1.1\r\nHost: example\r\n\r\n",
        put(b"zz\r\n", "Transfer-Encoding: chunked"),
        put(b"", "Content-Length: 1", length=2),
        put(b"", "Transfer-Encoding: chunked", "Content-Length: 5"),
        b"GET /livez HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    ],
    ids=["text", "http2", "tls", "no host", "two hosts", "connect", "chunk", "two lengths", "length and chunks", "name", "nul"],
)
def test_e22_e23_what_is_not_http_gets_a_problem(quick: Server, request_bytes: bytes) -> None:
    """From the server itself, with an id and no traceback; then the connection ends."""
    with Connection(quick.url) as connection:
        answer = connection.send(request_bytes).answer()
        assert answer.problem["status"] in (400, 501)
        assert answer.headers["connection"] == "close"
        assert connection.rest() == b""


def test_e23_requests_before_the_bad_one_are_answered_first(quick: Server) -> None:
    """In order; whoever sent the id finds it again."""
    bad = put(b"zz\r\n", "Transfer-Encoding: chunked", "X-Request-Id: mine-1")
    with Connection(quick.url) as connection:
        connection.send(put() + LIVEZ + bad)
        answers = [connection.answer() for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 400]
        assert answers[2].headers["x-request-id"] == "mine-1"
        assert connection.rest() == b""


@pytest.mark.parametrize("hosts", ["", "Host: a\r\nHost: b\r\n"], ids=["none", "two"])
def test_e01_an_offer_whose_head_is_refused_is_answered(quick: Server, hosts: str) -> None:
    """Also behind requests that are answered first."""
    offer = f"GET /livez HTTP/1.1\r\n{hosts}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n".encode()
    missing = put().replace(b"/api/temperature", b"/nowhere")
    with Connection(quick.url) as connection:
        connection.send(
            missing + LIVEZ.replace(b"Host: x", b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c") + put(b"{}") + offer
        )
        assert [connection.answer().status for _ in range(4)] == [404, 200, 400, 400]
        assert connection.rest() == b""


@pytest.mark.parametrize(("target", "status"), [(b"http://x", 200), (b"http://x/livez", 200), (b"http://x?a=1", 200)])
def test_e23_a_whole_url_as_target_is_read(quick: Server, target: bytes, status: int) -> None:
    """RFC 9112, 3.2.2: as a proxy would send it, with or without a path."""
    assert ask(quick.url, LIVEZ.replace(b"/livez", target)).status == status


def test_e16_e23_pipelining_clients_that_hang_up_are_no_faults(own: Server) -> None:
    """What is answered to nobody leaves no traceback."""
    for _ in range(5):
        with Connection(own.url) as connection:
            connection.send(put() * 3)
    own.process.send_signal(signal.SIGTERM)
    assert own.process.wait(20) == 0
    assert {line["level"] for line in log_lines(own.log)} == {"info"}


def test_e08_trailers_do_not_undo_what_the_head_said(quick: Server) -> None:
    """A trailer that would close the connection closes it, and is not left half read."""
    body = chunked(VALID).removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
    with Connection(quick.url) as connection:
        answer = connection.send(put(body, "Transfer-Encoding: chunked")).answer()
        assert (answer.status, answer.headers.get("connection")) == (200, "close")


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "identity, chunked"])
def test_e09_a_transfer_coding_beside_chunked_is_not_taken(quick: Server, coding: str) -> None:
    """RFC 9112, 6.1: 501, or no HTTP at all where its end cannot be told."""
    assert ask(quick.url, put(chunked(VALID), f"Transfer-Encoding: {coding}")).problem["status"] in (501, 400)


def test_e20_a_reader_that_does_not_read_holds_no_stop_up(own: Server) -> None:
    """Neither does one that still has to send what was refused."""
    with Connection(own.url) as greedy, Connection(own.url) as refused:
        greedy.send_until_cut(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 500, 20)
        assert refused.send(put(b"", length=300_000_000)).answer().status == 413
        own.process.send_signal(signal.SIGTERM)
        assert own.process.wait(20) == 0
    log = own.log.read_text()
    assert "Traceback" not in log, log
