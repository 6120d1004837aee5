"""One blocking read for all who ask at the same moment."""

import asyncio
from collections.abc import Callable
from time import monotonic

from producer_api.outage import Outage
from telemetry.errors import StoreUnavailable
from telemetry.retry import error_code

READ_S_MAX = 2.0
"""How long a read may take; a store that accepts and never answers is one that is away."""


SHARED_AGE_S_MAX = 1.0
"""A read that began longer before a question answers it no more. A promote moves the pointer later after it was announced than
that, so whoever did not see it announced did not see the pointer before it moved either."""


class Shared[T]:
    """One blocking read for all who ask while it runs or within `for_s` of its start.

    Under load one query answers many requests, and a store that hangs is asked once, not by every request anew: each is told
    StoreUnavailable after `READ_S_MAX`. An answer that `passes` is for those alone who asked before it was read.
    """

    def __init__(self, read: Callable[[], T], for_s: float, passes: Callable[[T], bool] = lambda _: False) -> None:
        self.outage = Outage()
        self._read = read
        self._for_s = for_s
        self._passes = passes
        self._task: asyncio.Task[tuple[float, T]] | None = None
        self._thread: asyncio.Future[T] | None = None
        self._began_s = 0.0
        """When the last read began."""

    async def get(self) -> T:
        """The read's answer; raises what the read raised."""
        asked_s = monotonic()
        while True:
            if self._task is None or (self._task.done() and self._is_over(self._task, asked_s, monotonic())):
                self._task = asyncio.create_task(self._read_in_time())
            began_s, answer = await asyncio.shield(self._task)
            if self._serves(began_s, answer, asked_s):
                return answer

    def _is_over(self, task: asyncio.Task[tuple[float, T]], asked_s: float, now_s: float) -> bool:
        """Whether what was read last is for nobody any more, or not for who asked then."""
        return now_s - self._began_s >= self._for_s or (not task.exception() and not self._serves(*task.result(), asked_s))

    def _serves(self, began_s: float, answer: T, asked_s: float) -> bool:
        if began_s >= asked_s:
            return True
        return asked_s - began_s < max(self._for_s, SHARED_AGE_S_MAX) and not self._passes(answer)

    async def _read_in_time(self) -> tuple[float, T]:
        """When the read began, and its answer."""
        if self._thread is None or self._thread.done():
            self._began_s = monotonic()
            self._thread = asyncio.ensure_future(asyncio.to_thread(self._read))
        began_s = self._began_s
        await asyncio.wait([self._thread], timeout=READ_S_MAX)
        if not self._thread.done():
            self.outage.failed("Timeout", lasting=False)
            raise StoreUnavailable(f"no answer within {READ_S_MAX:g} s")
        if error := self._thread.exception():
            self.outage.failed(error_code(error) if isinstance(error, Exception) else "", lasting=False)
            raise error
        self.outage.passed()
        return began_s, self._thread.result()
