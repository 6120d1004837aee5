"""A sensor id is trimmed text that fits Kinesis and DynamoDB (contract C2, C10, C21)."""

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.reading import OutOfRange, parse_sensor_id
from tests.telemetry.strategies import SENSOR_IDS


@pytest.mark.parametrize(
    ("given_id", "sensor_id"), [("202", "202"), ("  202 ", "202"), ("roof north", "roof north"), ("Dach 東 🌡", "Dach 東 🌡")]
)
def test_an_id_is_any_text_without_the_spaces_around_it(given_id: str, sensor_id: str) -> None:
    """Spaces inside stay."""
    assert parse_sensor_id(given_id) == sensor_id


@pytest.mark.parametrize("value", [None, "", "   ", "\t\n", "\u3000"])
def test_a_blank_id_is_refused_in_the_originals_words(value: Any) -> None:
    """C2."""
    with pytest.raises(ValueError, match=r"^This field cannot be blank\.$"):
        parse_sensor_id(value)


@pytest.mark.parametrize("value", [202, 2.5, True, ["202"], {"id": "202"}, b"200"])
def test_an_id_that_is_no_text_is_refused(value: Any) -> None:
    """C10."""
    with pytest.raises(ValueError, match="Expected a string"):
        parse_sensor_id(value)


def test_an_id_has_at_most_256_characters() -> None:
    """C21: characters, not bytes; the spaces around do not count."""
    assert parse_sensor_id(" " + "東" * 256 + " ") == "東" * 256
    with pytest.raises(OutOfRange, match="at most 256 characters"):
        parse_sensor_id("a" * 257)


def test_a_character_beyond_the_basic_plane_counts_as_two() -> None:
    """As in LocalStack's Kinesis, which refuses the whole call for one longer key, everybody's records with it."""
    assert parse_sensor_id("🌡" * 128) == "🌡" * 128
    with pytest.raises(OutOfRange, match="at most 256 characters"):
        parse_sensor_id("🌡" * 129)


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\ud800"])
def test_control_characters_and_lone_surrogates_are_refused(character: str) -> None:
    """C21: a line break would break the log's lines, a surrogate has no UTF-8. The text names the one it met."""
    with pytest.raises(ValueError, match=rf"without control and format characters.*not U\+{ord(character):04X}\.$"):
        parse_sensor_id(f"2{character}2")


@pytest.mark.parametrize(
    "character", ["\u200b", "\u200d", "\ufeff", "\u202e", "\u2066", "\u00ad", "\u2060", "\u2028", "\u2029", "\U000e0041"]
)
def test_e13_format_characters_and_line_separators_are_refused(character: str) -> None:
    """They are not seen, turn text around, or split an exported line for Python, Node and others."""
    for sensor_id in (f"a{character}b", f"a{character}b" * 10_000):
        with pytest.raises(ValueError, match=rf"U\+{ord(character):04X}") as refused:
            parse_sensor_id(sensor_id)
        assert not isinstance(refused.value, OutOfRange), "its form comes before its length"


@pytest.mark.parametrize(
    ("typed", "sensor_id"),
    [("Ku\u0308che", "Küche"), ("\u212b", "Å"), ("\u1112\u1161\u11ab", "한"), ("e\u0301" * 256, "é" * 256)],
)
def test_e13_an_id_is_the_same_however_its_letters_are_composed(typed: str, sensor_id: str) -> None:
    """NFC, before its length is counted: macOS and Linux type the same name differently."""
    assert parse_sensor_id(typed) == parse_sensor_id(sensor_id) == sensor_id


def test_composing_neither_makes_nor_removes_a_character_that_is_refused() -> None:
    """So they may be looked for before: none has another form, or is part of one."""
    refused = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    for sign in map(chr, range(sys.maxunicode + 1)):
        parts = unicodedata.normalize("NFD", sign)
        assert parts == sign or refused.isdisjoint(map(unicodedata.category, sign + parts))


@given(SENSOR_IDS)
def test_a_trimmed_id_is_itself(sensor_id: str) -> None:
    """Reading it from the log again changes nothing."""
    assert parse_sensor_id(sensor_id) == sensor_id


@given(st.text(st.characters(codec=None), max_size=300))
def test_whatever_is_accepted_fits_the_stream_and_the_tables(text: str) -> None:
    """1 to 256 characters, 1 kB of UTF-8 at most, on one line."""
    try:
        sensor_id = parse_sensor_id(text)
    except ValueError:
        return
    assert 1 <= len(sensor_id) <= 256
    assert len(sensor_id.encode()) <= 1024
    assert "\n" not in sensor_id


def test_e13_a_run_of_combining_marks_is_not_composed() -> None:
    """It would cost the square of its length: the bound comes first, four times what an id may have once composed."""
    with pytest.raises(OutOfRange, match="at most 256 characters"):
        parse_sensor_id("a" + "\u0315" * 1000 + "\u0316" * 1000)
    assert parse_sensor_id("\u03b1\u0313\u0300\u0345" * 256) == "\u1f82" * 256
