"""CloudWatch's metric math, as far as ours use it: what an expression is of, or why AWS would refuse it.

The grammar and each function's types: CloudWatch User Guide, "Using metric math", syntax and functions. A type is a scalar, a
time series, or an array of time series. An array holds time series only.
"""

import re
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from typing import Final


class MathError(ValueError):
    """AWS would refuse the expression."""


class Kind(StrEnum):
    """What a part of an expression is of."""

    S = "a scalar"
    TS = "a time series"
    ARRAY = "an array of time series"
    WORD = "a word"


_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<text>\"[^\"]*\")|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/^<>()\[\],]))"
)
_REDUCING: Final = frozenset({"AVG", "DATAPOINT_COUNT", "MAX", "MIN", "STDDEV", "SUM"})
"""Of an array a time series; of one time series a scalar, which "Using metric math" advises against in alarms: how many data
points CloudWatch looks at is its own choice."""
_KEEPING: Final = frozenset(
    {
        "ABS",
        "CEIL",
        "DIFF",
        "DIFF_TIME",
        "FLOOR",
        "LOG",
        "LOG10",
        "MINUTE",
        "RATE",
        "REMOVE_EMPTY",
        "RUNNING_SUM",
        "TIME_SERIES",
    }
)
_WORDS: Final = frozenset({"REPEAT", "LINEAR", "ASC", "DESC"})
_ORDER: Final[Sequence[Collection[str]]] = (
    ("OR", "||"),
    ("AND", "&&"),
    ("==", "!=", "<=", ">=", "<", ">"),
    ("+", "-"),
    ("*", "/"),
    ("^",),
)


def kind_of(expression: str, ids: Collection[str], *, alarm: bool = False) -> Kind:
    """What an expression over these metrics is of. Raises MathError.

    An alarm's has to be one time series (PutMetricAlarm, API reference, Metrics).
    """
    if not 1 <= len(expression) <= 2048:
        raise MathError(f"an expression has 1 to 2048 characters, not {len(expression)} (MetricDataQuery, API reference)")
    parser = _Parser(_tokens(expression), ids, alarm=alarm)
    kind = parser.expression()
    parser.end()
    if kind not in ((Kind.TS,) if alarm else (Kind.TS, Kind.ARRAY)):
        raise MathError(f"{expression} is {kind}")
    return kind


def _tokens(expression: str) -> list[str]:
    found, at = [], 0
    while expression[at:].strip():
        if not (match := _TOKEN.match(expression, at)):
            raise MathError(f"{expression[at:]!r} is nothing that metric math knows")
        found.append(match[0].strip())
        at = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str], ids: Collection[str], *, alarm: bool) -> None:
        self._tokens, self._ids, self._alarm = [*tokens, ""], ids, alarm
        self._at = 0

    def expression(self, level: int = 0) -> Kind:
        """Operators of this precedence and those that bind tighter."""
        if level == len(_ORDER):
            return self._unary()
        kind = self.expression(level + 1)
        while self._next in _ORDER[level]:
            sign = self._take()
            kind = self._joined(sign, kind, self.expression(level + 1))
        return kind

    def end(self) -> None:
        """Nothing may be left."""
        if self._next:
            raise MathError(f"{self._next!r} is not expected")

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self, wanted: str = "") -> str:
        token = self._next
        if not token or (wanted and token != wanted):
            raise MathError(f"{wanted or 'something'} is missing before {token!r}")
        self._at += 1
        return token

    def _unary(self) -> Kind:
        if self._next == "-":
            self._take()
            return self._unary()
        return self._value()

    def _value(self) -> Kind:
        token = self._take()
        if token == "(":  # noqa: S105  no secret
            kind = self.expression()
            self._take(")")
            return kind
        if token == "[":  # noqa: S105
            return self._array()
        if token[0].isdigit():
            return Kind.S
        if self._next == "(":
            return self._call(token)
        if token in _WORDS or token[0] == '"':
            return Kind.WORD
        if token not in self._ids:
            raise MathError(f"{token} is the id of no metric here")
        return Kind.TS

    def _array(self) -> Kind:
        kinds = self._list("]")
        if wrong := [kind for kind in kinds if kind not in (Kind.TS, Kind.ARRAY)]:
            raise MathError(f"an array holds time series, not {wrong[0]}")
        return Kind.ARRAY

    def _list(self, closing: str) -> list[Kind]:
        kinds: list[Kind] = []
        while self._next != closing:
            if kinds:
                self._take(",")
            kinds.append(self.expression())
        self._take(closing)
        return kinds

    def _call(self, name: str) -> Kind:
        self._take("(")
        kinds = self._list(")")
        if not (judge := _FUNCTIONS.get(name)):
            raise MathError(f"{name} is no function that is known here: add it with its types from the user guide")
        kind = judge(kinds)
        if self._alarm and name in _REDUCING and kind is Kind.S:
            raise MathError(f"{name} of one time series depends on how many points CloudWatch looks at: not in an alarm")
        return kind

    @staticmethod
    def _joined(sign: str, left: Kind, right: Kind) -> Kind:
        if Kind.WORD in (left, right):
            raise MathError(f"{sign} takes no word")
        if sign in _ORDER[2] and Kind.ARRAY in (left, right):
            raise MathError(f"{sign} compares time series or scalars, not arrays")
        return max(left, right, key=(Kind.S, Kind.TS, Kind.ARRAY).index)


def _reduced(kinds: list[Kind]) -> Kind:
    _expect(kinds, ({Kind.TS, Kind.ARRAY},))
    return Kind.TS if kinds[0] is Kind.ARRAY else Kind.S


def _kept(kinds: list[Kind]) -> Kind:
    _expect(kinds, ({Kind.TS, Kind.ARRAY},))
    return kinds[0]


def _filled(kinds: list[Kind]) -> Kind:
    by = {Kind.S, Kind.WORD, Kind.TS} if kinds[:1] == [Kind.ARRAY] else {Kind.S, Kind.WORD}
    _expect(kinds, ({Kind.TS, Kind.ARRAY}, by))
    return kinds[0]


def _chosen(kinds: list[Kind]) -> Kind:
    _expect(kinds, ({Kind.TS}, {Kind.TS, Kind.S}, {Kind.TS, Kind.S})[: max(2, len(kinds))])
    return Kind.TS


def _period(kinds: list[Kind]) -> Kind:
    _expect(kinds, ({Kind.TS},))
    return Kind.S


def _expect(kinds: list[Kind], wanted: Sequence[Collection[Kind]]) -> None:
    if len(kinds) != len(wanted) or any(kind not in allowed for kind, allowed in zip(kinds, wanted, strict=True)):
        raise MathError(f"a function was given {', '.join(kinds) or 'nothing'}")


_FUNCTIONS: Final[dict[str, Callable[[list[Kind]], Kind]]] = {
    **dict.fromkeys(_REDUCING, _reduced),
    **dict.fromkeys(_KEEPING, _kept),
    "FILL": _filled,
    "IF": _chosen,
    "PERIOD": _period,
}
