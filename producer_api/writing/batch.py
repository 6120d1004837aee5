"""POST /api/temperature/batch: many readings in one request, each with an answer of its own (contract, "Writing")."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from producer_api.operating.outcomes import Outcome, Outcomes, outcome_of
from producer_api.problems import UNAVAILABLE, come_back_s
from producer_api.services import Services, services
from producer_api.tracing import sampled
from producer_api.writing.bodies import media_type, read_body
from producer_api.writing.commit import Receipt
from producer_api.writing.parsing import parse_reading, reading_of, reading_of_event
from producer_api.writing.sending import Lot, Sending, unhurried
from producer_api.writing.shapes import BatchShape, FaultShape, RefusedShape, StoredShape, UnknownShape
from telemetry import strict_json
from telemetry.errors import InvalidBatch, InvalidReading, NotStored, Refused
from telemetry.events import encode_event, event_id
from telemetry.logs import SparseLog
from telemetry.reading import Reading
from telemetry.settings import Settings
from telemetry.streams import StreamPlace

BODY_BYTES_MAX: Final = 2 * 1024 * 1024
READINGS_MAX: Final = 5_000
DEADLINE_S: Final = 4.0
"""From the body's last byte to the answer. Senders give up after five seconds and more (Telegraf's default time-out)."""
_POSITIONS_MAX: Final = 50
"""As many as the parameter `after` takes."""
_LINE: Final = re.compile(rb"\S[^\n]*")
_ENCODER: Final = msgspec.json.Encoder()

log = SparseLog(__name__)


class Form(NamedTuple):
    """A way to write a batch: how it falls into items, and how an item becomes a reading."""

    items: Callable[[bytes], Iterator[Any]]
    reading: Callable[[Any, Settings, int], Reading]


class Accepted(NamedTuple):
    """A reading that will be stored, however often it stands in the batch."""

    event_id: str
    lot: Lot


type Decision = Accepted | InvalidReading


def _array(body: bytes) -> Iterator[Any]:
    try:
        yield from strict_json.array_items(strict_json.without_mark(body))
    except ValueError as error:
        raise InvalidBatch(f"expected a JSON array: {error}.") from None


def _lines(body: bytes) -> Iterator[bytes]:
    return (match[0] for match in _LINE.finditer(body))


FORMS: Final = {
    "application/json": Form(_array, reading_of),
    **dict.fromkeys(("application/x-ndjson", "application/ndjson", "application/jsonl"), Form(_lines, parse_reading)),
    "application/cloudevents-batch+json": Form(_array, reading_of_event),
}
"""By Content-Type."""


async def record_batch(request: Request) -> Response:
    """Store many readings and say of each what became of it.

    200 when all are stored; 207 when each is, or will never be; 503 as soon as one may be if the batch is sent again.
    """
    form = _form_of(request)
    found = services(request)
    # Whether the client hung up is known where its connection is (`connections.py`).
    hung_up = getattr(request.state, "hung_up", bool)
    clock_s = asyncio.get_running_loop().time
    async with found.turns.to_be_read(DEADLINE_S):
        try:
            body = await read_body(request, BODY_BYTES_MAX)
        except InvalidReading as error:
            raise InvalidBatch(error.fields["body"]) from None
        until_s = clock_s() + DEADLINE_S
        async with found.turns.to_be_sent(DEADLINE_S):
            sending = Sending(found.writer, hung_up)
            decisions = await _decide(form, body, found, sending, sampled(request.scope))
            found.stream.require_ours()
            place = found.stream.place
            await sending.send(until_s - clock_s())
            shape, failure = await _tell(decisions, found.outcomes, place)
    return _answer(request, shape, failure, hung_up)


def _form_of(request: Request) -> Form:
    kind = media_type(request) or "application/json"
    if kind not in FORMS:
        detail = f"Expected Content-Type {', '.join(FORMS)}, not {kind[:64]!r}."
        raise HTTPException(415, detail, {"Accept-Post": ", ".join(FORMS)})
    return FORMS[kind]


async def _decide(form: Form, body: bytes, found: Services, sending: Sending, traceparent: str) -> Sequence[Decision]:
    """What is to be done with each item; equal readings are one event. Raises InvalidBatch, 413."""
    now_us = time.time_ns() // 1000
    decisions: list[Decision] = []
    accepted: dict[Reading, Accepted] = {}
    async for item in unhurried(form.items(body)):
        if len(decisions) == READINGS_MAX:
            raise HTTPException(
                413, f"The batch holds more than {READINGS_MAX} readings. Nothing was stored; send fewer at once."
            )
        try:
            reading = form.reading(item, found.settings, now_us)
        except InvalidReading as error:
            decisions.append(error)
            continue
        if reading not in accepted:
            known_id = event_id(reading)
            lot = sending.add(reading.sensor_id, encode_event(reading, now_us, known_id=known_id, traceparent=traceparent))
            accepted[reading] = Accepted(known_id, lot)
        decisions.append(accepted[reading])
    return decisions


async def _tell(
    decisions: Sequence[Decision], outcomes: Outcomes, place: StreamPlace
) -> tuple[BatchShape, type[NotStored] | None]:
    """What became of each, and as what the batch failed, if it did."""
    results: list[StoredShape | RefusedShape | UnknownShape] = []
    failures: set[type[NotStored]] = set()
    last: dict[str, Receipt] = {}
    counts = Counter[type]()
    async for index, decision in unhurried(enumerate(decisions)):
        result: StoredShape | RefusedShape | UnknownShape
        if isinstance(decision, InvalidReading):
            result, outcome = _refused(index, decision.fields), Outcome.REFUSED
        elif isinstance(fate := decision.lot.fate, Receipt):
            result, outcome = StoredShape(index, decision.event_id, fate.position(place)), Outcome.STORED
            last[fate.shard_id] = max(last.get(fate.shard_id, fate), fate, key=lambda one: int(one.sequence_number))
        else:
            result, outcome = UnknownShape(index, UNAVAILABLE[fate][1]), outcome_of(fate)
            failures.add(fate)
        counts[type(result)] += 1
        outcomes.reading("batch", outcome)
        results.append(result)
    after = [receipt.position(place) for _, receipt in sorted(last.items())] if len(last) <= _POSITIONS_MAX else None
    failure = None if not failures else Refused if failures == {Refused} else NotStored
    return BatchShape(counts[StoredShape], counts[RefusedShape], counts[UnknownShape], after, results), failure


def _refused(index: int, fields: dict[str, str]) -> RefusedShape:
    pointers = {name: "" if name == "body" else f"/{name.replace('.', '/')}" for name in fields}
    return RefusedShape(index, fields, [FaultShape(f"/{index}{pointers[name]}", text) for name, text in fields.items()])


def _answer(request: Request, shape: BatchShape, failure: type[NotStored] | None, hung_up: Callable[[], bool]) -> Response:
    body = _ENCODER.encode(shape) + b"\n"
    if not failure:
        return Response(body, 207 if shape.refused else 200, media_type="application/json")
    if hung_up():
        raise ClientDisconnect  # nobody to be told, and no trouble of the log's
    log.warning("batch_not_stored", readings=len(shape.results), unknown=shape.unknown, stored=shape.stored)
    return Response(body, 503, {"Retry-After": come_back_s(request, failure)}, "application/json")
