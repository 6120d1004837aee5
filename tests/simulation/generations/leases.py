"""What KCL keeps of a generation: as `tests/simulation/leases.py`, of a stream that forgets, and made anew from rows."""

from collections.abc import Callable, Iterable

from operations.handover import OLDEST, SHARD_END, NewLease
from telemetry.shards import Shard
from tests.simulation.bugs import NONE
from tests.simulation.generations.log import ModelLog
from tests.simulation.leases import Leases
from tests.simulation.violation import Violation


class GenerationLeases(Leases):
    """A lease table. A shard has a lease when it is in `checkpoints`, at 0 for the oldest record."""

    def __init__(self, log: ModelLog, check: Callable[[str, int], None]) -> None:
        super().__init__(log, NONE, check)
        self._log = log

    def available(self) -> list[Shard]:
        """Shards that wait for a worker, once KCL has made the leases whose turn has come."""
        listed = self._log.listed()
        for shard_id, shard in listed.items():
            if shard_id not in self.checkpoints and all(
                parent in self.ended or (parent not in self.checkpoints and parent not in listed) for parent in shard.parents
            ):
                self.checkpoints[shard_id] = 0
        leased = [self._log.shards[shard_id].shard for shard_id in self.checkpoints]  # also what is listed no more
        return [
            shard
            for shard in leased
            if (shard_id := shard.shard_id) not in self.ended
            and shard_id not in self.owners
            and all(parent in self.ended or parent not in self.checkpoints for parent in shard.parents)
        ]

    def begin_at(self, shard: Shard, *, pinned: bool) -> None:
        """A worker is about to ask for what follows the checkpoint.

        Consumers of the live generation set leases of old to the oldest record when they start (`consumer/leases.py`).
        """
        position = self.checkpoints[shard.shard_id]
        if position and not self._log.has(shard.shard_id, position):
            if pinned:
                raise Violation(f"the lease of {shard.shard_id} names {position}, which the stream has not: KCL asks for ever")
            self.checkpoints[shard.shard_id] = 0

    def make_anew(self, leases: Iterable[NewLease]) -> None:
        """These in place of all there were."""
        self.checkpoints, self.owners, self.ended = {}, {}, set()
        for lease in leases:
            shard_id = lease.shard.shard_id
            words = {OLDEST: 0, SHARD_END: self._log.shards[shard_id].end}
            self.checkpoints[shard_id] = words[lease.checkpoint] if lease.checkpoint in words else int(lease.checkpoint)
            if lease.checkpoint == SHARD_END:
                self.ended.add(shard_id)

    def is_over(self, flushed: Callable[[str], int]) -> bool:
        """Whether every shard that is listed is read, flushed and checkpointed to its end."""
        return all(
            shard_id in self.ended
            if shard.closed
            else max(self.checkpoints.get(shard_id, 0), flushed(shard_id)) >= self._log.shards[shard_id].end
            for shard_id, shard in self._log.listed().items()
        )
