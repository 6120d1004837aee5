"""A worker on one shard: the real projector between KCL's calls, stepped one question at a time."""

from random import Random

from projections.decoding import Record
from projections.effects import Question, Steps, Stores, ask
from projections.projector import ShardProjector
from tests.simulation.bugs import Bug, Bugs
from tests.simulation.leases import Leases
from tests.simulation.model_dynamodb import Halfway, ModelStores
from tests.simulation.model_kinesis import ModelKinesis


class Worker:
    """One life of a record processor: from a checkpoint until it is stopped, dies, or the shard ends."""

    def __init__(
        self,
        *,
        name: str,
        shard_id: str,
        projector: ShardProjector,
        stores: ModelStores,
        kinesis: ModelKinesis,
        leases: Leases,
        rng: Random,
        bugs: Bugs,
    ) -> None:
        self.name = name
        self.shard_id = shard_id
        self.asked_to_stop = False
        self._projector = projector
        self._stores = stores
        self._kinesis = kinesis
        self._leases = leases
        self._rng = rng
        self._bugs = bugs
        self._reached = leases.checkpoints.get(shard_id, 0)
        self._durable = 0
        self._checkpointed = 0
        self._steps = self._live()
        self._question: Question | None = next(self._steps)

    @property
    def done(self) -> bool:
        """Whether it has nothing left to ask."""
        return self._question is None

    def step(self, *, troubled: bool) -> None:
        """Ask one question and go on, or stay halfway in it."""
        assert self._question
        self._stores.troubled = troubled
        try:
            answer = self._question(self._stores)
        except Halfway:
            return
        try:
            self._question = self._steps.send(answer)
        except StopIteration:
            self._question = None

    def die(self, how: str) -> None:
        """Crash at the open question, which took effect, did so in part, or did not."""
        if self._question and how != "before":
            self._stores.troubled = how == "halfway"
            try:
                self._question(self._stores)
            except Halfway:
                self._stores.troubled = False
        self._steps.close()
        self._question = None

    def _live(self) -> Steps[None]:
        yield from self._projector.start()
        while not self.asked_to_stop:
            records, beyond, closed = yield from ask(self._read)
            if closed and not records:
                self._durable = yield from self._projector.flush(ended=True)
                yield from ask(self._end)
                return
            self._durable = yield from self._projector.project(records, caught_up=not beyond)
            if records:
                self._reached = records[-1].sequence_number
            if Bug.CHECKPOINT_BEFORE_FLUSH in self._bugs:
                self._durable = self._reached
            if self._durable > self._checkpointed and not (yield from ask(self._checkpoint)):
                return
        self._durable = yield from self._projector.flush()
        if self._durable > self._checkpointed:
            yield from ask(self._checkpoint)

    def _read(self, _: Stores) -> tuple[list[Record], bool, bool]:
        closed = self._kinesis.shards[self.shard_id].shard.closed
        return (*self._kinesis.read(self.shard_id, self._reached, self._rng.randint(1, 4)), closed)

    def _checkpoint(self, _: Stores) -> bool:
        """Whether to go on: one who lost the lease may hear of it now, or only later."""
        if self._leases.checkpoint(self.shard_id, self.name, self._durable):
            self._checkpointed = self._durable
            return True
        return self._rng.random() < 0.92

    def _end(self, _: Stores) -> bool:
        ended = self._leases.end(self.shard_id, self.name)
        if ended and Bug.FINAL_ROWS_ARE_MOVED_AWAY in self._bugs:
            self._stores.move_away(self.shard_id)
        return ended
