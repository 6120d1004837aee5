"""The words that routes are described in, and how OpenAPI 3.1 writes them. Which routes there are is told elsewhere.

What a question takes are the parameters that read it (`parameters.py`), what it answers the shapes that write it: neither is
written down again here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from producer_api.openapi.problems import PROBLEM, ProblemShape
from producer_api.pages.errors import CODES
from producer_api.parameters import Parameter
from producer_api.problems import problem_members

type Json = dict[str, Any]

HEADERS: Final[Mapping[str, Json]] = {
    "X-Request-Id": {
        "description": "The request's own `X-Request-Id` when it is sane, else a new one; the server's log has it.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-Event-Id": {
        "description": "The event that the reading became; the same for the same reading, however often it is sent.",
        "required": True,
        "schema": {"type": "string"},
        "example": "w910_ocJkVZS5SzW",
    },
    "X-Stream-Position": {
        "description": "Where the log holds it: what `after` takes.",
        "required": True,
        "schema": {"type": "string", "format": "position"},
        "example": "shardId-000000000001:49679353018427153128110012934517895467398921063236485138",
    },
    "X-As-Of": {
        "description": "The answer holds all that was stored up to then. Absent while nothing is known of a shard.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "X-Projection-Lag-Ms": {
        "description": "How long ago that was, in milliseconds.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "ETag": {"description": "Weak. It changes whenever the answer may.", "schema": {"type": "string"}},
    "Link": {"description": 'The next page, with `rel="next"`; as `next` in the body.', "schema": {"type": "string"}},
    "Content-Disposition": {"description": "A file name, in both forms.", "schema": {"type": "string"}},
    "Retry-After": {"description": "After how many seconds to come back.", "schema": {"type": "integer", "minimum": 0}},
    "Accept-Post": {"description": "The media types that are taken.", "schema": {"type": "string"}},
    "Accept-Encoding": {"description": "The codings that are taken.", "schema": {"type": "string"}},
}


class Events(dict[str, type]):
    """Server-sent events: what each says, by its name."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent in one media type."""

    schema: type | tuple[type, ...] | Events | Json
    """A type that is written as JSON, or several of them, or a JSON Schema; of lines, what each is."""
    examples: Mapping[str, Any] = field(default_factory=dict)
    """By what they show."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one status says."""

    description: str
    content: Mapping[str, Content] = field(default_factory=dict)
    headers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """What can be done with one method at one path."""

    name: str
    """For programs that are generated: it stays."""
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    description: str = ""
    query: Sequence[Parameter[Any]] = ()
    path: Sequence[Parameter[Any]] = ()
    headers: Sequence[Parameter[Any]] = ()
    body: Mapping[str, Content] = field(default_factory=dict)
    """By media type; the first one is meant where a request names none."""
    body_description: str = ""


def refusal(status: int, *codes: str, headers: Sequence[str] = (), more: str = "", **members: Any) -> Answer:
    """A problem, with the codes that it may have; the first is the example, with these members."""
    told = "".join(f"\n- `{code}`: {CODES[code]}" for code in codes)
    content = Content(ProblemShape, {codes[0]: problem_members(status, CODES[codes[0]], codes[0]) | members})
    return Answer(f"{more}{told}", {PROBLEM: content}, (*headers, *(["Retry-After"] if status == 503 else [])))


def types_of(operation: Operation) -> list[Any]:
    """The types that an operation's bodies are written as."""
    contents = [*operation.body.values(), *(one for answer in operation.answers.values() for one in answer.content.values())]
    return [one for content in contents for one in _types(content.schema)]


def operation_json(operation: Operation, schemas: Mapping[Any, Json]) -> Json:
    """As OpenAPI writes it. `schemas` holds what each type is referred to by."""
    parameters = [
        *(_parameter(one, "path") for one in operation.path),
        *(_parameter(one, "query") for one in operation.query),
        *(_parameter(one, "header") for one in operation.headers),
    ]
    told: Json = {"operationId": operation.name, "tags": [operation.tag], "summary": operation.summary}
    if operation.description:
        told["description"] = operation.description
    if parameters:
        told["parameters"] = parameters
    if operation.body:
        content = {media_type: _content(one, schemas) for media_type, one in operation.body.items()}
        told["requestBody"] = {"description": operation.body_description, "required": True, "content": content}
    told["responses"] = {str(status): _answer(one, schemas) for status, one in operation.answers.items()}
    return told


def _parameter(parameter: Parameter[Any], place: str) -> Json:
    schema = dict(parameter.schema)
    if schema["type"] == "string" and "enum" not in schema and place != "header":  # an empty header says nothing
        schema = {"type": "string", "minLength": 1} | schema
    if parameter.times > 1:
        schema = {"type": "array", "items": schema, "maxItems": parameter.times}
    told: Json = {"name": parameter.name, "in": place, "description": parameter.description}
    if place == "path" or parameter.required:
        told["required"] = True
    told["schema"] = schema
    if parameter.example is not None:
        told["example"] = parameter.example
    return told


def _answer(answer: Answer, schemas: Mapping[Any, Json]) -> Json:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *answer.headers)}
    told: Json = {"description": answer.description, "headers": headers}
    if answer.content:
        told["content"] = {media_type: _content(one, schemas) for media_type, one in answer.content.items()}
    return told


def _content(content: Content, schemas: Mapping[Any, Json]) -> Json:
    told: Json = {"schema": _schema(content.schema, schemas)}
    if content.examples:
        told["examples"] = {name: {"value": value} for name, value in content.examples.items()}
    return told


def _schema(schema: Any, schemas: Mapping[Any, Json]) -> Json:
    if isinstance(schema, Events):
        return {"anyOf": [_event(name, schemas[says]) for name, says in schema.items()]}
    if isinstance(schema, dict):
        return schema
    found = [schemas[one] for one in _types(schema)]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _event(name: str, says: Json) -> Json:
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": says}
    return {"type": "object", "required": ["event", "data"], "properties": {"event": {"const": name}, "data": data}}


def _types(schema: Any) -> tuple[type, ...]:
    if isinstance(schema, dict):
        return tuple(schema.values()) if isinstance(schema, Events) else ()
    return schema if isinstance(schema, tuple) else (schema,)
