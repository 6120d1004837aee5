"""The event: one CloudEvents line, read for ever."""

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from telemetry.errors import UndecodableEvent
from telemetry.events import TEMPERATURE_RECORDED, UPCASTERS, decode_event, encode_event, event_id
from telemetry.limits import EVENT_BYTES_MAX
from telemetry.reading import Reading, rfc3339
from tests.telemetry.strategies import READINGS, TIMES_US

SAMPLES = Path(__file__).parent / "samples"
RECEIVED_AT_US = 1_637_950_201_500_000
PLAIN = Reading(1_637_950_200_000_000, "202", 18_700_000)
IN_SAMPLES = {
    "telemetry.temperature.recorded.v1.plain.json": PLAIN,
    "telemetry.temperature.recorded.v1.exact.json": Reading(253_402_300_799_999_999, 'Dach "東" 🌡', -273_149_999),
    "telemetry.temperature.recorded.v1.whole.json": Reading(0, "0", 0),
    "telemetry.temperature.recorded.v1.more_attributes.json": PLAIN,
}


def event(**changed: Any) -> bytes:
    """A good event with some attributes changed, or left out where None is given."""
    attributes = json.loads(encode_event(PLAIN, RECEIVED_AT_US)) | changed
    return json.dumps({name: value for name, value in attributes.items() if value is not None}).encode()


@given(READINGS, TIMES_US)
def test_every_reading_survives_the_log(reading: Reading, received_at_us: int) -> None:
    """What is decoded is what was encoded, on one line of a length the decoder takes."""
    line = encode_event(reading, received_at_us)
    assert decode_event(line) == reading
    assert b"\n" not in line
    assert len(line) < EVENT_BYTES_MAX


@given(READINGS, TIMES_US)
def test_the_line_is_a_cloudevents_object(reading: Reading, received_at_us: int) -> None:
    """With the attributes of the design, as any JSON parser reads them."""
    attributes = json.loads(encode_event(reading, received_at_us))
    assert list(attributes) == ["specversion", "type", "source", "id", "subject", "time", "receivedtime", "data"]
    assert attributes["specversion"] == "1.0"
    assert attributes["type"] == "telemetry.temperature.recorded.v1"
    assert attributes["source"] == "/api/temperature"
    assert attributes["id"] == event_id(reading)
    assert attributes["subject"] == reading.sensor_id
    assert attributes["time"] == rfc3339(reading.measured_at_us)
    assert attributes["receivedtime"] == rfc3339(received_at_us)
    assert round(attributes["data"]["temperature"] * 10**6) == reading.temperature_micro


