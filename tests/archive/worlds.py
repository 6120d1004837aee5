"""A world for a shard's line: a stream of lists, and the target in memory. What goes wrong is set by the test."""

from collections.abc import Callable

from archive.chain import chain_end, reached, reached_from
from archive.meta import Gap, Head, State, Tail, encode_state
from archive.names import Place, state_key
from archive.objects import ObjectReader
from archive.shard import ShardArchiver
from archive.targets import MemoryTarget, Target
from archive.world import Finished, Page, Reached, answered
from telemetry.log import LogRecord
from tests.archive.records import CREATED, SHARD

CREATED_MS = 1_764_147_529_316
DAY_MS = 86_400_000
RETENTION_MS = DAY_MS


class World:
    """See archive.world.World. The clock moves a second a page."""

    def __init__(self, target: Target | None = None) -> None:
        self.target = target or MemoryTarget()
        self.now_ms = CREATED_MS + 60_000
        self.records: list[LogRecord] = []
        self.trimmed = 0
        """So many of them have left the stream."""
        self.closed = self.said_over = False
        self.page_records = 1000
        self.states: list[State] = []
        self.asked_oldest = 0
        self.listed: set[str] = {*SHARD.parents}
        self.before_page: Callable[[], object] = lambda: None
        """What happens before each page."""
        self.before_put: Callable[[], object] = lambda: None

    def write(self, data: bytes = b'{"a":1}\n', count: int = 1) -> None:
        """Records arrive."""
        for _ in range(count):
            self.records.append(LogRecord(1000 + len(self.records), self.now_ms, data))

    def reached(self) -> Reached:
        return reached(self.target, CREATED, CREATED_MS, SHARD, self.listed)

    def read(self, after: Place) -> Page:
        self.before_page()
        kept = self.records[self.trimmed :]
        beyond = [record for record in kept if record.sequence_number > after.sequence_number]
        page = beyond[: self.page_records]
        rest = beyond[len(page) :]
        asked_ms, self.now_ms = self.now_ms, self.now_ms + 1000
        over = (self.closed or self.said_over) and not rest
        behind_ms = asked_ms - rest[0].arrived_ms + 1 if rest else 0
        return Page(page, over, behind_ms, asked_ms, self.now_ms, RETENTION_MS)

    def oldest(self) -> int | None:
        self.asked_oldest += 1
        kept = self.records[self.trimmed :]
        return kept[0].sequence_number if kept else None

    def is_closed(self) -> bool:
        return self.closed

    def put(self, finished: Finished) -> bool:
        self.before_put()
        return self.target.put_new(finished.key, finished.data)

    def reached_from(self, key: str) -> tuple[str, Tail]:
        return reached_from(self.target, CREATED, SHARD.shard_id, key)

    def note(self, state: State) -> None:
        self.states.append(state)
        self.target.put_state(state_key(CREATED, SHARD.shard_id), encode_state(state))

    def archiver(self, object_bytes: int = 10**9, interval_ms: int = 300_000) -> ShardArchiver:
        """A line of work."""
        return ShardArchiver(
            "a-stream", CREATED, SHARD, object_bytes=object_bytes, interval_ms=interval_ms, state_every_ms=600_000
        )

    def archive_to_tip(self, archiver: ShardArchiver | None = None) -> None:
        """What an archiver does that is stopped at once, or goes on to the shard's end."""
        archiver = archiver or self.archiver()
        archiver.stop_ms = self.now_ms
        answered(archiver.run(), self)

    def chain(self) -> list[tuple[Head, list[LogRecord], Tail]]:
        """All objects of the shard."""
        found = []
        for key in self.target.list_after("log/"):
            reader = ObjectReader(self.target.get(key), key)
            records = list(reader.records())
            assert reader.tail
            found.append((reader.head, records, reader.tail))
        return found

    def archived(self) -> list[LogRecord]:
        """All records of the chain, in their order."""
        return [record for _, records, _ in self.chain() for record in records]

    def gaps(self) -> list[Gap]:
        """All gaps of the chain."""
        return [head.gap for head, _, _ in self.chain() if head.gap]

    def end(self) -> Tail | None:
        """The last line of the last object."""
        return chain_end(self.target, CREATED, SHARD.shard_id).tail
