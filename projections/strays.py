"""Sends events home that stand in a shard which is not their sensor's, so that no generation lacks them. Pure.

The same stray is met by each generation. Who meets it sends it home, unless the live generation surely met it before: its
flushed position of the shard lies at or past it, and nothing of that shard escaped it. So of all that ever meet it the first
one sends; in doubt so do others, and a repeat counts once. Where a shard ended, or how far its total is, tells nothing here.
"""

from collections.abc import Sequence
from functools import partial
from itertools import batched

from projections.decoding import Stray
from projections.effects import ITEMS_AT_ONCE, Steps, Stores, ask
from projections.rows import Row


def send_home(shard_id: str, strays: Sequence[Stray]) -> Steps[None]:
    """Put on the stream those of a shard's strays that the live generation may not have put there."""
    live = yield from ask(lambda stores: stores.load_live_progress(shard_id))
    met = surely_met(live)
    for events in batched((stray.event for stray in strays if stray.sequence_number > met), ITEMS_AT_ONCE, strict=False):
        yield from ask(partial(_append_again, events))


def surely_met(progress: Row | None) -> int:
    """Up to which record a generation has read everything and understood it; 0 when in doubt.

    It never saw what it lost to the stream's retention, and what it refused another decoder may read.
    """
    if progress is None or progress.progress.gap or any(progress.progress.refusals):
        return 0
    return progress.progress.flushed.position


def _append_again(events: Sequence[tuple[str, bytes]], stores: Stores) -> None:
    stores.append_again(events)
