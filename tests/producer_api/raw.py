"""A client that speaks raw bytes, so that tests say exactly what goes over the wire and see what comes back."""

import json
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

VALID = b'{"sensorId":"202","temperature":18,"timestamp":"2021-11-26T18:10:00"}'
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def put(body: bytes = VALID, *headers: str, length: int | None = None) -> bytes:
    """A PUT of a reading with these headers besides; `length` other than the body's is a lie."""
    lines = ["PUT /api/temperature HTTP/1.1", "Host: x", *headers]
    if not any(header.lower().startswith("transfer-encoding") for header in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(body: bytes, size: int = 10) -> bytes:
    """A body in chunks of so many bytes."""
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        """The members of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.headers["x-request-id"]
        members = json.loads(self.body)
        assert members["status"] == self.status
        return members


class Broken(Exception):
    """An answer ended without its last chunk, after these bytes."""

    @property
    def body(self) -> bytes:
        """What came of it."""
        body: bytes = self.args[0]
        return body


class Connection:
    """One connection to a server at `url`."""

    def __init__(self, url: str, timeout_s: float = 20) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._read.close()
        self._socket.close()

    def send(self, *pieces: bytes) -> Self:
        """Send each piece in a packet of its own."""
        for piece in pieces:
            self._socket.sendall(piece)
        return self

    def send_until_cut(self, piece: bytes, times: int) -> int:
        """Send the same bytes again and again; how many went out before the server cut the connection, or all."""
        sent = 0
        try:
            for _ in range(times):
                self._socket.sendall(piece)
                sent += len(piece)
        except OSError:
            return sent
        return sent

    def answer(self, *, head: bool = False) -> Answer:
        """The next answer, without a body if it is one to HEAD; interim ones are passed over. Raises Broken for half of one."""
        while True:
            line = self._read.readline()
            assert line.startswith(b"HTTP/1.1 "), line
            headers = dict(iter(self._header, ("", "")))
            if not line.startswith(b"HTTP/1.1 1"):
                return Answer(int(line.split()[1]), headers, b"" if head else self._body(headers))

    def _body(self, headers: dict[str, str]) -> bytes:
        if "transfer-encoding" not in headers:
            return self._read.read(int(headers.get("content-length", "0")))
        body = b""
        while size := int(self._read.readline() or b"-1", 16):
            if size < 0:
                raise Broken(body)
            body += self._read.read(size + 2)[:size]
        self._read.readline()
        return body

    def _header(self) -> tuple[str, str]:
        name, _, value = self._read.readline().rstrip(b"\r\n").decode("latin-1").partition(": ")
        return name.lower(), value

    def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        try:
            return self._read.read()
        except ConnectionResetError:
            return b""


def ask(url: str, *pieces: bytes) -> Answer:
    """One answer on a connection of its own."""
    with Connection(url) as connection:
        return connection.send(*pieces).answer()


def get(url: str, target: str | bytes, *headers: str) -> Answer:
    """The answer to GET of a target as it stands: no client tidies it up."""
    target = target.encode("latin-1") if isinstance(target, str) else target
    lines = "".join(f"{header}\r\n" for header in headers).encode("latin-1")
    return ask(url, b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (target, lines))
