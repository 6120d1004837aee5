"""The fleet's totals, read at the cost of the open shards however many were closed before. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from projections.fold import Stats, merge
from projections.marks import Answer, HashRange, Marks, Which, marks_of, uncovered
from projections.reads import ReadSteps, look
from projections.rows import FLEET, PROGRESS, TOTAL, Row


@dataclass(frozen=True)
class FleetStats:
    """What the fleet's totals say."""

    shards: Mapping[str, Row]
    """The progress row of each shard, by its id."""

    @cached_property
    def stats(self) -> Stats:
        """The whole fleet's stats."""
        return merge(row.stats for row in self.shards.values())

    def marks(self, which: Which) -> Marks:
        """How far the shards are."""
        return marks_of(self.shards, which)


class KnownFleet:
    """A fleet whose totals were read just now: its marks are known, and nothing need be asked for them."""

    def __init__(self, fleet: FleetStats) -> None:
        self._fleet = fleet

    def total(self) -> ReadSteps[Answer[Stats]]:
        """The stats of everything."""
        return Answer(self._fleet.stats, self._fleet.marks(Which.TOTALS))
        yield

    def marks(self, which: Which) -> ReadSteps[Marks]:
        """How far the shards were."""
        return self._fleet.marks(which)
        yield


class FleetReader:
    """Reads every shard's progress row, and keeps those that are final: nothing in them but beat and gap moves any more.

    For the tables of one generation filled from one stream. Steps of one reader may cross; they may not run in two threads.

    That no row is missed rests on two things. A shard's children have no row before its own is final. And whatever a known
    shard came from is known: all rows are asked for again until nothing new is found, since a row found late may have parents
    whose rows were written after their place had been read. So while those not final hold all hash keys, and none has become
    final since, what is unknown is a child of one of them, born after that was read.
    """

    def __init__(self) -> None:
        self._final: dict[str, Row] = {}
        self._open: set[str] = set()
        """Known shards whose rows were not final when they were last read."""
        self._complete = False
        """Whether these hold all hash keys, so that no other row need be looked for."""

    def read(self) -> ReadSteps[FleetStats]:
        """Every shard's row, read after this was asked, or final."""
        found: dict[str, Row] = {}
        if asked := [(shard_id, PROGRESS) for shard_id in sorted(self._open)]:
            rows = yield from look(lambda reads: reads.rows(asked))
            found = {shard_id: row for (shard_id, _), row in rows.items()}
            self._keep_final(found)
        if not self._complete or self._open - found.keys():
            while True:
                known = found.keys() | self._final.keys()
                found.update((yield from look(lambda reads: reads.rows_between(FLEET, TOTAL, TOTAL))))
                self._keep_final(found)
                if found.keys() <= known:
                    break
            self._open.update(found.keys() - self._final.keys())
            self._complete = not uncovered(self._held({**found, **self._final}))
        return FleetStats({**found, **self._final})

    def total(self) -> ReadSteps[Answer[Stats]]:
        """The stats of everything; stands on the mark of the totals, which are the rows that were read."""
        fleet = yield from self.read()
        return Answer(fleet.stats, fleet.marks(Which.TOTALS))

    def marks(self, which: Which) -> ReadSteps[Marks]:
        """How far the shards are: to be read before what the marks are to vouch for."""
        return (yield from self.read()).marks(which)

    def _keep_final(self, rows: Mapping[str, Row]) -> None:
        """Note which rows are final, for good: what steps that began earlier have read does not matter."""
        final = {shard_id: row for shard_id, row in rows.items() if row.progress.ended and shard_id not in self._final}
        if final:
            self._final |= final
            self._open -= final.keys()
            self._complete = False  # whoever asks next looks for children, if these steps never get to it

    @staticmethod
    def _held(shards: Mapping[str, Row]) -> Iterator[HashRange]:
        """The hash keys of shards that are not final, and that no other has taken over from.

        A shard that left the stream before it was read to its end never becomes final; those after it have got further in time.
        To be taken for such a one for a moment costs a reader nothing but another look.
        """
        known = [(row.as_of_us, row.progress.hash_range) for row in shards.values() if row.progress.hash_range]
        for row in shards.values():
            if (held := row.progress.hash_range) and not row.progress.ended:
                later = (other for as_of_us, other in known if as_of_us > row.as_of_us)
                if not any(first <= held[1] and held[0] <= last for first, last in later):
                    yield held
