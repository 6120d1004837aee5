"""IAM's judgement of one request, as far as our policies' language goes: allowed or not, by which statements.

Policy evaluation logic and condition operators: IAM User Guide. What is not known here is an error, never a guess.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

type Statement = Mapping[str, Any]
type Context = Mapping[str, str | Sequence[str]]
"""A request's condition keys and their values; several of a key that has several."""


def statements(policy: str) -> list[Statement]:
    """Those of a policy's JSON."""
    return json_list(json.loads(policy)["Statement"])


def allows(policies: Sequence[Statement], action: str, arn: str, context: Context) -> bool:
    """Whether statements together allow an action on a resource: one does, and none denies it."""
    effects = {statement["Effect"] for statement in policies if _speaks_of(statement, action, arn, context)}
    return effects == {"Allow"}


def about(policies: Sequence[Statement], action: str) -> list[Statement]:
    """The statements that speak of an action, on whatever resource: all that `allows` needs to judge it."""
    return [one for one in policies if any(like(each.lower(), action.lower()) for each in json_list(one["Action"]))]


def _speaks_of(statement: Statement, action: str, arn: str, context: Context) -> bool:
    return (
        any(like(pattern.lower(), action.lower()) for pattern in json_list(statement["Action"]))
        and any(like(pattern, arn) for pattern in json_list(statement["Resource"]))
        and all(
            _holds(operator, json_list(wanted), context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, wanted: Sequence[str], found: str | Sequence[str] | None) -> bool:
    values = [] if found is None else json_list(found)
    if operator == "Null":
        return (not values) == (wanted[0] == "true")
    every = operator.startswith("ForAllValues:")
    operator = operator.removeprefix("ForAllValues:")
    if not values:
        return every or operator.endswith("IfExists")
    of = _MATCHES[operator.removesuffix("IfExists")]
    return (all if every else any)(any(of(one, value) for one in wanted) for value in values)


def _equal(one: str, other: str) -> bool:
    return one == other


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def like(pattern: str, text: str) -> bool:
    """Whether a text is of a pattern with `*` and `?`."""
    return bool(_pattern(pattern).fullmatch(text))


_MATCHES: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": _equal,
    "StringEquals": _equal,
    "StringLike": like,
}
"""By operator, whether a value that is found is what is wanted, which comes first."""


@cache
def overlap(one: str, other: str) -> bool:
    """Whether some text is of both patterns, which may hold `*`."""
    if not one or not other:
        return set(one + other) <= {"*"}
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return one[0] == other[0] and overlap(one[1:], other[1:])


def conditions(statement: Statement) -> Iterator[tuple[str, str]]:
    """Operators and keys of a statement's conditions."""
    return ((operator, key) for operator, keys in statement.get("Condition", {}).items() for key in keys)


def json_list(value: Any) -> list[Any]:
    """What IAM writes as one or as a list of them."""
    return value if isinstance(value, list) else [value]
