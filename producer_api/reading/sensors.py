"""GET /api/sensors, /api/sensors/{id} and /api/sensor: which sensors there are, and what each of them measured."""

from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import unquote_to_bytes

from msgspec import Meta
from msgspec.structs import asdict
from starlette.requests import Request
from starlette.responses import Response

from producer_api.parameters import Asked, Parameter, asked, choice, whole
from producer_api.reading.answers import as_of_text, etag_of, freshness, json_answer, not_modified, now_us
from producer_api.reading.asking import Told
from producer_api.reading.common import AFTER, REQUIRED_SENSOR_ID, WAIT, awaited
from producer_api.reading.cursors import CURSOR, cursor_of, key_of
from producer_api.reading.shapes import OneSensorShape, SensorsShape
from producer_api.reading.telling import sensor_shape
from producer_api.services import services
from producer_api.urls import asked_again
from projections.marks import Which
from projections.ranges import sensor_total
from projections.reads import Silence
from projections.sensors import SensorPage, sensors, silent_sensors
from telemetry.errors import InvalidQuestion, Unanswerable, UnknownSensor
from telemetry.limits import MICRO, TIME_US_MAX
from telemetry.reading import parse_sensor_id


class Order(StrEnum):
    """What a list of sensors is ordered by."""

    ID = "id"
    SILENT = "silent"


ORDER: Final = choice("order", "By id; or silent: those first that have been silent longest.", Order.ID)
PREFIX: Final = Parameter(
    "prefix", parse_sensor_id, "", "What ids begin with; with order=id only.", {"type": "string", "format": "sensor-id"}
)
_SILENCE_HELD_US: Final = 10 * MICRO
_Seconds = Annotated[int, Meta(ge=-3600, le=TIME_US_MAX // MICRO)]
"""Since 1970: a sensor is seen at the last full hour of its own, of which the first began before."""
LIMIT: Final = whole("limit", "How many sensors a page holds at most.", 1, 1_000, 100)
LIST_PARAMETERS = (PREFIX, ORDER, LIMIT, CURSOR)
ONE_PARAMETERS = (AFTER, WAIT)


async def list_sensors(request: Request) -> Response:
    """A page of sensors."""
    found = services(request)
    found.stream.require_ours()
    question = asked(request, LIST_PARAMETERS)
    if question[PREFIX] and question[ORDER] is Order.SILENT:
        raise Unanswerable("by-id-only", {"prefix": "Taken with order=id only."}, {"order": Order.ID.value, "cursor": None})
    bound = ("sensors", question[ORDER], question[PREFIX])
    steps: Any
    if question[ORDER] is Order.ID:
        last_id = _last_id(key_of(bound, question[CURSOR], str))
        steps = partial(sensors, prefix=question[PREFIX], after=last_id, limit=question[LIMIT])
    else:
        last = key_of(bound, question[CURSOR], tuple[_Seconds, str])
        steps = partial(silent_sensors, after=last and Silence(*last), limit=question[LIMIT])
    whole_key = (*bound, question[CURSOR], question[LIMIT])
    told = await found.asking.ask(whole_key, steps)
    now = now_us()
    etag = etag_of(told, (*whole_key, *_age(told, now)))
    headers = freshness(told.marks.as_of_us) | {"ETag": etag}
    follows = None
    if told.value.after is not None:
        follows = asked_again(request, {"cursor": cursor_of(bound, told.value.after)})
        headers["Link"] = f'<{follows}>; rel="next"'
    if unchanged := not_modified(request, etag, headers):
        return unchanged
    return await json_answer(partial(_list_shape, told, now, follows), headers)


def _last_id(key: str | None) -> str:
    """The id in a cursor; nothing without one."""
    if key is None:
        return ""
    try:
        return parse_sensor_id(key)
    except ValueError as error:
        raise InvalidQuestion({"cursor": str(error)}) from None


async def one_sensor(request: Request) -> Response:
    """The sensor that `sensorId` names."""
    question = asked(request, (REQUIRED_SENSOR_ID, *ONE_PARAMETERS))
    return await answer_sensor(request, question[REQUIRED_SENSOR_ID], question)


async def answer_sensor(request: Request, sensor_id: str, question: Asked) -> Response:
    """A sensor, or 404 when nothing of it was counted."""
    found = services(request)
    found.stream.require_ours()
    key = ("sensor", sensor_id)
    told = await found.asking.ask(key, partial(sensor_total, sensor_id=sensor_id), awaited(question, Which.EVERYTHING))
    if not told.value.count:
        raise UnknownSensor(sensor_id)
    now = now_us()
    etag = etag_of(told, (*key, *_age(told, now)))
    headers = freshness(told.marks.as_of_us) | {"ETag": etag}
    if unchanged := not_modified(request, etag, headers):
        return unchanged
    as_of = as_of_text(told.marks.as_of_us)
    return await json_answer(lambda: OneSensorShape(**asdict(sensor_shape(sensor_id, told.value, now)), as_of=as_of), headers)


def _age(told: Told[Any], now: int) -> tuple[object, ...]:
    """What changes as often as marks do while nothing is measured: who asks again is told anew how long a sensor is silent."""
    return told.marks.as_of_us, now // _SILENCE_HELD_US


def _list_shape(told: Told[SensorPage[Any]], now: int, follows: str | None) -> SensorsShape:
    listed = [sensor_shape(one.sensor_id, one.stats, now) for one in told.value.sensors]
    return SensorsShape(listed, as_of_text(told.marks.as_of_us), follows)


def id_in_path(raw: str) -> str:
    """The sensor that a segment of a raw path names. Raises InvalidQuestion for what is no id."""
    try:
        return parse_sensor_id(_decoded(raw))
    except ValueError as error:
        raise InvalidQuestion({"sensorId": str(error)}) from None


def _decoded(raw: str) -> str:
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise ValueError("Expected UTF-8 in the path.") from None
