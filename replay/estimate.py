"""How much a replay would read and find, told from samples: a few pages of each shard at several times."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from replay.events import Choice, Events, Passed
from replay.pace import PAGE_RECORDS_MAX
from telemetry.log import Gap, Log, Page, Position, Source
from telemetry.read_budget import OTHERS_BYTES_A_S
from telemetry.shards import Shard

_STRETCHES: Final = 4
"""Into so many is the time cut that the log is of; each begins with a sample."""
_PAGES: Final = 3
"""Of a sample: of one, ten and a hundred records (`telemetry/read_budget.py`)."""
_COVERED_MS_MIN: Final = 1000
"""Records that arrived together do not tell how many follow."""


class Amount(NamedTuple):
    """How much there is."""

    readings: float = 0
    """That are chosen, repeats included."""
    bytes: float = 0
    records: float = 0

    def plus(self, other: "Amount", times: float = 1) -> "Amount":
        """The sum of both, the other one so many times."""
        return Amount(*(mine + theirs * times for mine, theirs in zip(self, other, strict=True)))

    @property
    def seconds(self) -> float:
        """How long a shard of it is read, at a page a second."""
        return max(1.0, self.bytes / OTHERS_BYTES_A_S, self.records / PAGE_RECORDS_MAX)


class Estimate(NamedTuple):
    """What a replay comes to."""

    amount: Amount
    seconds: float
    """Shards are read side by side, but none before its parents."""
    gaps: Sequence[Gap]


type SourceFrom = Callable[[int | None], Source]
"""A source that is read from a time of arrival on, in ms since 1970; None for where the replay begins."""


def estimate(
    source_from: SourceFrom,
    begin_ms: int,
    until_ms: int,
    choice: Choice,
    *,
    after: Mapping[str, Position] | None = None,
    ended: Collection[str] = (),
) -> Estimate:
    """What a replay of what arrived between two times comes to, behind what was read of some shards. Takes some 12 s."""
    samples = _Samples(source_from, begin_ms, until_ms, choice)
    gaps = [page.gap for page in Log([samples]).pages(after, ended) if page.gap]
    seconds: dict[str, float] = {}
    for shard in Log([source_from(None)]).shards():
        before_s = max((seconds[parent] for parent in shard.parents if parent in seconds), default=0.0)
        seconds[shard.shard_id] = before_s + samples.found.get(shard.shard_id, Amount()).seconds
    total = Amount()
    for amount in samples.found.values():
        total = total.plus(amount)
    return Estimate(total, max(seconds.values(), default=0.0), gaps)


class _Samples:
    """A source that reads samples, and adds up what they stand for."""

    def __init__(self, source_from: SourceFrom, begin_ms: int, until_ms: int, choice: Choice) -> None:
        self._source_from, self._choice = source_from, choice
        self._begin_ms, self._until_ms = begin_ms, until_ms
        self.found: dict[str, Amount] = {}
        """By shard."""

    def shards(self) -> Collection[Shard]:
        """No shard waits for its parents: nobody minds the order."""
        return [replace(shard, parents=()) for shard in self._source_from(None).shards()]

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """Only what may be missing; what is there is in `found`."""
        events, amount = Events(self._choice, Passed()), Amount()
        # Whole seconds: a time to begin at may be taken to the second, and what is before would count twice.
        first_ms = max(self._begin_ms, after.arrived_ms if after else 0) // 1000 * 1000
        step_ms = max(1, -(-(self._until_ms - first_ms) // (1000 * _STRETCHES))) * 1000
        for number in range(_STRETCHES):
            begin_ms = first_ms + number * step_ms
            end_ms = begin_ms + step_ms if number < _STRETCHES - 1 else None
            source, behind = (self._source_from(begin_ms), None) if number else (self._source_from(None), after)
            pages = list(islice(source.read(shard, behind), _PAGES))
            yield from (Page(shard.shard_id, gap=page.gap) for page in pages if page.gap and not number)
            amount = amount.plus(*_measured(events, pages, begin_ms, end_ms, step_ms))
        self.found[shard.shard_id] = amount


def _measured(events: Events, pages: Sequence[Page], begin_ms: int, end_ms: int | None, step_ms: int) -> tuple[Amount, float]:
    """What of a sample lies in its stretch of the log, and how often that has room in it."""
    records = [record for page in pages for record in page.records]
    inside = [record for record in records if end_ms is None or record.arrived_ms < end_ms]
    readings = sum(1 for _ in events.of(Page("", inside)))
    amount = Amount(readings, sum(len(record.data) for record in inside), len(inside))
    if len(pages) < _PAGES or len(inside) < len(records):
        return amount, 1.0  # there is no more of it
    covered_ms = max(_COVERED_MS_MIN, inside[-1].arrived_ms - begin_ms)
    return amount, max(1.0, step_ms / covered_ms)
