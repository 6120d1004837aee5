"""Line protocol: every line is read as InfluxDB reads it, with exact numbers and the right line number, or refused in words."""

import os
import random
import re
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point as Written
from line_protocol_parser import LineFormatError, parse_line

from producer_api.doors.lines import BadLine, Line, Point, parse_lines


def point(text: str) -> Point:
    """The only point of a text."""
    [line] = parse_lines(text)
    assert isinstance(line.says, Point), line
    return line.says


def reason(text: str) -> str:
    """Why the only line of a text is none."""
    [line] = parse_lines(text)
    assert isinstance(line.says, BadLine), line
    return line.says.reason


def test_a_line_has_a_measurement_tags_fields_and_a_time() -> None:
    """The example of the documentation."""
    assert point("temperature,sensorId=room-1,floor=2 value=21.5,ok=t 1732545600000000000") == Point(
        "temperature", {"sensorId": "room-1", "floor": "2"}, {"value": Decimal("21.5"), "ok": True}, 1732545600000000000
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("21.15", Decimal("21.15")),
        ("-0.1", Decimal("-0.1")),
        ("+3", Decimal(3)),
        ("5.", Decimal(5)),
        (".5", Decimal("0.5")),
        ("1e-3", Decimal("0.001")),
        ("0.1234567890123456789012345678901", Decimal("0.1234567890123456789012345678901")),
        ("18i", Decimal(18)),
        ("-18i", Decimal(-18)),
        ("18u", Decimal(18)),
        ("t", True),
        ("False", False),
        ('"21.5"', "21.5"),
        ('"a \\"quoted\\" \\\\ word, = 1"', 'a "quoted" \\ word, = 1'),
        (r'"\n"', r"\n"),
        ('""', ""),
    ],
)
def test_a_value_is_what_its_text_says(text: str, value: Decimal | str | bool) -> None:
    """No number goes through a float."""
    assert point(f"m v={text} 1").fields == {"v": value}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"my\ name\,x,a\,b=c\ d\=e f\=g=1", Point("my name,x", {"a,b": "c d=e"}, {"f=g": Decimal(1)}, None)),
        (r"C:\temp,path=\\srv\x v=1", Point(r"C:\temp", {"path": r"\\srv\x"}, {"v": Decimal(1)}, None)),
        (r"m,t=a\\,b v=1", Point("m", {"t": r"a\,b"}, {"v": Decimal(1)}, None)),
        ("°C,entity_id=wohnzimmer v=1", Point("°C", {"entity_id": "wohnzimmer"}, {"v": Decimal(1)}, None)),
        ('m=n,t="q" v=1', Point("m=n", {"t": '"q"'}, {"v": Decimal(1)}, None)),
        (" \t m  v=1 \t 7 \r\n", Point("m", {}, {"v": Decimal(1)}, 7)),
    ],
)
def test_backslashes_escape_what_they_may_and_are_themselves_elsewhere(text: str, expected: Point) -> None:
    """Two before a comma are a backslash and a comma that belongs to the name, as in InfluxDB's own parser."""
    assert point(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (",t=1 v=1", "Expected a measurement's name."),
        ("m", "Expected a blank and fields"),
        ("m,t", "Expected an equals sign and a value after the tag 't'."),
        ("m,t= v=1", "Expected a value of the tag 't'."),
        ("m,=1 v=1", "Expected a tag's name."),
        ("m,t=a=b v=1", "Expected a blank and fields"),
        ("m,t=a,t=b v=1", "The tag 't' stands twice."),
        ("m v", "Expected an equals sign and a value after the field 'v'."),
        ("m v=", "Expected a value of the field 'v'."),
        ("m v=1,v=2", "The field 'v' stands twice."),
        ("m v=1,", "Expected a field's name."),
        ("m v=warm", "Expected a number, a text in quotes, true or false as 'v', not 'warm'."),
        ("m v=NaN", "Expected a number"),
        ("m v=1,5", "Expected an equals sign"),
        ("m v=18.5i", "Expected a number"),
        ("m v=1e99999999999999999999", "Expected a number as 'v', not one with an exponent beyond all use."),
        ("m v=" + "1" * 2000, "Expected a number of at most 1000 characters as 'v'."),
        ('m v="open', "Expected a second quote after the value of 'v'."),
        ('m v="a"b', "Expected a comma and a field"),
        ("m v=1 2021-11-26T18:10:00Z", "Expected a comma and a field, or a blank and a whole number as timestamp"),
        ("m v=1 1.5", "Expected a comma and a field"),
        ("m v=1 1 2", "Expected a comma and a field"),
    ],
)
def test_a_bad_line_is_told_in_words(text: str, expected: str) -> None:
    """What stands there, and what should."""
    assert reason(text).startswith(expected)


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    """Blank lines and comments count, a value in quotes may go over several; a bad line spoils itself only."""
    text = '# comment\r\nm v=1\n\n  \nbad\nm v="two\nlines",w=2 5\r\nm v=3\nm v="open\nm v=4'
    told = [(number, type(says)) for number, says in parse_lines(text)]
    assert told == [(2, Point), (5, BadLine), (6, Point), (8, Point), (9, BadLine), (10, Point)]


