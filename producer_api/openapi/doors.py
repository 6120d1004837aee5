"""What is said of the doors for senders that know nothing of us."""

from dataclasses import replace
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from producer_api.doors import webhooks, write
from producer_api.doors.points import PRECISIONS_NS
from producer_api.openapi.describing import Answer, Content, Operation, refusal
from producer_api.parameters import Parameter

TAG: Final = "Line protocol"
WEBHOOKS: Final = "Webhooks"

_LINES: Final = Content({"type": "string"}, {"lines": "temperature,sensorId=room-1 value=21.5 1732545600000000000\n"})
PRECISION: Final = Parameter[str](
    "precision",
    str,
    "ns",
    "What timestamps count.",
    {"type": "string", "enum": [*PRECISIONS_NS], "default": "ns"},
)


class BadLineShape(Struct):
    """What is wrong with a line."""

    line: Annotated[int, Meta(ge=1, description="Counted from 1 in the body as it was sent.")]
    detail: str


class LinesShape(Struct):
    """Which lines were refused; the others are stored."""

    code: str
    message: Annotated[str, Meta(description="The first of them.")]
    error: Annotated[str, Meta(description="As `message`, where clients of InfluxDB 1 look for it.")]
    errors: Annotated[list[BadLineShape], Meta(max_length=100)]


class HealthShape(Struct):
    """As InfluxDB 2 has it."""

    name: str
    message: str
    status: str
    checks: list[dict[str, str]]
    version: str


class VersionShape(Struct):
    """As InfluxDB 1 has it."""

    version: str


class StatementShape(Struct):
    """What came of a statement."""

    statement_id: int
    series: list[dict[str, Any]] = []


class ResultsShape(Struct):
    """What came of each statement."""

    results: list[StatementShape]


class ErrorShape(Struct):
    """What is wrong, as InfluxDB 1 writes it."""

    error: str


_JSON: Final = "application/json"
_BUSY: Final = refusal(503, "service-unavailable")

WRITE: Final = Operation(
    name="writeLines",
    tag=TAG,
    summary="Store the temperatures among points of line protocol",
    description=(
        "A measurement `temperature` with a field `value`, or any field `temperature`, in °C; of Home Assistant those of the "
        "domain `sensor`. Other points are passed over. A tag names the sensor. Without a timestamp a point is of now, and "
        "sent again counts again. `org`, `bucket`, `db` and the like say nothing here."
    ),
    query=(PRECISION,),
    body={"text/plain": _LINES},
    body_description=(
        f"At most {write.DOOR.items_max} lines and {write.DOOR.body_bytes_max} bytes, unpacked, of any Content-Type. "
        "`Content-Encoding` may be gzip or deflate."
    ),
    answers={
        204: Answer("Every temperature is stored. `X-Stream-Position` names the last in each shard."),
        400: Answer(
            "Bad lines, which would be refused again; the good ones are stored. Or a body that cannot be unpacked or a "
            "`precision` that there is not: nothing is. A problem where it is no HTTP.",
            {_JSON: Content(LinesShape), **refusal(400, "bad-request").content},
        ),
        413: refusal(413, "content-too-large", more="More bytes or lines than are taken at once; nothing was stored."),
        415: refusal(415, "unsupported-media-type", headers=("Accept-Encoding",)),
        503: refusal(
            503,
            *("not-confirmed", "overloaded", "log-refuses", "wrong-stream", "service-unavailable"),
            more="A line at least is not known to be stored: send all again after `Retry-After`.",
        ),
    },
)
WRITE_1: Final = replace(WRITE, name="writeLinesTo1", summary="The same, where clients of InfluxDB 1 send it")

HEALTH: Final = Operation(
    name="getHealth",
    tag=TAG,
    summary="Whether the process answers, for clients of InfluxDB 2",
    answers={200: Answer("It does.", {_JSON: Content(HealthShape)}), 503: _BUSY},
)
PING: Final = Operation(
    name="ping",
    tag=TAG,
    summary="Whether the process answers, for clients of InfluxDB 1",
    query=(Parameter[str]("verbose", str, "", "Whether to tell the version in a body.", {"type": "string"}, "true"),),
    answers={200: Answer("It does.", {_JSON: Content(VersionShape)}), 204: Answer("It does."), 503: _BUSY},
)
QUERY: Final = Operation(
    name="query",
    tag=TAG,
    summary="Whether a database is there, for clients of InfluxDB 1: every one is",
    query=(Parameter[str]("q", str, "", "SHOW … or CREATE DATABASE, also several.", {"type": "string"}, "SHOW DATABASES"),),
    answers={
        200: Answer("What there is.", {_JSON: Content(ResultsShape)}),
        400: Answer("Another statement.", {_JSON: Content(ErrorShape)}),
        503: _BUSY,
    },
)
QUERY_POST: Final = replace(
    QUERY,
    name="queryInBody",
    body={"application/x-www-form-urlencoded": Content({"type": "object", "properties": {"q": {"type": "string"}}})},
    body_description="The statement may stand here as well.",
    answers={
        **QUERY.answers,
        413: refusal(413, "content-too-large"),
        415: refusal(415, "unsupported-media-type", headers=("Accept-Encoding",)),
    },
)


class ReceivedShape(Struct):
    """What became of a message."""

    stored: Annotated[int, Meta(ge=0, le=1)]
    ignored: Annotated[str | None, Meta(description="Why nothing was to be stored.")]


_TTN_MESSAGE: Final = {
    "end_device_ids": {"device_id": "cellar-1"},
    "received_at": "2026-03-01T12:00:00.123Z",
    "uplink_message": {"decoded_payload": {"temperature": 21.5}},
}
_CHIRPSTACK_EVENT: Final = {
    "deviceInfo": {"devEui": "0101010101010101"},
    "time": "2026-03-01T12:00:00.123Z",
    "object": {"temperature": 21.5},
}


def _webhook(name: str, server: str, description: str, message: dict[str, Any], query: tuple[Parameter[str], ...]) -> Operation:
    return Operation(
        name=name,
        tag=WEBHOOKS,
        summary=f"Store the temperature in a message of {server}",
        description=description,
        query=query,
        body={_JSON: Content({"type": "object"}, {"uplink": message})},
        body_description=f"At most {webhooks.BODY_BYTES_MAX} bytes. `Content-Encoding` may be gzip or deflate.",
        answers={
            200: Answer("Stored, or nothing to be stored.", {_JSON: Content(ReceivedShape)}),
            400: refusal(
                400,
                "invalid-reading",
                more="No message with a device and a time, or a temperature that is none.",
                errors=[{"pointer": "/received_at", "detail": "This field cannot be blank."}],
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


TTN: Final = _webhook(
    "receiveFromTheThingsStack",
    "The Things Stack",
    "`decoded_payload.temperature`, in °C, as the application's payload formatter makes it. It sends each message once.",
    _TTN_MESSAGE,
    (),
)
CHIRPSTACK: Final = _webhook(
    "receiveFromChirpStack",
    "ChirpStack 4",
    "`object.temperature`, in °C, as the device profile's codec makes it.",
    _CHIRPSTACK_EVENT,
    (Parameter("event", str, "up", "What happened; all but `up` is ignored.", {"type": "string"}, "up"),),
)
