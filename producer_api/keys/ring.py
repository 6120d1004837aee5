"""The keys that a process has seen, so that the table is asked seldom and may be away.

A key is taken as it was read for ten seconds: so long a revoked one goes on. Half-way it is read again beside. While the table
cannot be read it is taken for ten minutes more, so that readings go on. That an id was refused is remembered for ten seconds.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from telemetry.errors import KeysUnavailable
from telemetry.keys import Key
from telemetry.logs import SparseLog
from telemetry.retry import SENSELESS, error_code

FRESH_S: Final = 10.0
STALE_S: Final = 600.0
_AGAIN_S: Final = FRESH_S / 2
"""From when on a key that is used is read again, while it is still taken as it is."""
_AFTER_FAILURE_S: Final = 1.0
"""How long a table that failed is not asked again for a key that is known."""
_READ_S_MAX: Final = 1.0
"""How long a request waits for the table."""
_KEPT_MAX: Final = 10_000
"""Ids that are remembered, those longest unused forgotten first."""

log = SparseLog(__name__)


class _Read(NamedTuple):
    """What the table said of an id."""

    key: Key | None
    at_s: float
    """When that read began."""


class Ring:
    """Keys by id. `find` blocks and raises boto3's errors; `clock_s` goes forward."""

    def __init__(self, find: Callable[[str], Key | None], clock_s: Callable[[], float]) -> None:
        self._find = find
        self._clock_s = clock_s
        self._known: OrderedDict[str, _Read] = OrderedDict()
        """Keys that there are. Ids that somebody tries push none of them out."""
        self._failed_s: dict[str, float] = {}
        """For those whose last read failed, when it did."""
        self._refused_s: OrderedDict[str, float] = OrderedDict()
        """When an id was refused last, whether there is no such key or the secret was wrong."""
        self._reading: dict[str, asyncio.Task[_Read | None]] = {}
        self._overdue: set[str] = set()
        """Those of them for which nobody waits any more."""

    def known(self, key_id: str) -> Key | None:
        """A key as it was read last, within ten minutes; nobody is asked."""
        known = self._known.get(key_id)
        return known.key if known and self._clock_s() - known.at_s < FRESH_S + STALE_S else None

    def peek(self, key_id: str) -> Key | None:
        """The same, and asks anew beside where that is some seconds old: for who uses a key for long."""
        known = self._known.get(key_id)
        if known is None or self._clock_s() - known.at_s >= _AGAIN_S:
            self._read_beside(key_id)
        return self.known(key_id)

    async def current(self, key_id: str) -> Key | None:
        """A key that is `known` as it is, or was within the last seconds; None where it is no more.

        As it was, while the table cannot be read.
        """
        known, now_s = self._known[key_id], self._clock_s()
        self._known.move_to_end(key_id)
        age_s = now_s - known.at_s
        if age_s < FRESH_S:
            if age_s >= _AGAIN_S:
                self._read_beside(key_id)
            return known.key
        if self._failed_lately(key_id) or key_id in self._overdue:
            return known.key
        read = await self._read(key_id)
        return read.key if read else known.key

    async def ask(self, key_id: str) -> Key | None:
        """A key as the table has it; None where there is none. Raises KeysUnavailable when it cannot be read."""
        read = await self._read(key_id)
        if read is None:
            raise KeysUnavailable("The table of keys does not answer.")
        return read.key

    def refuse(self, key_id: str) -> None:
        """A key of this id was tried and is none, or its secret was wrong."""
        self._refused_s[key_id] = self._clock_s()
        self._refused_s.move_to_end(key_id)
        while len(self._refused_s) > _KEPT_MAX:
            self._refused_s.popitem(last=False)

    def refused(self, key_id: str) -> bool:
        """Whether that was within the last ten seconds."""
        return self._clock_s() - self._refused_s.get(key_id, float("-inf")) < FRESH_S

    def _failed_lately(self, key_id: str) -> bool:
        return self._clock_s() - self._failed_s.get(key_id, float("-inf")) < _AFTER_FAILURE_S

    async def _read(self, key_id: str) -> _Read | None:
        """What the table says, to as many as ask at once; None where it does not in time."""
        task = self._reading_of(key_id)
        await asyncio.wait([task], timeout=_READ_S_MAX)
        if task.done():
            return task.result()
        self._overdue.add(key_id)
        return None

    def _read_beside(self, key_id: str) -> None:
        """Have it read, unless that failed just now; nobody waits."""
        if not self._failed_lately(key_id):
            self._reading_of(key_id)

    def _reading_of(self, key_id: str) -> asyncio.Task[_Read | None]:
        task = self._reading.get(key_id)
        if task is None:
            task = self._reading[key_id] = asyncio.create_task(self._read_on(key_id))
            task.add_done_callback(lambda _: self._forget_read(key_id))
        return task

    def _forget_read(self, key_id: str) -> None:
        del self._reading[key_id]
        self._overdue.discard(key_id)

    async def _read_on(self, key_id: str) -> _Read | None:
        began_s = self._clock_s()
        try:
            key = await asyncio.to_thread(self._find, key_id)
        except (ClientError, BotoCoreError, *SENSELESS) as error:
            log.warning("keys_not_read", error=error_code(error))
            if key_id in self._known:
                self._failed_s[key_id] = self._clock_s()
            return None
        read = _Read(key, began_s)
        self._failed_s.pop(key_id, None)
        if key is None:
            self._known.pop(key_id, None)
            return read
        self._known[key_id] = read
        self._known.move_to_end(key_id)
        while len(self._known) > _KEPT_MAX:
            self._failed_s.pop(self._known.popitem(last=False)[0], None)
        return read
