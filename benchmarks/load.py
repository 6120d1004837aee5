"""`python -m benchmarks.load URL`: clients that PUT so many readings as fast as they are answered, and retry like sensors.

A process of its own on uvloop that prepares every request beforehand, so that it costs little beside the server. Prints JSON.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import uvloop

from telemetry.keys import KEY_VARIABLE

_RETRY_S = 0.2
_START = datetime(2026, 3, 1, tzinfo=UTC)


def requests(
    host: str, readings: int, sensors: int, get: str | None, *, batch: int = 0, start: datetime = _START, key: str = ""
) -> Iterator[bytes]:
    """Readings of `sensors` sensors in turn, alone or so many in a batch, or GETs of a path; with a key, if there is one."""
    together: list[str] = []
    sent = f"Authorization: Bearer {key}\r\n" if key else ""
    for number in range(readings):
        if get:
            yield f"GET {get} HTTP/1.1\r\nHost: {host}\r\n{sent}\r\n".encode()
            continue
        at = (start + timedelta(seconds=number // sensors)).isoformat()
        body = f'{{"sensorId": "sensor-{number % sensors:05}", "temperature": {15 + number % 977 / 100}, "timestamp": "{at}"}}'
        path = "PUT /api/temperature"
        if batch:
            together.append(body)
            if len(together) < batch and number + 1 < readings:
                continue
            path, body, together = "POST /api/temperature/batch", f"[{','.join(together)}]", []
        head = f"{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{sent}"
        yield f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    latencies_s: list[float] = field(default_factory=list)
    retries: int = 0
    refused: int = 0


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, requests: Iterator[bytes], tally: Tally, pause_s: float, done: asyncio.Future[None]) -> None:
        self._requests, self._tally, self._pause_s, self._done = requests, tally, pause_s, done
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not say that it is one
        self._next()

    def data_received(self, data: bytes) -> None:
        """Judge an answer once it is whole."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._received = b""
        status = head[9:12]
        if status == b"503":
            self._tally.retries += 1
            asyncio.get_running_loop().call_later(_RETRY_S, self._transport.write, self._request)
            return
        self._tally.latencies_s.append(time.perf_counter() - self._began_s)
        self._tally.refused += status != b"200"
        if self._pause_s:
            asyncio.get_running_loop().call_later(self._pause_s, self._next)
        else:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """A server that hangs up is no fair measure."""
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed a connection"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._done.set_result(None)
            self._transport.close()
            return
        self._request = request
        self._began_s = time.perf_counter()
        self._transport.write(request)


async def run(url: str, clients: int, pause_s: float, prepared: Iterable[bytes]) -> tuple[float, Tally]:
    """Send everything; how long it took, in seconds, and what was seen."""
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    loop = asyncio.get_running_loop()
    tally, shared = Tally(), iter(prepared)
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(clients)]
    began_s = time.perf_counter()
    for done in ends:
        await loop.create_connection(partial(Client, shared, tally, pause_s, done), address.hostname, address.port)
    await asyncio.gather(*ends)
    return time.perf_counter() - began_s, tally


def main() -> int:
    """Run, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--readings", type=int, default=1000)
    parser.add_argument("--sensors", type=int, default=200)
    parser.add_argument("--per-s", type=float, default=0, help="about so many in all, with pauses; else as fast as they go")
    parser.add_argument("--get")
    parser.add_argument("--batch", type=int, default=0, help="readings in a request; 0 for single PUTs")
    parser.add_argument("--now", action="store_true", help="measured from now on, once a second, not in a March")
    a = parser.parse_args()
    start, key = datetime.now(UTC) if a.now else _START, os.environ.get(KEY_VARIABLE, "")
    made = requests(urlsplit(a.url).netloc, a.readings, a.sensors, a.get, batch=a.batch, start=start, key=key)
    prepared = made if a.per_s else list(made)  # at full speed nothing is made on the way
    cpu_s = time.process_time()
    seconds, tally = uvloop.run(run(a.url, a.clients, a.clients / a.per_s if a.per_s else 0, prepared))
    latencies = sorted(tally.latencies_s)
    readings = a.readings if a.batch else len(latencies)
    result = {
        "seconds": seconds,
        "readings": readings,
        "per_s": readings / seconds,
        "p50_s": latencies[len(latencies) // 2],
        "p99_s": latencies[len(latencies) * 99 // 100],
        "retries": tally.retries,
        "refused": tally.refused,
        "own_cpu_s": time.process_time() - cpu_s,
        "own_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
