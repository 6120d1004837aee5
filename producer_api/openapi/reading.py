"""What is said of the questions: stats, history, sensors, readings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from producer_api.openapi.describing import Answer, Content, Operation, refusal
from producer_api.parameters import Parameter
from producer_api.reading import history, readings, sensors, stats
from producer_api.reading.common import REQUIRED_SENSOR_ID
from producer_api.reading.formats import MEDIA_TYPES, Format
from producer_api.reading.shapes import (
    DetailShape,
    HistoryShape,
    HistoryWithPercentiles,
    OneSensorShape,
    ReadingsShape,
    SensorReading,
    SensorsShape,
    StatsShape,
    WindowShape,
    WindowWithPercentiles,
)

TAG: Final = "Reading"
_FRESH: Final = ("X-As-Of", "X-Projection-Lag-Ms")
_KNOWN: Final = ("ETag", *_FRESH)
_TEXT: Final = {"type": "string"}
_LINES: Final = "Of NDJSON the schema is that of each line."

IF_NONE_MATCH: Final = Parameter[str](
    "If-None-Match", str, "", "ETags of answers that are there already: an answer that is the same is 304, without a body.",
    {"type": "string"},
)  # fmt: skip
_SENSOR_IN_PATH: Final = replace(
    REQUIRED_SENSOR_ID,
    description="The sensor, as one segment: each sign that a segment may not have is written %XX, and a slash %2F.",
)
_IN_TIME: Final = ("unknown-zone", "nothing-between", "beyond-the-years")
_TOO_MUCH: Final = "question-too-large"
_AFTER: Final = ("unknown-shard", "position-lost")

_UNCHANGED: Final = Answer("What `If-None-Match` names is still the answer.", headers=_KNOWN)
MALFORMED: Final = refusal(
    400,
    "invalid-question",
    more="The question breaks its schema.",
    errors=[{"parameter": "tz", "detail": "Given more than once: write it once."}],
)
_NOT_ACCEPTABLE: Final = refusal(406, "not-acceptable", more="`format` is left out, and `Accept` names none that there is.")
_UNKNOWN: Final = refusal(404, "unknown-sensor", more="There is no such sensor.")
AWAY: Final = refusal(
    503,
    *("projection-unavailable", "not-set-up", "wrong-stream", "service-unavailable"),
    more="Not at the moment: ask again after `Retry-After`.",
)
_NOT_YET: Final = refusal(
    503,
    *("not-yet-counted", "projection-unavailable", "not-set-up", "wrong-stream", "service-unavailable"),
    more="Not yet, or not at the moment: ask again after `Retry-After`.",
)


def _unanswerable(*codes: str) -> Answer:
    return refusal(422, *codes, more="The question is well put and cannot be answered as asked; `nearest` is one that can.")


def _tables(json: Content, line: tuple[type, ...], header: str) -> Mapping[str, Content]:
    """An answer in each of its forms."""
    csv = Content(_TEXT, {"header": f"{header}\r\n"})
    return {MEDIA_TYPES[Format.JSON]: json, MEDIA_TYPES[Format.CSV]: csv, MEDIA_TYPES[Format.NDJSON]: Content(line)}


_READINGS_DESCRIPTION: Final = (
    "JSON has pages: `next` leads to the following one. CSV and NDJSON are streams of all readings when `limit` is left out: "
    "one that breaks off without its last chunk is not whole. A sensor nobody knows has none."
)


def _readings(name: str, summary: str, query: Sequence[Parameter[Any]], path: Sequence[Parameter[Any]] = ()) -> Operation:
    told = _tables(Content(ReadingsShape), (SensorReading,), "sensorId,timestamp,temperature")
    answers = {
        200: Answer(f"Readings. {_LINES}", told, (*_KNOWN, "Link", "Content-Disposition")),
        304: _UNCHANGED,
        400: MALFORMED,
        406: _NOT_ACCEPTABLE,
        422: _unanswerable(*_IN_TIME, _TOO_MUCH, "csv-only", *_AFTER),
        503: _NOT_YET,
    }
    return Operation(name, TAG, summary, answers, _READINGS_DESCRIPTION, query, path, (IF_NONE_MATCH,))


def _sensor(name: str, summary: str, query: Sequence[Parameter[Any]], path: Sequence[Parameter[Any]] = ()) -> Operation:
    answers = {
        200: Answer("The sensor.", {"application/json": Content(OneSensorShape)}, _KNOWN),
        304: _UNCHANGED,
        400: MALFORMED,
        404: _UNKNOWN,
        422: _unanswerable(*_AFTER),
        503: _NOT_YET,
    }
    return Operation(name, TAG, summary, answers, query=query, path=path, headers=(IF_NONE_MATCH,))


STATS: Final = Operation(
    name="getStats",
    tag=TAG,
    summary="Maximum, minimum and average, exact",
    description=(
        "Of everything, of one sensor, or of a stretch of time. Nothing measured is `null`. With `detail=true` also "
        "counts, sums, deviation, percentiles and the readings that they come from."
    ),
    query=stats.PARAMETERS,
    headers=(IF_NONE_MATCH,),
    answers={
        200: Answer(
            "The statistics.",
            {
                "application/json": Content(
                    (StatsShape, DetailShape), {"plain": {"Maximum": 21.5, "Minimum": 18, "Average": 19.73}}
                )
            },
            _KNOWN,
        ),
        304: _UNCHANGED,
        400: MALFORMED,
        422: _unanswerable(*_IN_TIME, "not-whole-minutes", _TOO_MUCH, *_AFTER),
        503: _NOT_YET,
    },
)

HISTORY: Final = Operation(
    name="getHistory",
    tag=TAG,
    summary="Windows on the calendar of any zone",
    description="In order and without overlap. Of all sensors `from` and `to` lie on whole minutes; of one, anywhere.",
    query=history.PARAMETERS,
    headers=(IF_NONE_MATCH,),
    answers={
        200: Answer(
            f"Windows; with `percentiles=true` p50, p95 and p99 too. {_LINES}",
            _tables(
                Content((HistoryShape, HistoryWithPercentiles)),
                (WindowShape, WindowWithPercentiles),
                ",".join(WindowShape.__struct_fields__),
            ),
            (*_KNOWN, "Link", "Content-Disposition"),
        ),
        304: _UNCHANGED,
        400: MALFORMED,
        406: _NOT_ACCEPTABLE,
        422: _unanswerable(*_IN_TIME, "not-whole-minutes", _TOO_MUCH, "csv-only", *_AFTER),
        503: _NOT_YET,
    },
)

SENSORS: Final = Operation(
    name="listSensors",
    tag=TAG,
    summary="The sensors there are, by id or by silence",
    description="`next` leads to the following page.",
    query=sensors.LIST_PARAMETERS,
    headers=(IF_NONE_MATCH,),
    answers={
        200: Answer("A page of sensors.", {"application/json": Content(SensorsShape)}, (*_KNOWN, "Link")),
        304: _UNCHANGED,
        400: MALFORMED,
        422: _unanswerable("by-id-only", _TOO_MUCH),
        503: AWAY,
    },
)

SENSOR: Final = _sensor("getSensor", "One sensor and all that it measured", sensors.ONE_PARAMETERS, (_SENSOR_IN_PATH,))
SENSOR_IN_QUERY: Final = _sensor(
    "getSensorByQuery", "The same, the sensor named in the query", (REQUIRED_SENSOR_ID, *sensors.ONE_PARAMETERS)
)
READINGS: Final = _readings("getReadings", "A sensor's readings by time", readings.PARAMETERS, (_SENSOR_IN_PATH,))
READINGS_IN_QUERY: Final = _readings(
    "getReadingsByQuery", "The same, the sensor named in the query", (REQUIRED_SENSOR_ID, *readings.PARAMETERS)
)
