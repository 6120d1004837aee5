"""Tables in memory and a log of records, as a verification reads both."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from projections.decoding import Record
from projections.effects import run
from projections.letters import KeptLetter
from projections.memory import MemoryStores
from projections.packs import Pack
from projections.projector import ShardProjector
from projections.reads import Listing
from projections.rows import Row
from telemetry.log import Gap, LogRecord, Page
from telemetry.shards import Shard
from tests.projections.logs import Clock

type Parts = Mapping[Shard, Sequence[Record]]


class Tables:
    """What stores in memory hold, read as the real tables are."""

    def __init__(self, stores: MemoryStores) -> None:
        self.stores = stores

    def progress(self) -> Mapping[str, Row]:
        return dict(self.stores.total_rows())

    def stats(self) -> Iterator[tuple[str, Row] | Listing]:
        yield from ((shard_id, row) for (shard_id, _), row in self.stores.rows.items())
        yield from (Listing(sensor_id, *told) for sensor_id, told in self.stores.directory.items())

    def packs(self) -> Iterator[Pack]:
        yield from self.stores.packs.values()

    def letters(self) -> Iterator[KeptLetter]:
        for origin in self.stores.dead_letters.keys() | self.stores.marks.keys():
            yield KeptLetter(origin, self.stores.dead_letters.get(origin), self.stores.marks.get(origin))

    def sizes(self) -> tuple[int, int]:
        return len(self.stores.rows) + len(self.stores.directory), len(self.stores.packs)


class WholeLog:
    """Records of each shard, parents first."""

    def __init__(self, parts: Parts, gap: Gap | None = None) -> None:
        self._parts, self._gap = parts, gap

    def shards(self) -> Iterable[Shard]:
        return self._parts

    def pages(self) -> Iterable[Page]:
        for shard, records in self._parts.items():
            told = [LogRecord(one.sequence_number, one.arrived_at_ms, one.data) for one in records]
            for begin in range(0, len(told), 3):
                yield Page(shard.shard_id, told[begin : begin + 3])
            yield Page(shard.shard_id, gap=self._gap, ended=True)


def project(parts: Parts, *, flush: bool = True) -> MemoryStores:
    """All of a log, shard after shard; with a flush in the middle of each, and at its end."""
    stores = MemoryStores()
    for shard, records in parts.items():
        projector = ShardProjector(shard, Clock())
        run(projector.start(), stores)
        half = len(records) // 2
        for piece, last in ((records[:half], False), (records[half:], True)):
            run(projector.project(piece, caught_up=True), stores)
            if flush:
                run(projector.flush(ended=shard.closed and last), stores)
    return stores
