"""A filling whose shards are shared out: each is folded elsewhere, once, and no sooner than all of its parents have ended.

Which shard may be folded next is the log's own order (`telemetry/log.py`) and the rule of every filling (`filling.py`). Whoever
folds one says so when its end is in the tables, and only then do its children have their turn. Processes are in `fillers.py`.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Final, NamedTuple

from operations.filling import Filled, Filling
from projections.effects import Stores
from telemetry.log import Page, Position, Source
from telemetry.shards import Shard

_MEMORY_SHARES: Final = 2
"""Of what a filling holds in memory, whoever folds one shard has one: as much as a consumer's worker of a shard."""


class Folded(NamedTuple):
    """How far a shard was folded."""

    filled: Filled
    """Of this shard alone."""
    reached: Position | None = None
    """How far it was read, once nothing of it is left; None before, and where nothing was read."""


type Fold = Callable[[Shard, Position | None], Iterator[Folded]]
"""Folds what a source has of a shard into the tables, from where these are; of a shard at its start the position tells since
when it may have been there, as of `Source.read`. Says how far it is now and then, and when all is written. Used from a thread
of its own for each of the shards that are folded at once."""


class Sharing(Filling):
    """See Filling. `stores` are asked only how far the tables are; `at_once` shards are folded at the same time."""

    def __init__(
        self,
        source: Source,
        stores: Stores,
        tell: Callable[[Filled], object],
        fold: Fold,
        *,
        at_once: int,
        listed: Collection[str] = (),
    ) -> None:
        self._folded: dict[str, Filled] = {}
        self._records: dict[str, int] = {}
        super().__init__(_Elsewhere(source, fold, self._folded), stores, tell, listed=listed, shards_at_once=at_once)

    def _take(self, page: Page) -> None:
        """What was told of the shard by now."""
        shard_id = page.shard_id
        if (told := self._folded.get(shard_id)) is None:
            return  # a parent has not ended
        self._counted[shard_id] = told.readings
        self._records[shard_id] = told.records
        self.filled.records = sum(self._records.values())
        self.filled.reached_ms.pop(shard_id, None)
        self.filled.reached_ms |= told.reached_ms
        self.filled.ended |= told.ended
        self.filled.gaps |= told.gaps


class _Elsewhere:
    """A source whose shards are folded elsewhere: its pages hold no records, and tell when something was told."""

    def __init__(self, source: Source, fold: Fold, folded: dict[str, Filled]) -> None:
        self._source, self._fold, self._folded = source, fold, folded

    def shards(self) -> Collection[Shard]:
        """See Source."""
        return self._source.shards()

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """See Source."""
        for filled, reached in self._fold(shard, after):
            self._folded[shard.shard_id] = filled
            yield Page(shard.shard_id, reached=reached)
        if shard.shard_id in self._folded[shard.shard_id].ended:
            yield Page(shard.shard_id, ended=True)


def fold_shard(
    source: Source, shard: Shard, after: Position | None, stores: Stores, tell: Callable[[Filled], object]
) -> Folded:
    """Fold one shard of a source as of `Fold`, whatever its parents are. Raises as of `fill`."""
    part = _Part(source, shard, after)
    return Folded(Filling(part, stores, tell, shards_at_once=_MEMORY_SHARES).run(), part.reached)


class _Part:
    """One shard of a source."""

    def __init__(self, source: Source, shard: Shard, after: Position | None) -> None:
        self._source, self._shard, self._after = source, shard, after
        self.reached: Position | None = None

    def shards(self) -> Collection[Shard]:
        """See Source."""
        return (self._shard,)

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """See Source. Where the tables hold nothing of it, it begins where it was said to."""
        for page in self._source.read(shard, after or self._after):
            self.reached = page.position or self.reached
            yield page
