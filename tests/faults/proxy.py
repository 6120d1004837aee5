"""A proxy between our processes and LocalStack that spoils calls by seeded rules (hazard H23: LocalStack itself cannot).

Speaks HTTP/1.1 with the AWS JSON protocols, which is all boto3 and KCL's DynamoDB client use here. KCL reads Kinesis over
HTTP/2; those connections are passed on as they are, and can only be cut.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

from tests.faults.faults import Cut, Fault, Request, Response

_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault for calls of one service (`Kinesis`, `DynamoDB`), operation and table; empty names stand for all of them.

    `share` is the part of the calls it strikes.
    """

    fault: Fault
    service: str = ""
    operation: str = ""
    table: str = ""
    share: float = 1.0

    def concerns(self, request: Request) -> bool:
        """Whether a call is one of those it may strike."""
        return (
            self.service in ("", request.service)
            and self.operation in ("", request.operation)
            and (not self.table or f'"{self.table}"'.encode() in request.body)
        )


type Hook = Callable[[Request], bool]
"""Is shown every answered call; True when it need not be called again."""


class FaultProxy:
    """Relays to `endpoint`. Rules may be set at any time from any thread; the first that strikes a call is applied."""

    def __init__(self, endpoint: str, seed: int) -> None:
        parts = urlsplit(endpoint)
        self._target = parts.hostname or "", parts.port or 80
        self._rng = Random(seed)  # noqa: S311  repeatable on purpose
        self.rules: Sequence[Rule] = ()
        self.struck: Counter[str] = Counter()
        """How often each fault was applied, by its name."""
        self.refused: Counter[str] = Counter()
        """Conditional writes that were refused, by table."""
        self.calls: Counter[str] = Counter()
        """Calls by service, operation and table; those to several tables by the first."""
        self.hooks: list[Hook] = []
        self.url = ""
        self._tunnels: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault-proxy")
        self._thread.start()
        self._started.wait()

    def close(self) -> None:
        """End every connection."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def cut_tunnels(self) -> None:
        """Cut the connections KCL reads Kinesis over."""

        def cut() -> None:
            for tunnel in self._tunnels:
                tunnel.transport.abort()

        self._loop.call_soon_threadsafe(cut)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        # Connections that were aborted last are closed in the loop's next turn.
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._started.set()
        await self._stopping.wait()
        server.close()
        server.abort_clients()  # also those whose task has not begun, and never will
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far_out: asyncio.StreamWriter | None = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, Cut):
            far_in, far_out = await asyncio.open_connection(*self._target)
            head = await near_in.readuntil(b"\r\n\r\n")
            if head == _HTTP2_PREFACE:
                await self._tunnel(head, (near_in, near_out), (far_in, far_out))
            while True:
                request = Request(head, await near_in.readexactly(_length(head)))
                response = await self._answer(request, far_in, far_out)
                near_out.write(response.encode())
                await near_out.drain()
                head = await near_in.readuntil(b"\r\n\r\n")
        for writer in (near_out, far_out):
            if writer:
                writer.transport.abort()

    async def _answer(self, request: Request, far_in: asyncio.StreamReader, far_out: asyncio.StreamWriter) -> Response:
        async def forward(asked: Request) -> Response:
            far_out.write(asked.encode())
            await far_out.drain()
            head = await far_in.readuntil(b"\r\n\r\n")
            return Response(head, await far_in.readexactly(_length(head)))

        self.calls[f"{request.service} {request.operation} {request.table}"] += 1
        rule = next((rule for rule in self.rules if rule.concerns(request) and self._rng.random() < rule.share), None)
        if rule:
            self.struck[rule.fault.__name__] += 1
            response = await rule.fault(request, forward, self._rng)
        else:
            response = await forward(request)
        if b"ConditionalCheckFailed" in response.body:
            self.refused[request.table] += 1
        self.hooks = [hook for hook in self.hooks if not hook(request)]
        return response

    async def _tunnel(self, head: bytes, near: tuple[Any, Any], far: tuple[Any, Any]) -> None:
        if any(rule.share == 1 and rule.service in ("", "Kinesis") and not rule.operation for rule in self.rules):
            raise Cut
        self._tunnels.add(near[1])
        far[1].write(head)
        try:
            await asyncio.gather(_pump(near[0], far[1]), _pump(far[0], near[1]))
        finally:
            self._tunnels.discard(near[1])
        raise Cut


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    raise Cut


def _length(head: bytes) -> int:
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    assert b"transfer-encoding" not in fields, head
    return int(fields.get(b"content-length", b"0"))


@contextmanager
def fault_proxy(endpoint: str, seed: int = 1) -> Iterator[FaultProxy]:
    """A proxy for one test."""
    proxy = FaultProxy(endpoint, seed)
    try:
        yield proxy
    finally:
        proxy.close()
