"""`python -m tests.faults.hostile URL --seed 1 --count 10000`: clients that nobody wants, as many kinds as there are findings.

One seed is one order and mixture. Prints, as JSON, how many requests and connections of each kind it made. What it stores, if
anything, is one and the same reading (`READING`). `count` is of requests and of connections on which none was completed.
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import random
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlsplit

from telemetry.reading import Reading

READING = Reading(1_637_950_200_000_000, "202", 18_000_000)
_VALID = b'{"sensorId":"202","temperature":18,"timestamp":"2021-11-26T18:10:00"}'
_GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
_OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"
_AT_ONCE = 16
_SILENT_AT_ONCE = 150
_GIVEN_UP_S = 15

_BODIES = (
    b"",
    b"{",
    b"[" * 16_000,
    b'{"a":' * 3_000,
    _VALID.replace(b"18,", b"nan,"),
    _VALID.replace(b"18,", b'"40,78",'),
    _VALID.replace(b"18,", b"1e99999999999999999999,"),
    _VALID.replace(b"18,", b"9" * 10_000 + b","),
    _VALID.replace(b"202", "a\u202eb".encode()),
    _VALID.replace(b"202", b"\xff\xfe"),
    _VALID.replace(b"202", b"x" * 300),
    _VALID.replace(b"2021-11-26T18:10:00", b"2021-11-26T18:10:60"),
    _VALID.replace(b"2021-11-26T18:10:00", b"0001-01-01T00:00:00+14:00"),
    _VALID.decode().encode("utf-16"),
    b"\xef\xbb\xbf\xef\xbb\xbf" + _VALID,
    b" " * 17_000,
)
_QUERIES = ("sensorId=nobody", "foo=1", "sensorId=", "%00=%ff", "a&b&c", "from=" + "9" * 3000)
_NONSENSE = (
    b"nonsense\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: <script>\r\n\r\n",
    b"PUT /api/temperature HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"PUT /api/temperature HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
)


def _put(body: bytes, *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return (
        "\r\n".join(["PUT /api/temperature HTTP/1.1", "Host: x", *headers, f"Content-Length: {size}", "", ""]).encode() + body
    )


class Client:
    """One connection, and what became of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Each piece in a packet of its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def read(self) -> bytes:
        """Whatever comes next."""
        return await self.reader.read(65536)

    async def read_to_the_end(self) -> None:
        """Until the server ends the connection."""
        while await self.read():
            pass

    def reset(self) -> None:
        """End it with a reset instead of in order."""
        found = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Mob:
    """Everything hostile against one server, drawn from one seed."""

    def __init__(self, url: str, seed: int) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or 80
        self._rng = random.Random(seed)  # noqa: S311  repeatable on purpose
        self.made: Counter[str] = Counter()
        self._silent: set[asyncio.Task[None]] = set()

    async def run(self, count: int, per_s: float) -> None:
        """Go on until so many requests and connections were made, about `per_s` a second."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        kinds = list(self._kinds())

        async def go_on() -> None:
            while self.made.total() < count:
                ahead_s = began_s + self.made.total() / per_s - loop.time()
                if ahead_s > 0:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(asyncio.Event().wait(), ahead_s)
                await self._one(*self._rng.choice(kinds))

        await asyncio.gather(*(go_on() for _ in range(_AT_ONCE)))
        for task in self._silent:
            task.cancel()
        await asyncio.gather(*self._silent, return_exceptions=True)

    async def _one(self, name: str, kind: Callable[[Client], Awaitable[int]]) -> None:
        with contextlib.suppress(OSError, TimeoutError, EOFError):
            self.made[name] += await asyncio.wait_for(self._on_a_connection(kind), _GIVEN_UP_S)
            return
        self.made[name] += 1

    async def _on_a_connection(self, kind: Callable[[Client], Awaitable[int]]) -> int:
        client = Client(*await asyncio.open_connection(*self._address))
        try:
            return await kind(client)
        finally:
            client.writer.transport.abort()

    def _kinds(self) -> Iterator[tuple[str, Callable[[Client], Awaitable[int]]]]:
        for name in dir(self):
            if name.startswith("e") and callable(getattr(self, name)):
                yield name, getattr(self, name)

    async def e01_offers(self, client: Client) -> int:
        """An offer of h2c or of websockets, in one packet or in several."""
        number = self._rng.randrange(1, 10)
        for _ in range(number):
            request = _put(_VALID, _OFFER % self._rng.choice(("h2c", "websocket", "TLS/1.0")))
            cut = self._rng.randrange(1, len(request))
            await client.send(*self._rng.choice(((request,), (request[:cut], request[cut:]), (request + _GET,))))
            await client.read()
        return number

    async def e03_pipelines(self, client: Client) -> int:
        """Hundreds of requests at once; the answers are read, or not."""
        number = self._rng.choice((20, 50, 300))
        await client.send(self._rng.choice((_GET, _GET, _put(b"{"))) * number)
        if self._rng.random() < 0.7:
            for _ in range(number // 20):
                await client.read()
        return number

    async def e04_heads(self, client: Client) -> int:
        """Long heads, many headers, endless trailers and blank lines."""
        line = self._rng.choice((b"X: " + b"a" * 60_000, b"a: b\r\n" * 12_000, b"\r\n" * 30_000, b"a" * 60_000))
        await client.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n", line)
        await client.read_to_the_end()
        return 1

    async def e05_silence(self, client: Client) -> int:
        """Nothing, half a head, half a body, held until the server has had enough."""
        if len(self._silent) < _SILENT_AT_ONCE:
            task = asyncio.create_task(self._hold(self._rng.choice((b"", _GET[:20], _put(_VALID)[:-20], b"\r\n"))))
            self._silent.add(task)
            task.add_done_callback(self._silent.discard)
        return 1

    async def _hold(self, beginning: bytes) -> None:
        with contextlib.suppress(OSError):
            client = Client(*await asyncio.open_connection(*self._address))
            try:
                await client.send(beginning)
                await client.read_to_the_end()
            finally:
                client.writer.transport.abort()

    async def e06_questions(self, client: Client) -> int:
        """Questions with parameters that there are not."""
        number = self._rng.randrange(1, 20)
        for _ in range(number):
            await client.send(f"GET /api/stats?{self._rng.choice(_QUERIES)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await client.read()
        return number

    async def e08_lengths(self, client: Client) -> int:
        """A body that says it is huge, and is sent all the same; one that is sent after it was refused."""
        head = _put(b"", *self._rng.choice(((), ("Expect: 100-continue",), ("Content-Type: text/plain",))), length=300_000_000)
        await client.send(head, *[b" " * 65536] * self._rng.randrange(20))
        await client.read()
        await client.send(_GET)
        return 1

    async def e09_codings(self, client: Client) -> int:
        """Bombs, endless members, codings that are not taken, and one body that is what it says."""
        bomb, members = gzip.compress(b" " * 1_000_000), gzip.compress(b"") * 700
        coding, body = self._rng.choice(
            (
                ("gzip", bomb),
                ("gzip", members),
                ("br", b"x"),
                ("gzip", _VALID),
                ("deflate", b"x" * 50),
                ("gzip", gzip.compress(_VALID)),
            )
        )
        await client.send(_put(body, f"Content-Encoding: {coding}"))
        await client.read()
        return 1

    async def e10_bodies(self, client: Client) -> int:
        """Several bad bodies on one connection."""
        number = self._rng.randrange(1, 20)
        for _ in range(number):
            await client.send(_put(self._rng.choice(_BODIES)))
            if not await client.read():
                break
        return number

    async def e16_hang_ups(self, client: Client) -> int:
        """A reading, and nobody who waits for the answer."""
        await client.send(_put(_VALID))
        if self._rng.random() < 0.5:
            client.reset()
        return 1

    async def e22_nonsense(self, client: Client) -> int:
        """What is no HTTP, or hardly."""
        await client.send(self._rng.choice(_NONSENSE))
        await client.read()
        return 1

    async def e23_mutations(self, client: Client) -> int:
        """A good request with a few bytes of its head changed, and then whatever else."""
        head = bytearray(_put(b"", length=len(_VALID)))
        for _ in range(self._rng.randrange(1, 6)):
            head[self._rng.randrange(len(head))] = self._rng.randrange(256)
        await client.send(bytes(head) + _VALID, self._rng.randbytes(self._rng.randrange(200)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(client.read(), 1)
        return 1


def main() -> None:
    """Be hostile, then say how often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--per-s", type=float, default=10_000)
    arguments = parser.parse_args()
    mob = Mob(arguments.url, arguments.seed)
    asyncio.run(mob.run(arguments.count, arguments.per_s))
    sys.stdout.write(json.dumps(dict(mob.made)) + "\n")


if __name__ == "__main__":
    main()
