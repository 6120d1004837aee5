"""What moves, told from one look after another. Pure: the time is handed in.

Nobody else's clock is trusted: whatever changes from look to look is alive, whatever stays the same for too long is not.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from operations.observation import Observation


@dataclass(slots=True)
class Unchanged:
    """Since when each thing has been as it is."""

    _seen: dict[Hashable, tuple[Hashable, float]] = field(default_factory=dict)

    def for_s(self, thing: Hashable, state: Hashable, now_s: float) -> float:
        """For how long a thing has been seen as it is now, in seconds; 0 when it is another than at the last look."""
        known = self._seen.get(thing)
        if known is None or known[0] != state:
            self._seen[thing] = known = state, now_s
        return now_s - known[1]

    def forget(self) -> None:
        """Nothing was ever seen."""
        self._seen.clear()


def everybody(seen: Observation) -> set[str]:
    """Every worker that is named anywhere."""
    owners = {lease.owner for lease in seen.leases.values() if lease.owner}
    return owners | seen.workers.keys() | ({seen.leader.owner} if seen.leader else set())


def signs(seen: Observation, worker: str) -> dict[str, Hashable]:
    """What changes while a worker's daemon lives: its own time stamp, and the counters of its leases."""
    return {"beat": seen.workers.get(worker), **{shard_id: seen.leases[shard_id].counter for shard_id in seen.held(worker)}}


def place(seen: Observation, shard_id: str) -> Hashable:
    """What changes while a shard is projected or, when idle, every ten seconds (`FlushPolicy.renew_every_s`)."""
    row = seen.progress.get(shard_id)
    return row and (row.position, row.progress.beat)


class Living:
    """Who lives, told from one look after another: whoever was seen to give a sign of life, no longer than `patience_s` ago."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._before: Observation | None = None
        self._moved_s: dict[str, float] = {}

    def see(self, seen: Observation, now_s: float) -> set[str]:
        """Take in a look. Nobody is known to live at the first one; `now_s` is by a clock that nobody sets."""
        if before := self._before:
            self._moved_s |= {worker: now_s for worker in everybody(seen) if _gave_a_sign(before, seen, worker)}
        self._before = seen
        return {worker for worker, at_s in self._moved_s.items() if now_s - at_s <= self._patience_s}


def _gave_a_sign(before: Observation, after: Observation, worker: str) -> bool:
    """A lease that a worker gained or lost tells nothing: others give them to it, and take them from it."""
    known = signs(before, worker)
    return any(name in known and known[name] != state for name, state in signs(after, worker).items())
