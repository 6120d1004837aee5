"""Which readings a shard has counted already: the decision between new and repeated, the same however often the log is read.

Everything counted since the last flush of everything is in memory (`Unflushed`); everything before it lies in packs. So of this
shard's packs only those that end before that flush are believed: one that goes further was written by another worker, about
records that are still ahead of us or remembered here. Packs of other shards are our parents', which ended before we began.
"""

from collections.abc import Collection, Iterable
from itertools import batched

from projections.decisions import Decisions, HourDecisions, Unflushed
from projections.decoding import Candidate
from projections.effects import Believed, Steps, ask
from projections.packs import TEN_MINUTES_US, Bucket, bucket_of
from projections.policy import Memory
from projections.texts import Texts

BUCKETS_AT_ONCE = 50


class Seen:
    """The readings of one shard's log up to where its worker has come."""

    def __init__(self, shard_id: str, memory: Memory) -> None:
        self.shard_id = shard_id
        self._memory = memory
        self.flushed = 0
        """The last record before which everything counted lies in packs."""
        self.doubts = 0
        """How many readings were told by what packs say: by texts that are held, or by a look-up."""
        self.unflushed = Unflushed()
        """What was decided since then."""
        self._texts = Texts(memory.texts_bytes)
        """What packs say up to then, of buckets seen from their beginning or looked into; forgotten at any time but within a
        slice."""

    def start(self, flushed: int) -> None:
        """Begin after what another worker has flushed."""
        self.flushed = flushed
        self.unflushed.open = Decisions(flushed)

    def look_up(self, candidates: Iterable[Candidate]) -> Steps[set[Candidate]]:
        """Those of the candidates that lie in packs of buckets that are not held.

        A reading newer than all of its sensor and hour that lie in packs, here and in parents, need not be among them.
        """
        wanted: dict[Bucket, list[Candidate]] = {}
        for candidate in candidates:
            reading, token = candidate.reading, candidate.token
            bucket = bucket_of(reading)
            if bucket not in self._texts and not self.unflushed.holds(reading, token):
                wanted.setdefault(bucket, []).append(candidate)
        found: set[Candidate] = set()
        for buckets in batched(wanted, BUCKETS_AT_ONCE, strict=False):
            found |= yield from self._look_into({bucket: wanted[bucket] for bucket in buckets})
        return found

    def is_new(self, candidate: Candidate, stored_us: int, in_packs: Collection[Candidate]) -> bool:
        """Whether a reading that is no newer than all of its sensor and hour was not counted before.

        Of those that lie in packs, here and in parents, none is newer than `stored_us`; `in_packs` by `look_up`.
        """
        reading, token = candidate.reading, candidate.token
        if self.unflushed.holds(reading, token):
            return False
        if reading.measured_at_us > stored_us:
            return True
        self.doubts += 1
        if (text := self._texts.get(bucket_of(reading))) is None:
            return candidate not in in_packs
        return not text.holds(token)

    def count(self, candidate: Candidate, newest_us: int, hour: HourDecisions) -> None:
        """Remember a new reading. Nothing of its sensor and hour that was counted before is newer than `newest_us`."""
        bucket = self.unflushed.open.count(candidate, hour)
        measured_at_us = candidate.reading.measured_at_us
        # Nothing of its hour lies in the bucket or after it: it is the first.
        if newest_us < measured_at_us // TEN_MINUTES_US * TEN_MINUTES_US and bucket not in self._texts:
            self._texts.begin(bucket)

    def move(self, flushed: int) -> None:
        """Everything sealed, which is all up to `flushed`, lies in packs now."""
        if sealed := self.unflushed.sealed:
            self._texts.extend(sealed.texts())
        self.unflushed.drop()
        self.flushed = flushed
        self.trim()

    def trim(self) -> None:
        """Keep to the bounds in bytes. Between slices only: one may need a bucket again."""
        self._texts.trim()

    def _look_into(self, wanted: dict[Bucket, list[Candidate]]) -> Steps[set[Candidate]]:
        """Those that lie in packs, of buckets that are not held. Their texts are held from now on, unless they are large."""
        tokens = {bucket: {candidate.token.decode() for candidate in each} for bucket, each in wanted.items()}
        believed = Believed(self.shard_id, self.flushed)
        answers = yield from ask(lambda stores: stores.search_packs(tokens, believed, self._memory.text_chars))
        found: set[Candidate] = set()
        for bucket, each in wanted.items():
            answer = answers[bucket]
            found.update(candidate for candidate in each if candidate.token.decode() in answer.found)
            if answer.text is not None:
                self._texts.begin(bucket, answer.text.encode())
        return found
