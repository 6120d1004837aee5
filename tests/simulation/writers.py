"""Sensors that retry blindly, and producers that run the real group commit against the model stream."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from producer_api.writing.commit import Answer, Entry, GroupCommit, Pending, Receipt, Unconfirmed
from telemetry.errors import Overloaded
from telemetry.events import encode_event
from telemetry.reading import Reading
from telemetry.shards import ShardMap
from tests.simulation.bugs import Bug, Bugs
from tests.simulation.model_kinesis import ModelKinesis
from tests.simulation.violation import Violation

CALLS_AT_ONCE = 2
DEADLINE_S = 5
HOUR_US = 3_600_000_000
START_US = 1_700_000_000_000_000 - 1_700_000_000_000_000 % HOUR_US
HOURS = (-1, 0, 0, 1, 2, 25)
"""Beside the first: across midnight, and a day ahead of time."""
INSTANTS_US = (0, 1, 500_000, 1_000_000, 59_999_999, 1_800_000_000, 3_599_000_000, 3_599_999_999)
"""In an hour: its edges, several in one bucket, and another bucket."""
TEMPERATURES_MICRO = (-1_500_000, -1, 0, 1_000_000, 18_000_000, 18_700_000, 18_700_001, 180_000_000)
"""Some are the beginning of others as text; some lie on either side of a bin's edge."""
SENSORS = tuple(f"s{number}" for number in range(6))


class _TrustingGroupCommit(GroupCommit):
    """A group commit that takes any shard for the right one."""

    def _at_home(self, pending: Pending, answer: Answer) -> bool:
        return True


@dataclass(slots=True, eq=False)
class _Call:
    """A PutRecords call under way: not yet stored, then stored, then with a new shard map if the answer surprised."""

    entries: list[Entry]
    answers: list[Answer] | None = None
    shards: ShardMap | None = None
    listed: bool = False


class Writer:
    """One producer process; what `writer.py` does with threads and an event loop is done in steps here."""

    def __init__(self, kinesis: ModelKinesis, rng: Random, clock_s: Callable[[], float], bugs: Bugs) -> None:
        self._kinesis = kinesis
        self._rng = rng
        self._clock_s = clock_s
        self._bugs = bugs
        group = _TrustingGroupCommit if Bug.STRAYS_ARE_ACKNOWLEDGED in bugs else GroupCommit
        self._group = group(kinesis.shard_map(), 12, lambda failures: 0.1 * 2**failures)
        self._calls: list[_Call] = []
        self.waiting: dict[int, Reading] = {}
        """Readings whose senders wait for an answer, by number."""
        self._numbers = 0

    @property
    def idle(self) -> bool:
        """Whether it holds no event."""
        return not len(self._group) and not self._calls

    def send(self, reading: Reading, answered: Callable[[Reading, Receipt | Unconfirmed], None]) -> None:
        """Take one reading in; the answer comes at a later step, a refusal at once."""
        number = self._numbers = self._numbers + 1
        now_s = self._clock_s()

        def tell(told: Receipt | Unconfirmed) -> None:
            del self.waiting[number]
            answered(reading, told)

        event = encode_event(reading, int(now_s * 1_000_000))
        self.waiting[number] = reading
        try:
            self._group.add(Pending(reading.sensor_id, event, now_s + DEADLINE_S, tell))
        except Overloaded:
            tell(Unconfirmed.NOT_STORED)

    def step(self, fault_rate: float) -> None:
        """Begin a call, or move one of those under way."""
        self._group.expire(self._clock_s())
        if len(self._calls) < CALLS_AT_ONCE and (not self._calls or self._rng.random() < 0.5):
            entries = self._group.next_call(self._clock_s())
            if entries:
                self._calls.append(_Call(entries))
                return
        if self._calls:
            self._advance(self._rng.choice(self._calls), fault_rate)

    def _advance(self, call: _Call, fault_rate: float) -> None:
        if call.answers is None:
            fate = self._rng.random()
            receipts: list[Receipt | None] = [None] * len(call.entries)
            if fate >= fault_rate / 2:
                receipts = self._kinesis.put_records(call.entries, fault_rate)
            if fate < fault_rate:
                receipts = [None] * len(call.entries)
            call.answers = list(map(self._judge, call.entries, receipts))
        elif not call.listed and any(answer.surprising for answer in call.answers):
            call.listed = True
            call.shards = self._kinesis.shard_map() if self._rng.random() >= fault_rate else None
        else:
            self._calls.remove(call)
            if call.shards:
                self._group.shards = call.shards
            self._group.answered(call.answers, self._clock_s())

    def _judge(self, entry: Entry, receipt: Receipt | None) -> Answer:
        if receipt is None and Bug.FAILED_ENTRIES_ARE_ACKNOWLEDGED in self._bugs:
            receipt = Receipt(entry.shard_id, "0")
        return Answer(entry, receipt)