def test_a_trace_stands_after_the_time_of_receipt_and_changes_nothing_else() -> None:
    """Neither the reading nor the id, so that a retry under another trace is the same event."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    line = encode_event(PLAIN, RECEIVED_AT_US, traceparent=trace)
    attributes = json.loads(line)
    assert [*attributes][-3:] == ["receivedtime", "traceparent", "data"]
    assert attributes["traceparent"] == trace
    assert {**attributes, "traceparent": None} == {**json.loads(encode_event(PLAIN, RECEIVED_AT_US)), "traceparent": None}
    assert decode_event(line) == PLAIN


@pytest.mark.parametrize("name", IN_SAMPLES)
def test_a_stored_sample_is_decoded_for_ever(name: str) -> None:
    """Logs are replayed years later: these files are added to, never changed."""
    assert decode_event((SAMPLES / name).read_bytes().rstrip(b"\n")) == IN_SAMPLES[name]


def test_every_version_ever_written_has_a_sample_and_every_sample_is_tested() -> None:
    """A new type or upcaster comes with its file."""
    files = sorted(SAMPLES.glob("*.json"))
    assert sorted(IN_SAMPLES) == [file.name for file in files]
    assert {json.loads(file.read_bytes())["type"] for file in files} == {TEMPERATURE_RECORDED, *UPCASTERS}


def test_what_we_write_today_is_the_stored_sample_to_the_byte() -> None:
    """Another layout of the same version would surprise readers that are not ours."""
    sample = SAMPLES / "telemetry.temperature.recorded.v1.plain.json"
    assert encode_event(PLAIN, RECEIVED_AT_US) + b"\n" == sample.read_bytes()


def test_unknown_attributes_are_ignored() -> None:
    """Newer writers may say more."""
    assert decode_event(event(traceparent="00-1-1-01", data={"temperature": 18.7, "unit": "C"})) == PLAIN


def test_old_versions_are_brought_up_step_by_step() -> None:
    """Each upcaster knows only the next version; here v-1 said Fahrenheit in `f`, and v0 Celsius in `celsius`."""
    upcasters = {
        "old.v-1": lambda old: old | {"type": "old.v0", "celsius": (old["f"] - 32) / 2},
        "old.v0": lambda old: old | {"type": TEMPERATURE_RECORDED, "data": {"temperature": int(old["celsius"])}},
    }
    celsius_18 = Reading(PLAIN.measured_at_us, "202", 18_000_000)
    assert decode_event(event(type="old.v-1", f=68, data=None), upcasters) == celsius_18
    assert decode_event(event(type="old.v0", celsius=18, data=None), upcasters) == celsius_18
    assert decode_event(event(), upcasters) == PLAIN


@pytest.mark.parametrize("kind", ["telemetry.temperature.recorded.v2", "telemetry.humidity.recorded.v1", "x" * 10_000])
def test_an_unknown_type_or_version_is_refused_by_its_name(kind: Any) -> None:
    """Guessing would count wrong; the reason stays short enough for a dead letter."""
    with pytest.raises(UndecodableEvent, match="unknown event type") as refused:
        decode_event(event(type=kind))
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("kind", ["", None, 1, ["v1"], {"v": 1}])
def test_an_event_without_a_type_is_none(kind: Any) -> None:
    """CloudEvents 1.0 demands it, as text that is not empty: there is no newer writer to wait for."""
    with pytest.raises(UndecodableEvent, match="type: Expected a string"):
        decode_event(event(type=kind))


@pytest.mark.parametrize("version", [None, "0.3", "1.1", 1.0, 1])
def test_another_specversion_is_refused(version: Any) -> None:
    """Only CloudEvents 1.0 is known."""
    with pytest.raises(UndecodableEvent, match=r"not a CloudEvents 1\.0 object"):
        decode_event(event(specversion=version))


@pytest.mark.parametrize("line", [b"", b"hello", b"\xff", b"\x1f\x8b\x08", b"{", b'{"specversion":"1.0","specversion":"1.0"}'])
def test_bytes_that_are_not_json_are_refused(line: bytes) -> None:
    """With the parser's reason."""
    with pytest.raises(UndecodableEvent, match="not JSON: "):
        decode_event(line)


@pytest.mark.parametrize("line", [b"null", b"[]", b'"text"', b"18", b"{}"])
def test_json_that_is_no_event_is_refused(line: bytes) -> None:
    """Whatever its kind."""
    with pytest.raises(UndecodableEvent, match="not a CloudEvents"):
        decode_event(line)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"time": None}, "time: Expected ISO 8601"),
        ({"time": "1969-12-31T23:59:59Z"}, "time: Expected a year from 1970"),
        ({"subject": None}, "subject: This field cannot be blank"),
        ({"subject": 202}, "subject: Expected a string"),
        ({"subject": "a" * 257}, "subject: Expected at most 256"),
        ({"data": None}, r"data\.temperature: Expected a number"),
        ({"data": [18]}, r"data\.temperature: Expected a number"),
        ({"data": {"temperature": True}}, r"data\.temperature: Expected a number"),
        ({"data": {"temperature": -273.16}}, r"data\.temperature: Expected -273\.15"),
    ],
)
def test_the_hard_limits_hold_for_every_reader(changed: dict[str, Any], reason: str) -> None:
    """Also for what somebody else wrote into the stream; the reason names the attribute."""
    with pytest.raises(UndecodableEvent, match=reason):
        decode_event(event(**changed))


def test_a_line_of_absurd_length_is_refused_unread() -> None:
    """Before a parser spends memory on it."""
    with pytest.raises(UndecodableEvent, match="an event has at most 65536"):
        decode_event(event(padding="x" * EVENT_BYTES_MAX))


@given(READINGS, READINGS)
def test_event_ids_are_equal_for_equal_readings_only(one: Reading, other: Reading) -> None:
    """A retry repeats the id; CloudEvents calls that a duplicate."""
    assert (event_id(one) == event_id(other)) == (one == other)
    assert event_id(one) == event_id(Reading(one.measured_at_us, one.sensor_id, one.temperature_micro))


@given(READINGS)
def test_an_event_id_is_sixteen_text_safe_characters(reading: Reading) -> None:
    """It goes into headers, URLs and logs as it is."""
    assert len(event_id(reading)) == 16
    assert set(event_id(reading)) <= {*string.ascii_letters, *string.digits, "-", "_"}


def test_neighbouring_identities_have_different_ids() -> None:
    """No two fields run into each other."""
    neighbours = [Reading(11, "1", 1), Reading(1, "11", 1), Reading(1, "1", 11), Reading(1, "1", -1), Reading(1, "1", 1)]
    assert len({event_id(reading) for reading in neighbours}) == len(neighbours)
