"""Bytes that are no events, by the code they are kept under: what every reader of the log must say of them."""

import gzip
import json
from collections.abc import Mapping
from typing import Any, Final

from telemetry.errors import ReasonCode
from telemetry.events import encode_event
from telemetry.limits import EVENT_BYTES_MAX, RECORD_INFLATED_BYTES_MAX
from telemetry.reading import Reading
from tests.support.aggregates import MAGIC, aggregate

GOOD: Final = encode_event(Reading(1_637_950_200_000_000, "202", 18_700_000), 0)


def event(**changed: Any) -> bytes:
    """A good event with some attributes changed, or left out where None is given."""
    attributes = json.loads(GOOD) | changed
    return json.dumps({name: value for name, value in attributes.items() if value is not None}).encode()


def temperature(text: str) -> bytes:
    """A good event but for its temperature, which is this JSON."""
    return GOOD.replace(b"18.7", text.encode())


LINES: Final[Mapping[ReasonCode, list[bytes]]] = {
    ReasonCode.NOT_JSON: [
        b"hello",
        b"\xff",
        GOOD[:-1],
        GOOD + GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        GOOD.replace(b'"subject"', b'"time":"2021-11-26T18:10:00Z","subject"'),
        temperature("NaN"),
        temperature("018"),
        temperature("1e99999999999999999999"),
        temperature("9" * 5000),
        event(x="y").replace(b'"y"', b"[" * 9_990 + b"]" * 9_990),
    ],
    ReasonCode.NOT_AN_EVENT: [
        b"null",
        b"18",
        b"[]",
        b"{}",
        event(specversion=None),
        event(specversion="0.3"),
        event(specversion=1.0),
        event(type=None),
        event(type=""),
        event(type=["telemetry.temperature.recorded.v1"]),
        event(time=None),
        event(time=1_637_950_200),
        event(time="2021-11-26"),
        event(time="2021-02-29T18:10:00Z"),
        event(time="10000-01-01T00:00:00Z"),
        event(time="9999-12-31T23:59:60Z"),
        event(subject=None),
        event(subject=" "),
        event(subject=202),
        event(subject="a\nb"),
        event(subject="a\u200bb" * 300),
        event(data=None),
        event(data=[18.7]),
        event(data={}),
        temperature("true"),
        temperature("null"),
        temperature('"18 °C"'),
        temperature('"1e99999999999999999999"'),
    ],
    ReasonCode.UNKNOWN_TYPE: [
        event(type="telemetry.temperature.recorded.v2"),
        event(type="telemetry.humidity.recorded.v1", data={"humidity": 40}),
        event(type="x" * 10_000),
        event(type=" "),
        event(type="unheard.of", time="1969", subject=None),
    ],
    ReasonCode.OUT_OF_RANGE: [
        event(time="1969-12-31T23:59:59.999999Z"),
        event(time="1970-01-01T00:00:00+00:01"),
        event(time="9999-12-31T23:59:59-00:01"),
        event(time="0000-02-29T00:00:00Z"),
        event(subject="a" * 257),
        event(subject="\U0001f321" * 129),
        event(subject="e\u0301" * 3_000),
        temperature("-273.150001"),
        temperature("10000.0000001"),
        temperature("1e999999"),
        temperature('"+1e999999"'),
        temperature("9" * 4000),
        temperature('"' + "9" * 5000 + '"'),
    ],
    ReasonCode.TOO_LONG: [
        b"x" * (EVENT_BYTES_MAX + 1),
        event(padding="x" * EVENT_BYTES_MAX),
        GOOD + b" " * EVENT_BYTES_MAX,
    ],
}
"""Lines, none with a newline."""

RECORDS: Final[Mapping[ReasonCode, list[bytes]]] = {
    ReasonCode.BAD_GZIP: [
        b"\x1f\x8b",
        b"\x1f\x8bgarbage",
        gzip.compress(b"\n", mtime=0)[:-1],
        gzip.compress(b"\n", mtime=0) + b"garbage",
        gzip.compress(b"\n", mtime=0)[:-1] + b"\x07",
    ],
    ReasonCode.TOO_LONG: [gzip.compress(b" " * (RECORD_INFLATED_BYTES_MAX + 1), mtime=0)],
    ReasonCode.NOT_AN_EVENT: [
        MAGIC,
        MAGIC + GOOD,
        aggregate([GOOD])[:-1],
        aggregate([GOOD + b"\n"] * 300)[:-1] + b"?",
    ],
}
"""Records, each broken as a whole: no line in front of the fault."""
