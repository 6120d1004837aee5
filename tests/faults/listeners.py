"""Clients of a live stream that do what pages do: apply what comes, and come back when they are left."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any
from urllib.parse import urlsplit

_COMES_BACK_S = 3.0
"""At most; pages take longer, so that they do not come all at once."""


class Listener:
    """One page's state."""

    def __init__(self) -> None:
        self.generation = 0
        self.stats: dict[str, Any] = {}
        self.windows: dict[str, Any] = {}
        """By their start."""

    def apply(self, name: str, data: Any) -> None:
        """An event."""
        if name == "snapshot":
            self.generation = data["generation"]
            self.stats, self.windows = data["stats"], {window["start"]: window for window in data["windows"]}
        elif name == "stats":
            self.stats = data
        elif name in {"window", "correction"}:
            self.windows[data["start"]] = data

    def agrees(self, snapshot: Any) -> bool:
        """Whether figures and windows are those of a snapshot; of how old they are nothing is said."""
        figures = {name: value for name, value in self.stats.items() if name not in {"AsOf", "LagMs"}}
        theirs = {name: value for name, value in snapshot["stats"].items() if name not in {"AsOf", "LagMs"}}
        return figures == theirs and all(self.windows.get(window["start"]) == window for window in snapshot["windows"])


class Listeners:
    """Many of them on a loop and a thread of their own."""

    def __init__(self, url: str, count: int) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname, address.port
        self.all = [Listener() for _ in range(count)]
        self.events: Counter[str] = Counter()
        self._rng = Random(22)  # noqa: S311  repeatable on purpose
        self._begun = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._listen(),))
        self._thread.start()
        self._begun.wait()

    def stop(self) -> None:
        """Leave."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _listen(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        tasks = [asyncio.create_task(self._stay(listener)) for listener in self.all]
        self._begun.set()
        await self._over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _stay(self, listener: Listener) -> None:
        while True:
            try:
                await self._once(listener)
            except OSError:
                self.events["unreachable"] += 1
            else:
                self.events["left"] += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), self._rng.uniform(0, _COMES_BACK_S))

    async def _once(self, listener: Listener) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=2**18)
        try:
            writer.write(f"GET /api/live HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n\r\n".encode())
            name = ""
            async for line in reader:
                if line.startswith(b"event: "):
                    name = line[7:].decode().strip()
                    self.events[name] += 1
                elif line.startswith(b"data: "):
                    listener.apply(name, json.loads(line[6:]))
        finally:
            writer.close()


@contextmanager
def listeners(url: str, count: int) -> Iterator[Listeners]:
    """So many for the block."""
    made = Listeners(url, count)
    try:
        yield made
    finally:
        made.stop()
