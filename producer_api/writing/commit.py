"""Group commit, the decisions: which waiting events go into which PutRecords call, and what each answer means for each event.

Pure: no clock, no client, no thread; `writer.py` runs it. Nothing waits on a timer: while a call is under way, arriving events
collect; when it returns, or they fill a record, all that has collected goes out together.
"""

import heapq
import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from typing import Final, NamedTuple

from telemetry.errors import Overloaded
from telemetry.limits import PACKED_EVENT_BYTES_TARGET, PUT_RECORDS_BYTES_MAX, PUT_RECORDS_ENTRIES_MAX
from telemetry.records import encode_record
from telemetry.shards import ShardMap, hash_key
from telemetry.streams import StreamPlace

_PACKED_KEY: Final = "*"
"""Partition key of a packed record. An explicit hash key tells its place, so the shortest key will do."""

_CALL_EVENT_BYTES_MAX: Final = PUT_RECORDS_BYTES_MAX // 2
"""Events in one call before gzip; leaves room for the keys, which count too."""


_CALL_MEMBERS_MAX: Final = 1_000
"""What one call takes of the waiting. Each costs the event loop some 10 µs in all, for which everybody else waits."""


class Receipt(NamedTuple):
    """Where the stream holds an event."""

    shard_id: str
    """Kinesis's id."""
    sequence_number: str

    def position(self, place: StreamPlace) -> str:
        """Where the log does, in which this is the stream's place: as X-Stream-Position tells it and `after` takes it."""
        return f"{place.name(self.shard_id)}:{self.sequence_number}"


class Unconfirmed(Enum):
    """What is told of an event without a receipt."""

    NOT_STORED = auto()
    """Whatever was tried was refused."""
    MAYBE_STORED = auto()
    """Nobody knows: a call's answer is still out, or never came."""


class Failure(Enum):
    """Why an entry has no receipt."""

    UNKNOWN = auto()
    """It may be stored."""
    REFUSED = auto()
    """It is not stored; another try may succeed."""
    LASTING = auto()
    """It is not stored, and every other try would be refused too."""


