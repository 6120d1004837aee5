"""Judges, from one look after another, who is alive and which shard moves. Pure: the time is handed in.

Nobody else's clock is trusted: whatever changes from look to look is alive, whatever stays the same for too long is not.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from operations.movement import Unchanged, everybody, place, signs
from operations.observation import Leader, Observation


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long something may stay as it was, in seconds."""

    look_every_s: float
    leader_s: float
    """A leader silent for so long is dead. Its lock beats only every 30 s, so the lock alone proves nothing (hazard H9)."""
    daemon_s: float
    """Our own daemon, once it has shown life; longer than a leader's, since what ends it is a kill."""
    shard_s: float
    """A shard's progress; above the time for which a child may retry AWS in place."""
    start_s: float
    """The first sign of life and the first progress after a start."""

    @property
    def gap_s(self) -> float:
        """Looks further apart than this say nothing about the time between: AWS was away, or we stood still ourselves."""
        return 3 * self.look_every_s + 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about what was seen."""

    restart: str | None = None
    """Why our daemon must be started anew."""
    dead_leader: Leader | None = None
    without_lease: tuple[str, ...] = ()
    take: tuple[str, str] | None = None
    """A shard for us, who have none, and the worker that has several."""
    alive: bool = False
    """Our daemon has shown a sign of life since it was started."""
    starting: tuple[str, ...] = ()
    """Our shards that have not moved yet since the daemon was started."""
    working: tuple[str, ...] = ()
    """Our shards that have."""


class Watch:
    """Watches on behalf of one worker."""

    def __init__(self, worker_id: str, patience: Patience) -> None:
        self._worker_id = worker_id
        self._patience = patience
        self._unchanged = Unchanged()
        self._looked_s = 0.0
        self._last: dict[Hashable, Hashable] = {}
        self.begin()

    def begin(self) -> None:
        """Our daemon is started anew: what is as it was last seen shows nothing of it yet."""
        self._unchanged.forget()
        self._changed: set[str] = set()

    def excuse(self) -> None:
        """What stands still does so on purpose: patience begins anew."""
        self._unchanged.forget()

    def see(self, seen: Observation, now_s: float) -> Verdict:
        """Take in a look."""
        if now_s - self._looked_s > self._patience.gap_s:
            self._unchanged.forget()
        self._looked_s = now_s
        silent_s = {worker: self._silent_s(seen, worker, now_s) for worker in {self._worker_id} | everybody(seen)}
        still_s = {shard_id: self._still_s(seen, shard_id, now_s) for shard_id in seen.leases}
        stalled = [
            f"{shard_id} has not moved for {still_s[shard_id]:.0f} s"
            for shard_id in self._ours(seen, silent_s)
            if still_s[shard_id] >= self._shard_limit_s(shard_id)
        ]
        due = [shard_id for shard_id in seen.held(self._worker_id) if seen.is_due(shard_id)]
        return Verdict(
            restart=self._hung(silent_s[self._worker_id]) or next(iter(stalled), None),
            dead_leader=self._dead_leader(seen, silent_s),
            without_lease=tuple(self._lost(seen, now_s)),
            take=self._share(seen, silent_s, now_s),
            alive=self._worker_id in self._changed,
            starting=tuple(shard_id for shard_id in due if shard_id not in self._changed),
            working=tuple(shard_id for shard_id in due if shard_id in self._changed),
        )

    def _hung(self, silent_s: float) -> str | None:
        limit_s = self._patience.daemon_s if self._worker_id in self._changed else self._patience.start_s
        return f"the daemon has shown no sign of life for {silent_s:.0f} s" if silent_s >= limit_s else None

    def _shard_limit_s(self, shard_id: str) -> float:
        return self._patience.shard_s if shard_id in self._changed else max(self._patience.shard_s, self._patience.start_s)

    def _ours(self, seen: Observation, silent_s: dict[str, float]) -> Iterator[str]:
        """Shards we answer for: those we hold, and as leader those that nobody alive holds; each when its turn has come."""
        leading = seen.leader is not None and seen.leader.owner == self._worker_id
        for shard_id, lease in seen.leases.items():
            if not seen.is_due(shard_id):
                continue
            kept = lease.owner is not None and silent_s[lease.owner] < self._patience.daemon_s
            if lease.owner == self._worker_id or (leading and not kept):
                yield shard_id

    def _dead_leader(self, seen: Observation, silent_s: dict[str, float]) -> Leader | None:
        leader = seen.leader
        if leader is None or leader.owner == self._worker_id or silent_s[leader.owner] < self._patience.leader_s:
            return None
        return leader

    def _share(self, seen: Observation, silent_s: dict[str, float], now_s: float) -> tuple[str, str] | None:
        """A lease to take from the living worker that has most, for one that has none while others have several.

        KCL balances by the load of the hosts; where it cannot measure that, by throughput, and while all is idle not at all.
        """
        alive = [worker for worker in seen.workers if silent_s[worker] < self._patience.leader_s / 2]
        held = {worker: tuple(seen.held(worker)) for worker in alive}
        steady_s = self._unchanged.for_s("shares", tuple(sorted(held.items())), now_s)
        if self._worker_id not in held or any(seen.workers[worker].measured for worker in alive):
            return None
        fullest = max(alive, key=lambda worker: (len(held[worker]), worker))
        if steady_s < self._patience.leader_s or held[self._worker_id] or len(held[fullest]) < 2:
            return None
        return held[fullest][-1], fullest

    def _lost(self, seen: Observation, now_s: float) -> Iterator[str]:
        missing = set(seen.without_lease())
        for shard_id in seen.shards.shards:
            lost = shard_id in missing
            if self._unchanged.for_s(("lost", shard_id), lost, now_s) >= self._patience.leader_s and lost:
                yield shard_id

    def _silent_s(self, seen: Observation, worker: str, now_s: float) -> float:
        """For how long nothing of a worker has changed. Each lease counts by itself: to lose one is no sign of life."""
        return min(self._note(worker, name, state, now_s) for name, state in signs(seen, worker).items())

    def _still_s(self, seen: Observation, shard_id: str, now_s: float) -> float:
        """For how long a shard has stood where it is, in the same hands, and with its turn come."""
        owner = seen.leases[shard_id].owner
        held_s = self._unchanged.for_s(("held", shard_id), (owner, seen.is_due(shard_id)), now_s)
        place_s = self._note(shard_id, "place", place(seen, shard_id), now_s, ours=owner == self._worker_id)
        return min(held_s, place_s)

    def _note(self, whose: str, name: str, state: Hashable, now_s: float, *, ours: bool = True) -> float:
        """For how long something of a worker or shard has been as it is; a change in `ours` is a sign of this run."""
        if self._last.setdefault((whose, name), state) != state and ours:
            self._changed.add(whose)
        self._last[whose, name] = state
        return self._unchanged.for_s((whose, name), state, now_s)
