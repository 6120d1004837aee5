"""Looks at stream and tables now and then on behalf of the supervisor, and acts on what it sees: the watch judges, this does.

Says why the daemon must be started anew, removes a dead leader's lock, makes lost leases again, and keeps the status file.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from consumer.history import History
from consumer.lag import LagTold
from consumer.leader import remove_leader
from consumer.leases import make_leases, take_lease
from consumer.metrics import SupervisorMetrics
from consumer.status import StatusFile
from consumer.watch import Patience, Verdict, Watch
from operations.observation import Observation, observe
from operations.promoting import Standing
from operations.restarts import Restart
from projections.generations import Next, Pointer, check_stream, read_pointer, remove_next
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import PointerMoved, StoreUnavailable
from telemetry.names import ResourceNames
from telemetry.settings import Settings

_FOLLOW_EVERY_S = 1.0

log = structlog.get_logger(__name__)


class World(Protocol):
    """What there is to see, and what may be done about it. Every method raises boto3's errors."""

    def follow(self) -> Next | None:
        """Look at the pointer: the mark of a promote that is under way, for which the live generation's processors wait.

        Raises PointerMoved when the daemon works on what it does not name any more.
        """

    def take_back(self, seen: Next) -> bool:
        """Take a promote's mark away; says whether it was there still."""

    def observe(self) -> Observation:
        """Look at everything once.

        Raises StoreUnavailable when there is nothing any more that the daemon could work on, WrongStream when no new daemon
        could either, and PointerMoved as `follow` does.
        """

    def remove_leader(self, seen: Observation) -> bool:
        """Remove the lock of the leader seen, unless it has changed since; says whether it did."""

    def make_leases(self, seen: Observation) -> list[str]:
        """Make the leases that are missing; the shards that got one."""

    def take_lease(self, shard_id: str, owner: str) -> bool:
        """Take a shard from the worker that was seen to hold it; says whether it did."""


class AwsWorld:
    """The world of one worker, on the generation and the stream that the pointer spoke of when its daemon was started.

    Where that is `pinned` to a generation, the live one may be another.
    """

    def __init__(self, settings: Settings, names: ResourceNames, pointer: Pointer, *, pinned: bool = False) -> None:
        # One attempt: a look that fails is followed by the next one.
        self._kinesis, self._dynamodb = kinesis_client(settings, attempts=1), dynamodb_client(settings, attempts=1)
        self._names, self._worker_id, self._pointer, self._pinned = names, settings.worker_id, pointer, pinned

    def follow(self) -> Next | None:
        """The mark of a promote that is under way. Raises PointerMoved."""
        if (pointer := read_pointer(self._dynamodb, self._names)) is None:
            return None
        self._follow(pointer)
        return pointer.next

    def take_back(self, seen: Next) -> bool:
        """Take a promote's mark away."""
        return remove_next(self._dynamodb, self._names, seen)

    def observe(self) -> Observation:
        """Look at everything once, if stream and pointer are still those of the daemon."""
        self._follow(check_stream(self._kinesis, self._dynamodb, self._names))
        return observe(self._kinesis, self._dynamodb, self._names)

    def _follow(self, pointer: Pointer) -> None:
        ours = self._pointer
        if pointer.streams != ours.streams or (pointer.generation != ours.generation and not self._pinned):
            now, before = ((one.generation, one.place.number) for one in (pointer, ours))
            raise PointerMoved(f"the pointer names generation and stream {now} now, and named {before} before")

    def remove_leader(self, seen: Observation) -> bool:
        """Remove the lock of the leader seen, unless it has changed since."""
        return seen.leader is not None and remove_leader(self._dynamodb, self._names, seen.leader)

    def make_leases(self, seen: Observation) -> list[str]:
        """Make the leases that are missing."""
        return make_leases(self._dynamodb, self._names.application, seen, self._worker_id)

    def take_lease(self, shard_id: str, owner: str) -> bool:
        """Take a shard from the worker that was seen to hold it."""
        return take_lease(self._dynamodb, self._names.application, shard_id, owner, self._worker_id)


