"""JSON without the standard library's leniencies (contract C12)."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import strict_json

TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"{'a': 1}", "Expecting property name"),
        (b'{"a": 1,}', "trailing comma"),
        (b'{"a": 1} {}', "Extra data"),
        (b"\xef\xbb\xbf{}", "Expecting value"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16 or UTF-32; JSON is sent in UTF-8"),
        ('{"a": 1}'.encode("utf-16-be"), "UTF-16 or UTF-32"),
        ('{"a": 1}'.encode("utf-16-le"), "UTF-16 or UTF-32"),
        ('{"a": 1}'.encode("utf-32"), "UTF-16 or UTF-32"),
        (b'{"a": 1, "b": 2, "a": 1}', "the name 'a' appears twice"),
        (b'{"x": {"a": 1, "\\u0061": 2}}', "the name 'a' appears twice"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": Infinity}', "Infinity is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": 01}', "Expecting"),
        (b'{"a": 1e99999999999999999999}', "exponent beyond all use"),
        (b'{"a": ' + b"9" * 5000 + b"}", "4300 digits"),
        (b'{"a": "\n"}', "Invalid control character"),
        (b"[" * 10_000, "nested too deeply"),
        (b'{"a":' * 10_000, "nested too deeply"),
        (b"[" * 501 + b"]" * 501, "nested too deeply"),
        (b'{"\\"":"]]]","a":' * 501 + b"1" + b"}" * 501, "nested too deeply"),
    ],
)
def test_what_is_not_strictly_json_is_refused_with_a_reason(document: bytes, reason: str) -> None:
    """A ValueError whatever it is, fit for the sender."""
    with pytest.raises(ValueError, match=reason):
        strict_json.loads(document)


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 500 + b"]" * 500,
        b"[" + b"[]," * 9_999 + b"[]]",
        b'["' + b"[" * 9_999 + b'","\\"' + b"{" * 9_999 + b'\\\\"]',
    ],
    ids=["deep", "wide", "in strings"],
)
def test_only_brackets_within_one_another_are_bounded(document: bytes) -> None:
    """Not how many there are, nor those in strings; the calls around it take nothing from the bound."""
    assert strict_json.loads(document) == json.loads(document) == next(map(strict_json.loads, [document]))


def test_an_unfinished_string_of_quotes_is_refused_quickly() -> None:
    """Time grows with the document, not with its square."""
    start_s = time.perf_counter()
    with pytest.raises(ValueError, match="Unterminated string"):
        strict_json.loads(b'["' + b'\\"' * 30_000 + b"[" * 501)
    assert time.perf_counter() - start_s < 0.5


@given(VALUES, st.booleans())
def test_every_json_value_is_read_as_written(value: Any, ascii_only: bool) -> None:
    """Escaped or not."""
    assert strict_json.loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def test_fractions_are_exact_decimals() -> None:
    """0.1 is a tenth, with all its digits."""
    assert strict_json.loads(b"[0.1, 1.10, 1e2]") == [Decimal("0.1"), Decimal("1.1"), Decimal(100)]
    assert str(strict_json.loads(b"0.1000000000000000055511151231257827")) == "0.1000000000000000055511151231257827"


@given(st.lists(VALUES), st.sampled_from([None, 1]))
def test_an_array_is_the_same_item_by_item(items: list[Any], indent: int | None) -> None:
    """Whatever stands between the items."""
    text = json.dumps(items, indent=indent).encode()
    assert list(strict_json.array_items(b" \r\n" + text + b"\t")) == strict_json.loads(text) == items


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b'{"a": 1, "a": 2}', "the name 'a' appears twice"),
        (b'{"a": [{"b": NaN}]}', "NaN is not a JSON number"),
        (b"1e99999999999999999999", "a number has an exponent beyond all use"),
        (b"9" * 5000, "a number is beyond the limit of 4300 digits"),
        (b"[" * 501 + b"]" * 501, "nested too deeply"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_an_item_that_is_no_more_than_syntax_spoils_itself_only(item: bytes, reason: str) -> None:
    """Those before and after it are read; it is told why, with its own text."""
    assert list(strict_json.array_items(b"[1, " + item + b" ,2]")) == [1, strict_json.Spoilt(reason, item), 2]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "Expecting"),
        (b"{}", "Expecting"),
        (b"[1,]", "Expecting value"),
        (b"[,1]", "Expecting value"),
        (b"[1 2]", "Expecting ',' delimiter"),
        (b"[1", "Expecting ',' delimiter"),
        (b"[1] 2", "Extra data"),
        (b'[{"a": NaN, "b": }]', "Expecting value"),
        (b'["\xff"]', "not UTF-8 at byte 2"),
        ("[]".encode("utf-16"), "UTF-16"),
        (b"[" * 100_000, "nested too deeply"),
        (b'[{"a": NaN, "b":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_array_is_refused_with_a_reason(document: bytes, reason: str) -> None:
    """Where the mistake is come upon."""
    with pytest.raises(ValueError, match=reason):
        list(strict_json.array_items(document))


@given(st.binary() | st.text().map(lambda text: f"[{text}]".encode("utf-8", "surrogatepass")))
def test_no_array_is_worse_than_a_value_error(data: bytes) -> None:
    """And where both ways read it, they read the same."""
    try:
        items = list(strict_json.array_items(data))
    except ValueError as error:
        str(error).encode()  # its text can be sent
        return
    if not any(isinstance(item, strict_json.Spoilt) for item in items):
        assert strict_json.loads(data) == items


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_are_worse_than_a_value_error(data: bytes) -> None:
    """Whatever comes in."""
    try:
        strict_json.loads(data)
    except ValueError as error:
        str(error).encode()  # and its text can be sent


def test_a_repeated_name_among_thousands_is_found_quickly() -> None:
    """Time grows with the document, not with its square: such lines fill records that must not hold up a shard."""
    names = ",".join(f'"{number:x}":1' for number in range(20_000))
    start_s = time.perf_counter()
    with pytest.raises(ValueError, match="the name '4e1f' appears twice"):
        strict_json.loads(f'{{{names},"4e1f":1}}'.encode())
    assert time.perf_counter() - start_s < 1