def test_what_stands_in_quotes_is_never_a_line() -> None:
    """Also where the line that holds it is refused for something else."""
    assert [number for number, _ in parse_lines('m a=wrong,b="text\nm v=1\n" 5\nm v=2')] == [1, 4]
    assert [number for number, _ in parse_lines('m b="text\nm v=1\n",c=wrong\nm v=2')] == [1, 4]


@pytest.mark.parametrize("text", ['a b="x\n', "a,b=\n", 'a b="\\"\n', "\\" * 20, "a b=1,", 'a b="x",'])
def test_no_text_takes_long(text: str) -> None:
    """A hundred kilobytes of the worst there is take no longer than any."""
    began_s = time.perf_counter()
    for _ in parse_lines(text * (100_000 // len(text))):
        pass
    assert time.perf_counter() - began_s < 2


NAMES = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda name: not name.startswith("#") and not name.endswith("\\") and name.strip() == name
)
VALUES = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.decimals(-1000, 1000, places=4)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)
)


def plain(says: Point) -> Mapping[str, object]:
    """A point as the other parser writes it, whose numbers are floats."""
    fields = {key: float(value) if isinstance(value, Decimal) else value for key, value in says.fields.items()}
    return {"measurement": says.measurement, "tags": dict(says.tags), "fields": fields, "time": says.time}


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(
        st.tuples(
            NAMES, st.dictionaries(NAMES, NAMES, max_size=3), st.dictionaries(NAMES, VALUES, min_size=1, max_size=3),
            st.integers(0, 2**62),
        ),
        max_size=5,
    ),
    blank=st.sampled_from(["", "\n", "# comment\n", "\r\n"]),
)  # fmt: skip
def test_what_influxdbs_own_client_writes_is_read_as_it_was_meant(
    points: list[tuple[str, dict[str, str], dict[str, object], int]], blank: str
) -> None:
    """Names, tags, exact values, times; and the number of each line."""
    text, numbers = "", []
    for name, tags, fields, at in points:
        written = Written.from_dict({"measurement": name, "tags": tags, "fields": fields, "time": at})
        text += blank
        numbers.append(text.count("\n") + 1)
        text += written.to_line_protocol() + "\n"
    lines = list(parse_lines(text))
    assert [line.number for line in lines] == numbers
    for line, (name, tags, fields, at) in zip(lines, points, strict=True):
        assert isinstance(line.says, Point), line
        exact = {key: value if isinstance(value, bool | str) else Decimal(str(value)) for key, value in fields.items()}
        assert line.says == Point(name, tags, exact, at)


PIECES = [
    "m",
    "t",
    ",",
    "=",
    " ",
    "\\",
    '"',
    "1",
    "2.5",
    "18i",
    "7u",
    "true",
    "#",
    "e",
    "-",
    ".",
    "°C",
    "m,t=1",
    " v=1",
    " 5",
    "v=",
]
FUZZED = int(os.environ.get("FUZZED_EXAMPLES", "5000"))


def drawn(chance: random.Random, pieces: Sequence[str] = PIECES) -> str:
    """A line, or nearly one. Tabs are left out: to us they are blanks, as to Telegraf, to InfluxDB a part of names."""
    begin, end = chance.choice(["", "m,t=1"]), chance.choice(["", " v=1"])
    return begin + "".join(chance.choices(pieces, k=chance.randint(0, 12))) + end


def test_an_independent_parser_takes_the_same_lines_and_reads_the_same_out_of_them() -> None:
    """But for a name that stands twice, and for two backslashes in a field's name, where it has a rule of its own."""
    chance = random.Random(18)  # noqa: S311  repeatable on purpose
    taken = 0
    for _ in range(FUZZED):
        text = drawn(chance)
        lines: list[Line] = list(parse_lines(text))
        assert len(lines) == (0 if not text.strip() or text.lstrip().startswith("#") else 1), text
        says = lines[0].says if lines else None
        try:
            other = parse_line(text)
        except LineFormatError:
            other = None
        if isinstance(says, Point) and other is not None:
            taken += 1
            assert plain(says) == other, text
        elif isinstance(says, BadLine):
            assert other is None or "stands twice" in says.reason, text
        elif isinstance(says, Point):
            assert r"\\" in text, text
    assert taken > FUZZED / 20


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('m,t= v1"\\\n\r#.ei'), max_size=60))
def test_any_text_is_lines_and_each_has_its_number(text: str) -> None:
    """They rise, and lie in the text; nothing but a comment or a blank is passed over without a word."""
    numbers = [line.number for line in parse_lines(text)]
    assert numbers == sorted(set(numbers))
    rows = text.split("\n")
    assert all(1 <= number <= len(rows) for number in numbers)
    first = next((index for index, row in enumerate(rows, 1) if row.strip(" \t\r") and not re.match(r"[ \t\r]*#", row)), None)
    assert next(iter(numbers), None) == first
