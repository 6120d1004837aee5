"""Lines in the very form that our encoder writes, taken apart by one expression: several times as fast as a parser of JSON.

What is recognised is the same reading to `decode_event`; everything else, sound or not, is `decode_event`'s to say.
"""

import re
import sys
from typing import Final, NamedTuple

from telemetry.events import SOURCE, TEMPERATURE_RECORDED, decode_event
from telemetry.limits import EVENT_BYTES_MAX, MICRO, SENSOR_ID_CHARS_MAX, TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN
from telemetry.reading import Reading, decimal_text, parse_timestamp, rfc3339

_TEN_MINUTES_CHARS: Final = len("2026-11-23T10:3")
_SECONDS: Final = slice(len("1:"), len("1:05"))
_FRACTION_BEGINS: Final = len("1:05.")
_FRACTION_DIGITS: Final = 6
_ZERO: Final = ord("0")
_HELD_MAX: Final = 30_000
"""Of sensors, times and temperatures each: what is met again need not be made again."""

_FORM: Final = (
    rb'\{"specversion":"1\.0","type":"%b","source":"%b","id":"[\w-]{16}",'
    # Printable ASCII without quote and backslash, and no blanks around it: neither escaped nor trimmed nor composed.
    rb'"subject":"((?! )[ !#-\[\]-~]{1,%d}(?<! ))",'
    # Ten minutes, and the rest; no zeros at a fraction's end, so that one time has one text.
    rb'"time":"(\d{4}-\d\d-\d\dT\d\d:\d)(\d:[0-5]\d(?:\.\d{0,5}[1-9])?)Z",'
    rb'"receivedtime":"[\dT:.Z-]{20,27}",'
    rb'(?:"traceparent":"[\da-f-]{1,64}",)?'
    rb'"data":\{"temperature":(?!-0\})(-?(?:0|[1-9]\d{0,4})(?:\.\d{0,5}[1-9])?)\}\}'
    % (re.escape(TEMPERATURE_RECORDED.encode()), re.escape(SOURCE.encode()), SENSOR_ID_CHARS_MAX)
)
_LINE: Final = re.compile(_FORM, re.ASCII)
_LINES: Final = re.compile(rb"(?m)^%b\n" % _FORM, re.ASCII)
assert EVENT_BYTES_MAX > 2 * SENSOR_ID_CHARS_MAX + 512, "what the expression takes is never too long a line"


class Told(NamedTuple):
    """A reading, and how it is told within its ten minutes: `0:05.25=18.7`."""

    reading: Reading
    token: bytes


class LineDecoder:
    """Decodes the lines of a log. What it holds only saves time."""

    def __init__(self) -> None:
        self._sensors: dict[bytes, str] = {}
        self._ten_minutes: dict[bytes, int] = {}
        """Their beginnings: microseconds since 1970."""
        self._temperatures: dict[bytes, int] = {}

    def decode(self, line: bytes) -> Told:
        """The reading a line of the log holds. Raises UndecodableEvent as `decode_event` does."""
        if (match := _LINE.fullmatch(line)) and (told := self._canonical(*match.groups())):
            return told
        reading = decode_event(line)
        return Told(reading, token_of(reading))

    def decode_all(self, text: bytes) -> list[Told] | None:
        """What lines hold that are all in our own form, each with a newline at its end; None when one is not."""
        found = _LINES.findall(text)
        if not found or len(found) != text.count(b"\n") or not text.endswith(b"\n"):
            return None
        told = [self._canonical(*groups) for groups in found]
        return None if None in told else told  # type: ignore[return-value]  # none of it is None

    def _canonical(self, sensor: bytes, ten_minutes: bytes, rest: bytes, temperature: bytes) -> Told | None:
        """None when a value is beyond what its form tells: the strict way says which and why."""
        try:
            begin_us = self._ten_minutes[ten_minutes]
        except KeyError:
            try:
                begin_us = parse_timestamp(f"{ten_minutes.decode()}0:00Z")
            except ValueError:
                return None
            _keep(self._ten_minutes, ten_minutes, begin_us)
        try:
            temperature_micro = self._temperatures[temperature]
        except KeyError:
            whole, _, fraction = temperature.partition(b".")
            temperature_micro = int(whole + fraction.ljust(_FRACTION_DIGITS, b"0"))
            if not TEMPERATURE_MICRO_MIN <= temperature_micro <= TEMPERATURE_MICRO_MAX:
                return None
            _keep(self._temperatures, temperature, temperature_micro)
        try:
            sensor_id = self._sensors[sensor]
        except KeyError:
            # One string for all readings of a sensor: a projection holds tens of thousands of them.
            sensor_id = sys.intern(sensor.decode())
            _keep(self._sensors, sensor, sensor_id)
        at_us = begin_us + ((rest[0] - _ZERO) * 60 + int(rest[_SECONDS])) * MICRO
        if len(rest) >= _FRACTION_BEGINS:
            at_us += int(rest[_FRACTION_BEGINS:].ljust(_FRACTION_DIGITS, b"0"))
        return Told(Reading(at_us, sensor_id, temperature_micro), rest + b"=" + temperature)


def token_of(reading: Reading) -> bytes:
    """How a reading is told within its ten minutes and its sensor: the time beyond `2026-11-23T10:3`, and °C."""
    return f"{rfc3339(reading.measured_at_us)[_TEN_MINUTES_CHARS:-1]}={decimal_text(reading.temperature_micro)}".encode()


def _keep[T](held: dict[bytes, T], key: bytes, value: T) -> None:
    if len(held) >= _HELD_MAX:
        held.clear()
    held[key] = value
