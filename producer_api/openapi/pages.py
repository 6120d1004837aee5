"""What is said of pages, and of this description itself."""

from dataclasses import replace
from typing import Final

from producer_api.openapi.describing import Answer, Content, Operation, refusal
from producer_api.openapi.reading import IF_NONE_MATCH
from producer_api.pages.errors import CODES
from producer_api.parameters import Parameter
from producer_api.reading.common import REQUIRED_SENSOR_ID

TAG: Final = "Documents"
_HTML: Final = {"text/html; charset=utf-8": Content({"type": "string"})}
_BUSY: Final = refusal(503, "service-unavailable")

HOME: Final = Operation(
    name="getHome",
    tag=TAG,
    summary="All sensors, for a person",
    answers={200: Answer("A page.", _HTML), 503: _BUSY},
)

SENSOR: Final = Operation(
    name="getSensorPage",
    tag=TAG,
    summary="A sensor, for a person",
    query=(replace(REQUIRED_SENSOR_ID, required=False),),
    answers={
        200: Answer("A page, also of a sensor that nothing is known of.", _HTML),
        303: Answer("Without a sensor: where the list of them is."),
        400: refusal(400, "invalid-question"),
        503: _BUSY,
    },
)

CONNECT: Final = Operation(
    name="getConnect",
    tag=TAG,
    summary="What to paste into each tool, and what came in last, for a person",
    answers={200: Answer("A page.", _HTML), 503: _BUSY},
)

DOCS: Final = Operation(
    name="getDocs",
    tag=TAG,
    summary="This description, to be read and tried",
    answers={200: Answer("Swagger UI; all that it needs is here.", _HTML), 503: _BUSY},
)

OPENAPI: Final = Operation(
    name="getOpenApi",
    tag=TAG,
    summary="This description",
    headers=(IF_NONE_MATCH,),
    answers={
        200: Answer("OpenAPI 3.1.", {"application/json": Content({"type": "object"})}, ("ETag",)),
        304: Answer("What `If-None-Match` names is still the answer.", headers=("ETag",)),
        503: _BUSY,
    },
)

ERROR_PAGE: Final = Operation(
    name="getErrorPage",
    tag=TAG,
    summary="What a problem's code means, and what to do",
    path=(
        Parameter[str]("code", str, "", "A problem's `code`; its `type` leads here.", {"type": "string"}, next(iter(CODES))),
    ),
    answers={200: Answer("A page.", _HTML), 404: refusal(404, "not-found", more="There is no such code."), 503: _BUSY},
)
