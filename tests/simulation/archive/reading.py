"""What a reader gets back: of every shard what was put in, in order, or a word where something may be missing."""

from collections.abc import Sequence

from archive.chain import archived_shards, archived_streams, chain_end
from archive.source import ArchiveSource
from replay.stream import StreamSource, Stretch
from telemetry.errors import ArchiveUnreadable
from telemetry.log import Gap, Log, Page, Position, born, parents_first
from telemetry.shards import Shard
from telemetry.streams import UNKNOWN_PARENT, StreamPlace, kinesis_id, number_of
from tests.simulation.archive.archivers import SKEW_MS, STREAM, ModelTarget
from tests.simulation.archive.kinesis import client_of
from tests.simulation.archive.stream import JITTER_MS, RETENTION_MS, ModelLog, ModelShard, ModelStream
from tests.simulation.violation import Violation

_SLACK_MS = 2 * JITTER_MS + SKEW_MS
"""By which what is missing may have arrived beside the bounds of the gap that tells of it."""


def check_read_back(log: ModelLog, target: ModelTarget, *, named: bool) -> None:
    """Raises Violation. `named`: the reader is told the log's streams, as the pointer names them; else it finds them itself."""
    archived = {stream.created: archived_shards(target, stream.created) for stream in log.streams}
    looked_at = archived_streams(target)
    streams = [stream for stream in log.streams if named or stream.created in looked_at]
    source = ArchiveSource(target, [stream.created for stream in streams] if named else None)
    try:
        shards = parents_first({shard.shard_id: shard for shard in source.shards()})
        _check_shards(shards, streams, [archived[stream.created] for stream in streams])
        for shard in shards:
            stream = streams[number_of(shard.shard_id) - 1]
            reading = _Reading(shard.shard_id, stream.shards[kinesis_id(shard.shard_id)])
            for page in source.read(shard, None):
                reading.take(page)
            reading.check_end(lost=stream is not log.there)
    except ArchiveUnreadable as error:
        raise Violation(str(error)) from None
    lacking = source.unarchived()
    for number, stream in enumerate(streams, 1):
        if stream is not log.there:
            _check_shards_without_chain(
                stream, archived[stream.created], target, [gap for gap in lacking if number_of(gap.shard_id) == number]
            )


def check_whole_log(log: ModelLog, target: ModelTarget, *, at_rest: bool) -> None:
    """The same of archive and stream as one log, at any moment at which there is a stream. Raises Violation.

    `at_rest`: all that the stream lists is archived, so that children tell of parents that have left it without a chain.
    """
    if (there := log.there) is None:
        return
    archive = ArchiveSource(target, [stream.created for stream in log.streams])
    archive.shards()
    stream = _stream_source(log, there, archive)
    archive.followed = {shard.shard_id: shard for shard in stream.shards()}
    whole = Log([archive, stream])
    said: dict[str, list[Gap]] = {}
    reached: dict[str, Position] = {}
    for shard in whole.shards():
        reading = _Reading(shard.shard_id, log.streams[number_of(shard.shard_id) - 1].shards[kinesis_id(shard.shard_id)])
        for page in whole._pages_of(shard, born(shard, reached)):
            reading.take(page)
            if page.position:
                reached[shard.shard_id] = page.position
            if page.gap and number_of(shard.shard_id) == len(log.streams):
                said.setdefault(kinesis_id(shard.shard_id), []).append(page.gap)
        reading.check_end(lost=True)
    known = {kinesis_id(shard.shard_id) for shard in whole.shards() if number_of(shard.shard_id) == len(log.streams)}
    lacking = [gap for gap in archive.unarchived() if number_of(gap.shard_id) == len(log.streams)]
    for shard_id in sorted(there.shards.keys() - known) if at_rest else ():
        gaps = [gap for other, found in said.items() if shard_id in _ancestors(there, other) for gap in found]
        gaps += [gap for gap in lacking if kinesis_id(gap.shard_id) in {shard_id, UNKNOWN_PARENT}]
        for record in there.shards[shard_id].records:
            if not any(_covers(gap, record.arrived_ms) for gap in gaps):
                raise Violation(f"{shard_id} held {record}, left the stream, and its children's gaps are {gaps}")


