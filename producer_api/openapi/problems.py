"""The shape of a problem, as `producer_api/problems.py` makes it."""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from producer_api.pages.errors import CODES

PROBLEM: Final = "application/problem+json"

Code = Annotated[
    str,
    Meta(
        description="For programs: it stays. More may come.",
        extra_json_schema={"anyOf": [{"type": "string", "enum": [*CODES]}, {"type": "string"}]},
    ),
]


class FaultOfProblem(Struct):
    """What is wrong with one part of a request: a member of its body, or a parameter."""

    detail: Annotated[str, Meta(description="What is expected.")]
    pointer: Annotated[
        str | UnsetType, Meta(description="Where in the body it stands (RFC 6901); empty for the body as a whole.")
    ] = UNSET
    parameter: Annotated[str | UnsetType, Meta(description="The parameter's name.")] = UNSET


class ProblemShape(Struct, rename="camel"):
    """What is wrong (RFC 9457), with the original's `message` beside."""

    type: Annotated[str, Meta(description="A page about the code, relative to this server.")]
    code: Code
    title: Annotated[str, Meta(description="The status in words.")]
    status: int
    detail: Annotated[str, Meta(description="What happened, for people.")]
    message: Annotated[
        str | dict[str, str],
        Meta(description="As `detail`; of a refused reading what is wrong by member, as in the original."),
    ]
    errors: Annotated[list[FaultOfProblem] | UnsetType, Meta(description="Everything that is wrong at once.")] = UNSET
    nearest: Annotated[str | UnsetType, Meta(description="A URL near to what was asked, which is answered.")] = UNSET
    mark: Annotated[str | UnsetType, Meta(description="not-yet-counted: which mark was waited for.")] = UNSET
    as_of: Annotated[str | UnsetType | None, Meta(description="not-yet-counted: how far that mark is.")] = UNSET
    error: Annotated[str | UnsetType, Meta(description="As `detail`, where clients of InfluxDB 1 look for it.")] = UNSET
    checks: Annotated[dict[str, str] | UnsetType, Meta(description="/readyz: each check's code.")] = UNSET
