"""Which readings a shard has counted already: the decision between new and repeated, the same however often the log is read.

Everything counted since the last flush of everything is in memory (`Unflushed`); everything before it lies in packs. So of this
shard's packs only those that end before that flush are believed: one that goes further was written by another worker, about
records that are still ahead of us or remembered here. Packs of other shards are our parents', which ended before we began.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import batched

from projections.decisions import Decisions, HourDecisions, Unflushed
from projections.decoding import Candidate
from projections.effects import Believed, Steps, ask
from projections.fingerprints import Fingerprints
from projections.packs import TEN_MINUTES_US, Bucket, bucket_of
from projections.policy import Memory
from projections.sensor_rows import SensorRows

BUCKETS_AT_ONCE = 50


class Seen:
    """The readings of one shard's log up to where its worker has come."""

    def __init__(self, shard_id: str, memory: Memory) -> None:
        self._shard_id = shard_id
        self._memory = memory
        self.flushed = 0
        """The last record before which everything counted lies in packs."""
        self.unflushed = Unflushed()
        """What was decided since then."""
        self._prints = Fingerprints(memory.fingerprints_bytes)
        self._texts = _Texts()
        """What packs say up to then, of buckets looked into; may be forgotten at any time but within a slice."""

    def start(self, flushed: int) -> None:
        """Begin after what another worker has flushed."""
        self.flushed = flushed
        self.unflushed.open = Decisions(flushed)

    def look_up(self, candidates: Iterable[Candidate], rows: SensorRows) -> Steps[set[Candidate]]:
        """Those of the candidates that lie in packs. Their sensors' rows must be held.

        A reading newer than all of its sensor and hour that lie in packs, here and in parents, needs no look-up.
        """
        wanted: dict[Bucket, list[Candidate]] = {}
        for candidate in candidates:
            reading, token = candidate.reading, candidate.token
            if reading.measured_at_us > rows.newest_stored_us(reading.sensor_id, reading.measured_at_us):
                continue
            bucket = bucket_of(reading)
            if not self._prints.surely_new(bucket, token) and not self.unflushed.holds(reading, token):
                wanted.setdefault(bucket, []).append(candidate)
        found: set[Candidate] = set()
        for buckets in batched([bucket for bucket in wanted if bucket not in self._texts], BUCKETS_AT_ONCE, strict=False):
            found |= yield from self._look_into({bucket: wanted[bucket] for bucket in buckets})
        for bucket, doubtful in wanted.items():
            if text := self._texts.get(bucket):
                found.update(candidate for candidate in doubtful if b" %b " % candidate.token in text)
        return found

    def is_new(self, candidate: Candidate, in_packs: Collection[Candidate]) -> bool:
        """Whether a reading that is not the newest of its sensor and hour was not counted before; `in_packs` by `look_up`."""
        reading, token = candidate.reading, candidate.token
        if self._prints.surely_new(bucket_of(reading), token):
            return True
        return candidate not in in_packs and not self.unflushed.holds(reading, token)

    def count(self, candidate: Candidate, newest_us: int, hour: HourDecisions) -> None:
        """Remember a new reading. Nothing of its sensor and hour that was counted before is newer than `newest_us`."""
        bucket = self.unflushed.open.count(candidate, hour)
        measured_at_us = candidate.reading.measured_at_us
        # Nothing of its hour lies in the bucket or after it: it is the first.
        if newest_us < measured_at_us // TEN_MINUTES_US * TEN_MINUTES_US:
            self._prints.begin(bucket, [candidate.token])
        else:
            self._prints.add(bucket, candidate.token)

    def move(self, flushed: int) -> None:
        """Everything sealed, which is all up to `flushed`, lies in packs now."""
        if sealed := self.unflushed.sealed:
            for bucket in self._texts:
                self._texts.extend(bucket, sealed.text(bucket))
        self.unflushed.drop()
        self.flushed = flushed
        self.trim()

    def trim(self) -> None:
        """Keep to the bounds in bytes. Between slices only: one may need a bucket again."""
        self._prints.trim()
        self._texts.trim(self._memory.texts_bytes)

    def _look_into(self, wanted: dict[Bucket, list[Candidate]]) -> Steps[set[Candidate]]:
        """Those that lie in packs, of buckets that are not held. Their texts are held from now on, unless they are large."""
        tokens = {bucket: {candidate.token.decode() for candidate in each} for bucket, each in wanted.items()}
        believed = Believed(self._shard_id, self.flushed)
        answers = yield from ask(lambda stores: stores.search_packs(tokens, believed, self._memory.text_chars))
        found: set[Candidate] = set()
        for bucket, each in wanted.items():
            answer = answers[bucket]
            found.update(candidate for candidate in each if candidate.token.decode() in answer.found)
            if answer.text is not None:
                text = self._texts.begin(bucket, answer.text.encode())
                self._prints.begin(bucket, _tokens(text, *(part.text(bucket) for part in self.unflushed.parts)))
        return found


class _Texts:
    """Texts of buckets, a blank before and after each reading; those looked into last."""

    def __init__(self) -> None:
        self._texts: dict[Bucket, bytearray] = {}
        self.size_bytes = 0

    def __contains__(self, bucket: Bucket) -> bool:
        return bucket in self._texts

    def __iter__(self) -> Iterator[Bucket]:
        return iter(self._texts)

    def get(self, bucket: Bucket) -> bytearray | None:
        return self._texts.get(bucket)

    def begin(self, bucket: Bucket, text: bytes) -> bytearray:
        held = self._texts[bucket] = bytearray(b" %b " % text)
        self.size_bytes += len(held)
        return held

    def extend(self, bucket: Bucket, text: bytearray) -> None:
        self._texts[bucket] += text
        self.size_bytes += len(text)

    def trim(self, bytes_max: int) -> None:
        while self.size_bytes > bytes_max:
            self.size_bytes -= len(self._texts.pop(next(iter(self._texts))))


def _tokens(*texts: bytearray) -> Iterator[bytes]:
    for text in texts:
        yield from bytes(text).split()
