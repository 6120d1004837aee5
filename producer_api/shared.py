"""One blocking read for all who ask at the same moment."""

import asyncio
from collections.abc import Callable

from producer_api.outage import Outage
from telemetry.errors import StoreUnavailable
from telemetry.retry import error_code

READ_S_MAX = 2.0
"""How long a read may take; a store that accepts and never answers is one that is away."""


class Shared[T]:
    """One blocking read for all who ask while it runs or within `for_s` of its start.

    Under load one query answers many requests, and a store that hangs is asked once, not by every request anew: each is told
    StoreUnavailable after `READ_S_MAX`.
    """

    def __init__(self, read: Callable[[], T], for_s: float) -> None:
        self.outage = Outage()
        self._read = read
        self._for_s = for_s
        self._task: asyncio.Task[T] | None = None
        self._thread: asyncio.Future[T] | None = None
        self._started_s = 0.0

    async def get(self) -> T:
        """The read's answer; raises what the read raised."""
        now_s = asyncio.get_running_loop().time()
        if self._task is None or (self._task.done() and now_s - self._started_s >= self._for_s):
            self._started_s = now_s
            self._task = asyncio.create_task(self._read_in_time())
        return await asyncio.shield(self._task)

    async def _read_in_time(self) -> T:
        if self._thread is None or self._thread.done():
            self._thread = asyncio.ensure_future(asyncio.to_thread(self._read))
        await asyncio.wait([self._thread], timeout=READ_S_MAX)
        if not self._thread.done():
            self.outage.failed("Timeout", lasting=False)
            raise StoreUnavailable(f"no answer within {READ_S_MAX:g} s")
        if error := self._thread.exception():
            self.outage.failed(error_code(error) if isinstance(error, Exception) else "", lasting=False)
            raise error
        self.outage.passed()
        return self._thread.result()
