"""A replay into an API: its readings sent again, as fast as they go or at a multiple of the pace at which they once arrived."""

import json
from collections.abc import Callable, Sequence

from replay.api import LINES_MAX, Sent
from replay.events import Event
from telemetry.reading import decimal_text, rfc3339


class IntoApi:
    """Sends events as the readings that they are of."""

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], Sent],
        speed: float | None,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """`speed`: so many times as fast as they arrived; None for no waits. `clock` and `sleep` take and tell seconds."""
        self._send, self._speed, self._clock, self._sleep = send, speed, clock, sleep
        self._begun: tuple[float, int] | None = None
        """By our clock, and by when the first one arrived."""
        self._held: list[bytes] = []
        self.stored = 0
        self.refused = 0

    def write(self, event: Event, *, repeat: bool) -> None:  # noqa: ARG002  it was sent twice, and is again
        """One more reading, when its time has come. What has not come by then is not waited for."""
        if self._speed is not None:
            self._await(event.record.arrived_ms, self._speed)
        reading = event.reading
        line = {
            "sensorId": reading.sensor_id,
            "temperature": decimal_text(reading.temperature_micro),
            "timestamp": rfc3339(reading.measured_at_us),
        }
        self._held.append(json.dumps(line).encode())
        if len(self._held) >= LINES_MAX:
            self.save()

    def is_due(self) -> bool:
        """Nobody goes on with it."""
        return False

    def save(self) -> int:
        """What is held is sent."""
        if self._held:
            sent = self._send(self._held)
            self.stored, self.refused = self.stored + sent.stored, self.refused + len(sent.refused)
            self._held = []
        return 0

    def _await(self, arrived_ms: int, speed: float) -> None:
        if self._begun is None:
            self._begun = self._clock(), arrived_ms
        begun_s, first_ms = self._begun
        if (wait_s := begun_s + (arrived_ms - first_ms) / 1000 / speed - self._clock()) > 0:
            self.save()
            self._sleep(wait_s)
