"""For how long something has failed, and as what: told to clients as Retry-After, and to whoever asks whether we are ready."""

import threading
import time
from collections.abc import Callable

_RECENT_S = 30.0
"""A failure that nothing followed for so long says nothing of now: nobody may have asked since."""


class Outage:
    """From a failure to the next success. May be told from several threads."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._since_s: float | None = None
        self._last_s = 0.0
        self._lasting = False
        self.code = ""
        """What it failed with last, by a name that may be told to anybody; empty when it last passed."""

    def failed(self, code: str, *, lasting: bool) -> None:
        """It failed; `lasting` says that the same request would fail again."""
        with self._lock:
            self._last_s = self._clock_s()
            self._since_s = self._last_s if self._since_s is None else self._since_s
            self.code, self._lasting = code, lasting

    def passed(self) -> None:
        """It succeeded."""
        if self.code:
            with self._lock:
                self._since_s, self.code = None, ""

    @property
    def lasted_s(self) -> float:
        """For how long it has failed; 0 when it last passed."""
        since_s = self._since_s
        return 0.0 if since_s is None else self._clock_s() - since_s

    @property
    def state(self) -> str:
        """`ok`, or the code of a recent failure that will not pass by itself."""
        recent = self._lasting and self._clock_s() - self._last_s < _RECENT_S
        return self.code if self.code and recent else "ok"
