"""The aws commands that documents show, judged by the services' own models, which botocore ships: nothing is called.

A command that is misspelt, lacks a parameter or gives one a value that its service does not know would be found by whoever
needs it at night. Of the aws program's ways of writing values only ours: JSON, `Key=Value` lists, words, numbers and switches.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import botocore.session
from botocore import xform_name
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

_GLOBAL: Final = frozenset({"--output", "--query", "--region"})
"""Options of the program itself."""
_PAGING: Final = "--max-items"
_CUSTOM: Final = frozenset({("ecr", "get-login-password"), ("logs", "tail")})
"""Commands that the program has beside the services' operations."""
_SIMPLE: Final[Mapping[str, Callable[[str], Any]]] = {
    "boolean": lambda _: True,
    "double": float,
    "float": float,
    "integer": int,
    "long": int,
}
_SERVICES: Final = {"s3api": "s3"}


def command_faults(command: str) -> Iterator[str]:
    """What is wrong with one command line, its variables left as they stand."""
    words = shlex.split(command.partition(" | ")[0])
    service, operation, *options = words[1:]
    if (service, operation) in _CUSTOM:
        return
    session = botocore.session.get_session()
    try:
        model = session.get_service_model(_SERVICES.get(service, service))
    except botocore.session.UnknownServiceError:
        yield f"{service} is no service"
        return
    if operation == "wait":
        waiters = session.get_waiter_model(_SERVICES.get(service, service))
        known = {xform_name(name, "-"): waiters.get_waiter(name).operation for name in waiters.waiter_names}
        if options[0] not in known:
            yield f"{service} waits for no {options[0]}"
            return
        name, options = known[options[0]], options[1:]
    else:
        names = {xform_name(name, "-"): name for name in model.operation_names}
        if operation not in names:
            yield f"{service} has no {operation}"
            return
        name = names[operation]
    yield from _option_faults(model, name, options)


def _option_faults(model: ServiceModel, operation: str, options: Sequence[str]) -> Iterator[str]:
    shape = model.operation_model(operation).input_shape
    members: Mapping[str, Shape] = shape.members if shape else {}
    known = {f"--{xform_name(name, '-')}": (name, member) for name, member in members.items()}
    known |= {f"--no-{option[2:]}": found for option, found in list(known.items()) if found[1].type_name == "boolean"}
    given: dict[str, Any] = {}
    for option, values in _grouped(options):
        if option in known:
            name, member = known[option]
            given[name] = _value(member, values)
        elif option not in _GLOBAL | {_PAGING}:
            yield f"{operation} knows no {option}"
    if shape and (report := ParamValidator().validate(given, shape)).has_errors():
        yield report.generate_report()
    for name, value in given.items():
        if (allowed := getattr(members[name], "enum", None)) and value not in allowed:
            yield f"{name} is none of {', '.join(allowed)}"


def _grouped(options: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Options with the words that follow them."""
    at = 0
    while at < len(options):
        after = next((n for n in range(at + 1, len(options)) if options[n].startswith("--")), len(options))
        yield options[at], list(options[at + 1 : after])
        at = after


def _value(member: Shape, words: list[str]) -> Any:
    kind, first = member.type_name, words[0] if words else ""
    if kind in _SIMPLE:
        return _SIMPLE[kind](first)
    if kind == "list" and not first.startswith("["):
        return words
    if kind in ("structure", "map") and not first.startswith("{"):
        # A variable's value is not known here.
        pairs = () if first.startswith("$") else (pair.split("=", 1) for pair in first.split(","))
        return {name: {"true": True, "false": False}.get(value, value) for name, value in pairs}
    return json.loads(first) if kind in ("structure", "map", "list") else first
