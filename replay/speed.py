"""The pace of a replay into something: as fast as it goes, or at a multiple of the pace at which things once arrived."""

from collections.abc import Callable


class Pacing:
    """Waits for the time of what is sent."""

    def __init__(self, speed: float | None, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """`speed`: so many times as fast as it arrived; None for no waits. `clock` and `sleep` take and tell seconds."""
        self._speed, self.clock, self.sleep = speed, clock, sleep
        self._begun: tuple[float, int] | None = None
        """By our clock, and by when the first one arrived."""

    def wait(self, arrived_ms: int, *, before: Callable[[], object]) -> None:
        """Until it is time for what arrived then, if that has not passed; `before` is done before a wait."""
        if self._speed is None:
            return
        if self._begun is None:
            self._begun = self.clock(), arrived_ms
        begun_s, first_ms = self._begun
        if (wait_s := begun_s + (arrived_ms - first_ms) / 1000 / self._speed - self.clock()) > 0:
            before()
            self.sleep(wait_s)
