"""What is said of the doors: one reading, and many in one request."""

from typing import Any, Final

from producer_api.openapi.describing import Answer, Content, Operation, refusal
from producer_api.writing import batch, temperature
from producer_api.writing.shapes import BatchShape, RecordedShape
from telemetry.events import TEMPERATURE_RECORDED
from telemetry.limits import MICRO, SENSOR_ID_CHARS_MAX, TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN
from telemetry.reading import TIME_PATTERN

TAG: Final = "Writing"

_ONE: Final = {"sensorId": "202", "temperature": 18, "timestamp": "2021-11-26T18:10:00"}
_SENSOR_ID: Final = {
    "description": "Trimmed, and composed (NFC). No control or format characters, no line separators.",
    "type": "string",
    "format": "sensor-id",
    "minLength": 1,
    "maxLength": SENSOR_ID_CHARS_MAX,
}
_TEMPERATURE: Final = {
    "description": "Degrees Celsius, kept exactly, to 6 decimals. Best a number; a string of one is taken as well.",
    "anyOf": [
        {"type": "number", "minimum": TEMPERATURE_MICRO_MIN / MICRO, "maximum": TEMPERATURE_MICRO_MAX / MICRO},
        {"type": "string", "format": "celsius", "pattern": r"^\s*[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\s*$"},
    ],
}
_TIMESTAMP: Final = {
    "description": (
        "ISO 8601, extended or basic form, UTC unless it names an offset. Fractions beyond microseconds are cut. Years 1970 to "
        "9999; not further ahead of the server's clock than it allows, a day where nothing else was set."
    ),
    "type": "string",
    "format": "timestamp",
    "pattern": TIME_PATTERN,
}
READING: Final[dict[str, Any]] = {
    "title": "Reading",
    "description": "What a sensor measured, and when. Members beyond these are ignored.",
    "type": "object",
    "required": ["sensorId", "temperature", "timestamp"],
    "properties": {"sensorId": _SENSOR_ID, "temperature": _TEMPERATURE, "timestamp": _TIMESTAMP},
}
EVENT: Final[dict[str, Any]] = {
    "title": "Event",
    "description": "A reading as CloudEvents 1.0, as `telemetry replay` prints it. `id` and `source` are not taken over.",
    "type": "object",
    "required": ["specversion", "type", "subject", "time", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "type": {"const": TEMPERATURE_RECORDED},
        "subject": _SENSOR_ID,
        "time": _TIMESTAMP,
        "data": {"type": "object", "required": ["temperature"], "properties": {"temperature": _TEMPERATURE}},
    },
}
SCHEMAS: Final = {"Reading": READING, "Event": EVENT}
"""Written down, because readings are parsed strictly and by hand (`writing/parsing.py`): no type says what is taken."""

_READING: Final = {"$ref": "#/components/schemas/Reading"}
_EVENT: Final = {"$ref": "#/components/schemas/Event"}
_PACKED: Final = "`Content-Encoding` may be gzip or deflate."

TEMPERATURE: Final = Operation(
    name="recordTemperature",
    tag=TAG,
    summary="Store one reading",
    description=(
        "200 means stored: the log has it. Sending it again is safe, the same reading (sensor, time, temperature) counts once. "
        "JSON is read strictly: a name that stands twice, NaN, what is no UTF-8, nesting beyond all use are refused."
    ),
    body={"application/json": Content(_READING, {"reading": _ONE})},
    body_description=f"At most {temperature.BODY_BYTES_MAX} bytes, unpacked. {_PACKED} Types in +json are taken as well.",
    answers={
        200: Answer(
            "Stored.",
            {"application/json": Content(RecordedShape)},
            ("X-Event-Id", "X-Stream-Position"),
        ),
        400: refusal(
            400,
            "invalid-reading",
            more="Refused whenever it is sent: `message` and `errors` name every bad member.",
            message={"sensorId": "This field cannot be blank."},
            errors=[{"pointer": "/sensorId", "detail": "This field cannot be blank."}],
        ),
        413: refusal(413, "content-too-large"),
        415: refusal(415, "unsupported-media-type", headers=("Accept-Encoding",)),
        503: refusal(
            503,
            *("not-confirmed", "overloaded", "log-refuses", "wrong-stream", "service-unavailable"),
            more="Not known to be stored: send it again after `Retry-After`.",
        ),
    },
)

_BATCH_LINES: Final = Content(
    {"type": "string"}, {"lines": '{"sensorId": "202", "temperature": 18, "timestamp": "2021-11-26T18:10:00"}\n'}
)
_BATCH_BODIES: Final = {
    "application/json": Content({"type": "array", "items": _READING, "maxItems": batch.DOOR.items_max}, {"readings": [_ONE]}),
    "application/cloudevents-batch+json": Content(
        {"type": "array", "items": _EVENT, "maxItems": batch.DOOR.items_max},
        {
            "events": [
                {
                    "specversion": "1.0",
                    "type": TEMPERATURE_RECORDED,
                    "source": "/gateway/7",
                    "id": "1",
                    "subject": "202",
                    "time": "2021-11-26T18:10:00Z",
                    "data": {"temperature": 18},
                }
            ]
        },
    ),
}
_TOLD: Final = {"application/json": Content(BatchShape)}

BATCH: Final = Operation(
    name="recordBatch",
    tag=TAG,
    summary="Store many readings",
    description=(
        f"Up to {batch.DOOR.items_max}, each with an answer of its own: one that is refused keeps no other from being stored. "
        "Equal readings are one. Each sensor's stand in the log in the batch's order."
    ),
    body={kind: _BATCH_BODIES.get(kind, _BATCH_LINES) for kind in batch.FORMS},
    body_description=(
        f"An array, a reading a line, or an array of CloudEvents; at most {batch.DOOR.body_bytes_max} bytes, unpacked. "
        f"{_PACKED}"
    ),
    answers={
        200: Answer("All are stored.", _TOLD),
        207: Answer("Each is stored, or will be refused whenever it is sent; also when all are refused.", _TOLD),
        400: refusal(400, "invalid-batch", more="This is no batch; nothing was stored."),
        413: refusal(413, "content-too-large", more="More bytes or readings than a batch may have; nothing was stored."),
        415: refusal(415, "unsupported-media-type", headers=("Accept-Post", "Accept-Encoding")),
        503: Answer(
            "One at least is not known to be stored: send the whole batch again after `Retry-After`. A problem, where no "
            "reading was looked at.",
            {**_TOLD, **refusal(503, "overloaded", "wrong-stream", "service-unavailable").content},
            ("Retry-After",),
        ),
    },
)