class Sensors:
    """Sends readings, repeats them, late ones among them, and checks every acknowledgement."""

    def __init__(self, kinesis: ModelKinesis, rng: Random, readings: int) -> None:
        self._kinesis = kinesis
        self._rng = rng
        self._names = SENSORS[: rng.choice((1, 2, 6, 6))]
        self._unsent = [self._draw() for _ in range(readings)]
        if rng.random() < 0.5:
            self._unsent.sort(reverse=True)  # as sensors do that are never late
        self._sent: list[Reading] = []
        self._retries: list[Reading] = []
        self.acknowledged: set[Reading] = set()

    def send_some(self, writer: Writer) -> None:
        """A burst of requests to one producer."""
        for _ in range(self._rng.choice((1, 1, 2, 3, 5))):
            writer.send(self._next(), self._answered)

    def foreign_event(self) -> tuple[str, bytes]:
        """An event in a form that our encoder never writes, new or a repeat, and its partition key."""
        one = self._rng.choice(self._sent) if self._sent and self._rng.random() < 0.7 else self._draw()
        event = json.loads(encode_event(one, 0))
        event["time"] = event["time"].replace("Z", "+00:00")
        event["data"]["temperature"] = 0
        return one.sensor_id, json.dumps(event).replace('": 0', f'": {one.temperature_micro / 1_000_000:.6f}').encode()

    def lose(self, writer: Writer) -> None:
        """The producer died: whoever waited gets no answer, and most try again."""
        self._retries.extend(reading for reading in writer.waiting.values() if self._rng.random() < 0.8)

    def _next(self) -> Reading:
        if self._retries and self._rng.random() < 0.6:
            return self._retries.pop(self._rng.randrange(len(self._retries)))
        if self._sent and (not self._unsent or self._rng.random() < 0.4):
            return self._rng.choice(self._sent[-3:] if self._rng.random() < 0.5 else self._sent)
        if not self._unsent:
            self._unsent.append(self._draw())
        self._sent.append(self._unsent.pop())
        return self._sent[-1]

    def _draw(self) -> Reading:
        rng = self._rng
        at_us = START_US + rng.choice(HOURS) * HOUR_US + rng.choice(INSTANTS_US)
        return Reading(at_us, rng.choice(self._names), rng.choice(TEMPERATURES_MICRO))

    def _answered(self, reading: Reading, receipt: Receipt | Unconfirmed) -> None:
        if isinstance(receipt, Unconfirmed):
            self._retries.append(reading)
            return
        model = self._kinesis.shards[receipt.shard_id]
        places = [line for line in model.lines if str(line.sequence_number) == receipt.sequence_number]
        if reading not in (line.reading for line in places):
            raise Violation(f"{reading} was acknowledged and is not at {receipt}")
        if not model.holds(reading):
            raise Violation(f"{reading} was acknowledged where it does not belong, at {receipt}")
        self.acknowledged.add(reading)
