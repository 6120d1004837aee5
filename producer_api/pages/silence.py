"""How many sensors have been silent for a while, counted now and then for all pages. Blocking; for one thread."""

import time
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Final

from producer_api.pages.wording import SILENT_COUNTED_MAX
from projections.dynamodb_reads import AwsReads
from projections.effects import run
from projections.generations import LiveNames
from projections.sensors import Silent, silence

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SILENT_AFTER_S: Final = 15 * 60
"""A sensor that sent nothing for so long is silent (contract, "Reading")."""
GONE_AFTER_S: Final = 30 * 86_400
"""And one that is silent for so long is told apart."""
_SEEN_WITHIN_S: Final = 3_600
"""The directory knows when a sensor was seen to the hour: its last reading came up to so much later than that."""


def gone_s(now_s: int) -> int:
    """Sensors that the directory saw last before this are gone."""
    return now_s - GONE_AFTER_S - _SEEN_WITHIN_S


class SilenceCount:
    """Counts the silent sensors of the live generation."""

    def __init__(self, dynamodb: "DynamoDBClient", live: LiveNames, at_once: Executor) -> None:
        """`at_once` are threads to ask all parts of the directory on."""
        self._dynamodb = dynamodb
        self._live = live
        self._at_once = at_once

    def look(self) -> Silent:
        """Count them. Raises boto3's errors, and NotSetUp when there is no pointer."""
        now_s = int(time.time())
        reads = AwsReads(self._dynamodb, self._live.names(self._live.pointer()), threads=self._at_once)
        return run(silence(gone_s(now_s), now_s - SILENT_AFTER_S - _SEEN_WITHIN_S, SILENT_COUNTED_MAX), reads)
