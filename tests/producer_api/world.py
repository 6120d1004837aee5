"""What the tests of the read side ask about: known readings, projected, and an API that tells of them.

Expectations are worked out of the readings with fractions; nothing is shared with what answers but the reading itself.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from projections.decoding import Record
from projections.dynamodb import AwsStores
from projections.effects import run
from projections.projector import ShardProjector
from telemetry.events import encode_event
from telemetry.reading import Reading
from telemetry.shards import hash_key, list_shards
from tests.producer_api.test_contract import project
from tests.support.stack import Stack
from tests.support.waiting import eventually

CLOCK_SET: Final = datetime(2026, 3, 29, 1, tzinfo=UTC)
"""When Berlin's clocks were set forward."""
DENSE_FROM: Final = datetime(2026, 3, 10, tzinfo=UTC)
DENSE: Final = 9_000
"""Readings of the sensor `dense`, five a second: a stream of them takes several reads."""
ODD_IDS: Final = (
    *("a/b", "a%2Fb", "x/readings", "x", "100%", "%", ".", "..", "../..", "a?b=c&d#e", "+", "a+b", "a b"),
    *("=1+1", "-1", "@x", 'q"u,o;te', "Küche", "🌡/🌡", "readings", "\\", "'"),
)
"""Ids that a server, a client or a spreadsheet may take for something else."""
MANY: Final = 30
"""Sensors whose ids begin with `many-`, each last seen in another hour."""
_RECORD_READINGS: Final = 500


def at(moment: datetime | str, sensor_id: str, celsius: str) -> Reading:
    """A reading."""
    moment = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
    return Reading(us(moment), sensor_id, int(Decimal(celsius).scaleb(6)))


def us(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def celsius(micro: int) -> Fraction:
    """What 10⁻⁶ °C are in degrees."""
    return Fraction(micro, 10**6)


def readings() -> Iterator[Reading]:
    """What everybody measured."""
    start = CLOCK_SET - timedelta(hours=15, minutes=40)
    for number in range(120):
        yield at(start + number * timedelta(minutes=29, microseconds=1), "202", str((number * 37 % 400 - 90) / 8))
    for number, sensor_id in enumerate(ODD_IDS):
        for second in (1, 2):
            yield at(datetime(2026, 2, 1, 0, number, second, tzinfo=UTC), sensor_id, f"{number}.{second}")
    for number in range(DENSE):
        yield at(DENSE_FROM + timedelta(milliseconds=200 * number), "dense", str(number / 1000))
    for number in range(MANY):
        yield at(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number * 7 % MANY), f"many-{number:03}", "-0.000001")


@dataclass
class World:
    """A running API, its client, and every reading that was counted."""

    client: httpx.Client
    stack: Stack
    known: set[Reading] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The API's address."""
        return str(self.client.base_url)

    def fill(self, some: Sequence[Reading]) -> None:
        """Count readings as if they had stood in the log from its beginning on, where no other place is as small."""
        stores = AwsStores(self.stack.dynamodb, self.stack.kinesis, self.stack.names, 10)
        with closing(stores):
            for shard in list_shards(self.stack.kinesis, self.stack.names.stream).open:
                lines = [encode_event(one, one.measured_at_us) for one in some if shard.holds(hash_key(one.sensor_id))]
                log = [
                    Record(number + 1, b"\n".join(lines[number : number + _RECORD_READINGS]), int(time.time() * 1000))
                    for number in range(0, len(lines), _RECORD_READINGS)
                ]
                projector = ShardProjector(shard, time.time)
                run(projector.start(), stores)
                run(projector.project(log, caught_up=True), stores)
                run(projector.flush(), stores)
        self.known.update(some)
        self._seen()

    def send(self, *some: Reading) -> list[str]:
        """Store readings, without counting them; the positions to ask for."""
        items = [
            {"sensorId": one.sensor_id, "temperature": one.temperature_micro / 10**6, "timestamp": utc(one.measured_at_us)}
            for one in some
        ]
        answer = self.client.post("/api/temperature/batch", json=items)
        assert answer.status_code == 200, answer.text
        self.known.update(some)
        after: list[str] = answer.json()["after"]
        return after

    def count(self) -> None:
        """Count what was sent."""
        project(self.stack)
        self._seen()

    def get(self, path: str, **parameters: str) -> httpx.Response:
        """The answer to a question; `from_` is `from`, `for_` is `for`."""
        return self.client.get(asking(path, **parameters))

    def told(self, path: str, **parameters: str) -> Any:
        """What is told, its numbers exact."""
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return exactly(answer)

    def of(self, sensor_id: str | None = None, begin: datetime | None = None, end: datetime | None = None) -> list[Reading]:
        """What a sensor measured, or all, from one instant on and before another; in the order of time."""
        some = self.known if sensor_id is None else [one for one in self.known if one.sensor_id == sensor_id]
        if begin or end:
            begin_us, end_us = us(begin) if begin else 0, us(end) if end else 10**18
            some = [one for one in some if begin_us <= one.measured_at_us < end_us]
        return sorted(some)

    def _seen(self) -> None:
        def all_told() -> None:
            assert self.told("/api/stats", detail="true")["Count"] == len(self.known)

        eventually(all_told)


def asking(path: str, **parameters: str) -> str:
    """A path with a question; `from_` is `from`, `for_` is `for`."""
    named = {name.rstrip("_"): value for name, value in parameters.items()}
    return f"{path}?{urlencode(named)}" if named else path


def exactly(answer: httpx.Response) -> Any:
    """The JSON of an answer, its numbers as fractions: no digit is lost."""
    return json.loads(answer.content, parse_float=Fraction)


def utc(time_us: int) -> str:
    """An instant as answers write it in UTC."""
    text = (datetime(1970, 1, 1) + timedelta(microseconds=time_us)).isoformat()  # noqa: DTZ001
    return f"{text.rstrip('0') if '.' in text else text}Z"


def rounded(value: Fraction, places: int) -> Fraction:
    """Half-even."""
    return Fraction(round(value * 10**places), 10**places)


def average(some: Iterable[Reading]) -> Fraction:
    """As answers tell it."""
    found = [one.temperature_micro for one in some]
    return rounded(celsius(sum(found)) / len(found), 2)


def problem(answer: httpx.Response, status: int, code: str) -> Any:
    """The members of a problem."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    members = answer.json()
    assert (members["status"], members["code"], members["type"]) == (status, code, f"/docs/errors/{code}"), members
    assert members["message"] == members["detail"]
    return members
