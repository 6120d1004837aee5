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

    def answer(self) -> Answer:
        """The next answer; interim ones are passed over."""
        while True:
            line = self._read.readline()
            assert line.startswith(b"HTTP/1.1 "), line
            headers = dict(iter(self._header, ("", "")))
            if not line.startswith(b"HTTP/1.1 1"):
                return Answer(int(line.split()[1]), headers, self._read.read(int(headers.get("content-length", "0"))))

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
