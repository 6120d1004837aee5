"""Raw readings as they are stored: in packs, so that a write unit holds many of them.

A pack holds every reading of one sensor and ten minutes that was counted between two places of one shard's log. Whoever writes
a pack of these bounds writes the same, so packs are only ever put, never changed. After a crash two packs may overlap: readers
take the union.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Final, NamedTuple

from projections.decisions import Decision, Place
from telemetry.reading import Reading, parse_timestamp, sortable_time

READINGS_MAX: Final = 4_000
"""In one pack: some 25 bytes each at most, so a pack stays far below DynamoDB's 400 KB an item."""

_TIME_CHARS: Final = len("2026-11-23T10:3")


class Bucket(NamedTuple):
    """Ten minutes of one sensor, by measured time in UTC: what is looked up together."""

    sensor_id: str
    time: str
    """What the ten minutes' timestamps begin with: `2026-11-23T10:3`."""

    @property
    def last_us(self) -> int:
        """The last instant in it: microseconds since 1970."""
        return parse_timestamp(f"{self.time}9:59.999999Z")


@dataclass(frozen=True, slots=True)
class Pack:
    """Readings of one bucket, in the order of the log; `first` and `last` are the places of the first and the last of them."""

    bucket: Bucket
    shard_id: str
    first: Place
    last: Place
    readings: tuple[Reading, ...]


type Bounds = tuple[Bucket, str, Place, Place]


def bounds(pack: Pack) -> Bounds:
    """What tells a pack from all others."""
    return pack.bucket, pack.shard_id, pack.first, pack.last


def bucket_of(reading: Reading) -> Bucket:
    """The bucket a reading lies in."""
    return Bucket(reading.sensor_id, sortable_time(reading.measured_at_us)[:_TIME_CHARS])


def make_packs(shard_id: str, decisions: Iterable[Decision]) -> Iterator[Pack]:
    """The packs of everything counted; `decisions` are all those between two places of the log, in its order."""
    buckets: defaultdict[Bucket, list[Decision]] = defaultdict(list)
    for decision in decisions:
        if decision.counted:
            buckets[bucket_of(decision.reading)].append(decision)
    for bucket, members in buckets.items():
        for run in batched(members, READINGS_MAX, strict=False):
            yield _pack(bucket, shard_id, run)


def _pack(bucket: Bucket, shard_id: str, run: Sequence[Decision]) -> Pack:
    return Pack(bucket, shard_id, run[0].place, run[-1].place, tuple(decision.reading for decision in run))
