"""The readings of a fleet that does not exist: a daily curve with noise, some readings late, some sent twice, some broken."""

import math
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

_SENSORS: Final = 12
_SPOTS: Final = 12
"""Differently warm."""
_LATE_MAX_S: Final = 1800


def temperature(sensor: int, at: datetime, noise: float) -> float:
    """Degrees Celsius at a time of day: coolest before dawn, warmest in the afternoon, each sensor in its own spot."""
    hour = at.hour + at.minute / 60
    daily = 5 * math.sin((hour - 9) / 24 * 2 * math.pi)
    return round(16 + sensor % _SPOTS * 0.4 + daily + noise, 2)


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
