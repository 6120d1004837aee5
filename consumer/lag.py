"""Tells once a minute how far the projection is behind the log, as a line of the log that a metric is made of.

KCL has such a figure, but tells it with some forty others, each of which CloudWatch bills by shard and worker.
"""

import structlog

from operations.observation import Observation
from operations.verdicts import furthest_behind_us

_EVERY_S = 60.0

log = structlog.get_logger(__name__)


class LagTold:
    """Looked at with every look; speaks once a minute."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def see(self, seen: Observation, now_s: float, now_us: int) -> None:
        """Take in a look. Of a shard of which nothing is known nothing is told: silence alarms as lag does.

        `now_s` is by a clock that nobody sets, `now_us` by the day's (microseconds since 1970).
        """
        if now_s < self._next_s or (lag_us := furthest_behind_us(seen, now_us)) is None:
            return
        self._next_s = now_s + _EVERY_S
        log.info("projection_lag", lag_ms=lag_us // 1000)
