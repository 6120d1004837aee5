"""How many sensors have been silent for a while, counted now and then for all pages."""

import asyncio
import time
from typing import TYPE_CHECKING, Final

from producer_api.pages.wording import SILENT_COUNTED_MAX
from producer_api.shared import Shared
from projections.dynamodb_reads import AwsReads
from projections.effects import run
from projections.generations import LiveNames
from projections.sensors import Silent, silence

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_COUNTED_FOR_S: Final = 30.0
"""Who asks within so long of a count gets what it found."""
_WAITED_S: Final = 0.1
"""A page waits so long for a new count where there is an older one."""
SILENT_AFTER_S: Final = 15 * 60
"""A sensor that sent nothing for so long is silent (contract, "Reading")."""
GONE_AFTER_S: Final = 30 * 86_400
"""And one that is silent for so long is told apart."""
_SEEN_WITHIN_S: Final = 3_600
"""The directory knows when a sensor was seen to the hour: its last reading came up to so much later than that."""


def gone_s(now_s: int) -> int:
    """Sensors that the directory saw last before this are gone."""
    return now_s - GONE_AFTER_S - _SEEN_WITHIN_S


class Silence:
    """Knows how many sensors of the live generation are silent."""

    def __init__(self, dynamodb: "DynamoDBClient", live: LiveNames) -> None:
        self._dynamodb = dynamodb
        self._live = live
        self._counts = Shared(self._count, _COUNTED_FOR_S)
        self._last: Silent | None = None

    async def get(self) -> Silent:
        """The last count. Raises boto3's errors, StoreUnavailable and NotSetUp when there is none yet."""
        counting = asyncio.ensure_future(self._counts.get())
        if self._last is not None:
            await asyncio.wait([counting], timeout=_WAITED_S)
        if self._last is None or (counting.done() and not counting.exception()):
            self._last = await counting
        counting.add_done_callback(_take_note)
        return self._last

    def _count(self) -> Silent:
        now_s = int(time.time())
        reads = AwsReads(self._dynamodb, self._live.names(self._live.pointer().generation))
        return run(silence(gone_s(now_s), now_s - SILENT_AFTER_S - _SEEN_WITHIN_S, SILENT_COUNTED_MAX), reads)


def _take_note(counting: "asyncio.Future[Silent]") -> None:
    """Of a count that nobody waits for: if it failed, the next page tries again and says so where there is no older one."""
    if not counting.cancelled():
        counting.exception()
