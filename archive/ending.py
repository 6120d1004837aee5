"""Archives a stream to its end, when nobody writes to it any more and it is about to go: its tip is the end of its shards.

Else the ends are missing in their chains, and whoever reads them later must say that more may have followed. The ends say that
they are the stream's: what ends else is followed by other shards, and where those are not archived something is missing.
"""

import threading
from dataclasses import replace

from archive.held import Held
from archive.line import ShardLine, Stop
from archive.metrics import ArchiveMetrics
from archive.names import Place
from archive.stream import Stream, now_ms
from archive.targets import Target
from archive.world import Page
from telemetry.settings import Settings


def archive_to_end(settings: Settings, stream: Stream, target: Target) -> None:
    """Archive what is not archived yet, and the end of each shard. Raises what a line raises (`archive/line.py`)."""
    stop = Stop(threading.Event())
    stop.asked.set()  # pages need not wait for more records
    for shard in stream.shards().shards.values():
        _LastLine(
            settings,
            stream,
            target,
            replace(shard, closed=True),
            held=Held(settings.archive_held_bytes),
            stop=stop,
            metrics=ArchiveMetrics(now_ms),
        ).run()


class _LastLine(ShardLine):
    """Takes the tip for the end."""

    def read(self, after: Place) -> Page:
        """See World."""
        page = super().read(after)
        # A shard that Kinesis says is over is followed by others.
        self._steps.stream_ends = not (page.over or page.records or page.behind_ms)
        return replace(page, over=page.over or self._steps.stream_ends)
