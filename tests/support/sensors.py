"""Many sensors at once, as they are: they retry blindly, send late, send twice, and sometimes send nonsense."""

import json
import random
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice

import httpx

from telemetry.reading import Reading, parse_temperature, parse_timestamp
from tests.support.waiting import eventually

_START = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
_MALFORMED = (
    b"",
    b"{",
    b'{"sensorId": "x", "temperature": "warm", "timestamp": "2026-03-01T00:00:00"}',
    b'{"sensorId": " ", "temperature": 1, "timestamp": "2026-03-01T00:00:00"}',
    b'{"sensorId": "x", "temperature": 1, "timestamp": "yesterday"}',
    b'{"sensorId": "x", "temperature": NaN, "timestamp": "2026-03-01T00:00:00"}',
    b'\xff{"sensorId": "x"}',
)


@dataclass(frozen=True)
class Message:
    """A body to PUT and the reading it holds, None when it is malformed."""

    body: bytes
    reading: Reading | None


@dataclass(frozen=True)
class Reply:
    """What finally came of a message."""

    message: Message
    status: int
    position: str


def workload(seed: int, puts: int, sensors: int) -> list[Message]:
    """The first `puts` messages of `messages`."""
    return list(islice(messages(seed, sensors), puts))


def messages(seed: int, sensors: int) -> Iterator[Message]:
    """Messages without end: a tenth repeats, a tenth late, one in fifty malformed, the rest in order."""
    chance = random.Random(seed)  # noqa: S311  repeatable on purpose
    sent: deque[Message] = deque(maxlen=500)
    for number in count():
        kind = chance.random()
        if kind < 0.1 and sent:
            message = chance.choice(sent)
        elif kind < 0.12:
            message = Message(chance.choice(_MALFORMED), None)
        else:
            late = timedelta(seconds=chance.uniform(60, 7200) if kind < 0.22 else 0)
            message = _message(chance, f"sensor-{chance.randrange(sensors):03}", _START + timedelta(seconds=number) - late)
        sent.append(message)
        yield message


def _message(chance: random.Random, sensor_id: str, at: datetime) -> Message:
    temperature = f"{chance.gauss(15, 12):.{chance.randrange(7)}f}"
    timestamp = at.isoformat()
    body = json.dumps({"sensorId": sensor_id, "temperature": json.loads(temperature), "timestamp": timestamp})
    return Message(body.encode(), Reading(parse_timestamp(timestamp), sensor_id, parse_temperature(temperature)))


def send_all(url: str, messages: Sequence[Message], clients: int = 64) -> list[Reply]:
    """PUT every message, each until something other than 503 comes back."""
    replies: list[Reply] = []

    def send(share: Sequence[Message]) -> None:
        with httpx.Client(base_url=url, timeout=15) as client:
            replies.extend(_send(client, message) for message in share)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(send, [messages[number::clients] for number in range(clients)]))
    return replies


def _send(client: httpx.Client, message: Message) -> Reply:
    def attempt() -> Reply:
        try:
            answer = client.put("/api/temperature", content=message.body, headers={"Content-Type": "application/json"})
        except httpx.TransportError as error:
            raise AssertionError(str(error)) from error
        assert answer.status_code != 503, answer.text
        return Reply(message, answer.status_code, answer.headers.get("X-Stream-Position", ""))

    return eventually(attempt, within_s=60)