@dataclass(slots=True, eq=False)
class Pending:
    """An event somebody waits for; or several of one sensor, a line each, which are stored together and in their order."""

    sensor_id: str
    event: bytes
    deadline_s: float
    """On the caller's monotonic clock; the same distance from its arrival for every event."""
    tell: Callable[[Receipt | Unconfirmed], None]
    """Called once: with the receipt, or with what is known when the deadline passed, or trying became useless."""
    hung_up: Callable[[], bool] = bool
    """Whether nobody waits for it any more."""
    events: int = 1
    """How many it is."""
    patient: bool = False
    """Whoever sends it can wait for room, and so leaves half of it to those who cannot."""
    key: int = field(init=False)
    share: str = ""
    """The shard whose share of the queue it takes."""
    failures: int = 0
    under_way: bool = False
    maybe_stored: bool = False
    """A try of it ended without anybody knowing how."""
    alone: bool = False
    """It strayed into a shard that is not its own and is sent again under its own partition key."""
    settled: bool = False

    def __post_init__(self) -> None:
        self.key = hash_key(self.sensor_id)

    def settle(self, receipt: Receipt | None = None) -> None:
        """Tell whoever waits, unless they were told before."""
        if not self.settled:
            self.settled = True
            unknown = self.maybe_stored or self.under_way
            self.tell(receipt or (Unconfirmed.MAYBE_STORED if unknown else Unconfirmed.NOT_STORED))


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a PutRecords call and the events in it."""

    shard_id: str
    """Where it should arrive, if the shard map is up to date."""
    partition_key: str
    explicit_hash_key: str | None
    data: bytes
    events: Sequence[Pending]


class Answer(NamedTuple):
    """What came of one entry: a receipt, or why there is none."""

    entry: Entry
    receipt: Receipt | None
    failure: Failure = Failure.UNKNOWN

    @property
    def surprising(self) -> bool:
        """It arrived in a shard that was not expected, so the shard map is old."""
        return self.receipt is not None and self.receipt.shard_id != self.entry.shard_id


class GroupCommit:
    """The events on their way into one stream. `backoff_s` tells how long to rest after the n-th failure, n from 0."""

    def __init__(self, shards: ShardMap, events_max: int, backoff_s: Callable[[int], float]) -> None:
        self.shards = shards
        self._events_max = events_max
        self._backoff_s = backoff_s
        self._waiting: deque[Pending] = deque()
        self._resting: list[tuple[float, int, Pending]] = []
        """A heap by the time they are ready for another try; the number breaks ties."""
        self._held = 0
        self._shares: Counter[str] = Counter()
        """Events held, by the shard that was theirs when they came."""
        self._arrivals: deque[Pending] = deque()
        """In the order they came, and so in the order of their deadlines."""
        self._numbers = count()

    def __len__(self) -> int:
        """Events held."""
        return self._held

    @property
    def waiting(self) -> int:
        """What the next call could take: events, or those of one sensor that are sent together."""
        return len(self._waiting)

    @property
    def told_everyone(self) -> bool:
        """Whether nobody waits for word of an event."""
        return not self._arrivals

    def add(self, pending: Pending) -> None:
        """Take an event in. Raises Overloaded when the queue, or its shard's share of it, is full: for the patient at half."""
        pending.share = self.shards.owner(pending.key).shard_id
        # One shard that takes nothing may fill its share; the others' events find room beside them.
        events_max = math.ceil(self._events_max / 2) if pending.patient else self._events_max
        share_max = math.ceil(2 * events_max / (len(self.shards.open) + 1))
        if self._held >= events_max or self._shares[pending.share] >= share_max:
            raise Overloaded("Too many readings are waiting to be stored.")
        self._held += pending.events
        self._shares[pending.share] += pending.events
        self._waiting.append(pending)
        self._arrivals.append(pending)

    def next_call(self, now_s: float) -> list[Entry]:
        """The entries of the next PutRecords call: all that is ready, as far as one call goes. Empty when nothing is."""
        while self._resting and self._resting[0][0] <= now_s:
            self._waiting.append(heapq.heappop(self._resting)[2])
        entries = list(self._pack(self._take()))
        for entry in entries[PUT_RECORDS_ENTRIES_MAX:]:
            self._waiting.extendleft(entry.events)
        entries = entries[:PUT_RECORDS_ENTRIES_MAX]
        for entry in entries:
            for pending in entry.events:
                pending.under_way = True
        return entries

    def answered(self, answers: Iterable[Answer], now_s: float) -> None:
        """Judge a call entry by entry. What is stored in its own shard is settled, everything else is tried again."""
        for answer in answers:
            for pending in answer.entry.events:
                pending.under_way = False
            if answer.receipt is None:
                self._failed(answer, now_s)
                continue
            for pending in answer.entry.events:
                if self._at_home(pending, answer):
                    pending.settle(answer.receipt)
                    self._let_go(pending)
                else:
                    pending.alone = pending.maybe_stored = True
                    self._waiting.appendleft(pending)

    def expire(self, now_s: float) -> None:
        """Tell those whose deadline has passed. Their events may still be under way, and so may still be stored.

        When the queue is filling up, what nobody waits for any more gives its place to others.
        """
        while self._arrivals and (self._arrivals[0].settled or self._arrivals[0].deadline_s <= now_s):
            self._arrivals.popleft().settle()
        if 2 * self._held > self._events_max:
            self._waiting = deque(filter(self._keep, self._waiting))
            self._resting = [resting for resting in self._resting if self._keep(resting[2])]
            heapq.heapify(self._resting)

    def _keep(self, pending: Pending) -> bool:
        """Whether somebody still waits for an event; one that nobody waits for is let go."""
        if not pending.settled and not pending.hung_up():
            return True
        pending.settle()
        self._let_go(pending)
        return False

    def _let_go(self, pending: Pending) -> None:
        self._held -= pending.events
        self._shares[pending.share] -= pending.events

    def _at_home(self, pending: Pending, answer: Answer) -> bool:
        """Whether a stored event lies in a shard its sensor hashes into: one put under its own key always does."""
        if answer.entry.explicit_hash_key is None or not answer.surprising or answer.receipt is None:
            return True
        shard = self.shards.shards.get(answer.receipt.shard_id)
        return shard is not None and shard.holds(pending.key)

    def _failed(self, answer: Answer, now_s: float) -> None:
        events = answer.entry.events
        if answer.failure is Failure.UNKNOWN:
            for pending in events:
                pending.maybe_stored = True
        if answer.failure is Failure.LASTING:
            for pending in events:
                pending.settle()
                self._let_go(pending)
            return
        # One wait for the whole entry, so that its events come back together and fit one record again.
        ready_s = now_s + self._backoff_s(events[0].failures)
        for pending in events:
            pending.failures += 1
            heapq.heappush(self._resting, (ready_s, next(self._numbers), pending))

    def _take(self) -> Iterator[Pending]:
        size_bytes = members = 0
        while self._waiting and size_bytes < _CALL_EVENT_BYTES_MAX and members < _CALL_MEMBERS_MAX:
            pending = self._waiting.popleft()
            if self._keep(pending):
                size_bytes += len(pending.event)
                members += 1
                yield pending

    def _pack(self, events: Iterable[Pending]) -> Iterator[Entry]:
        """Events grouped by the shard their sensor hashes into, then cut into records."""
        groups: defaultdict[str, list[Pending]] = defaultdict(list)
        for pending in events:
            shard = self.shards.owner(pending.key)
            if pending.alone:
                yield _entry(shard.shard_id, [pending], None)
            else:
                groups[shard.shard_id].append(pending)
        for shard_id, members in groups.items():
            first_hash_key = str(self.shards.shards[shard_id].first_hash_key)
            for record in _cut(members):
                yield _entry(shard_id, record, first_hash_key if len(record) > 1 else None)


def _entry(shard_id: str, events: Sequence[Pending], explicit_hash_key: str | None) -> Entry:
    key = _PACKED_KEY if explicit_hash_key else events[0].sensor_id
    return Entry(shard_id, key, explicit_hash_key, encode_record([pending.event for pending in events]), events)


def _cut(events: Iterable[Pending]) -> Iterator[list[Pending]]:
    """Events in runs of at most the size a packed record should have."""
    run: list[Pending] = []
    size_bytes = 0
    for pending in events:
        if run and size_bytes + len(pending.event) > PACKED_EVENT_BYTES_TARGET:
            yield run
            run, size_bytes = [], 0
        run.append(pending)
        size_bytes += len(pending.event)
    if run:
        yield run
