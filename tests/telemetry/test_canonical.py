"""Lines in our own form are taken apart without a parser: the same reading, the same refusal, and the text a pack keeps."""

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import canonical
from telemetry.canonical import LineDecoder, Told, token_of
from telemetry.errors import UndecodableEvent
from telemetry.events import decode_event, encode_event
from telemetry.reading import Reading
from tests.projections.logs import readings
from tests.telemetry.unreadable import GOOD, LINES

PLAIN = Reading(1_700_000_000_250_000, "202", 18_700_000)
LINE = encode_event(PLAIN, 1_700_000_001_000_000)
plain_readings = st.builds(
    Reading, st.integers(0, 2**52), st.text(st.characters(codec="ascii"), min_size=1, max_size=40), st.integers(-(10**8), 10**8)
)
changes = st.tuples(
    st.integers(0, len(LINE)),
    st.integers(0, 3),
    st.sampled_from([b"", b" ", b"0", b"9", b"-", b".", b"5", b"+", b'"', b"\\", b"Z", b"60", b"00:00", b"\xc3\xa9", b"e1"]),
)


def told(line: bytes, decoder: LineDecoder) -> Told | tuple[str, str]:
    """What is told of a line, or why it is none."""
    try:
        return decoder.decode(line)
    except UndecodableEvent as error:
        return error.code, str(error)


def strictly(line: bytes) -> Told | tuple[str, str]:
    """The same by the strict way alone."""
    try:
        reading = decode_event(line)
    except UndecodableEvent as error:
        return error.code, str(error)
    return Told(reading, token_of(reading))


@given(readings | plain_readings)
def test_what_we_encode_is_told_the_same_both_ways(one: Reading) -> None:
    """Reading and token, for any id, time and temperature."""
    line = encode_event(one, one.measured_at_us)
    assert told(line, LineDecoder()) == strictly(line)


@given(st.lists(changes, min_size=1, max_size=3))
def test_a_line_that_is_a_little_otherwise_is_told_the_same_both_ways(cuts: list[tuple[int, int, bytes]]) -> None:
    """Signs put in, left out and exchanged anywhere: what is not canonical is not taken for it, and refusals are the same."""
    line = LINE
    for at, length, text in cuts:
        line = line[:at] + text + line[at + length :]
    assert told(line, LineDecoder()) == strictly(line)


@pytest.mark.parametrize(
    "part",
    [
        b'"temperature":-0', b'"temperature":18.70', b'"temperature":18.0', b'"temperature":018', b'"temperature":10000.000001',
        b'"temperature":-273.150001', b'"temperature":10000', b'"temperature":0.5', b'"temperature":-0.5', b'"temperature":1e1',
        b'"temperature":18.7000001',
    ],
)  # fmt: skip
def test_temperatures_of_every_form(part: bytes) -> None:
    """One with more than one text is never cut from its line, and one beyond the limits is refused."""
    line = LINE.replace(b'"temperature":18.7', part)
    assert told(line, LineDecoder()) == strictly(line)


@pytest.mark.parametrize(
    "time",
    ["2023-02-30T10:00:00Z", "1969-12-31T23:59:59Z", "2023-11-14T22:13:60Z", "2023-11-14T24:00:00Z", "2023-11-14T22:60:00Z",
     "2023-11-14T22:13:20.250Z", "2023-11-14T22:13:20.0Z", "2023-11-14T22:13:20", "9999-12-31T23:59:59.999999Z",
     "2023-11-14t22:13:20Z"],
)  # fmt: skip
def test_times_of_every_form(time: str) -> None:
    """Those that do not exist are refused by their own reason; those of other forms have the one token."""
    line = LINE.replace(b'"time":"2023-11-14T22:13:20.25Z"', f'"time":"{time}"'.encode())
    assert line != LINE
    assert told(line, LineDecoder()) == strictly(line)


@pytest.mark.parametrize(
    "subject", [" 202", "202 ", "a b", "a\\u0020b", "é", "e\\u0301", "x" * 256, "x" * 257, "", "\\\\", "~!#[]"]
)
def test_ids_of_every_form(subject: str) -> None:
    """Ids are trimmed, composed and unescaped by the strict way."""
    line = LINE.replace(b'"subject":"202"', f'"subject":"{subject}"'.encode())
    assert told(line, LineDecoder()) == strictly(line)


@pytest.mark.parametrize("line", [*(line for lines in LINES.values() for line in lines), GOOD])
def test_what_is_no_event_is_refused_alike(line: bytes) -> None:
    """With the same code and reason."""
    assert told(line, LineDecoder()) == strictly(line)


def test_our_own_lines_never_need_a_parser() -> None:
    """With and without a trace: else all of this would be for nothing."""
    with_trace = encode_event(PLAIN, 1_700_000_001_000_000, traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    with mock.patch.object(canonical, "decode_event", side_effect=AssertionError):
        decoder = LineDecoder()
        assert decoder.decode(LINE) == decoder.decode(with_trace) == Told(PLAIN, b"3:20.25=18.7")
    assert decode_event(with_trace) == PLAIN


def test_what_is_held_is_bounded() -> None:
    """Ids, times and temperatures that go on for ever are forgotten, and told the same again."""
    decoder = LineDecoder()
    lines = [encode_event(Reading(number * 600_000_000, f"s{number}", number), 0) for number in range(30)]
    with mock.patch.object(canonical, "_HELD_MAX", 7):
        for line in [*lines, *lines]:
            assert decoder.decode(line) == strictly(line)
            assert max(len(decoder._sensors), len(decoder._ten_minutes), len(decoder._temperatures)) <= 7
