"""What must hold at every moment: archive and stream together are the log, or what may be missing is said.

Of a stream that was lost: what lies under its creation is of that stream alone.
"""

import io

from archive.chain import archived_shards, reached
from archive.instants import instant_ms
from archive.meta import Head, Tail, parse_state
from archive.names import Place, parse_key, shard_prefix, state_key
from archive.objects import ObjectReader
from archive.wholeness import is_whole
from telemetry.errors import ArchiveUnreadable
from telemetry.log import LogRecord
from tests.simulation.archive.archivers import SKEW_MS, ModelTarget
from tests.simulation.archive.reading import check_read_back, check_whole_log
from tests.simulation.archive.stream import RETENTION_MS, ModelLog, ModelShard, ModelStream
from tests.simulation.violation import Violation


class Invariants:
    """Compares the chains with the log. Objects that were read once are remembered."""

    def __init__(self, log: ModelLog, target: ModelTarget, *, calm: bool) -> None:
        """`calm`: nothing was ever away for long, so nothing may be said to be lost but with a stream."""
        self._log = log
        self._target = target
        self._calm = calm
        self._read: dict[bytes, tuple[Head, list[LogRecord], Tail]] = {}

    def check(self) -> None:
        """Raises Violation."""
        for stream in self._log.streams:
            if unknown := set(archived_shards(self._target, stream.created)) - set(stream.shards):
                raise Violation(f"{unknown} never were")
            for shard_id, model in stream.shards.items():
                at, ended = self._chain(stream, shard_id, model)
                if stream is self._log.there and not ended:
                    self._rest(stream, shard_id, model, at)
                self._check_state(stream, shard_id)
        check_whole_log(self._log, self._target, at_rest=False)

    def check_at_rest(self) -> None:
        """All of the last stream is archived up to the tip, and its closed shards have their end.

        But for records that left the stream unread and are followed by none: the next one will say so. And whoever reads the
        archive, told or not which streams there were, gets what was put in.
        """
        self.check()
        for named in (True, False):
            check_read_back(self._log, self._target, named=named)
        check_whole_log(self._log, self._target, at_rest=True)
        stream = self._log.streams[-1]
        archived = set(archived_shards(self._target, stream.created))
        for shard_id, model in stream.shards.items():
            at, ended = self._chain(stream, shard_id, model)
            if shard_id in stream.listed() and at < len(model.records) and model.trimmed < len(model.records):
                raise Violation(f"{shard_id} is not archived to its tip")
            if model.closed_ms is not None and not ended and shard_id in archived | set(stream.listed()):
                raise Violation(f"{shard_id} is closed, and its chain has no end")

    def _check_state(self, stream: ModelStream, shard_id: str) -> None:
        """Nobody vouches for a shard when its stream was gone."""
        name = state_key(stream.created, shard_id)
        data = self._target.get_state(name)
        if data is None or stream.lost_ms is None:
            return
        if instant_ms(parse_state(data, name).tip_seen_at) > stream.lost_ms + SKEW_MS:
            raise Violation(f"{name} is {data!r}, and its stream was lost at {stream.lost_ms}")

    def _chain(self, stream: ModelStream, shard_id: str, model: ModelShard) -> tuple[int, bool]:
        """How many records of the shard the chain covers, by holding them or by saying that they may be lost; and its end."""
        at, ended, place = 0, False, Place()
        for key in self._target.list_after(shard_prefix(stream.created, shard_id)):
            if ended:
                raise Violation(f"{key} follows the end of {shard_id}")
            if parse_key(key).after != place:
                raise Violation(f"{key} does not follow {place}")
            head, records, tail = self._object(key)
            if head.gap:
                at = self._skip(shard_id, model, at, head, records)
            for record in records:
                if at >= len(model.records) or model.records[at] != record:
                    raise Violation(f"{key} holds {record}, where the log has {model.records[at : at + 1]}")
                at += 1
            place, ended = tail.place, tail.shard_end
        if ended and (model.closed_ms is None or at < len(model.records)):
            raise Violation(f"{shard_id} is said to have ended, and holds {model.records[at:]} beyond")
        return at, ended

    def _skip(self, shard_id: str, model: ModelShard, at: int, head: Head, records: list[LogRecord]) -> int:
        assert head.gap
        before = model.records[at - 1].sequence_number if at else 0
        first = str(records[0].sequence_number) if records else None
        if self._calm:
            raise Violation(f"{head.gap} is said of {shard_id} in vain")
        if (head.gap.after, head.gap.before) != (str(before), first):
            raise Violation(f"{head.gap} is said of {shard_id} between {before} and {first}")
        if first is None:
            return len(model.records)
        return next(number for number, record in enumerate(model.records) if str(record.sequence_number) == first)

    def _rest(self, stream: ModelStream, shard_id: str, model: ModelShard, at: int) -> None:
        """What follows the chain is in the stream, or a reader who asks sees that it may be lost."""
        if at >= model.trimmed or shard_id not in stream.listed():
            return
        found = reached(self._target, stream.created, stream.created_ms, model.shard, stream.listed())
        if is_whole(found.stretch, self._log.now_ms, RETENTION_MS, stream.oldest(shard_id)):
            raise Violation(f"{shard_id} lacks {model.records[at : model.trimmed]}, and nothing says so: {found.stretch}")

    def _object(self, key: str) -> tuple[Head, list[LogRecord], Tail]:
        data = self._target.data(key)
        if data not in self._read:
            try:
                reader = ObjectReader(io.BytesIO(data), key)
                records = list(reader.records())
            except ArchiveUnreadable as error:
                raise Violation(str(error)) from None
            assert reader.tail
            self._read[data] = reader.head, records, reader.tail
        return self._read[data]
