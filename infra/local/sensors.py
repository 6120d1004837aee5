"""Simulated sensors for `make run DEMO=1`: a daily curve with noise, some readings late, some sent twice."""

import http.client
import json
import math
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, urlsplit

_SENSORS = 12
_PAUSE_S = 0.25
_LATE_SHARE = 0.1
_REPEATED_SHARE = 0.05
_LATE_MAX_S = 1800
_TIMEOUT_S = 10
_KEPT_MAX = 1000


def temperature(sensor: int, at: datetime, noise: float) -> float:
    """Degrees Celsius at a time of day: coolest before dawn, warmest in the afternoon, each sensor in its own spot."""
    hour = at.hour + at.minute / 60
    daily = 5 * math.sin((hour - 9) / 24 * 2 * math.pi)
    return round(16 + sensor * 0.4 + daily + noise, 2)


def readings(chance: random.Random, now: datetime) -> Iterator[dict[str, object]]:
    """One round: a reading of every sensor, some of them late, some of them twice."""
    for sensor in range(_SENSORS):
        late = timedelta(seconds=chance.uniform(1, _LATE_MAX_S) if chance.random() < _LATE_SHARE else 0)
        at = now - late
        body: dict[str, object] = {
            "sensorId": f"demo-{sensor:02}",
            "temperature": temperature(sensor, at, chance.gauss(0, 0.3)),
            "timestamp": at.isoformat(timespec="milliseconds"),
        }
        yield body
        if chance.random() < _REPEATED_SHARE:
            yield body


def _send(address: SplitResult, bodies: list[dict[str, object]]) -> list[dict[str, object]]:
    """PUT readings over one connection; those that were not accepted, to be sent again."""
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_S)
    left = list(bodies)
    try:
        for body in bodies:
            connection.request("PUT", "/api/temperature", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                left.remove(body)
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{error}\n")
    finally:
        connection.close()
    if left:
        sys.stderr.write(f"{len(left)} readings not accepted, to be sent again\n")
    return left


def main() -> int:
    """Send rounds of readings to the API at URL until told to stop."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    address = urlsplit(os.environ["URL"])
    chance = random.Random()  # noqa: S311  weather, not secrets
    unsent: list[dict[str, object]] = []
    while not stopping.wait(_PAUSE_S):
        unsent = _send(address, [*unsent, *readings(chance, datetime.now(UTC))][-_KEPT_MAX:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
