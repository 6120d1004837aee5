"""Whether a record processor may write: not while a promote is under way, nor to tables that are not live any more.

The pointer is read strongly consistent at least once a second while anything is written. Who may not write waits in the middle
of what it does, so nothing is lost: the promote fails and it goes on, or the supervisor ends it, and its checkpoint stays where
everything was durable (`operations/promoting.py`).
"""

import threading
import time
from collections.abc import Callable

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from projections.generations import Pointer
from telemetry.errors import NotSetUp

POINTER_AGE_S_MAX = 1.0
"""A promote waits for longer before it believes that nobody writes (`SEEN_S` of `operations/promoting.py`; a test compares)."""
_LOOK_S = 0.25

log = structlog.get_logger(__name__)


class Following:
    """Follows the pointer on behalf of one generation's processor. `pinned` means that it was started for it, live or not.

    Used from threads. `read` asks for the pointer, and may raise boto3's errors.
    """

    def __init__(
        self,
        read: Callable[[], Pointer | None],
        generation: int,
        *,
        pinned: bool = False,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._read = read
        self._generation = generation
        self._pinned = pinned
        self._clock_s = clock_s
        self._sleep = sleep
        self._lock = threading.Lock()
        self._pointer: Pointer | None = None
        self._read_at_s = 0.0
        self._coming_since_s: float | None = None

    def begin(self) -> bool:
        """Return when a delivery may be begun: one that is short is not cut in the middle of its writes then.

        Says whether that had to be waited for: what has arrived meanwhile is not in it.
        """
        try:
            return self._wait(POINTER_AGE_S_MAX / 2)
        except (ClientError, BotoCoreError) as error:  # whoever writes asks again
            log.warning("pointer_not_read", error=str(error))
            return True

    def leave(self) -> None:
        """Return when the tables may be written. Raises boto3's errors, and NotSetUp when there is no pointer."""
        self._wait(POINTER_AGE_S_MAX)

    def _wait(self, age_s_max: float) -> bool:
        with self._lock:
            waits = False
            while not self._may_write(pointer := self._fresh(age_s_max)):
                if not waits:
                    waits = True
                    log.info("writes_wait", generation=self._generation, live=pointer.generation, next=pointer.next)
                self._sleep(_LOOK_S)
                self._pointer = None
            if waits:
                log.info("writes_go_on", generation=self._generation)
            return waits

    def hurried(self) -> bool:
        """Whether everything should be durable at once: a promote to this generation waits, and the live one has stopped."""
        with self._lock:
            if self._pointer and self._pointer.generation == self._generation:
                return False  # it is the live one
            try:
                coming = self._fresh(POINTER_AGE_S_MAX).next
            except (ClientError, BotoCoreError) as error:
                log.warning("pointer_not_read", error=str(error))
                return False
            if coming is None or coming.generation != self._generation:
                self._coming_since_s = None
                return False
            if self._coming_since_s is None:
                self._coming_since_s = self._clock_s()
            return self._clock_s() - self._coming_since_s >= POINTER_AGE_S_MAX

    def _may_write(self, pointer: Pointer) -> bool:
        return self._pinned if pointer.generation != self._generation else pointer.next is None

    def _fresh(self, age_s_max: float) -> Pointer:
        """The pointer, by a read that began no longer ago."""
        now_s = self._clock_s()
        if self._pointer is None or now_s - self._read_at_s >= age_s_max:
            self._pointer = None
            if (pointer := self._read()) is None:
                raise NotSetUp("there is no pointer any more")
            self._pointer, self._read_at_s = pointer, now_s
        return self._pointer