def _stream_source(log: ModelLog, there: ModelStream, archive: ArchiveSource) -> StreamSource:
    number = len(log.streams)
    earlier = [shard.shard_id for shard in archive.shards() if number_of(shard.shard_id) < number]
    return StreamSource(
        client_of(there, log.now_ms),
        STREAM,
        Stretch(there.created_ms, RETENTION_MS, log.now_ms, log.now_ms + SKEW_MS),
        place=StreamPlace(number, tuple(earlier)),
        empty_until_ms=archive.empty_until_ms,
        clock=lambda: 0.0,
        sleep=lambda _: None,
    )


def _check_shards(shards: Sequence[Shard], streams: Sequence[ModelStream], archived: Sequence[list[str]]) -> None:
    """By the log's names, with their parents, each after those."""
    before: set[str] = set()
    wanted: dict[str, set[str]] = {}
    for number, (stream, held) in enumerate(zip(streams, archived, strict=True), 1):
        place = StreamPlace(number)
        parents = {shard_id: set(map(place.name, stream.shards[shard_id].shard.parents)) for shard_id in held}
        wanted |= {place.name(shard_id): parents[shard_id] or before for shard_id in held}
        childless = {place.name(shard_id) for shard_id in held} - {parent for each in parents.values() for parent in each}
        before = childless or before
    found = {shard.shard_id: set(shard.parents) for shard in shards}
    if found != wanted:
        raise Violation(f"the shards are {wanted}, and a reader finds {found}")
    order = list(found)
    for shard_id, named in found.items():
        if late := [parent for parent in named if parent in found and order.index(parent) > order.index(shard_id)]:
            raise Violation(f"{shard_id} is read before {late}")


class _Reading:
    """A shard that is read from its beginning."""

    def __init__(self, shard_id: str, model: ModelShard) -> None:
        self._shard_id = shard_id
        self._records = model.records
        self._at = 0
        self._gaps: list[Gap] = []
        """Since the last record."""
        self.ended = False

    def take(self, page: Page) -> None:
        """The next page."""
        if page.gap:
            self._gaps.append(page.gap)
        for found in page.records:
            if self._gaps and found in self._records[self._at :]:
                self._miss(self._records.index(found, self._at))
            if found not in self._records[self._at : self._at + 1]:
                raise Violation(f"{self._shard_id} gives {found}, where the log has {self._records[self._at : self._at + 1]}")
            self._at += 1
        self.ended |= page.ended

    def check_end(self, *, lost: bool) -> None:
        """`lost`: nobody else has what was not read. Of the stream that is there the rest may still be archived."""
        if lost and self._at < len(self._records):
            self._miss(len(self._records))
        if lost and not self.ended:
            raise Violation(f"{self._shard_id} of a stream that is lost has no end")

    def _miss(self, at: int) -> None:
        """Records up to this one are not there."""
        for record in self._records[self._at : at]:
            if not any(_covers(gap, record.arrived_ms) for gap in self._gaps):
                raise Violation(f"{self._shard_id} lacks {record}, and what is said to be missing is {self._gaps}")
        self._at, self._gaps = at, []


def _covers(gap: Gap, arrived_ms: int) -> bool:
    return gap.after_ms - _SLACK_MS <= arrived_ms and (gap.before_ms is None or arrived_ms <= gap.before_ms + _SLACK_MS)


def _check_shards_without_chain(
    stream: ModelStream, archived: Sequence[str], target: ModelTarget, lacking: Sequence[Gap]
) -> None:
    """Where a shard of a lost stream held something and has no chain, it descends from one of which the end is not there.

    Else it is said (`lacking`) that the stream may have had other shards.
    """
    open_ends = {shard_id for shard_id in archived if not _has_ended(target, stream, shard_id)}
    for shard_id, model in stream.shards.items():
        if shard_id in archived or not model.records or _ancestors(stream, shard_id) & open_ends:
            continue
        known = {shard_id, UNKNOWN_PARENT, *_ancestors(stream, shard_id)}
        told = [gap for gap in lacking if kinesis_id(gap.shard_id) in known]
        if not all(any(_covers(gap, record.arrived_ms) for gap in told) for record in model.records):
            raise Violation(f"{shard_id} held {model.records}, has no chain, and what is said of its stream is {[*lacking]}")


def _ancestors(stream: ModelStream, shard_id: str) -> set[str]:
    parents = stream.shards[shard_id].shard.parents
    return {*parents, *(far for parent in parents for far in _ancestors(stream, parent))}


def _has_ended(target: ModelTarget, stream: ModelStream, shard_id: str) -> bool:
    tail = chain_end(target, stream.created, shard_id).tail
    return tail is not None and tail.shard_end
