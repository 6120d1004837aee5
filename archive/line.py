"""One shard's line of work in the real world: its steps' questions asked of Kinesis and of the archive, logged and counted."""

import threading
from dataclasses import dataclass
from typing import Final

import structlog

from archive.chain import reached, reached_from
from archive.held import Held
from archive.meta import State, Tail, encode_state
from archive.metrics import ArchiveMetrics
from archive.names import Place, state_key
from archive.shard import ShardArchiver
from archive.stream import ShardPages, Stream
from archive.targets import Target
from archive.world import Finished, Page, Reached, answered
from telemetry.settings import Settings
from telemetry.shards import Shard

log = structlog.get_logger(__name__)

_STATE_EVERY_MS: Final = 600_000
_STATE_EVERY_INTERVALS: Final = 2
"""Sooner where objects are put often: after a crash it is known as well of a shard where nothing came."""


@dataclass(slots=True)
class Stop:
    """How the lines of an archiver hear that it is to stop."""

    asked: threading.Event
    at_ms: int | None = None
    """When: milliseconds since 1970. What had arrived by then is still archived."""


class ShardLine:
    """See World. One life of a line: from the chain's end as it is found, until AWS stays away or there is nothing to do."""

    def __init__(
        self,
        settings: Settings,
        stream: Stream,
        target: Target,
        shard: Shard,
        *,
        held: Held,
        stop: Stop,
        metrics: ArchiveMetrics,
    ) -> None:
        self._stream = stream
        self._target = target
        self._shard = shard
        self._held = held
        self._stop = stop
        self._metrics = metrics
        interval_ms = int(settings.archive_interval_s * 1000)
        self._pages = ShardPages(stream, shard.shard_id, stop.asked, settings.archive_interval_s)
        self._steps = ShardArchiver(
            stream.name,
            stream.created,
            shard,
            object_bytes=settings.archive_object_bytes,
            interval_ms=interval_ms,
            state_every_ms=min(_STATE_EVERY_MS, _STATE_EVERY_INTERVALS * interval_ms),
        )
        self.has_put = False
        """Something came of it."""

    def run(self) -> bool:
        """Archive until stopped, or until the shard's end: then true. Raises StoreUnavailable when AWS stays away."""
        try:
            answered(self._steps.run(), self)
        finally:
            self._held.tell(self._shard.shard_id, 0)
            self._metrics.holds(self._shard.shard_id, 0)
        return self._steps.ended

    def reached(self) -> Reached:
        """See World."""
        listed = self._stream.shards().shards
        found = reached(self._target, self._stream.created, self._stream.created_ms, self._shard, listed)
        self._metrics.complete(self._shard.shard_id, found.stretch.begins_ms)
        log.info("shard_taken_up", shard_id=self._shard.shard_id, after=str(found.stretch.after.sequence_number))
        return found

    def read(self, after: Place) -> Page:
        """See World."""
        shard_id, held_bytes = self._shard.shard_id, self._steps.held_bytes
        self._held.tell(shard_id, held_bytes)
        self._metrics.holds(shard_id, held_bytes)
        self._held.wait(shard_id, self._stop.asked)
        page = self._pages.read(after)
        self._metrics.retention_ms = page.retention_ms
        if not page.records and not page.behind_ms and not held_bytes:
            self._metrics.complete(shard_id, page.asked_ms)
        self._steps.hurried = self._held.is_too_much(shard_id)
        self._steps.stop_ms = self._stop.at_ms
        return page

    def oldest(self) -> int | None:
        """See World."""
        return self._pages.oldest()

    def is_closed(self) -> bool:
        """See World."""
        return self._pages.is_closed()

    def put(self, finished: Finished) -> bool:
        """See World. What is put was read of this stream, and not of one that has taken its name."""
        self._stream.check()
        won = self._target.put_new(finished.key, finished.data)
        shard_id, tail, size_bytes = self._shard.shard_id, finished.tail, len(finished.data)
        if not won:
            self._metrics.taken.labels(shard_id).inc()
            log.info("place_taken", shard_id=shard_id, key=finished.key)
            return False
        self.has_put = True
        self._metrics.objects.labels(shard_id).inc()
        self._metrics.bytes.labels(shard_id).inc(size_bytes)
        self._metrics.records.labels(shard_id).inc(tail.records)
        self._metrics.complete(shard_id, tail.place.arrived_ms)
        log.info("object_put", shard_id=shard_id, key=finished.key, records=tail.records, bytes=size_bytes)
        if gap := finished.gap:
            self._metrics.gaps.labels(shard_id).inc()
            log.warning(
                "records_may_be_lost", shard_id=shard_id, arrived_after=gap.arrived_after, arrived_before=gap.arrived_before
            )
        return True

    def reached_from(self, key: str) -> tuple[str, Tail]:
        """See World."""
        return reached_from(self._target, self._stream.created, self._shard.shard_id, key)

    def note(self, state: State) -> None:
        """See World."""
        self._stream.check()
        self._target.put_state(state_key(self._stream.created, self._shard.shard_id), encode_state(state))
