"""Simulated sensors for `make run DEMO=1` and `telemetry simulate`: a daily curve with noise; some late, twice or broken."""

import http.client
import json
import math
import os
import random
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final, NamedTuple, TextIO
from urllib.parse import urlsplit

_SENSORS = 12
_PAUSE_S = 0.25
_LATE_MAX_S = 1800
_TIMEOUT_S = 10
_KEPT_MAX = 1000
_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


def temperature(sensor: int, at: datetime, noise: float) -> float:
    """Degrees Celsius at a time of day: coolest before dawn, warmest in the afternoon, each sensor in its own spot."""
    hour = at.hour + at.minute / 60
    daily = 5 * math.sin((hour - 9) / 24 * 2 * math.pi)
    return round(16 + sensor * 0.4 + daily + noise, 2)


class Shares(NamedTuple):
    """How many readings are not as they should be, 0 to 1."""

    late: float = 0.1
    repeated: float = 0.05
    broken: float = 0.0


_DEMO: Final = Shares()
_BROKEN: Final[Sequence[dict[str, object]]] = (
    {"temperature": "warm"},
    {"temperature": 85_000},
    {"sensorId": ""},
    {"timestamp": "yesterday"},
)
"""What a broken reading says instead."""


def readings(
    chance: random.Random, now: datetime, sensors: int = _SENSORS, shares: Shares = _DEMO
) -> Iterator[dict[str, object]]:
    """One round: a reading of every sensor, some of them late, some of them twice, some of them broken."""
    for sensor in range(sensors):
        late = timedelta(seconds=chance.uniform(1, _LATE_MAX_S) if chance.random() < shares.late else 0)
        at = now - late
        body: dict[str, object] = {
            "sensorId": f"demo-{sensor:02}",
            "temperature": temperature(sensor, at, chance.gauss(0, 0.3)),
            "timestamp": at.isoformat(timespec="milliseconds"),
        }
        if chance.random() < shares.broken:
            yield {**body, **chance.choice(_BROKEN)}
            continue
        yield body
        if chance.random() < shares.repeated:
            yield body


class Sender:
    """PUTs readings to the API at `url`, a round at a time."""

    def __init__(self, url: str, out: TextIO = sys.stderr) -> None:
        self._address, self._out = urlsplit(url), out
        self._refused = 0
        self.unsent: list[dict[str, object]] = []
        """readings of which it is not known that they are stored; they go first in the next round"""

    def send(self, bodies: Iterable[dict[str, object]]) -> None:
        """One round over one connection."""
        waiting = [*self.unsent, *bodies][-_KEPT_MAX:]
        self.unsent = list(waiting)
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=_TIMEOUT_S)
        try:
            for body in waiting:
                connection.request("PUT", "/api/temperature", json.dumps(body), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == HTTPStatus.OK:
                    self.unsent.remove(body)
                elif answer.status // 100 == 4 and answer.status not in _TRY_AGAIN:
                    self.unsent.remove(body)
                    self._say_refused(answer.status, text)
        except (OSError, http.client.HTTPException) as error:
            self._out.write(f"{error}\n")
        finally:
            connection.close()
        if self.unsent:
            self._out.write(f"{len(self.unsent)} readings not accepted, to be sent again\n")

    def _say_refused(self, status: int, text: bytes) -> None:
        """The first refusal, the tenth, the hundredth and so on: the answer would be the same however often it is asked for."""
        self._refused += 1
        if str(self._refused).strip("0") == "1":
            said = text.decode(errors="replace").strip()
            self._out.write(f"{self._refused} readings refused and dropped, the last with {status}: {said}\n")


def main() -> int:
    """Send rounds of readings to the API at URL until told to stop."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    sender = Sender(os.environ["URL"])
    chance = random.Random()  # noqa: S311  weather, not secrets
    while not stopping.wait(_PAUSE_S):
        sender.send(readings(chance, datetime.now(UTC)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
