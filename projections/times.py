"""Times as people write them, in questions of the API and options of the command (contract, "Time"). Pure."""

import re
from dataclasses import dataclass
from typing import Final

from projections.zones import UnknownZone, Zone, instant, zone_of
from telemetry.errors import Unanswerable
from telemetry.limits import MICRO
from telemetry.reading import parse_timestamp

_AGO: Final = re.compile(r"-(\d{1,9})([smhdw])", re.ASCII)
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EPOCH_MS: Final = re.compile(r"\d{13}", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d|\d{8}", re.ASCII)
_WITH_OFFSET: Final = re.compile(r".*\d[Tt ]\d.*(?:[Zz]|[+-]\d\d(?::?\d\d)?)", re.ASCII)
_LOST_PLUS: Final = re.compile(r".*[Tt ]\d\d:?\d\d.* \d\d(?::?\d\d)?", re.ASCII)
_LOST_PLUS_OF_ZONE: Final = re.compile(r" \d\d:?\d\d", re.ASCII)
_PLUS_LOST: Final = "A blank stands where an offset's plus was: write + as %2B."
FORMS: Final = "a date, a date and time, now, -15m (s, m, h, d, w), or 13 digits of epoch milliseconds"
"""How a time may be written, as whoever asks is told."""
_CHARS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as it was asked for, which zone and clock make an instant of."""

    instant_us: int | None = None
    """Microseconds since 1970."""
    clock_us: int | None = None
    """What the zone's clock shows then, as if in UTC."""
    ago_us: int | None = None
    """Counted back from the server's clock."""
    rough: bool = False
    """Whether it was not written out, and so is floored to what the question can take."""

    def at(self, zone: Zone, now_us: int, floor_us: int) -> int:
        """The instant: microseconds since 1970. What is rough is floored to a multiple of `floor_us`."""
        if self.clock_us is not None:
            return instant(zone, self.clock_us)
        found_us = now_us - self.ago_us if self.ago_us is not None else self.instant_us
        assert found_us is not None
        return found_us // floor_us * floor_us if self.rough else found_us


def parse_moment(text: str) -> Moment:
    """A time as a question writes it. Raises ValueError with the text for the asker."""
    if len(text) > _CHARS_MAX:  # the time that some of the expressions take is its square
        raise ValueError(f"Expected {FORMS}.")
    if text == "now":
        return Moment(ago_us=0, rough=True)
    if match := _AGO.fullmatch(text):
        return Moment(ago_us=int(match[1]) * _UNIT_S[match[2]] * MICRO, rough=True)
    if _EPOCH_MS.fullmatch(text):
        return Moment(instant_us=int(text) * 1000, rough=True)
    if _DATE.fullmatch(text):
        return Moment(clock_us=_parsed(text + ("T00:00" if "-" in text else "T0000")))
    if _LOST_PLUS.fullmatch(text):
        raise ValueError(_PLUS_LOST)
    return Moment(instant_us=_parsed(text)) if _WITH_OFFSET.fullmatch(text) else Moment(clock_us=_parsed(text))


def parse_zone(text: str) -> Zone:
    """A zone as a question names it. Raises Unanswerable for one that nobody knows, with one that is near if any is."""
    if _LOST_PLUS_OF_ZONE.fullmatch(text):
        raise ValueError(_PLUS_LOST)
    try:
        return zone_of(text)
    except UnknownZone as error:
        raise Unanswerable("unknown-zone", {"tz": str(error)}, {"tz": error.near[0]} if error.near else None) from None


def _parsed(text: str) -> int:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise ValueError(f"{error} (Here also: {FORMS}.)") from None
