"""What guards connections: every bound and deadline that a client meets outside its own request's endpoint.

uvicorn's httptools protocol is fast and trusts its clients. Here it keeps its speed, and one connection can cost only so much:

- an offer to change the protocol (`Upgrade: h2c`, as every JDK's HttpClient makes) is ignored, as RFC 9110, 7.8 allows;
- bytes are parsed a piece at a time, and no further while requests wait behind the one under way: the rest presses back;
- a head has a largest size; head, body, reading of the answer and idleness each have a deadline (`guard.py`);
- there are so many connections and no more: a new one takes the place of one that only waits, or is told 503 (`guard.py`);
- an answer given before the body was read ends the connection, without a reset that would destroy the answer on its way.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NoReturn

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from producer_api.guard import Guard, Waiting
from producer_api.problems import problem_message

_PIECE_BYTES: Final = 2048
"""Holds an ordinary request whole, and some 80 of the shortest: that many can wait on one connection before it presses back."""

_STOPPING: Final = "The server is stopping. Nothing was stored; send it again."


class Connection(HttpToolsProtocol):
    """One client's connection."""

    def __init__(self, guard: Guard, **from_uvicorn: Any) -> None:
        super().__init__(**from_uvicorn)
        self.waiting: Waiting | None = None
        self._guard = guard
        self._unparsed = memoryview(b"")
        self._in_head = self._in_body = False
        """Whether the parser stands inside a head, or inside the body of the newest request."""
        self._keep_alive = False
        """Whether the newest request's answer may leave the connection open once its body is read."""
        self._answers_due = 0
        """Requests not answered yet; all but the first wait in uvicorn's pipeline."""
        self._got_on = False
        self._idle_bytes = 0
        """Parsed since the parser last came upon the end of a head or some of a body."""
        self._wrong: tuple[int, str] | None = None
        self._refusal: bytes | None = None
        """What is said once every request before is answered; nothing is parsed any more."""
        self._thrown_away_bytes = 0

    @property
    def peer(self) -> str:
        """Whose connection it is, for the log."""
        return f"{self.client[0]}:{self.client[1]}" if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take a new connection in, or tell it that there are too many."""
        super().connection_made(_Transport(transport, self._part))  # type: ignore[arg-type]  # it is all that is used of one
        self.flow = _Flow(transport, self._parse, self._wait)
        self._guard.wait(self, Waiting.FIRST_BYTE)
        if self._guard.stopping:
            self._refuse(503, _STOPPING)
        elif not self._guard.find_place(self):
            self._refuse(503, "Too many connections are open. Try again later.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._guard.wait(self, None)
        self._unparsed = memoryview(b"")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, as far as there is room for it; what comes after the end is thrown away."""
        if self._refusal or self.transport.is_closing():
            self._thrown_away_bytes += len(data)
            if self._thrown_away_bytes > self._guard.limits.linger_bytes_max:
                self.transport.abort()
            return
        self._unparsed = memoryview(bytes(self._unparsed) + data if self._unparsed else data)
        self._parse()

    def pause_writing(self) -> None:
        """The client does not read its answer."""
        super().pause_writing()
        self._guard.wait(self, Waiting.READER)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        if self.waiting is Waiting.READER:
            self._guard.wait(self, None)
            self._wait()

    def shutdown(self) -> None:
        """The server stops: what was asked is answered; a body that still comes, or a reader that is slow, gets `drain_s`."""
        self._guard.stopping, self._keep_alive = True, False
        if self.waiting is Waiting.END or (self._in_head and not self._answers_due):
            self.transport.abort()
        elif self._in_body or self.waiting is Waiting.READER:
            self.loop.call_later(self._guard.limits.drain_s, self.end_overdue, None)
        super().shutdown()

    def end_overdue(self, waiting: Waiting | None) -> None:
        """It has waited for too long; for None, too long for a server that stops."""
        match waiting:
            case None if self.waiting is Waiting.READER:
                self.transport.abort()
            case None if self._in_body:
                self._refuse(503, _STOPPING)
            case Waiting.HEAD | Waiting.BODY:
                self._refuse(408, f"Waited {self._guard.limits.request_s:g} s for {waiting.value}.")
            case Waiting.END | Waiting.READER:
                self.transport.abort()
            case Waiting.FIRST_BYTE | Waiting.NEXT_REQUEST:
                self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins. Its state can tell whether anybody still waits for the answer, and whether the server stops."""
        super().on_message_begin()
        self._in_head = True
        self.scope["state"]["hung_up"] = self.transport.is_closing
        self.scope["state"]["stopping"] = lambda: self._guard.stopping

    def on_headers_complete(self) -> None:
        """A head is whole: the application may begin, unless the head offers another protocol and is about to be read again."""
        self._got_on, self._in_head = True, False
        if self.parser.get_method() == b"CONNECT":
            self._stop(501, "This is no proxy.")
        if self.parser.should_upgrade():
            return
        names, version = [name for name, _ in self.headers], self.parser.get_http_version()
        if (hosts := names.count(b"host")) > 1 or (not hosts and version == "1.1"):
            self._stop(400, "Expected one Host header.")
        if b"transfer-encoding" in names and dict(self.headers)[b"transfer-encoding"].lower() != b"chunked":
            self._stop(501, "Expected Transfer-Encoding chunked and no other.")
        if version == "1.0":
            self.expect_100_continue = False  # RFC 9110, 10.1.1
        if not self.url.startswith((b"/", b"*")):  # a whole URL, whose path may be empty (RFC 9112, 3.2.2)
            target = httptools.parse_url(self.url)
            self.url = (target.path or b"/") + (b"?" + target.query if target.query else b"")
        super().on_headers_complete()
        self.headers = []  # trailers, which come after the body, are nobody's
        self._in_body = True
        self._answers_due += 1
        # An answer that is given before the body was read ends the connection (RFC 9112, 9.3).
        self._keep_alive, self.cycle.keep_alive = self.cycle.keep_alive and not self._guard.stopping, False

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        self._got_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self._in_body:
            self._got_on, self._in_body = True, False
            if not self.cycle.response_started:
                self.cycle.keep_alive = self._keep_alive and self.parser.should_keep_alive()
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is written: it is the next request's turn."""
        self.server_state.total_requests += 1
        self._answers_due -= 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self._refusal and not self._answers_due:
            self.transport.write(self._refusal)
            self.transport.close()
        else:
            self.flow.resume_reading()

    def _parse(self) -> bool:
        """Parse while nothing waits behind the request under way and its body is being read; whether there is room for more."""
        while (
            self._unparsed
            and not (self.pipeline or self._refusal or self.transport.is_closing())
            and not (self._in_body and len(self.cycle.body) > HIGH_WATER_LIMIT)
        ):
            piece, self._unparsed = self._unparsed[:_PIECE_BYTES], self._unparsed[_PIECE_BYTES:]
            self._feed(piece)
        if self._unparsed:
            self.flow.pause_reading()
        self._wait()
        return not self._unparsed

    def _stop(self, status: int, detail: str) -> NoReturn:
        """Have the parser stop where it is; `_feed` says why."""
        self._wrong = status, detail
        raise ValueError(detail)

    def _feed(self, piece: memoryview | bytes) -> None:
        self._got_on = False
        offered_at: int | None = None
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as offer:
            offered_at = offer.args[0]
        except httptools.HttpParserError as error:  # what is raised in a callback as well: uvicorn's over a target that is none
            self._refuse(*(self._wrong or (400, f"This is not HTTP/1.1: {error}.")))
        if offered_at is not None:
            self._feed(self._head_without_offer())
            if not self._refusal:
                self._unparsed = memoryview(bytes(piece[offered_at:]) + bytes(self._unparsed))
        self._idle_bytes = 0 if self._got_on else self._idle_bytes + len(piece)
        if self._idle_bytes > self._guard.limits.head_bytes_max:
            self._refuse(431, f"The head is larger than {self._guard.limits.head_bytes_max} bytes.")

    def _head_without_offer(self) -> bytes:
        """The head just read, for a parser of its own: this one takes what follows for another protocol (uvicorn#2722)."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"\r\n"])

    def _wait(self) -> None:
        """Note what the connection waits for; the time runs from when it began to wait for it."""
        if self.transport.is_closing() or self.waiting is Waiting.READER:
            return
        if self._unparsed or self.flow.read_paused or (self._answers_due and not self._in_body):
            waiting = None  # our turn, or what follows may have come and it is we who do not take it
        elif self._in_body:
            waiting = Waiting.BODY
        elif self._in_head:
            waiting = Waiting.HEAD
        else:
            waiting = Waiting.NEXT_REQUEST if self.cycle else Waiting.FIRST_BYTE
        if waiting is not self.waiting:
            self._guard.wait(self, waiting)

    def _refuse(self, status: int, detail: str) -> None:
        """Answer a request that the application does not get, or gets no further, and end the connection after it."""
        if self._refusal or self.transport.is_closing():
            return
        self._unparsed = memoryview(b"")
        if self._in_body:  # the application waits for the rest: this is its answer
            self._answers_due -= 1
            if self.pipeline:
                self.pipeline.popleft()
            elif self.cycle.response_started:
                self.transport.abort()
            else:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
        told = self._guard.refused(status, detail, self.scope, self.peer)
        self._refusal = problem_message(*told, self.server_state.default_headers)
        if not self._answers_due:
            self.transport.write(self._refusal)
            self.transport.close()

    def _part(self, transport: asyncio.Transport) -> None:
        """End the connection. While the client still sends, the kernel would answer with a reset: so it is only half closed."""
        self._guard.wait(self, Waiting.END)
        if not self._guard.stopping and (self._in_head or self._in_body or self._refusal or self._unparsed):
            self._unparsed = memoryview(b"")
            transport.write_eof()
            transport.resume_reading()
        else:
            transport.close()


class _Transport:
    """What uvicorn uses of a transport; how one is closed is the connection's matter."""

    def __init__(self, transport: asyncio.Transport, part: Callable[[asyncio.Transport], None]) -> None:
        self._transport, self._part, self._parted = transport, part, False
        self.abort, self.get_extra_info = transport.abort, transport.get_extra_info
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():  # uvicorn tells only the newest request that its client is gone
            self._transport.write(data)

    def is_closing(self) -> bool:
        return self._parted or self._transport.is_closing()

    def close(self) -> None:
        if not self.is_closing():
            self._parted = True
            self._part(self._transport)


class _Flow(FlowControl):
    """Reads on only when what was read is parsed."""

    def __init__(self, transport: asyncio.Transport, parse: Callable[[], bool], wait: Callable[[], None]) -> None:
        super().__init__(transport)
        self._parse, self._wait = parse, wait

    def resume_reading(self) -> None:
        if self._parse():
            super().resume_reading()
            self._wait()
