"""InfluxDB's line protocol: from a body to points, exactly, with the number of each line. Pure.

`line-protocol-parser` (PyPI, 2.0.1) was judged first and is not used here: its numbers are C doubles, so that 21.15 is no
longer 21.15 and no °F can be exact; it takes a line alone, though a newline may stand within quotes, so that a body would have
to be cut by a parser of our own; and its error says nothing fit for a sender. It is what ours is tested against.

The rules are those of InfluxDB's own parser (docs.influxdata.com, "Line protocol"): a backslash takes the meaning of a comma,
an equals sign or a blank after it, in quotes of a quote or a backslash, and is itself everywhere else. Stricter in one thing:
a tag or field that stands twice is refused, since nobody knows which is meant.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

_NUMBER_CHARS_MAX: Final = 1_000
"""A bound of ours. What is longer is no measurement, and to compute with it takes long."""
_SHOWN_CHARS_MAX: Final = 64

_SPACE: Final = re.compile(r"[ \t\r]*+")
_MEASUREMENT: Final = re.compile(r"(?:\\[, ]|[^, \t\r\n])++")
_KEY: Final = re.compile(r"(?:\\[,= ]|[^,= \t\r\n])++")
"""Name of a tag or field, or a tag's value."""
_BARE: Final = re.compile(r'[^, \t\r\n"]++')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_TIME: Final = re.compile(r"-?[0-9]{1,20}")

_NUMBER: Final = re.compile(r"([+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)|([+-]?[0-9]++)i|([0-9]++)u")
_TRUTH: Final = {word: word[0] in "tT" for word in ("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE")}
_ESCAPED_IN_MEASUREMENT: Final = re.compile(r"\\([, ])")
_ESCAPED_IN_KEY: Final = re.compile(r"\\([,= ])")
_ESCAPED_IN_QUOTES: Final = re.compile(r'\\(["\\])')

type Value = Decimal | str | bool
"""Of a field. A number is what its text says."""


class Point(NamedTuple):
    """What a line says."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Value]
    time: int | None
    """Since 1970, in a unit that the line does not name."""


class BadLine(NamedTuple):
    """Why a line is no point."""

    reason: str


class Line(NamedTuple):
    """A line that is neither blank nor a comment, by its number in the body, counted from 1.

    A value in quotes may go over several lines: the number is that of the first.
    """

    number: int
    says: Point | BadLine


class _Fault(Exception):
    """A line breaks the rules, and what follows it is to be looked for after this place."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at


def parse_lines(text: str) -> Iterator[Line]:
    """The lines of a body. A bad one spoils itself only."""
    number, at = 1, 0
    while at < len(text):
        begin = _after_space(text, at)
        end = begin
        if not _ends(text, begin) and text[begin] != "#":
            says, end = _says(text, begin)
            yield Line(number, says)
        newline = text.find("\n", end)
        after = len(text) if newline < 0 else newline + 1
        number += text.count("\n", at, after)
        at = after


def _says(text: str, at: int) -> tuple[Point | BadLine, int]:
    try:
        return _point(text, at)
    except _Fault as fault:
        return BadLine(str(fault)), fault.at


def _point(text: str, at: int) -> tuple[Point, int]:
    """The point that begins here, and where its line ends. Raises _Fault."""
    name, at = _take(_MEASUREMENT, text, at, "a measurement's name")
    tags: dict[str, str] = {}
    while text.startswith(",", at):
        key, at = _named(text, at + 1, "tag", tags)
        value, at = _take(_KEY, text, at, f"a value of the tag {_shown(key)}")
        tags[key] = _ESCAPED_IN_KEY.sub(r"\1", value)
    begin = _after_space(text, at)
    if begin == at or _ends(text, begin):
        raise _Fault(at, "Expected a blank and fields after measurement and tags. e.g. temperature,sensorId=202 value=18.7")
    raw, at = _fields(text, begin)
    time, at = _time(text, at)
    # Only now, when it is known where the line ends: a value in quotes may look like lines of its own.
    fields = {key: _value(key, value, at) for key, value in raw.items()}
    return Point(_ESCAPED_IN_MEASUREMENT.sub(r"\1", name), tags, fields, time), at


def _fields(text: str, at: int) -> tuple[dict[str, str], int]:
    """The fields that begin here, each with the text of its value."""
    fields: dict[str, str] = {}
    while True:
        key, at = _named(text, at, "field", fields)
        if text.startswith('"', at):
            match = _QUOTED.match(text, at)
            if not match:
                raise _Fault(at, f"Expected a second quote after the value of {_shown(key)}.")
            fields[key], at = match[0], match.end()
        else:
            fields[key], at = _take(_BARE, text, at, f"a value of the field {_shown(key)}")
        if not text.startswith(",", at):
            return fields, at
        at += 1


def _time(text: str, at: int) -> tuple[int | None, int]:
    """The timestamp that begins here, if there is one, and where the line ends."""
    begin = _after_space(text, at)
    if _ends(text, begin):
        return None, begin
    match = _TIME.match(text, begin)
    if begin == at or not match or not _ends(text, end := _after_space(text, match.end())):
        raise _Fault(begin, "Expected a comma and a field, or a blank and a whole number as timestamp, or the line's end.")
    return int(match[0]), end


def _named(text: str, at: int, kind: str, known: Mapping[str, str]) -> tuple[str, int]:
    """The name of a tag or field that begins here, and where its value does."""
    raw, at = _take(_KEY, text, at, f"a {kind}'s name")
    key = _ESCAPED_IN_KEY.sub(r"\1", raw)
    if not text.startswith("=", at):
        raise _Fault(at, f"Expected an equals sign and a value after the {kind} {_shown(key)}.")
    if key in known:
        raise _Fault(at, f"The {kind} {_shown(key)} stands twice.")
    return key, at + 1


def _value(key: str, text: str, at: int) -> Value:
    """What a field's text says. Raises _Fault at the place that is handed in."""
    if text.startswith('"'):
        return _ESCAPED_IN_QUOTES.sub(r"\1", text[1:-1])
    if text in _TRUTH:
        return _TRUTH[text]
    match = _NUMBER.fullmatch(text)
    if not match:
        raise _Fault(at, f"Expected a number, a text in quotes, true or false as {_shown(key)}, not {_shown(text)}.")
    if len(text) > _NUMBER_CHARS_MAX:
        raise _Fault(at, f"Expected a number of at most {_NUMBER_CHARS_MAX} characters as {_shown(key)}.")
    try:
        return Decimal(match[match.lastindex or 1])
    except InvalidOperation:  # an exponent beyond what even Decimal holds
        raise _Fault(at, f"Expected a number as {_shown(key)}, not one with an exponent beyond all use.") from None


def _take(pattern: re.Pattern[str], text: str, at: int, expected: str) -> tuple[str, int]:
    match = pattern.match(text, at)
    if not match:
        raise _Fault(at, f"Expected {expected}.")
    return match[0], match.end()


def _after_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches everywhere


def _ends(text: str, at: int) -> bool:
    return at == len(text) or text[at] == "\n"


def _shown(text: str) -> str:
    return repr(text[:_SHOWN_CHARS_MAX])
