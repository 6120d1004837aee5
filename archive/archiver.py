"""The archiver: one line of work a shard, each in a thread of its own, begun as shards appear, and anew when AWS was away."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final
from zlib import crc32

import structlog

from archive.chain import archived_shards, chain_end
from archive.held import Held
from archive.line import ShardLine, Stop
from archive.meta import Head
from archive.metrics import ArchiveMetrics
from archive.objects import ObjectReader
from archive.stream import Stream, now_ms
from archive.targets import Target
from telemetry.errors import StoreUnavailable
from telemetry.retry import backoff_s
from telemetry.settings import Settings
from telemetry.shards import Shard

log = structlog.get_logger(__name__)

_LOOK_EVERY_S: Final = 30.0
"""For new shards, at most. They wait in the stream until then."""
_LOOKS_AN_HOUR: Final = 120
"""So often shards are looked for that have left the stream without an end in the archive."""
_AGE_EVERY_S: Final = 60.0
"""An alarm on AWS takes the archive's age from the log, once a minute."""
_LINES_MAX: Final = 10_000
"""As many shards as a stream may have, and more than one process can archive: shares are for that."""


class Archiver:
    """Archives a share of the shards of one stream until it is told to stop."""

    def __init__(self, settings: Settings, stream: Stream, target: Target, metrics: ArchiveMetrics) -> None:
        self._settings = settings
        self._stream = stream
        self._target = target
        self._metrics = metrics
        self._held = Held(settings.archive_held_bytes)
        self._stop = Stop(threading.Event())
        self._woken = threading.Event()
        self._lines: dict[str, Future[None]] = {}
        self._over: set[str] = set()
        """Shards whose chains have ended."""

    def stop(self) -> None:
        """Archive the tip as it is now, and end. For threads: a signal's handler might hold what this waits for."""
        if self._stop.at_ms is None:
            self._stop.at_ms = now_ms()
        self._stop.asked.set()
        self._woken.set()

    def run(self) -> None:
        """Work until stopped. Raises what no waiting mends: WrongStream, ArchiveUnreadable, a right that lacks."""
        log.info("archiver_started", stream=self._stream.name, created=self._stream.created)
        looks, told_s = 0, -_AGE_EVERY_S
        with ThreadPoolExecutor(_LINES_MAX, "line") as threads:
            try:
                while not self._stop.asked.is_set():
                    self._woken.clear()
                    for line in self._lines.values():
                        if line.done():
                            line.result()
                    try:
                        self._start_lines(threads, forgotten=looks % _LOOKS_AN_HOUR == 0)
                        looks += 1
                    except StoreUnavailable as error:
                        log.warning("shards_not_seen", error=str(error))
                    if time.monotonic() - told_s >= _AGE_EVERY_S:
                        told_s = time.monotonic()
                        tell_age(self._metrics, len(self._lines.keys() - self._over))
                    self._woken.wait(min(_LOOK_EVERY_S, self._settings.archive_interval_s))
            finally:
                self.stop()
        for line in self._lines.values():
            line.result()
        log.info("archiver_stopped")

    def _start_lines(self, threads: ThreadPoolExecutor, *, forgotten: bool) -> None:
        """Begin a line for each shard of our share that has none."""
        self._stream.check()
        listed = self._stream.shards().shards
        shards = [shard for shard in listed.values() if self._is_to_begin(shard.shard_id)]
        if forgotten:
            shards += self._forgotten(listed)
        for shard in shards:
            line = self._lines[shard.shard_id] = threads.submit(self._work, shard)
            line.add_done_callback(lambda _: self._woken.set())

    def _is_to_begin(self, shard_id: str) -> bool:
        number, of = map(int, self._settings.archiver_share.split("/"))
        ours = crc32(shard_id.encode()) % of == number - 1
        return ours and shard_id not in self._over and shard_id not in self._lines

    def _forgotten(self, listed: dict[str, Shard]) -> Iterator[Shard]:
        """Shards that have left the stream without an end in the archive, as their last objects tell of them."""
        for shard_id in archived_shards(self._target, self._stream.created):
            if shard_id in listed or not self._is_to_begin(shard_id):
                continue
            end = chain_end(self._target, self._stream.created, shard_id)
            if end.key is None or end.tail is None or end.tail.shard_end:
                self._over.add(shard_id)
                continue
            with self._target.get(end.key) as source:
                yield _shard_of(ObjectReader(source, end.key).head)

    def _line(self, shard: Shard) -> ShardLine:
        return ShardLine(
            self._settings, self._stream, self._target, shard, held=self._held, stop=self._stop, metrics=self._metrics
        )

    def _work(self, shard: Shard) -> None:
        """A shard's line, begun anew for as long as AWS is away."""
        failed = 0
        while not self._stop.asked.is_set() or failed == 0:
            line = self._line(shard)
            try:
                if line.run():
                    self._over.add(shard.shard_id)
                    self._metrics.ended(shard.shard_id)
                    log.info("shard_ended", shard_id=shard.shard_id)
                return
            except StoreUnavailable as error:
                log.warning("archiving_interrupted", shard_id=shard.shard_id, error=str(error))
            failed = 1 if line.has_put else failed + 1
            self._stop.asked.wait(backoff_s(failed))


def tell_age(metrics: ArchiveMetrics, shards: int) -> None:
    """Log the archive's age, unless that of one of so many shards is not known: silence alarms as age does."""
    if (age_s := metrics.age_s(shards)) is not None:
        log.info("archive_age", age_s=age_s)


def _shard_of(head: Head) -> Shard:
    first, last = map(int, head.hash_range)
    return Shard(head.shard, first, last, head.parents, closed=True)
