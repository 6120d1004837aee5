"""POST /api/temperature/batch: many readings in one request, each with an answer of its own (contract, "Writing")."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from producer_api.doors.points import TELEGRAF_METRIC, reading_of_metric
from producer_api.operating.requests import refuse, refuse_some
from producer_api.problems import UNAVAILABLE, come_back_s
from producer_api.services import services
from producer_api.writing.bodies import media_type
from producer_api.writing.parsing import Ignored, parse_reading, reading_of, reading_of_event
from producer_api.writing.sending import unhurried
from producer_api.writing.shapes import BatchShape, FaultShape, IgnoredShape, RefusedShape, StoredShape, UnknownShape
from producer_api.writing.storing import Door, Fate, Fates, Given, Stored, store_all
from telemetry import strict_json
from telemetry.errors import InvalidBatch, InvalidReading
from telemetry.reading import Reading
from telemetry.settings import Settings

DOOR: Final = Door("batch", body_bytes_max=2 * 1024 * 1024, items_max=5_000)
_LINE: Final = re.compile(rb"\S[^\n]*")
_ENCODER: Final = msgspec.json.Encoder()

type _Result = StoredShape | RefusedShape | IgnoredShape | UnknownShape


class Form(NamedTuple):
    """A way to write a batch: how it falls into items, and how an item becomes a reading."""

    items: Callable[[bytes], Iterator[Any]]
    reading: Callable[[Any, Settings, int], Given]
    """Raises InvalidReading."""


def _array(body: bytes) -> Iterator[Any]:
    try:
        yield from strict_json.array_items(strict_json.without_mark(body))
    except ValueError as error:
        raise InvalidBatch(f"expected a JSON array: {error}.") from None


def _lines(body: bytes) -> Iterator[bytes]:
    return (match[0] for match in _LINE.finditer(body))


def _event(item: object, settings: Settings, now_us: int) -> Reading | Ignored:
    if isinstance(item, dict) and item.get("type") == TELEGRAF_METRIC:
        return reading_of_metric(item, settings.id_tags, settings, now_us)
    return reading_of_event(item, settings, now_us)


FORMS: Final = {
    "application/json": Form(_array, reading_of),
    **dict.fromkeys(("application/x-ndjson", "application/ndjson", "application/jsonl"), Form(_lines, parse_reading)),
    "application/cloudevents-batch+json": Form(_array, _event),
}
"""By Content-Type."""


async def record_batch(request: Request) -> Response:
    """Store many readings and say of each what became of it.

    200 when all are stored; 207 when each is, or will never be; 503 as soon as one may be if the batch is sent again.
    """
    form = _form_of(request)
    fates = await store_all(request, DOOR, partial(_readings, form, services(request).settings))
    shape = await _tell(fates)
    body = _ENCODER.encode(shape) + b"\n"
    if shape.refused:
        first = next(one for one in shape.results if isinstance(one, RefusedShape))
        refuse_some(request.scope, "invalid-reading", _told(first, shape.refused))
    if fates.failure:
        refuse(request.scope, *UNAVAILABLE[fates.failure])
        return Response(body, 503, {"Retry-After": come_back_s(request, fates.failure)}, "application/json")
    return Response(body, 207 if shape.refused else 200, media_type="application/json")


def _form_of(request: Request) -> Form:
    kind = media_type(request) or "application/json"
    if kind not in FORMS:
        detail = f"Expected Content-Type {', '.join(FORMS)}, not {kind[:64]!r}."
        raise HTTPException(415, detail, {"Accept-Post": ", ".join(FORMS)})
    return FORMS[kind]


def _readings(form: Form, settings: Settings, body: bytes, now_us: int) -> Iterator[Given]:
    for item in form.items(body):
        try:
            yield form.reading(item, settings, now_us)
        except InvalidReading as error:
            yield error


async def _tell(fates: Fates) -> BatchShape:
    """What became of each."""
    results = [_result(index, fate) async for index, fate in unhurried(enumerate(fates.items))]
    counts = Counter(map(type, results))
    return BatchShape(
        counts[StoredShape], counts[RefusedShape], counts[UnknownShape], counts[IgnoredShape], fates.after, results
    )


def _told(first: RefusedShape, refused: int) -> str:
    texts = "; ".join(f"{name}: {text}" for name, text in first.message.items())
    return f"reading {first.index}: {texts}{f' And {refused - 1} more.' if refused > 1 else ''}"


def _result(index: int, fate: Fate) -> _Result:
    match fate:
        case Stored(event_id, position):
            return StoredShape(index, event_id, position)
        case InvalidReading():
            return _refused(index, fate.fields)
        case Ignored(why):
            return IgnoredShape(index, why)
        case _:
            return UnknownShape(index, UNAVAILABLE[fate][1])


def _refused(index: int, fields: dict[str, str]) -> RefusedShape:
    pointers = {name: "" if name == "body" else f"/{name.replace('.', '/')}" for name in fields}
    return RefusedShape(index, fields, [FaultShape(f"/{index}{pointers[name]}", text) for name, text in fields.items()])
