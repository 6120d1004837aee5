"""What pages say in words: numbers, times, ages, and the one sentence with a verdict. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from operations.verdicts import ShardVerdict
from projections.sensors import Silent
from projections.zones import Zone, offset_at
from telemetry.limits import MICRO

SILENT_COUNTED_MAX: Final = 1_000
"""More silent sensors than these are told as "1,000+"."""

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = ((86_400, "day", "days"), (3_600, "h", "h"), (60, "min", "min"))


class Level(StrEnum):
    """How bad something is, the worst first."""

    BAD = "bad"
    ATTENTION = "attention"
    GOOD = "good"


class Part(NamedTuple):
    """A part of the sentence. `word` is what the page calls its state by when this part is the worst."""

    text: str
    level: Level = Level.GOOD
    word: str = "Complete"


class Sentence(NamedTuple):
    """What the page says first."""

    parts: Sequence[Part]

    @property
    def worst(self) -> Part:
        """The part that decides the colour, which is said in words too: of several alike the last, which is the figures'."""
        order = [*Level]
        return min(reversed(self.parts), key=lambda part: order.index(part.level))


_STANDING: Final = {
    ShardVerdict.STOPPED: Part("counting has stopped: nobody reads {shards}", Level.BAD, "Stopped"),
    ShardVerdict.REWOUND: Part("counting went back: the tables of {shards} are older than they were", Level.BAD, "Rewound"),
    ShardVerdict.STALLED: Part("counting stands still: {shards} not moving", Level.BAD, "Stalled"),
}


def figures_part(found: ShardVerdict, lag_us: int | None, affected: int, shards: int) -> Part:
    """What is to be said of the figures: complete, or how far they are behind, or why they stand.

    `affected` of the `shards` have this verdict.
    """
    if found in _STANDING:
        return _STANDING[found]._replace(text=_STANDING[found].text.format(shards=f"{affected} of {counted(shards, 'shard')}"))
    if found is ShardVerdict.OK:
        return Part("figures complete")
    if lag_us is None:
        return Part("figures incomplete: of a shard nothing is counted yet", Level.ATTENTION, "Behind")
    return Part(f"figures {duration(lag_us // MICRO)} behind", Level.ATTENTION, "Behind")


def fleet_sentence(sensors: int, silent: Silent | None, figures: Part) -> Sentence:
    """Of all sensors. `silent` is None when it is not known."""
    if not sensors:
        return Sentence([Part("No reading has been counted yet", Level.GOOD, "Empty"), _ready(figures)])
    parts = [Part(counted(sensors, "sensor"))]
    if silent is None:
        parts.append(Part("silent ones not known", Level.ATTENTION, "Partly seen"))
    elif silent.recently:
        parts.append(Part(f"{_at_most(silent.recently)} silent", Level.ATTENTION, "Silent sensors"))
    else:
        parts.append(Part("none silent"))
    if silent and silent.gone:
        parts.append(Part(f"{_at_most(silent.gone)} more silent for over 30 days"))
    return Sentence([*parts, figures])


def sensor_sentence(readings: int, silent_for_s: int | None, silent_after_s: int, figures: Part) -> Sentence:
    """Of one sensor; `silent_for_s` is None when nothing of it was counted."""
    if silent_for_s is None:
        return Sentence([Part("No reading of this sensor has been counted yet", Level.GOOD, "Empty"), _ready(figures)])
    if silent_for_s > silent_after_s:
        latest = Part(f"silent for {duration(silent_for_s)}", Level.ATTENTION, "Silent")
    else:
        latest = Part(f"the latest {duration(silent_for_s)} ago")
    return Sentence([Part(counted(readings, "reading")), latest, figures])


def counted(number: int, what: str) -> str:
    """`1 sensor`, `1,204 sensors`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration(seconds: int) -> str:
    """How long in the largest unit that is full: `42 s`, `3 min`, `5 h`, `2 days`."""
    for length_s, one, many in _UNITS:
        if seconds >= length_s:
            number = seconds // length_s
            return f"{number:,} {one if number == 1 else many}"
    return f"{seconds} s"


def celsius_text(value: Decimal | None) -> str:
    """A temperature as the API writes it, never with an exponent; a dash for what was never measured."""
    return "–" if value is None else f"{value:f}"


def time_text(zone: Zone, time_us: int) -> str:
    """A time for people, in a zone: `26 Nov 2021, 18:10:00`. Scripts write it alike (`static/times.js`)."""
    local = _EPOCH + timedelta(microseconds=time_us + offset_at(zone, time_us))
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M:%S}"


def _ready(figures: Part) -> Part:
    """Where there are no figures yet: whether there will be."""
    return figures if figures.level is not Level.GOOD else Part("all is ready", Level.GOOD, "Empty")


def _at_most(number: int) -> str:
    return f"{SILENT_COUNTED_MAX:,}+" if number > SILENT_COUNTED_MAX else f"{number:,}"
