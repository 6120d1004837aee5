"""The keys that a process has seen, so that the table is asked seldom and may be away.

A key is taken as it was read for ten seconds: so long a revoked one goes on. Half-way it is read again beside. While the table
cannot be read it is taken for ten minutes more, so that readings go on. That there is no such key is remembered for ten
seconds.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

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
"""How long a table that failed is not asked again for the same key."""
_READ_S_MAX: Final = 1.0
"""How long a request waits for the table."""
_KEPT_MAX: Final = 10_000
"""Ids that are remembered, those longest unused forgotten first."""

log = SparseLog(__name__)


@dataclass(slots=True, eq=False)
class _Known:
    """What was read of an id."""

    key: Key | None
    read_s: float
    """When that read began."""
    failed_s: float = float("-inf")
    """When the last read after it failed."""


class Ring:
    """Keys by id. `find` blocks and raises boto3's errors; `clock_s` goes forward."""

    def __init__(self, find: Callable[[str], Key | None], clock_s: Callable[[], float]) -> None:
        self._find = find
        self._clock_s = clock_s
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._overdue: set[str] = set()
        """Those of them for which nobody waits any more."""

    def knows(self, key_id: str) -> bool:
        """Whether it can be told of an id without asking the table."""
        known = self._known.get(key_id)
        return known is not None and self._clock_s() - known.read_s < (FRESH_S if known.key is None else STALE_S)

    def peek(self, key_id: str) -> Key | None:
        """A key as it was read last, and asks anew beside where that is some seconds old: for who uses it for long."""
        known = self._known.get(key_id)
        if known is None or self._clock_s() - known.read_s >= _AGAIN_S:
            self._read(key_id)
        if known is None or self._clock_s() - known.read_s >= FRESH_S + STALE_S:
            return None
        return known.key

    async def get(self, key_id: str) -> Key | None:
        """A key as it is, or was within the last seconds; None where there is none.

        Raises KeysUnavailable when the table cannot be read and was not within ten minutes.
        """
        known, now_s = self._known.get(key_id), self._clock_s()
        if known is not None:
            self._known.move_to_end(key_id)
            age_s = now_s - known.read_s
            if age_s < FRESH_S:
                if age_s >= _AGAIN_S and known.key is not None:
                    self._read(key_id)
                return known.key
            if now_s - known.failed_s < _AFTER_FAILURE_S or key_id in self._overdue:
                return _stale(known, now_s)
        task = self._read(key_id)
        if task is not None:
            await asyncio.wait([task], timeout=_READ_S_MAX)
            if not task.done():
                self._overdue.add(key_id)
        now_known = self._known.get(key_id)
        if now_known is not None and self._clock_s() - now_known.read_s < FRESH_S:
            return now_known.key
        return _stale(known, self._clock_s())

    def _read(self, key_id: str) -> asyncio.Task[None] | None:
        """Have it read, unless that was just tried; None then."""
        task = self._reading.get(key_id)
        if task is None:
            known = self._known.get(key_id)
            if known is not None and self._clock_s() - known.failed_s < _AFTER_FAILURE_S:
                return None
            task = self._reading[key_id] = asyncio.create_task(self._read_on(key_id))
            task.add_done_callback(lambda _: self._forget_read(key_id))
        return task

    def _forget_read(self, key_id: str) -> None:
        del self._reading[key_id]
        self._overdue.discard(key_id)

    async def _read_on(self, key_id: str) -> None:
        began_s = self._clock_s()
        try:
            key = await asyncio.to_thread(self._find, key_id)
        except (ClientError, BotoCoreError, *SENSELESS) as error:
            log.warning("keys_not_read", error=error_code(error))
            if known := self._known.get(key_id):
                known.failed_s = self._clock_s()
            return
        self._known[key_id] = _Known(key, began_s)
        self._known.move_to_end(key_id)
        while len(self._known) > _KEPT_MAX:
            self._known.popitem(last=False)


def _stale(known: _Known | None, now_s: float) -> Key:
    """A key as it was, while the table is away."""
    if known is None or known.key is None or now_s - known.read_s >= FRESH_S + STALE_S:
        raise KeysUnavailable("The table of keys does not answer.")
    return known.key
