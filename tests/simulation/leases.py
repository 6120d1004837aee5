"""What KCL keeps: who has a shard, how far it came, and that children wait for their parents' end."""

from collections.abc import Callable

from telemetry.shards import Shard
from tests.simulation.bugs import Bug, Bugs
from tests.simulation.model_kinesis import ModelKinesis
from tests.simulation.violation import Violation


class Leases:
    """The lease table. `check` is told of every checkpoint before it is kept."""

    def __init__(self, kinesis: ModelKinesis, bugs: Bugs, check: Callable[[str, int], None]) -> None:
        self._kinesis = kinesis
        self._bugs = bugs
        self._check = check
        self.checkpoints: dict[str, int] = {}
        self.owners: dict[str, str] = {}
        self.ended: set[str] = set()

    def available(self) -> list[Shard]:
        """Shards that wait for a worker: parents first."""
        eager = Bug.CHILDREN_BEFORE_PARENTS in self._bugs
        return [
            model.shard
            for shard_id, model in self._kinesis.shards.items()
            if shard_id not in self.ended
            and shard_id not in self.owners
            and (eager or self.ended.issuperset(model.shard.parents))
        ]

    def checkpoint(self, shard_id: str, worker: str, sequence_number: int) -> bool:
        """Keep how far a shard came; False when the lease belongs to somebody else."""
        if self.owners.get(shard_id) != worker:
            return False
        self._check(shard_id, sequence_number)
        self.checkpoints[shard_id] = max(sequence_number, self.checkpoints.get(shard_id, 0))
        return True

    def end(self, shard_id: str, worker: str) -> bool:
        """Keep that a closed shard was read to its end."""
        model = self._kinesis.shards[shard_id]
        if not model.shard.closed:
            raise Violation(f"{shard_id} ended while open")
        if not self.checkpoint(shard_id, worker, model.end):
            return False
        self.ended.add(shard_id)
        return True

    def remake(self, shard_id: str, position: int) -> None:
        """The lease row was removed, and somebody made it anew from what the progress row said some time ago."""
        self.owners.pop(shard_id, None)
        self.ended.discard(shard_id)
        self.checkpoints[shard_id] = position

    @property
    def at_rest(self) -> bool:
        """Every shard is read, flushed and checkpointed to its end."""
        return all(
            shard_id in self.ended if model.shard.closed else self.checkpoints.get(shard_id, 0) >= model.end
            for shard_id, model in self._kinesis.shards.items()
        )
