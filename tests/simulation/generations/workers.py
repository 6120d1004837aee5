"""Workers of a generation: as `tests/simulation/workers.py`, and they follow the pointer by the real `consumer/following.py`."""

from contextlib import suppress
from random import Random

from consumer.following import Following
from projections.decoding import Record
from projections.effects import Steps, Stores, ask
from projections.policy import FlushPolicy, Memory
from projections.projector import ShardProjector
from telemetry.shards import Shard
from tests.simulation.bugs import NONE
from tests.simulation.generations.log import ModelLog, Trimmed
from tests.simulation.generations.tables import GenerationStores, Life, TablesGone
from tests.simulation.model_dynamodb import Halfway
from tests.simulation.simulate import Clock
from tests.simulation.violation import Violation
from tests.simulation.workers import Worker

CALL_S = 2.0
"""A call that was made takes effect within this time, or was given up."""
_UNDER_WAY = 0.25


class GenerationWorker(Worker):
    """One life of a record processor. `pinned`: it was started for its generation, live or not."""

    def __init__(
        self,
        name: str,
        shard: Shard,
        life: Life,
        *,
        stores: GenerationStores,
        following: Following,
        rng: Random,
        clock: Clock,
        log: ModelLog,
        pinned: bool,
    ) -> None:
        self.life = life
        self.pinned = pinned
        self.is_zombie = False
        """It stood still, and others have its shard."""
        self._generation_stores = stores
        self._following = following
        self._clock = clock
        self._log = log
        self._left_s: float | None = None
        """When the call was made that is under way."""
        super().__init__(
            name=name,
            shard_id=shard.shard_id,
            projector=ShardProjector(shard, clock, _policy(rng)),
            stores=stores,
            kinesis=log,
            leases=life.leases,
            rng=rng,
            bugs=NONE,
        )

    def step(self, *, troubled: bool) -> None:
        """Ask one question and go on, or wait, or be on the way to the tables. Raises TablesGone and Trimmed."""
        if getattr(self._question, "__self__", None) is not self:  # what KCL and Kinesis are asked is asked at any time
            self._generation_stores.enter()
            now_s = self._clock.now_s
            if self._left_s is None or now_s - self._left_s > CALL_S:
                try:
                    self._following.leave()
                except Halfway:
                    return
                self._left_s = now_s
                if self._rng.random() < _UNDER_WAY:
                    return
            self._left_s = None
        super().step(troubled=troubled)

    def die(self, how: str) -> None:
        """Crash; the question that is open takes effect if it may."""
        under_way = self._left_s is not None and self._clock.now_s - self._left_s <= CALL_S
        try:
            self._generation_stores.enter()
        except TablesGone:
            under_way = False
        super().die(how if under_way else "before")

    def _live(self) -> Steps[None]:
        """As KCL and `consumer/processor.py` have it."""
        yield from self._projector.start()
        while not self.asked_to_stop:
            records, beyond, closed, begun = yield from ask(self._read)
            if closed and not records:
                self._durable = yield from self._projector.flush(ended=True)
                yield from ask(self._end)
                return
            if not begun:  # what arrives until it may begin is not in the delivery
                yield from ask(self._begin_delivery)
            self._durable = yield from self._projector.project(records, caught_up=begun and not beyond)
            if self._following.hurried() and self._projector.has_undurable:
                self._durable = yield from self._projector.flush()
            if records:
                self._reached = records[-1].sequence_number
            if self._durable > self._checkpointed and not (yield from ask(self._checkpoint)):
                return
        self._durable = yield from self._projector.flush()
        if self._durable > self._checkpointed:
            yield from ask(self._checkpoint)

    def _begin_delivery(self, _: Stores) -> None:
        self._following.begin()

    def _read(self, _: Stores) -> tuple[list[Record], bool, bool, bool]:  # type: ignore[override]  # and whether it is begun
        closed, known = self._log.shards[self.shard_id].shard.closed, self._projector.position
        try:
            records, beyond = self._log.read_after(self.shard_id, self._reached, known, self._rng.randint(1, 4))
        except Trimmed as lost:
            if self.is_zombie or not (self.pinned or self._generation_stores.is_live):
                raise
            raise Violation(f"g{self.life.number}, {self.name}: {lost}") from None
        begun = False
        with suppress(Halfway):
            begun = not self._following.begin()
        return records, beyond, closed, begun


def _policy(rng: Random) -> FlushPolicy:
    return FlushPolicy(
        totals_every_s=rng.choice((0, 0, 2)),
        windows_every_s=rng.choice((0, 1, 5)),
        few_sensors=rng.choice((0, 2, 200)),
        few_every_s=rng.choice((0, 1, 5)),
        everything_every_s=rng.choice((1, 10)),
        flush_share=rng.choice((0.2, 1000)),
        flush_rest=rng.choice((0, 3)),
        renew_every_s=rng.choice((1, 10)),
        memory=Memory(
            unflushed_bytes=rng.choice((2_500, 10**9)),
            rows=rng.choice((0, 5, 50_000)),
            texts_bytes=rng.choice((0, 700, 10**9)),
        ),
    )