class Oversight:
    """Oversees one worker's daemon, run after run."""

    def __init__(
        self,
        worker_id: str,
        patience: Patience,
        status: StatusFile,
        clock_s: Callable[[], float] = time.monotonic,
        *,
        history: History | None = None,
        metrics: SupervisorMetrics | None = None,
    ) -> None:
        self._watch = Watch(worker_id, patience)
        self._every_s = patience.look_every_s
        self._status = status
        self._clock_s = clock_s
        self._history = history or History(lambda _: None)
        self._metrics = metrics
        self._lag = LagTold()
        self.world: World | None = None
        """Set once stream and tables are known to belong together."""
        self._next_look_s = self._next_follow_s = 0.0
        self._worked = self._at_work = False
        self._blind = False
        self._coming: Next | None = None
        self._standing = Standing()

    def worked(self) -> bool:
        """Whether a shard has moved since the daemon was started, up to this moment. Raises WrongStream."""
        with contextlib.suppress(StoreUnavailable, PointerMoved):  # the next start says so, or takes up what the pointer names
            self._see()
        return self._worked

    def begin(self) -> None:
        """The daemon is about to be started."""
        self._watch.begin()
        self._worked = self._at_work = False
        self._next_look_s = self._clock_s() + self._every_s

    def tell(self, phase: str, **details: Any) -> None:
        """Log a phase of the supervision and put it into the status file; one with a `reason` is a restart, and is kept."""
        log.info(f"consumer_{phase}", **details)
        self._status.phase(phase, **details)
        if "reason" in details:
            self._history.add(Restart(time.time_ns() // 1000, details["reason"]))

    def look(self) -> str | None:
        """Look when it is time to. Why the daemon must be started anew, or None. Raises WrongStream, and PointerMoved."""
        self._follow()
        if self._clock_s() < self._next_look_s:
            return None
        try:
            judged = self._see()
        except StoreUnavailable as error:
            return str(error)
        if judged is None:
            return None
        seen, verdict = judged
        self._tell_progress(verdict)
        return self._mend(seen, verdict) or verdict.restart

    def _follow(self) -> None:
        """Look at the pointer, more often than at all the rest: what is live now should have workers at once."""
        now_s = self._clock_s()
        if self.world is None or now_s < self._next_follow_s:
            return
        self._next_follow_s = now_s + _FOLLOW_EVERY_S
        with contextlib.suppress(ClientError, BotoCoreError):  # the next look at everything says so
            self._coming = self.world.follow()
            if self._coming and self._standing.left(self._coming, now_s) and self.world.take_back(self._coming):
                log.warning("promote_taken_back", generation=self._coming.generation, since=self._coming.since)

    def _see(self) -> tuple[Observation, Verdict] | None:
        self._next_look_s = self._clock_s() + self._every_s
        if self.world is None:
            return None
        try:
            seen = self.world.observe()
        except (ClientError, BotoCoreError) as error:
            # A shard that could not move while AWS was away is not stuck: the watch sees that it was not shown anything.
            self._tell_sight(str(error))
            self._show(None)
            return None
        self._tell_sight(None)
        self._show(seen)
        self._lag.see(seen, self._clock_s(), time.time_ns() // 1000)
        self._history.keep()
        if self._coming:
            self._watch.excuse()  # record processors wait for the promote, and go on by themselves
        verdict = self._watch.see(seen, self._clock_s())
        self._worked = self._worked or bool(verdict.working)
        return seen, verdict

    def _mend(self, seen: Observation, verdict: Verdict) -> str | None:
        """Mend what others left behind. Why that takes a new daemon, or None."""
        assert self.world
        try:
            if verdict.without_lease:
                made = self.world.make_leases(seen)
                log.warning("shards_without_lease", shards=verdict.without_lease, made=made)
            if verdict.take:
                log.info(
                    "share_taken", shard=verdict.take[0], owner=verdict.take[1], taken=self.world.take_lease(*verdict.take)
                )
            if verdict.dead_leader and self.world.remove_leader(seen):
                # KCL asks for the lock once in 30 s only; a new daemon asks at once.
                return f"the leader {verdict.dead_leader.owner} is dead; a new daemon takes its place at once"
        except (ClientError, BotoCoreError) as error:
            log.warning("not_mended", error=str(error))  # the next look finds it again
        return None

    def _show(self, seen: Observation | None) -> None:
        if self._metrics:
            self._metrics.show(seen, self._clock_s(), time.time_ns() // 1000)

    def _tell_sight(self, error: str | None) -> None:
        if error and not self._blind:
            log.warning("progress_unknown", error=error)
        self._blind = error is not None
        self._status.sight(error)

    def _tell_progress(self, verdict: Verdict) -> None:
        if verdict.alive and not verdict.starting and not self._at_work:
            self._at_work = True
            self.tell("working", shards=verdict.working)
        self._status.shards(working=verdict.working, starting=verdict.starting, without_lease=verdict.without_lease)
