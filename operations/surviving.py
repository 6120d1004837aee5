"""What tables that outlived a stream need to go on in the next one: proof that nothing is half written, and the stream's end.

A worker that dies leaves some of its writes: totals without packs, packs without rows. While the stream is there the next
worker reads on from where everything was written, and completes them. After the stream is gone only the archive can: it must
hold every record up to the furthest that any row, pack, letter or listing tells of. Else a reading that is sent again would
count twice, or never.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from archive.names import created_ms
from archive.source import ArchiveSource
from operations.verifying import Stored
from projections.reads import Listing
from projections.rows import TOTAL, Row, sensor_of
from telemetry.log import Gap, Page, Position, Source
from telemetry.shards import Shard
from telemetry.streams import number_of

_EVERYTHING: Final = 1 << 256
"""Beyond all sequence numbers: it is not known how far something reaches."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A shard that has not ended in the tables."""

    written: Position
    """Up to here every row and all raw readings are."""
    furthest: int
    """Up to which record anything in the tables reaches."""
    row: Row | None
    """Its progress row."""


def begun_shards(tables: Stored) -> dict[str, Begun]:
    """The shards of tables that nobody writes to, but those that have ended. Reads all of them; raises what they raise."""
    progress = tables.progress()
    furthest: dict[str, int] = {}

    def note(shard_id: str, position: int) -> None:
        if shard_id not in progress or not progress[shard_id].progress.ended:
            furthest[shard_id] = max(furthest.get(shard_id, 0), position)

    for kept in tables.letters():
        if kept.letter:
            note(kept.origin.shard_id, kept.origin.sequence_number)
    for pack in tables.packs():
        note(pack.shard_id, pack.last.sequence_number)
    listings: list[Listing] = []
    told: dict[tuple[str, str], int] = {}
    for found in tables.stats():
        if isinstance(found, Listing):
            listings.append(found)
            continue
        shard_id, row = found
        note(shard_id, row.position)
        if row.key.window == TOTAL and row.sensor.seen_s is not None:
            told[sensor_of(row.key), shard_id] = row.sensor.seen_s
    for listing in listings:
        seen_s = [told.get((listing.sensor_id, shard_id)) for shard_id in listing.shards]
        if None in seen_s or listing.seen_s > max(one for one in seen_s if one is not None):
            for shard_id in listing.shards:  # listed, and died before the sensor's row was written
                note(shard_id, _EVERYTHING)
    return {shard_id: _begun(progress.get(shard_id), position) for shard_id, position in furthest.items()}


def incomplete(begun: Mapping[str, Begun], archive: ArchiveSource | None) -> list[str]:
    """Shards of which something is half written, and the archive does not hold what completes it."""
    archived = {shard.shard_id: shard for shard in archive.shards()} if archive else {}
    return sorted(
        shard_id
        for shard_id, one in begun.items()
        if one.furthest > one.written.sequence_number
        and not (archive and shard_id in archived and _holds(archive, archived[shard_id], one))
    )


def _begun(row: Row | None, furthest: int) -> Begun:
    flushed = row.progress.flushed if row else None
    written = Position(flushed.position, flushed.as_of_us // 1000) if flushed else Position(0, 0)
    return Begun(written, furthest, row)


def _holds(archive: ArchiveSource, shard: Shard, one: Begun) -> bool:
    """Whether it holds all that lies between what is written and the furthest."""
    for page in archive.read(shard, one.written if one.written.sequence_number else None):
        if page.gap:
            return False
        if page.records and page.records[-1].sequence_number >= one.furthest:
            return True
    return False


class Rest:
    """The log's streams that are over: what is archived of them, and the ends of shards that only the tables know.

    `streams`: when each was created, and the one that follows them, in the log's order.
    """

    def __init__(self, archive: Source | None, begun: Mapping[str, Begun], streams: Sequence[str]) -> None:
        self._archive, self._created_ms = archive, [created_ms(created) for created in streams]
        archived = archive.shards() if archive else ()
        known = {shard.shard_id for shard in archived}
        self._unarchived = {shard_id: one for shard_id, one in begun.items() if shard_id not in known}
        self._shards: Collection[Shard] = [*archived, *(_shard(shard_id, one) for shard_id, one in self._unarchived.items())]

    def shards(self) -> Collection[Shard]:
        """See Source."""
        return self._shards

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """See Source. What was in a shard that nobody archived, behind what the tables have of it, is lost."""
        if shard.shard_id not in self._unarchived:
            assert self._archive
            yield from self._archive.read(shard, after)
            return
        row = self._unarchived[shard.shard_id].row
        began_ms, over_ms = self._created_ms[number_of(shard.shard_id) - 1 :][:2]
        after_ms = max(began_ms, row.as_of_us // 1000 if row else 0)
        if after_ms < over_ms:
            yield Page(shard.shard_id, gap=Gap(shard.shard_id, after_ms, over_ms))
        yield Page(shard.shard_id, ended=True)


def _shard(shard_id: str, one: Begun) -> Shard:
    """As the tables know it: which its parents were they do not tell, and it is read no more."""
    first, last = (one.row.progress.hash_range if one.row else None) or (0, 0)
    return Shard(shard_id, first, last, closed=True)
