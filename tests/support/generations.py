"""Looks at generations that a test makes up: who lives gives a sign at every look."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from operations.generations import Look
from operations.observation import Lease, Observation, Worker
from projections.fold import Stats
from projections.generations import LogStream, Pointer
from projections.register import Registered
from projections.rows import PROGRESS, Progress, Row
from telemetry.shards import Shard, ShardMap

SHARDS = ("left", "right")
MAP = ShardMap([Shard("left", 0, 49), Shard("right", 50, 99)])


@dataclass
class Scene:
    """Generation 1 is live; generation 2 has rows as new as its. Seconds go by only when somebody waits."""

    now_s: float = 0.0
    live: int = 1
    register: dict[int, Registered] = field(default_factory=lambda: {1: Registered(1, 1), 2: Registered(2, 2)})
    living: dict[int, set[str]] = field(default_factory=dict)
    """Workers that give a sign at every look, by generation."""
    dead: dict[int, set[str]] = field(default_factory=dict)
    """And those that only have left one behind."""
    owners: dict[int, Mapping[str, str]] = field(default_factory=dict)
    """Of shards, by generation."""
    without_tables: set[int] = field(default_factory=set)
    looks: int = 0

    def look(self) -> Look:
        self.looks += 1
        pointer = Pointer(self.live, (LogStream("s", "1.000"),))
        kept = {self.live, *(number for number, one in self.register.items() if one.dropped_us is None)}
        return Look(pointer, dict(self.register), {number: self._seen(number) for number in kept - self.without_tables})

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def _seen(self, number: int) -> Observation:
        beat = str(self.looks)
        workers = {name: Worker(beat, measured=False) for name in self.living.get(number, ())}
        workers |= {name: Worker("long ago", measured=False) for name in self.dead.get(number, ())}
        leases = {shard_id: Lease(owner, 1, ended=False) for shard_id, owner in self.owners.get(number, {}).items()}
        rows = {shard_id: Row(PROGRESS, 9, Stats(count=5), as_of_us=10**15, progress=Progress()) for shard_id in SHARDS}
        return Observation(MAP, leases, workers, None, rows)
