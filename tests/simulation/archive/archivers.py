"""Archivers of the real steps between the model stream and a target in memory, one question at a time."""

from contextlib import suppress
from random import Random

from archive import chain
from archive.meta import State, Tail, encode_state
from archive.names import Place, state_key
from archive.shard import ShardArchiver
from archive.targets import MemoryTarget
from archive.world import Finished, Page, Question, Reached, World
from telemetry.errors import StoreUnavailable, WrongStream
from telemetry.shards import Shard
from tests.simulation.archive.bugs import Bug, Bugs
from tests.simulation.archive.stream import RETENTION_MS, ModelLog, ModelStream

STREAM = "a-stream"
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
    """See archive.world.World, as `archive/line.py` and `archive/stream.py` answer it.

    Whatever bears the stream's name is asked, and that it is the stream is looked at where they look. `troubled`: the next
    question fails in one of its ways.

    Raises WrongStream where the process ends, because another stream is there or none.
    """

    def __init__(
        self, log: ModelLog, stream: ModelStream, target: ModelTarget, shard: Shard, *, rng: Random, bugs: Bugs
    ) -> None:
        """`stream`: which one was there when the archiver began."""
        self._log = log
        self._stream = stream
        self._target = target
        self._shard = shard
        self._rng = rng
        self._bugs = bugs
        self._skew_ms = rng.randint(-SKEW_MS, SKEW_MS)
        self._iterator: Place | None = None
        """Where it stands."""
        self._begun: str | None = None
        """An object that is written and has yet to get its name."""
        self._noted = False
        """The stream was looked at, and a state has yet to be written."""
        self._oldest: int | None = None
        self._oldest_before: int | None = None
        """As it was at the last page but one."""
        self.troubled = False

    def _now_ms(self) -> int:
        return self._log.now_ms + self._skew_ms

    def _there(self) -> ModelStream:
        """Whatever bears the name."""
        if self._log.there is None:
            raise WrongStream("there is no stream")
        return self._log.there

    def check(self) -> None:
        """Whether it is the stream that was there when the archiver began."""
        if self._there() is not self._stream:
            raise WrongStream("another stream is there")

    def reached(self) -> Reached:
        listed = self._there().listed()
        return chain.reached(self._target, self._stream.created, self._stream.created_ms, self._shard, listed)

    def read(self, after: Place) -> Page:
        if self._iterator != after:
            self._iterator = after
            self.check()
            if self._rng.random() < 0.1:
                raise Halfway
        there, shard_id = self._there(), self._shard.shard_id
        asked_ms = self._now_ms()
        if there is not self._stream and not self._log.iterators_outlive:
            return self._gone(there, asked_ms)
        self._oldest_before, self._oldest = self._oldest, there.oldest(shard_id)
        limit = self._rng.choice((1, 2, 5, 100))
        records, over, behind_ms = there.read(shard_id, after.sequence_number, limit)
        # Of a shard that is open Kinesis may once say that it is not there.
        over = over or (self.troubled and not records and shard_id in {model.shard.shard_id for model in there.open})
        self._log.now_ms += self._rng.choice((0, 0, 100))
        if records:
            self._iterator = Place(records[-1].sequence_number, records[-1].arrived_ms)
        if over:
            self._iterator = None
        return Page(records, over, behind_ms, asked_ms, self._now_ms(), RETENTION_MS)

    def _gone(self, there: ModelStream, asked_ms: int) -> Page:
        """The iterator is of a stream that is no more."""
        self._iterator = None
        if self._shard.shard_id in there.listed():
            raise StoreUnavailable("the shard was not found, though it is there")
        self.check()
        return Page((), True, 0, asked_ms, self._now_ms(), RETENTION_MS)

    def oldest(self) -> int | None:
        if Bug.THE_OLDEST_RECORD_IS_ASKED_FOR_BEFORE_THE_PAGE in self._bugs:
            return self._oldest_before
        there = self._there()
        found = there.oldest(self._shard.shard_id)
        if found is not None or self._shard.shard_id not in there.listed():
            self.check()
        return found

    def is_closed(self) -> bool:
        listed = self._there().listed().get(self._shard.shard_id)
        if listed is None:
            self.check()
        return listed is None or listed.closed

    def put(self, finished: Finished) -> bool:
        key, data = finished.key, finished.data
        if self._begun != key:
            if Bug.THE_STREAM_IS_NOT_LOOKED_AT_BEFORE_A_PUT not in self._bugs:
                self.check()
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
        return chain.reached_from(self._target, self._stream.created, self._shard.shard_id, key)

    def note(self, state: State) -> None:
        if not self._noted:
            if Bug.THE_STREAM_IS_NOT_LOOKED_AT_BEFORE_A_STATE not in self._bugs:
                self.check()
            self._noted = self._rng.random() < 0.2
            if self._noted:
                raise Halfway
        self._noted = False
        self._target.put_state(state_key(self._stream.created, self._shard.shard_id), encode_state(state))


class Line:
    """One life of a line of work, from the chain's end as it finds it."""

    def __init__(self, name: str, shard: Shard, world: ShardWorld, created: str, rng: Random) -> None:
        self.name = name
        self.shard_id = shard.shard_id
        self.wrong_stream = False
        """It has ended because its stream was not there any more."""
        self._world = world
        self.steps = ShardArchiver(
            STREAM,
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
        except WrongStream:
            self._question, self.wrong_stream = None, True

    def die(self, *, after: bool) -> None:
        """Crash before the open question takes effect, or after that."""
        if after and self._question:
            self._world.troubled = False
            with suppress(Halfway, StoreUnavailable, WrongStream):
                self._question(self._world)
        self._running.close()
        self._question = None


def _keeps_to_the_protocol(world: ShardWorld) -> World:
    return world
