"""Who reads which shard, seen over a while: what `telemetry leases` shows. Looks, clocks and waits are handed in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from operations.movement import place, signs
from operations.observation import Observation
from operations.verdicts import STILL_S, Judge, ShardState, ShardVerdict

LOOK_EVERY_S: Final = 2.5
ENDED: Final = "ended"
"""In a verdict's place: the shard was read to its end."""
WAITS: Final = "waits"
"""For its parents' end, or for its own to be listed no more."""


@dataclass(frozen=True, slots=True)
class LeaseLine:
    """A shard that is listed or leased."""

    shard_id: str
    word: str
    """Its verdict, or ENDED or WAITS."""
    owner: str | None
    moving: bool | None
    """Whether its lease's counter was seen to move; None when it has no lease that anybody would renew."""
    lag_us: int | None
    position_age_s: float | None
    """For how long its position was seen where it is: no less than that. None when it is not its turn."""
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leases:
    """What was seen."""

    lines: tuple[LeaseLine, ...]
    leader: str | None
    watched_s: float

    @property
    def worst(self) -> ShardVerdict:
        """The verdict of them all; where nothing is to be read it is that nobody reads anything."""
        words = {line.word for line in self.lines}
        return next((word for word in ShardVerdict if word in words), ShardVerdict.STOPPED)


def watch(
    look: Callable[[], Observation],
    now_s: Callable[[], float],
    now_us: Callable[[], int],
    sleep: Callable[[float], None],
) -> Leases:
    """Look until each shard was seen to move, or for as long as it takes to say that one does not.

    `now_s` is by a clock that nobody sets, `now_us` by the day's (microseconds since 1970). Raises what `look` raises.
    """
    judge, began_s = Judge(), now_s()
    first = seen = look()
    states = judge.see(seen, began_s, now_us())
    while True:
        sleep(LOOK_EVERY_S)
        seen = look()
        at_s = now_s()
        states = judge.see(seen, at_s, now_us())
        if at_s - began_s > STILL_S + LOOK_EVERY_S or all(_is_certain(first, seen, state) for state in states):
            break
    leader = seen.leader.owner if seen.leader else None
    return Leases(tuple(_lines(first, seen, {state.shard_id: state for state in states})), leader, at_s - began_s)


def _is_certain(first: Observation, seen: Observation, state: ShardState) -> bool:
    """Whether more looks would change nothing but how long a thing has been so."""
    if state.verdict in {ShardVerdict.STOPPED, ShardVerdict.REWOUND}:
        return True
    assert state.owner
    return place(first, state.shard_id) != place(seen, state.shard_id) and signs(first, state.owner) != signs(seen, state.owner)


def _lines(first: Observation, seen: Observation, states: dict[str, ShardState]) -> list[LeaseLine]:
    lines = []
    for shard_id in sorted({*seen.shards.shards, *seen.leases}):
        lease, before, state = seen.leases.get(shard_id), first.leases.get(shard_id), states.get(shard_id)
        ended = (lease is not None and lease.ended) or (shard_id in seen.progress and seen.progress[shard_id].progress.ended)
        moving = None
        if lease and lease.owner and not lease.ended:
            moving = before is None or before.counter != lease.counter
        lines.append(
            LeaseLine(
                shard_id,
                word=str(state.verdict) if state else ENDED if ended else WAITS,
                owner=lease.owner if lease and not lease.ended else None,
                moving=moving,
                lag_us=state.lag_us if state else None,
                position_age_s=state.position_age_s if state else None,
                parents=seen.shards.shards[shard_id].parents if shard_id in seen.shards.shards else (),
            )
        )
    return lines
