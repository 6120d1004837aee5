"""A temperature is parsed exactly or refused (contract C3, C6 to C9, C22)."""

import json
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import strict_json
from telemetry.limits import TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN
from telemetry.reading import OutOfRange, decimal_text, parse_temperature
from tests.telemetry.strategies import TEMPERATURES_MICRO

NOT_A_NUMBER = "Expected a number in degrees Celsius"


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("18", 18_000_000),
        ("18.0", 18_000_000),
        ("18.7", 18_700_000),
        ("0.1", 100_000),
        ("-0.000001", -1),
        ("1.8e1", 18_000_000),
        ("1800E-2", 18_000_000),
        ("-273.15", -273_150_000),
        ("10000", 10_000_000_000),
    ],
)
def test_a_number_and_a_string_of_it_are_the_same_exact_temperature(text: str, micro: int) -> None:
    """18, 18.0, "18" and 1.8e1 are one temperature."""
    assert parse_temperature(strict_json.loads(text.encode())) == micro
    assert parse_temperature(text) == micro


@given(st.decimals(Decimal("-273.15"), 10_000, places=12))
def test_more_than_six_decimals_are_rounded_half_even(celsius: Decimal) -> None:
    """As exact fractions say, whose rounding is half-even."""
    assert parse_temperature(celsius) == round(Fraction(celsius) * 10**6)


@pytest.mark.parametrize(
    ("text", "micro"),
    [("0.0000005", 0), ("0.0000015", 2), ("0.0000025", 2), ("-0.0000015", -2), ("-0.0000025", -2), ("0.00000250000001", 3)],
)
def test_a_half_goes_to_the_even_neighbour(text: str, micro: int) -> None:
    """Once, from the number as it was sent."""
    assert parse_temperature(text) == micro


@pytest.mark.parametrize("text", ["-0", "-0.0", "-0.0000001", "-0e5", "0e999999999"])
def test_minus_zero_is_zero(text: str) -> None:
    """It would be a second identity of one temperature, and no legal answer."""
    assert decimal_text(parse_temperature(text)) == "0"
    assert decimal_text(parse_temperature(strict_json.loads(text.encode()))) == "0"


@pytest.mark.parametrize(
    ("text", "micro"),
    [("+18", 18_000_000), ("018", 18_000_000), ("-018.50", -18_500_000), ("+007e1", 70_000_000), ("00", 0), ("+0", 0)],
)
def test_e12_a_plus_and_leading_zeros_may_stand_in_a_string(text: str, micro: int) -> None:
    """C22: C's printf writes them, and the original took them."""
    assert parse_temperature(text) == micro


@pytest.mark.parametrize("text", [" 18 ", "18 ", "\t18\n"])
def test_spaces_around_a_string_are_trimmed_off(text: str) -> None:
    """C7: the original's sensors may send them."""
    assert parse_temperature(text) == 18_000_000


@pytest.mark.parametrize(
    "text",
    [
        "1_000",
        "１８",
        "٣",
        "+",
        ".5",
        "5.",
        "+-1",
        "--1",
        "0x12",
        "1 8",
        "+ 1",
        "21.5 °C",
        "−21",
        "18,7",
        "18°",
        "NaN",
        "Infinity",
        "-",
        "1e",
        "e1",
        "",
    ],
)
def test_a_string_that_is_not_json_number_syntax_is_refused(text: str) -> None:
    """C22: what Python or a person would take for a number is none here."""
    with pytest.raises(ValueError, match=NOT_A_NUMBER):
        parse_temperature(text)


@pytest.mark.parametrize("value", [True, False, None, [], {}, [18], 18.7, b"18"])
def test_what_is_neither_an_exact_number_nor_text_is_refused(value: Any) -> None:
    """C8, C9; a binary float cannot come out of our JSON, and is refused if it does."""
    with pytest.raises(ValueError, match=NOT_A_NUMBER):
        parse_temperature(value)


@pytest.mark.parametrize("text", ["-273.150001", "-273.1500000001", "10000.000001", "10000.0000001", "1e999", "-1e999"])
def test_what_no_thermometer_shows_is_refused(text: str) -> None:
    """Below absolute zero or above 10,000 °C, before rounding."""
    with pytest.raises(OutOfRange, match=r"Expected -273\.15 to 10000 degrees Celsius"):
        parse_temperature(text)


@pytest.mark.parametrize(
    "text", ["1e999999999", "-1e999999999", "1e99999999999999999999", "1e-99999999999999999999", "9" * 4000, "9" * 16_000]
)
def test_absurd_numbers_are_refused_quickly(text: str) -> None:
    """As a number or as text: a ValueError, for which no memory and no time was spent on the digits."""
    start_s = time.perf_counter()
    with pytest.raises(ValueError, match=r"Expected|exponent|limit"):
        parse_temperature(strict_json.loads(text.encode()))
    with pytest.raises(ValueError, match="Expected"):
        parse_temperature(text)
    assert time.perf_counter() - start_s < 0.5


@given(TEMPERATURES_MICRO)
def test_every_temperature_survives_its_text(micro: int) -> None:
    """The text is the shortest JSON number that says exactly this."""
    text = decimal_text(micro)
    assert parse_temperature(text) == micro
    assert json.loads(text, parse_float=Fraction, parse_int=Fraction) == Fraction(micro, 10**6)
    assert "." not in text or text[-1] not in "0."


@given(st.integers() | st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_is_accepted_exactly_within_the_bounds(number: int | Decimal) -> None:
    """And is never anything but accepted or a ValueError."""
    legal = TEMPERATURE_MICRO_MIN <= Fraction(number) * 10**6 <= TEMPERATURE_MICRO_MAX
    if legal:
        assert parse_temperature(number) == round(Fraction(number) * 10**6)
    else:
        with pytest.raises(OutOfRange, match="Expected"):
            parse_temperature(number)
