"""A rebuild: takes a number, fills the tables from the archive by the real `operations/filling.py`, and makes leases of the rows.

Then workers of its own feed the generation (`simulate.py`), until it is live and it leaves that to others.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from random import Random

from operations.filling import Filling
from operations.handover import NewLease, new_leases
from projections import register
from projections.rows import Row
from telemetry.errors import NotRebuilt
from telemetry.shards import ShardMap
from tests.simulation.generations import proofs
from tests.simulation.generations.bugs import Bugs
from tests.simulation.generations.log import Archive, ModelLog, up_to
from tests.simulation.generations.tables import Database, GenerationStores, Life, TablesGone
from tests.simulation.model_dynamodb import Halfway
from tests.simulation.simulate import Clock

LOOKS_FOR_S = 5.0
"""For how long it looks whether anybody feeds the generation already (`operations/continuing.py`, WATCHED_S)."""


class Stage(Enum):
    """Where a rebuild is."""

    LOOKING = auto()
    """Whether anybody works on the generation."""
    FILLING = auto()
    HANDING_OVER = auto()
    FEEDING = auto()
    OVER = auto()


class Rebuild:
    """One process. `is_fed` says whether workers of a generation are seen at work."""

    def __init__(
        self,
        database: Database,
        log: ModelLog,
        asked: int | None,
        is_fed: Callable[[int], bool],
        *,
        rng: Random,
        clock: Clock,
        bugs: Bugs,
    ) -> None:
        """Raises NotRebuilt."""
        self._database, self._log, self._is_fed = database, log, is_fed
        self._rng, self._clock = rng, clock
        live = database.pointer.generation
        database.take(live)
        has_tables = asked in database.lives
        self.number = number = register.chosen(asked, live, database.register, has_tables=has_tables)
        database.make(number)
        database.take(number)
        self.life: Life = database.lives[number]
        self.stage = Stage.LOOKING
        self._floor: Mapping[str, int] = {}
        """So much of each shard was archived when the filling began. What came later stays in the stream until it is fed."""
        self._began_s = clock.now_s
        self._stores = GenerationStores(database, number, log, rng, bugs)
        self._pages: Iterator[None] = iter(())
        self._seen: list[NewLease] | None = None

    def step(self, *, troubled: bool) -> None:
        """Go on; when `troubled` it is killed, half way in the next of its calls."""
        if self._dropped:
            self.stage = Stage.OVER
        self._stores.troubled = troubled
        try:
            self._step()
        except (Halfway, NotRebuilt, TablesGone):
            self.stage = Stage.OVER

    @property
    def _dropped(self) -> bool:
        return self._database.lives.get(self.number) is not self.life or self._database.is_dropped(self.number)

    def _step(self) -> None:
        match self.stage:
            case Stage.LOOKING if self._clock.now_s - self._began_s >= LOOKS_FOR_S:
                self._require_nobody()
                self._begin_filling()
            case Stage.FILLING:
                self._stores.enter()
                if next(self._pages, self) is self:
                    self.stage = Stage.HANDING_OVER
            case Stage.HANDING_OVER:
                self._hand_over()

    def _require_nobody(self) -> None:
        if self._is_fed(self.number):
            raise NotRebuilt(f"somebody feeds g{self.number} already")

    def _begin_filling(self) -> None:
        self.stage = Stage.FILLING
        self._floor = dict(self._log.archived)
        self._pages = Filling(
            Archive(self._log, self._rng),
            self._stores,
            lambda _: None,
            listed=self._log.listed(),
            shards_at_once=self._rng.choice((1, 4, 10**7)),
            clock_s=self._clock,
        ).pages()

    def _hand_over(self) -> None:
        """Look, and make the leases a while later."""
        self._require_nobody()
        if self._seen is None:
            rows: Mapping[str, Row] = self.life.progress()
            listed = self._log.listed()
            proved = proofs.proved_shards(self._log, rows, listed)
            self._seen = list(new_leases(ShardMap(listed.values()), rows, proved))
            return
        self.life.leases.make_anew(self._seen)
        self.stage = Stage.FEEDING

    def passed(self, shard_id: str) -> int:
        """So many records of a shard may leave the stream: those behind which the generation is, as long as it is filled."""
        if self.stage in {Stage.LOOKING, Stage.OVER}:
            return len(self._log.shards[shard_id].records)
        if self.stage is Stage.FILLING:
            return self._floor.get(shard_id, 0)
        return passed(self._log, self.life, shard_id, leased=self.stage is Stage.FEEDING)


def passed(log: ModelLog, life: Life, shard_id: str, *, leased: bool) -> int:
    """So many records of a shard lie before all that is still needed of it: the one that its lease names is."""
    model = log.shards[shard_id]
    row = life.progress().get(shard_id)
    if row and row.progress.ended and (not leased or shard_id in life.leases.ended):
        return len(model.records)
    position = life.flushed(shard_id)
    if leased and shard_id in life.leases.checkpoints:
        if not (checkpoint := life.leases.checkpoints[shard_id]):
            return log.trimmed.get(shard_id, 0)  # somebody reads what is the oldest record now
        position = min(checkpoint, position)
    return up_to(model, position - 1)
