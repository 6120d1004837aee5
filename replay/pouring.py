"""A replay into an API: its readings sent again, as fast as they go or at a multiple of the pace at which they once arrived."""

import json
from collections.abc import Callable, Sequence

from replay.api import LINES_MAX, Sent
from replay.events import Event
from replay.speed import Pacing
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
        self._send, self._pacing = send, Pacing(speed, clock, sleep)
        self._held: list[bytes] = []
        self.stored = 0
        self.refused = 0

    def write(self, event: Event, *, repeat: bool) -> None:  # noqa: ARG002  it was sent twice, and is again
        """One more reading, when its time has come. What has not come by then is not waited for."""
        self._pacing.wait(event.record.arrived_ms, before=self.save)
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
