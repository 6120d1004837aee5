"""Stays with a generation that consumers feed, until it is live and others feed it: the second half of a rebuild.

Its own consumer gives way once the generation is live and another one lives, since KCL would leave it its share for ever; when
the others are gone again before they have all shards, it comes back.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from operations.generations import LOOK_EVERY_S, Look, Watch
from operations.lacking import shards_named
from operations.stages import Stage, State
from telemetry.errors import Dropped, NotRebuilt

_NOT_YET: Final = frozenset({Stage.FILLING, Stage.STANDBY})


class Feeder(Protocol):
    """The consumer that a rebuild starts."""

    @property
    def worker_id(self) -> str:
        """What its worker is called."""

    def start(self) -> None:
        """Start it, after it was stopped as well."""

    def ended(self) -> int | None:
        """Its exit status once it has ended by itself, None while it runs."""

    def stop(self) -> None:
        """End it in order."""


def attend(
    number: int,
    feeder: Feeder,
    look: Callable[[], Look],
    tell: Callable[[State], object],
    *,
    now_s: Callable[[], float],
    sleep: Callable[[float], None],
    patience_s: float,
) -> None:
    """Start the consumer, and return when the generation is live and every open shard has another living owner.

    `tell` is told after each look. `patience_s`: who gives no sign of life for so long does not live. Raises Dropped when the
    generation is dropped, NotRebuilt when the consumer ends by itself, and what `look` raises; the consumer may go on then.
    """
    watch = Watch(patience_s)
    feeder.start()
    feeding = True
    while True:
        found = look()
        state = next(one for one in watch.see(found, now_s()) if one.number == number)
        if state.stage is Stage.DROPPED:
            raise Dropped(f"g{number} was dropped while it was filled.")
        if feeding and (status := feeder.ended()) is not None:
            raise NotRebuilt(f"The consumer of g{number} ended by itself with status {status}; its log says why.")
        others = set(state.workers) - {feeder.worker_id}
        if found.pointer.generation == number and others:
            if feeding:
                feeder.stop()
                feeding = False
            waiting = _without(found, number, others)
            if not waiting:
                return
            state = replace(state, why=f"waits until others have {shards_named(waiting)}")
        elif not feeding:
            feeder.start()
            feeding = True
        tell(_explained(state, feeder.worker_id))
        sleep(LOOK_EVERY_S)


def _without(found: Look, number: int, others: set[str]) -> list[str]:
    """Open shards that none of the others owns."""
    seen = found.seen[number]
    owners = {shard_id: lease.owner for shard_id, lease in seen.leases.items()}
    return [shard.shard_id for shard in seen.shards.open if owners.get(shard.shard_id) not in others]


def _explained(state: State, worker_id: str) -> State:
    """What the state alone does not know: that a consumer is on its way, or that the live generation has no other one."""
    if state.stage in _NOT_YET:
        return replace(state, stage=Stage.LAGGING, why="its consumer starts")
    if state.stage is Stage.LIVE and not state.why:
        alone = state.workers in ((), (worker_id,))
        return replace(state, why="feeds it until another consumer does: start one (python -m consumer)") if alone else state
    return state
