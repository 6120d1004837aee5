"""A batch on its way into the log: each sensor's readings in their order, and no more at once than leaves room for others.

What is sent together is a lot: events of one sensor that share a record, so that they are stored in their order, all or none.
A sensor's next lot is sent when the one before is known to be stored: calls are under way side by side and are tried again, and
would else overtake one another. Most sensors have one lot in a batch.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from producer_api.writing.commit import Pending, Receipt, Unconfirmed
from producer_api.writing.writer import Writer
from telemetry.errors import NotStored, Overloaded, Refused
from telemetry.limits import PACKED_EVENT_BYTES_TARGET

AT_ONCE: Final = 100
"""Items between two turns of the event loop: some 3 ms, for which everybody else waits."""

_BODIES_MAX: Final = 64
"""Batches in memory at once, while they come or wait for their turn: 128 MiB of bodies at most."""

_SENT_MAX: Final = 4
"""Batches that are parsed and stored at once. One fills a core while it is parsed, and each may hold 5,000 events."""

_NO_ROOM_S: Final = 0.1
"""How long a lot that found no room waits before it tries again, unless something of the batch is told of before."""


async def unhurried[T](items: Iterable[T]) -> AsyncIterator[T]:
    """The items, and a turn of the event loop for others after every hundred."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % AT_ONCE:
            await asyncio.sleep(0)


class Turns:
    """How many batches are in hand at once."""

    def __init__(self, bodies_max: int = _BODIES_MAX, sent_max: int = _SENT_MAX) -> None:
        self._bodies = asyncio.Semaphore(bodies_max)
        self._sent = asyncio.Semaphore(sent_max)

    @asynccontextmanager
    async def to_be_read(self, wait_s: float) -> AsyncIterator[None]:
        """For the block, a place in memory. Raises Overloaded when none is free in time."""
        await _acquire(self._bodies, wait_s)
        try:
            yield
        finally:
            self._bodies.release()

    @asynccontextmanager
    async def to_be_sent(self, wait_s: float) -> AsyncIterator[None]:
        """For the block, a turn. Raises Overloaded when it does not come in time."""
        await _acquire(self._sent, wait_s)
        try:
            yield
        finally:
            self._sent.release()


async def _acquire(places: asyncio.Semaphore, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await places.acquire()
    except TimeoutError:
        raise Overloaded("Too many batches are on their way.") from None


@dataclass(slots=True, eq=False)
class Lot:
    """Events of one sensor that are stored together, and what became of them."""

    sensor_id: str
    events: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    fate: Receipt | type[NotStored] = Overloaded
    """Where they are, or what is known in place of it; nothing is sent of what found no room."""
    next: "Lot | None" = None
    """The same sensor's, sent when this one is stored."""


class Sending:
    """The readings of one batch."""

    def __init__(self, writer: Writer, hung_up: Callable[[], bool]) -> None:
        self._writer = writer
        self._hung_up = hung_up
        self._last: dict[str, Lot] = {}
        """Of each sensor."""
        self._ready: deque[Lot] = deque()
        self._sent: dict[Lot, Pending] = {}
        """And not told of yet."""
        self._news = asyncio.Event()

    def add(self, sensor_id: str, event: bytes) -> Lot:
        """Put an event behind those of its sensor."""
        lot = self._last.get(sensor_id)
        if lot is None or lot.size_bytes + len(event) >= PACKED_EVENT_BYTES_TARGET:
            before, self._last[sensor_id] = lot, (lot := Lot(sensor_id))
            if before:
                before.next = lot
            else:
                self._ready.append(lot)
        lot.events.append(event)
        lot.size_bytes += len(event) + 1
        return lot

    async def send(self, wait_s: float) -> None:
        """Send all; returns when everything's fate is known, or when the time is over: it then is what is known by then."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while (self._ready or self._sent) and (left_s := until_s - loop.time()) > 0:
            self._news.clear()
            found_room = await self._send_ready()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s if found_room else min(left_s, _NO_ROOM_S)):
                    await self._news.wait()
        for pending in list(self._sent.values()):
            pending.settle()

    async def _send_ready(self) -> bool:
        """Send what is ready; whether all found room. What did not goes to the end of the line."""
        refused = 0
        async for _ in unhurried(range(len(self._ready))):
            lot = self._ready.popleft()
            event, deadline_s, tell = b"\n".join(lot.events), self._writer.deadline(), partial(self._told, lot)
            pending = Pending(lot.sensor_id, event, deadline_s, tell, self._hung_up, len(lot.events), patient=True)
            try:
                self._writer.send(pending)
                self._sent[lot] = pending
            except Overloaded:
                self._ready.append(lot)
                refused += 1
                if refused == AT_ONCE:  # enough to know that there is no room
                    break
        return not refused

    def _told(self, lot: Lot, told: Receipt | Unconfirmed) -> None:
        del self._sent[lot]
        self._news.set()
        if isinstance(told, Receipt):
            lot.fate = told
            if lot.next:
                self._ready.append(lot.next)
            return
        lot.fate = Refused if told is Unconfirmed.NOT_STORED else NotStored
        after = lot.next
        while after:
            after.fate, after = Refused, after.next
