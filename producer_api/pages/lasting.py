"""Looks that take long: a page waits for a new one only a little where there is an older one that still says something."""

import asyncio
import time

from producer_api.shared import Shared

_WAITED_S = 0.25


class Lasting[T]:
    """What shared looks saw last."""

    def __init__(self, looks: Shared[T], for_s: float) -> None:
        """`for_s` is how old what was seen may be where nothing newer is to be had in time."""
        self._looks = looks
        self._for_s = for_s
        self._last: tuple[T, float] | None = None

    async def get(self) -> T:
        """What was seen last. Raises what looking raised when that is too old, or nothing was seen yet."""
        looking = asyncio.ensure_future(self._look())
        looking.add_done_callback(_take_note)
        if self._last and time.monotonic() - self._last[1] < self._for_s:
            await asyncio.wait([looking], timeout=_WAITED_S)
        else:
            await looking
        assert self._last
        return self._last[0]

    async def _look(self) -> None:
        self._last = await self._looks.get(), time.monotonic()


def _take_note(looking: "asyncio.Future[None]") -> None:
    """Of a look that nobody waits for any more: if it failed, the next one tells, where there is no older one."""
    if not looking.cancelled():
        looking.exception()
