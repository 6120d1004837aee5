"""What must hold at every moment: archive and stream together are the log, or what may be missing is said."""

import io

from archive.chain import archived_shards, reached
from archive.meta import Head, Tail
from archive.names import Place, parse_key, shard_prefix
from archive.objects import ObjectReader
from archive.wholeness import is_whole
from telemetry.errors import ArchiveUnreadable
from telemetry.log import LogRecord
from tests.simulation.archive.archivers import ModelTarget
from tests.simulation.archive.stream import RETENTION_MS, ModelShard, ModelStream
from tests.simulation.violation import Violation


class Invariants:
    """Compares the chains with the log. Objects that were read once are remembered."""

    def __init__(self, stream: ModelStream, target: ModelTarget, created: str, *, calm: bool) -> None:
        """`calm`: nothing was ever away for long, so nothing may be said to be lost."""
        self._stream = stream
        self._target = target
        self._created = created
        self._calm = calm
        self._read: dict[bytes, tuple[Head, list[LogRecord], Tail]] = {}

    def check(self) -> None:
        """Raises Violation."""
        if unknown := set(archived_shards(self._target, self._created)) - set(self._stream.shards):
            raise Violation(f"{unknown} never were")
        for shard_id, model in self._stream.shards.items():
            at, ended = self._chain(shard_id, model)
            if not ended:
                self._rest(shard_id, model, at)

    def check_at_rest(self) -> None:
        """All is archived up to the tip, and closed shards have their end.

        But for records that left the stream unread and are followed by none: the next one will say so.
        """
        self.check()
        archived = set(archived_shards(self._target, self._created))
        for shard_id, model in self._stream.shards.items():
            at, ended = self._chain(shard_id, model)
            if shard_id in self._stream.listed() and at < len(model.records) and model.trimmed < len(model.records):
                raise Violation(f"{shard_id} is not archived to its tip")
            if model.closed_ms is not None and not ended and shard_id in archived | set(self._stream.listed()):
                raise Violation(f"{shard_id} is closed, and its chain has no end")

    def _chain(self, shard_id: str, model: ModelShard) -> tuple[int, bool]:
        """How many records of the shard the chain covers, by holding them or by saying that they may be lost; and its end."""
        at, ended, place = 0, False, Place()
        for key in self._target.list_after(shard_prefix(self._created, shard_id)):
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

    def _rest(self, shard_id: str, model: ModelShard, at: int) -> None:
        """What follows the chain is in the stream, or a reader who asks sees that it may be lost."""
        if at >= model.trimmed or shard_id not in self._stream.listed():
            return
        shard = model.shard
        found = reached(self._target, self._created, self._stream.created_ms, shard, self._stream.listed())
        oldest = self._stream.oldest(shard_id)
        if is_whole(found.stretch, self._stream.now_ms, RETENTION_MS, oldest):
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
