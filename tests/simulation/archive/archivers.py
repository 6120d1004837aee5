"""Archivers of the real steps between the model stream and a target in memory, one question at a time."""

from random import Random

from archive import chain
from archive.meta import State, Tail, encode_state
from archive.names import Place, state_key
from archive.shard import ShardArchiver
from archive.targets import MemoryTarget
from archive.world import Finished, Page, Question, Reached, World
from telemetry.errors import StoreUnavailable
from telemetry.shards import Shard
from tests.simulation.archive.bugs import Bug, Bugs
from tests.simulation.archive.stream import RETENTION_MS, ModelStream

SKEW_MS = 2_000
"""By which an archiver's clock may be off."""


class Halfway(Exception):
    """A question is not answered yet: half of its work is done."""


class ModelTarget(MemoryTarget):
    """What lies in the archive, to be overwritten by who does not mind."""

    def overwrite(self, key: str, data: bytes) -> None:
        """Put an object in the place of what is there."""
        self._objects[key] = data

    def holds(self, key: str) -> bool:
        """Whether somebody has put it."""
        return key in self._objects

    def data(self, key: str) -> bytes:
        """An object's bytes."""
        return self._objects[key]


class ShardWorld:
    """See archive.world.World. `troubled`: the next question fails in one of its ways."""

    def __init__(
        self, stream: ModelStream, target: ModelTarget, shard: Shard, *, created: str, rng: Random, bugs: Bugs
    ) -> None:
        self._stream = stream
        self._target = target
        self._shard = shard
        self._created = created
        self._rng = rng
        self._bugs = bugs
        self._skew_ms = rng.randint(-SKEW_MS, SKEW_MS)
        self._begun: str | None = None
        """An object that is written and has yet to get its name."""
        self._oldest: int | None = None
        self._oldest_before: int | None = None
        """As it was at the last page but one."""
        self.troubled = False

    def _now_ms(self) -> int:
        return self._stream.now_ms + self._skew_ms

    def reached(self) -> Reached:
        return chain.reached(self._target, self._created, self._stream.created_ms, self._shard, self._stream.listed())

    def read(self, after: Place) -> Page:
        asked_ms = self._now_ms()
        self._oldest_before, self._oldest = self._oldest, self._stream.oldest(self._shard.shard_id)
        limit = self._rng.choice((1, 2, 5, 100))
        records, over, behind_ms = self._stream.read(self._shard.shard_id, after.sequence_number, limit)
        # Of a shard that is open Kinesis may once say that it is not there.
        over = over or (self.troubled and not records and self._shard.shard_id in {m.shard.shard_id for m in self._stream.open})
        self._stream.now_ms += self._rng.choice((0, 0, 100))
        return Page(records, over, behind_ms, asked_ms, self._now_ms(), RETENTION_MS)

    def oldest(self) -> int | None:
        if Bug.THE_OLDEST_RECORD_IS_ASKED_FOR_BEFORE_THE_PAGE in self._bugs:
            return self._oldest_before
        return self._stream.oldest(self._shard.shard_id)

    def is_closed(self) -> bool:
        listed = self._stream.listed().get(self._shard.shard_id)
        return listed is None or listed.closed

    def put(self, finished: Finished) -> bool:
        key, data = finished.key, finished.data
        if self._begun != key:
            if Bug.RENAME_IN_PLACE_OF_LINK in self._bugs and self._target.holds(key):
                return False
            self._begun = key
            if self._rng.random() < 0.5:
                raise Halfway
        self._begun = None
        if self._bugs & {Bug.RENAME_IN_PLACE_OF_LINK, Bug.PUT_WITHOUT_THE_CONDITION}:
            self._target.overwrite(key, data)
            return True
        won = self._target.put_new(key, data)
        return won and not self.troubled  # the answer was lost, and the same put again has found its place taken

    def reached_from(self, key: str) -> tuple[str, Tail]:
        return chain.reached_from(self._target, self._created, self._shard.shard_id, key)

    def note(self, state: State) -> None:
        self._target.put_state(state_key(self._created, self._shard.shard_id), encode_state(state))


class Line:
    """One life of a line of work, from the chain's end as it finds it."""

    def __init__(self, name: str, shard: Shard, world: ShardWorld, *, stream: str, created: str, rng: Random) -> None:
        self.name = name
        self.shard_id = shard.shard_id
        self._world = world
        self.steps = ShardArchiver(
            stream,
            created,
            shard,
            object_bytes=rng.choice((1, 10**6, 10**6)),
            interval_ms=rng.choice((1_000, 5_000, 20_000)),
            state_every_ms=rng.choice((0, 2_000, 10_000)),
        )
        self._running = self.steps.run()
        self._question: Question | None = next(self._running)

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._question is None

    def step(self, *, troubled: bool) -> None:
        """Ask one question and go on, or stay halfway in it."""
        assert self._question
        self._world.troubled = troubled
        try:
            self._question = self._running.send(self._question(self._world))
        except Halfway:
            return
        except (StopIteration, StoreUnavailable):
            self._question = None

    def die(self, *, after: bool) -> None:
        """Crash before the open question takes effect, or after that."""
        if after and self._question:
            self._world.troubled = False
            try:
                self._question(self._world)
            except Halfway:
                self._question = None
        self._running.close()
        self._question = None


def _keeps_to_the_protocol(world: ShardWorld) -> World:
    return world
