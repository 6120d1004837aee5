"""What the endpoints share: made in `app.py`'s lifespan, handed to each request as typed state."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from producer_api.writer import Writer
from projections.queries import FleetStats
from telemetry.settings import Settings


class Shared[T]:
    """One blocking read for all who ask while it runs or within `for_s` of its start.

    Under load one query answers many requests, and a store that hangs is asked once, not by every request anew.
    """

    def __init__(self, read: Callable[[], T], for_s: float) -> None:
        self._read = read
        self._for_s = for_s
        self._task: asyncio.Task[T] | None = None
        self._started_s = 0.0

    async def get(self) -> T:
        """The read's answer; raises what the read raised."""
        now_s = asyncio.get_running_loop().time()
        if self._task is None or (self._task.done() and now_s - self._started_s >= self._for_s):
            self._started_s = now_s
            self._task = asyncio.create_task(asyncio.to_thread(self._read))
        return await asyncio.shield(self._task)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything an endpoint may use."""

    settings: Settings
    writer: Writer
    fleet: Shared[FleetStats]
    readiness: Shared[dict[str, Any]]


def services(request: Request) -> Services:
    """The services of the application that got this request."""
    found: Services = request.state.services
    return found
