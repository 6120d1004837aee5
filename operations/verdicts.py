"""A shard's verdict in one word, the same for whoever asks, from one look after another. Pure: both clocks are handed in.

What may be done about it is the supervisor's matter (`consumer/watch.py`), which is more patient: it restarts what hangs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from operations.movement import Unchanged, place, signs
from operations.observation import Observation
from telemetry.limits import MICRO

SLOW_S: Final = 15
"""Beyond this lag figures are not called complete any more (contract, "How answers agree")."""
STILL_S: Final = 35
"""Above three signs of life, renewals of a lease, or beats of an idle shard, each at most ten seconds apart."""


class ShardVerdict(StrEnum):
    """How a shard is, the worst first."""

    STOPPED = "stopped"
    """Nobody reads it: it has no lease, or no owner, or one that gives no sign of life."""
    REWOUND = "rewound"
    """Its position is behind where it was seen, or behind the lease: a table was restored, or rows were removed."""
    STALLED = "stalled"
    """Its owner lives, and it was not seen to move, not even by the beat of an idle shard."""
    SLOW = "slow"
    """It moves, and is more than `SLOW_S` behind, or has counted nothing yet."""
    OK = "ok"


@dataclass(frozen=True, slots=True)
class ShardState:
    """A shard whose turn it is to be read, as it was seen."""

    shard_id: str
    owner: str | None
    verdict: ShardVerdict
    lag_us: int | None
    """How long ago the moment was up to which it is counted; None when nothing of it, nor of its parents, ever was."""
    position_age_s: float
    """For how long its position has been seen where it is: no less than that."""


class Judge:
    """Judges the shards of one projection generation. What it was never shown it cannot hold against a shard."""

    def __init__(self) -> None:
        self._unchanged = Unchanged()
        self._furthest: dict[str, int] = {}

    def see(self, seen: Observation, now_s: float, now_us: int) -> list[ShardState]:
        """Take in a look: the shards whose turn it is, by id.

        `now_s` is by a clock that nobody sets, `now_us` by the day's (microseconds since 1970).
        """
        owners = {lease.owner for lease in seen.leases.values() if lease.owner}
        silent_s = {owner: self._silent_s(seen, owner, now_s) for owner in owners}
        still_s = {shard_id: self._still_s(seen, shard_id, now_s) for shard_id in seen.leases}
        states = []
        for shard_id in sorted([*filter(seen.is_due, seen.leases), *seen.without_lease()]):
            owner = seen.leases[shard_id].owner if shard_id in seen.leases else None
            lag_us = _lag_us(seen, shard_id, now_us)
            position = seen.progress[shard_id].position if shard_id in seen.progress else 0
            furthest = self._furthest.get(shard_id, 0)
            # Rows are there before a checkpoint names them, and these may have been read before this look's leases.
            checkpoint = seen.leases[shard_id].checkpoint if shard_id in seen.leases else 0
            self._furthest[shard_id] = max(position, furthest, checkpoint)
            word = verdict(
                owner_silent_s=None if owner is None else silent_s[owner],
                went_back=position < furthest,
                still_s=still_s.get(shard_id, 0),
                lag_us=lag_us,
            )
            states.append(ShardState(shard_id, owner, word, lag_us, self._age_s(shard_id, position, now_s)))
        return states

    def _silent_s(self, seen: Observation, owner: str, now_s: float) -> float:
        """For how long nothing of a worker has changed."""
        return min(self._unchanged.for_s((owner, name), state, now_s) for name, state in signs(seen, owner).items())

    def _still_s(self, seen: Observation, shard_id: str, now_s: float) -> float:
        """For how long a shard has stood where it is, in the same hands, and with its turn come."""
        hands = seen.leases[shard_id].owner, seen.is_due(shard_id)
        held_s = self._unchanged.for_s(("held", shard_id), hands, now_s)
        return min(held_s, self._unchanged.for_s(("place", shard_id), place(seen, shard_id), now_s))

    def _age_s(self, shard_id: str, position: int, now_s: float) -> float:
        return self._unchanged.for_s(("position", shard_id), position, now_s)


def verdict(*, owner_silent_s: float | None, went_back: bool, still_s: float, lag_us: int | None) -> ShardVerdict:
    """The verdict of a shard. `owner_silent_s` is for how long its owner gave no sign of life, None when it has no owner."""
    if owner_silent_s is None or owner_silent_s >= STILL_S:
        return ShardVerdict.STOPPED
    if went_back:
        return ShardVerdict.REWOUND
    if still_s >= STILL_S:
        return ShardVerdict.STALLED
    if lag_us is None or lag_us > SLOW_S * MICRO:
        return ShardVerdict.SLOW
    return ShardVerdict.OK


def worst(states: Iterable[ShardState]) -> ShardVerdict:
    """The verdict of them all; of none it is that nobody reads anything."""
    order = [*ShardVerdict]
    return min((state.verdict for state in states), key=order.index, default=ShardVerdict.STOPPED)


def furthest_behind_us(seen: Observation, now_us: int) -> int | None:
    """The lag of the shard that is furthest behind; None when nothing is known of one, or there is none to be read."""
    lags = [_lag_us(seen, shard_id, now_us) for shard_id in (*filter(seen.is_due, seen.leases), *seen.without_lease())]
    known = [lag for lag in lags if lag is not None]
    return max(known) if known and len(known) == len(lags) else None


def _lag_us(seen: Observation, shard_id: str, now_us: int) -> int | None:
    """By the mark of the totals. A child without a row counts as its parents' end (contract, "How answers agree")."""
    parents = seen.shards.shards[shard_id].parents
    known = [shard_id] if shard_id in seen.progress else [parent for parent in parents if parent in seen.progress]
    if not known:
        return None
    return max(0, now_us - min(seen.progress[one].as_of_us for one in known))
