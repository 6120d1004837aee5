"""What is said of what goes on: the live stream, status, health, metrics."""

from typing import Final

from producer_api.live.stream import PARAMETERS as LIVE_PARAMETERS
from producer_api.live.topics import Freshness, Generation, Snapshot
from producer_api.openapi.describing import Answer, Content, Events, Operation, refusal
from producer_api.openapi.reading import AWAY, MALFORMED
from producer_api.operating.health import AliveShape, ReadyShape
from producer_api.operating.status import PARAMETERS as STATUS_PARAMETERS
from producer_api.operating.status import StatusShape
from producer_api.reading.shapes import DetailShape, SensorShape, WindowShape

TAG: Final = "Operating"
SESSIONS: Final = "Sessions"

EVENTS: Final = Events(
    snapshot=Snapshot,
    stats=DetailShape,
    window=WindowShape,
    correction=WindowShape,
    sensor=SensorShape,
    freshness=Freshness,
    generation=Generation,
)
LIVE: Final = Operation(
    name="listen",
    tag="Live",
    summary="The state, and what changes, as server-sent events",
    description=(
        "`snapshot` first: the whole state. Then `stats`; `window` and `correction`, one whole window each, `correction` for "
        "one that was over; `sensor`; `freshness` every five seconds; `generation`: drop all, a `snapshot` follows. Who was "
        "away needs nothing but the next snapshot. Other events may come: pass over them."
    ),
    query=LIVE_PARAMETERS,
    answers={
        200: Answer(
            "Events: the schema is that of each.",
            {
                "text/event-stream": Content(
                    EVENTS,
                    {"freshness": 'event: freshness\ndata: {"asOf":"2021-11-26T18:10:01Z","lagMs":412,"version":"0.1.0"}\n\n'},
                )
            },
        ),
        400: MALFORMED,
        422: refusal(422, "unknown-zone", "question-too-large", more="`nearest` is a question that is answered."),
        503: refusal(
            503,
            *("too-many-streams", "projection-unavailable", "not-set-up", "wrong-stream", "service-unavailable"),
            more="Not at the moment: ask again after `Retry-After`, or poll /api/stats.",
        ),
    },
)

STATUS: Final = Operation(
    name="getStatus",
    tag=TAG,
    summary="How the pipeline is, shard by shard",
    description="Looked at every five seconds at most, whoever asks.",
    query=STATUS_PARAMETERS,
    answers={
        200: Answer("What was seen.", {"application/json": Content(StatusShape)}),
        400: MALFORMED,
        503: AWAY,
    },
)

METRICS: Final = Operation(
    name="getMetrics",
    tag=TAG,
    summary="Metrics for Prometheus",
    description="In the format that `Accept` asks for.",
    answers={
        200: Answer(
            "Counts and gauges. What cannot be seen of the shards at the moment is left out.",
            {kind: Content({"type": "string"}) for kind in ("text/plain; version=0.0.4", "application/openmetrics-text")},
        ),
        503: refusal(503, "service-unavailable"),
    },
)

LIVEZ: Final = Operation(
    name="isAlive",
    tag=TAG,
    summary="Whether the process answers",
    answers={
        200: Answer("It does. Nothing else was looked at.", {"application/json": Content(AliveShape)}),
        503: refusal(503, "service-unavailable"),
    },
)

READYZ: Final = Operation(
    name="isReady",
    tag=TAG,
    summary="Whether stream and tables answer, and the log takes readings",
    answers={
        200: Answer("They do.", {"application/json": Content(ReadyShape)}),
        503: refusal(503, "service-unavailable", more="`checks` names what is missing, by code."),
    },
)

_SESSION_ANSWERS: Final = {
    204: Answer("Done: the cookie is set, or taken away. Where keys are off there is none."),
    503: refusal(503, "service-unavailable"),
}
BEGIN_SESSION: Final = Operation(
    name="beginSession",
    tag=SESSIONS,
    summary="Take a key as a cookie, so that a browser may open the pages",
    description="The cookie counts for GET and HEAD only, and is set over HTTPS or to this machine only.",
    body={
        "application/json": Content({"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}}),
        "application/x-www-form-urlencoded": Content(
            {"type": "object", "properties": {"key": {"type": "string"}, "end": {"type": "string"}}}
        ),
    },
    body_description="The key. A form with `end` ends the session: forms cannot DELETE.",
    answers={
        **_SESSION_ANSWERS,
        303: Answer("The same, of a form: the pages are there."),
        400: refusal(400, "bad-request", "invalid-reading", more="No JSON object with a key."),
        401: refusal(401, "invalid-key"),
        403: refusal(403, "plain-http", "insufficient-role"),
        413: refusal(413, "content-too-large"),
        415: refusal(415, "unsupported-media-type", headers=("Accept-Encoding",)),
        429: refusal(429, "too-many-requests", headers=("Retry-After",)),
        503: refusal(503, "keys-unavailable", "service-unavailable"),
    },
)
END_SESSION: Final = Operation(name="endSession", tag=SESSIONS, summary="Take the cookie away", answers=_SESSION_ANSWERS)
