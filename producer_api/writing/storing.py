"""The way of readings from a door into the log, the same for every door: limits, turns, receipts, what is counted.

A door knows how its senders write, and how they want to be answered. What a reading is told `parsing.py`; that equal readings
are one event, and so may be sent again without harm, follows from what an event is (`telemetry/events.py`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from producer_api.keys.gate import FOREIGN
from producer_api.keys.guarded import grant_of
from producer_api.operating.outcomes import Outcome, outcome_of
from producer_api.services import Services, services
from producer_api.tracing import sampled
from producer_api.writing.bodies import read_body
from producer_api.writing.commit import Receipt
from producer_api.writing.parsing import Ignored
from producer_api.writing.sending import Lot, Sending, unhurried
from telemetry.errors import InvalidBatch, InvalidReading, NotPermitted, NotStored, Refused
from telemetry.events import encode_event, event_id
from telemetry.logs import SparseLog
from telemetry.reading import Reading
from telemetry.streams import StreamPlace

DEADLINE_S: Final = 4.0
"""From the body's last byte to the answer. Senders give up after five seconds and more (Telegraf's default time-out)."""
_POSITIONS_MAX: Final = 50
"""As many as the parameter `after` takes."""

log = SparseLog(__name__)


class Door(NamedTuple):
    """Where many readings come in at once."""

    name: str
    """In metrics and in the log."""
    body_bytes_max: int
    """Of a body as it is unpacked."""
    items_max: int


class Stored(NamedTuple):
    """A reading that the log has."""

    event_id: str
    position: str


class _Accepted(NamedTuple):
    """A reading that will be stored, however often it stands in the request."""

    event_id: str
    lot: Lot
    reading: Reading


type Given = Reading | InvalidReading | Ignored
"""What an item of a request says."""
type Fate = Stored | InvalidReading | Ignored | type[NotStored]
"""What became of it."""
type _Decision = _Accepted | InvalidReading | Ignored


class Fates(NamedTuple):
    """What became of all items of a request."""

    items: Sequence[Fate]
    after: list[str] | None
    """The last position in each shard; None where they are more than `after` takes."""
    failure: type[NotStored] | None
    """As what the request failed, if one of its readings may not be stored."""

    def count(self, kind: type | tuple[type, ...]) -> int:
        """How many came to this."""
        return sum(isinstance(item, kind) for item in self.items)


async def store_one(request: Request, reading: Reading, door: str, now_us: int) -> Stored:
    """Store a reading that came at `now_us`. Raises NotStored, WrongStream, ClientDisconnect."""
    found, grant = services(request), grant_of(request.scope)
    if grant:
        grant.spend(1)
        if not grant.may_write(reading.sensor_id):
            found.outcomes.reading(door, Outcome.REFUSED)
            raise NotPermitted("foreign-sensor", FOREIGN)
    found.stream.require_writable()
    place = found.stream.place
    # Whether the client hung up is known where its connection is (`connections.py`).
    hung_up = getattr(request.state, "hung_up", bool)
    try:
        event = encode_event(reading, now_us, traceparent=sampled(request.scope))
        receipt = await found.writer.append(reading.sensor_id, event, hung_up)
    except NotStored as error:
        found.outcomes.reading(door, outcome_of(type(error)))
        if hung_up():
            raise ClientDisconnect from None  # nobody to be told, and no trouble of the log's
        raise
    found.outcomes.reading(door, Outcome.STORED)
    found.recent.receive(door, reading)
    return Stored(event_id(reading), receipt.position(place))


def refuse_one(request: Request, door: str, said: InvalidReading | Ignored) -> None:
    """Count what came in place of a reading."""
    found = services(request)
    if isinstance(said, Ignored):
        found.outcomes.reading(door, Outcome.IGNORED)
        found.recent.ignore(door, said.why)
    else:
        found.outcomes.reading(door, Outcome.REFUSED)
    if grant := grant_of(request.scope):
        grant.spend(1)


async def store_all(request: Request, door: Door, read: Callable[[bytes, int], Iterator[Given]]) -> Fates:
    """Read a request's body and store what is good of it. `read` makes items of the body, as it came at a time (µs).

    Raises what `read` does, InvalidBatch for a body that cannot be unpacked, 413, Overloaded, WrongStream, ClientDisconnect.
    """
    found = services(request)
    hung_up = getattr(request.state, "hung_up", bool)
    clock_s = asyncio.get_running_loop().time
    async with found.turns.to_be_read(DEADLINE_S):
        try:
            body = await read_body(request, door.body_bytes_max)
        except InvalidReading as error:
            raise InvalidBatch(error.fields["body"]) from None
        until_s = clock_s() + DEADLINE_S
        async with found.turns.to_be_sent(DEADLINE_S):
            sending = Sending(found.writer, hung_up)
            now_us = time.time_ns() // 1000
            given = unhurried(read(body, now_us))
            decisions = await _decide(given, door, sending, now_us, request.scope)
            found.stream.require_writable()
            place = found.stream.place
            await sending.send(until_s - clock_s())
            fates = await _learn(decisions, door, found, place)
    if fates.failure:
        if hung_up():
            raise ClientDisconnect  # nobody to be told, and no trouble of the log's
        log.warning("batch_not_stored", door=door.name, readings=len(fates.items), stored=fates.count(Stored))
    return fates


async def _decide(given: AsyncIterator[Given], door: Door, sending: Sending, now_us: int, scope: Scope) -> Sequence[_Decision]:
    """What is to be done with each item; equal readings are one event. Raises what the items do, 413."""
    grant, traceparent = grant_of(scope), sampled(scope)
    decisions: list[_Decision] = []
    accepted: dict[Reading, _Accepted] = {}
    async for said in given:
        item = said
        if isinstance(said, Reading) and grant and not grant.may_write(said.sensor_id):
            item = InvalidReading({"sensorId": FOREIGN})
        if len(decisions) == door.items_max:
            raise HTTPException(
                413, f"The batch holds more than {door.items_max} readings. Nothing was stored; send fewer at once."
            )
        if not isinstance(item, Reading):
            decisions.append(item)
            continue
        if item not in accepted:
            known_id = event_id(item)
            lot = sending.add(item.sensor_id, encode_event(item, now_us, known_id=known_id, traceparent=traceparent))
            accepted[item] = _Accepted(known_id, lot, item)
        decisions.append(accepted[item])
    if grant:
        grant.spend(len(decisions))
    return decisions


async def _learn(decisions: Iterable[_Decision], door: Door, found: Services, place: StreamPlace) -> Fates:
    """What became of each, and as what the whole failed, if it did."""
    items: list[Fate] = []
    failures: set[type[NotStored]] = set()
    last: dict[str, Receipt] = {}
    async for decision in unhurried(decisions):
        item: Fate
        if isinstance(decision, InvalidReading):
            item, outcome = decision, Outcome.REFUSED
        elif isinstance(decision, Ignored):
            item, outcome = decision, Outcome.IGNORED
            found.recent.ignore(door.name, decision.why)
        elif isinstance(fate := decision.lot.fate, Receipt):
            item, outcome = Stored(decision.event_id, fate.position(place)), Outcome.STORED
            found.recent.receive(door.name, decision.reading)
            last[fate.shard_id] = max(last.get(fate.shard_id, fate), fate, key=lambda one: int(one.sequence_number))
        else:
            item, outcome = fate, outcome_of(fate)
            failures.add(fate)
        found.outcomes.reading(door.name, outcome)
        items.append(item)
    after = [receipt.position(place) for _, receipt in sorted(last.items())] if len(last) <= _POSITIONS_MAX else None
    return Fates(items, after, None if not failures else Refused if failures == {Refused} else NotStored)
