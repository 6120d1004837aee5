"""Looks that take long: a page waits for a new one only a little where there is an older one that still says something."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

_WAITED_S = 0.25


class Lasting[T]:
    """What looks saw last."""

    def __init__(self, look: Callable[[], Awaitable[T]], *, fresh_s: float, lasts_s: float) -> None:
        """What was seen is not looked at again within `fresh_s`; it may be `lasts_s` old where nothing newer comes in time."""
        self._look_anew = look
        self._fresh_s = fresh_s
        self._lasts_s = lasts_s
        self._last: tuple[T, float] | None = None

    async def get(self) -> T:
        """What was seen last. Raises what looking raised when that is too old, or nothing was seen yet."""
        age_s = time.monotonic() - self._last[1] if self._last else math.inf
        if age_s >= self._fresh_s:
            looking = asyncio.ensure_future(self._look())
            looking.add_done_callback(_take_note)
            await (asyncio.wait([looking], timeout=_WAITED_S) if age_s < self._lasts_s else looking)
        assert self._last
        return self._last[0]

    async def _look(self) -> None:
        self._last = await self._look_anew(), time.monotonic()


def _take_note(looking: "asyncio.Future[None]") -> None:
    """Of a look that nobody waits for any more: if it failed, the next one tells, where there is no older one."""
    if not looking.cancelled():
        looking.exception()
