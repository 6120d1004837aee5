"""Readings are sent again as they were, all of them, and not before their time."""

import json
from collections.abc import Sequence

import pytest

from replay.api import LINES_MAX, Sent
from replay.events import Event
from replay.pouring import IntoApi
from telemetry.log import LogRecord
from telemetry.reading import Reading


class Door:
    """Notes when what was sent; refuses the first reading of each batch. Its clock is put on by sleeping."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.sent: list[tuple[float, list[dict[str, str]]]] = []

    def __call__(self, lines: Sequence[bytes]) -> Sent:
        self.sent.append((self.now_s, [json.loads(line) for line in lines]))
        return Sent(len(lines) - 1, {0: {"temperature": "why"}})

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def event(arrived_ms: int, number: int = 0) -> Event:
    return Event("shard", LogRecord(1, arrived_ms, b""), 0, b"", Reading(number * 1000, "Küche", -18_700_001))


def poured(arrivals_ms: Sequence[int], speed: float | None) -> Door:
    door = Door()
    output = IntoApi(door, speed, clock=lambda: door.now_s, sleep=door.sleep)
    for number, arrived_ms in enumerate(arrivals_ms):
        output.write(event(arrived_ms, number), repeat=False)
    output.save()
    assert (output.stored, output.refused) == (len(arrivals_ms) - len(door.sent), len(door.sent))
    return door


def test_a_reading_is_sent_as_it_was_measured() -> None:
    """Exactly."""
    [(_, [sent])] = poured([5], None).sent
    assert sent == {"sensorId": "Küche", "temperature": "-18.700001", "timestamp": "1970-01-01T00:00:00Z"}


def test_without_a_speed_batches_are_full() -> None:
    """And nobody waits."""
    door = poured([number * 60_000 for number in range(2 * LINES_MAX + 1)], None)
    assert [len(lines) for _, lines in door.sent] == [LINES_MAX, LINES_MAX, 1]
    assert door.now_s == 100


@pytest.mark.parametrize(("speed", "at_s"), [(1, [100, 101, 104]), (10, [100, 100.1, 100.4]), (0.5, [100, 102, 108])])
def test_a_speed_is_kept(speed: float, at_s: list[float]) -> None:
    """What arrived together is sent together; what arrived before what was sent already, at once."""
    door = poured([7000, 7000, 8000, 7500, 11_000], speed)
    assert [time_s for time_s, _ in door.sent] == pytest.approx(at_s)
    assert [len(lines) for _, lines in door.sent] == [2, 2, 1]
