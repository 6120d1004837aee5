"""Parameters of questions: how each is read, and what OpenAPI says of it, in one definition.

Strict: what is unknown, repeated, empty or malformed is refused, all of it at once, so that no other question is answered than
the one that was meant (contract, "Reading").
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, cast

from starlette.requests import Request

from producer_api.urls import question_of
from telemetry.errors import InvalidQuestion, Unanswerable

type Schema = Mapping[str, Any]

_PARAMETERS_MAX: Final = 100
"""More than any question takes. To say what is wrong with each of thousands takes long."""
_MISSING = "Left out, and the question needs it."


@dataclass(frozen=True, slots=True, eq=False)
class Parameter[T]:
    """A parameter in the query string."""

    name: str
    parse: Callable[[str], T]
    """Raises ValueError, whose text tells the asker what is expected; Unanswerable for what is well put and known to nobody."""
    default: T
    """What it is when it is left out."""
    description: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    """JSON Schema of its text."""
    example: str | None = None
    times: int = 1
    """How often it may be given; if more than once, it is a tuple, and each text a tuple of one."""
    required: bool = False
    """Whether it must be given."""


class Asked:
    """What a question's parameters are."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__[T](self, parameter: Parameter[T]) -> T:
        return cast("T", self._values.get(parameter.name, parameter.default))

    def __contains__(self, parameter: Parameter[Any]) -> bool:
        return parameter.name in self._values


def asked(request: Request, parameters: Sequence[Parameter[Any]]) -> Asked:
    """The parameters of a request. Raises InvalidQuestion with everything that is wrong with them, or else Unanswerable."""
    known = {parameter.name: parameter for parameter in parameters}
    given = question_of(request)
    if len(given) > _PARAMETERS_MAX:
        raise InvalidQuestion({_readable(given[_PARAMETERS_MAX][0]): f"Expected at most {_PARAMETERS_MAX} parameters."})
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    unanswerable: Unanswerable | None = None
    for name, times in Counter(name for name, _ in given).items():
        if name not in known:
            faults[name] = _unknown(name, known)
        elif times > known[name].times:
            faults[name] = _too_often(known[name].times)
    faults |= {name: _MISSING for name in known if known[name].required and name not in dict(given)}
    for name, text in given:
        if name in faults:
            continue
        try:
            value = known[name].parse(_checked(text))
            values[name] = (*values.get(name, ()), *value) if known[name].times > 1 else value
        except ValueError as error:
            faults[name] = str(error)
        except Unanswerable as error:
            unanswerable = error
    if faults:
        raise InvalidQuestion({_readable(name): text for name, text in faults.items()})
    if unanswerable:
        raise unanswerable
    return Asked(values)


def _checked(text: str) -> str:
    if not text:
        raise ValueError("Empty: leave it out, or write a value.")
    if text != _readable(text):
        raise ValueError("Expected UTF-8, each byte of it that is not ASCII as %XX.")
    return text


def _readable(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _too_often(times: int) -> str:
    return "Given more than once: write it once." if times == 1 else f"Given more than {times} times."


def _unknown(name: str, known: Mapping[str, object]) -> str:
    if not known:
        return "Not a parameter of this question, which takes none: leave it out."
    near = get_close_matches(name, known, 1) or [one for one in known if one.lower() == name.lower()]
    meant = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(known)}."
    return f"Not a parameter of this question. {meant}"


def flag(name: str, description: str) -> Parameter[bool]:
    """A parameter that is `true` or `false`, false when it is left out."""
    return choice_of(name, description, {"true": True, "false": False}, default="false")


def choice_of[T](name: str, description: str, values: Mapping[str, T], default: str) -> Parameter[T]:
    """A parameter that is one of a few words."""

    def parse(text: str) -> T:
        if text not in values:
            raise ValueError(f"Expected {' or '.join(values)}.")
        return values[text]

    return Parameter(name, parse, values[default], description, {"type": "string", "enum": [*values], "default": default})


def choice[E: StrEnum](name: str, description: str, default: E) -> Parameter[E]:
    """A parameter that is one of an enumeration's values."""
    return choice_of(name, description, {one.value: one for one in type(default)}, default.value)


def whole(name: str, description: str, least: int, most: int, default: int) -> Parameter[int]:
    """A parameter that is a whole number between two."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) or not least <= int(text) <= most:
            raise ValueError(f"Expected a whole number from {least} to {most}.")
        return int(text)

    schema = {"type": "integer", "minimum": least, "maximum": most, "default": default}
    return Parameter(name, parse, default, description, schema)
