"""Raw readings as they are stored: in packs, so that a write unit holds many of them.

A pack holds every reading of one sensor and ten minutes that was counted between two places of one shard's log, as text.
Whoever writes a pack of these bounds writes the same, so packs are only ever put, never changed. After a crash two packs may
overlap: readers take the union.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from telemetry.canonical import token_of
from telemetry.reading import Reading, parse_temperature, parse_timestamp, sortable_time

READINGS_MAX: Final = 4_000
"""In one pack: some 25 bytes each at most, so a pack stays far below DynamoDB's 400 KB an item."""
TEN_MINUTES_US: Final = 600_000_000

_TIME_CHARS: Final = len("2026-11-23T10:3")


class Place(NamedTuple):
    """A line of a record of the log."""

    sequence_number: int
    line: int


class Bucket(NamedTuple):
    """Ten minutes of one sensor, by measured time in UTC: what is looked up together."""

    sensor_id: str
    time: str
    """What the ten minutes' timestamps begin with: `2026-11-23T10:3`."""

    @property
    def first_us(self) -> int:
        """The first instant in it: microseconds since 1970."""
        return parse_timestamp(f"{self.time}0:00Z")

    @property
    def last_us(self) -> int:
        """The last instant in it: microseconds since 1970."""
        return self.first_us + TEN_MINUTES_US - 1


@dataclass(frozen=True)
class Pack:
    """Readings of one bucket, in the order of the log; `first` and `last` are the places of the first and the last of them."""

    bucket: Bucket
    shard_id: str
    first: Place
    last: Place
    text: str
    """Each as `0:05=18.7`: the timestamp beyond the bucket's, and °C; a blank between them."""

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """What the text tells."""
        return tuple(read_tokens(self.bucket, self.text))


type Bounds = tuple[Bucket, str, Place, Place]


def bounds(pack: Pack) -> Bounds:
    """What tells a pack from all others."""
    return pack.bucket, pack.shard_id, pack.first, pack.last


def pack_of(shard_id: str, first: Place, last: Place, readings: Sequence[Reading]) -> Pack:
    """The pack of readings of one bucket, at least one."""
    return Pack(bucket_of(readings[0]), shard_id, first, last, b" ".join(map(token_of, readings)).decode())


def bucket_of(reading: Reading) -> Bucket:
    """The bucket a reading lies in."""
    return _bucket(reading.sensor_id, reading.measured_at_us // TEN_MINUTES_US)


@lru_cache(4096)
def _bucket(sensor_id: str, ten_minutes: int) -> Bucket:
    return Bucket(sensor_id, sortable_time(ten_minutes * TEN_MINUTES_US)[:_TIME_CHARS])


def read_tokens(bucket: Bucket, text: str) -> Iterable[Reading]:
    """The readings that a bucket's text tells."""
    for token in text.split():
        rest, _, temperature = token.partition("=")
        yield Reading(parse_timestamp(f"{bucket.time}{rest}Z"), bucket.sensor_id, parse_temperature(temperature))


class Search(NamedTuple):
    """What a bucket's packs hold of what was searched for, and their text, all of it, if that is not too large."""

    found: frozenset[str]
    text: str | None


def search(tokens: Collection[str], texts: Iterable[str], text_chars_max: int) -> Search:
    """Search texts, each as it comes: only as many of them are held as may be told."""
    found: set[str] = set()
    held: list[str] | None = []
    held_chars = 0
    for text in texts:
        # A token's ends count: `0:05=18` is in `0:05=18.7`, and is another reading.
        padded = f" {text} "
        found.update(token for token in tokens if f" {token} " in padded)
        held_chars += len(text) + 1
        if held is not None and held_chars <= text_chars_max:
            held.append(text)
        else:
            held = None
    return Search(frozenset(found), None if held is None else " ".join(held))
