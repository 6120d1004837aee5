"""A log in memory, the dead letters that its projection keeps, and who appends to it: twins of what operators work on."""

from collections.abc import Iterator, Sequence

from projections.decoding import Record
from projections.effects import run
from projections.letters import KeptLetter, dead_letter_items, mark_item, read_letters
from projections.memory import MemoryStores
from telemetry.letter_marks import LetterPlace
from tests.projections.logs import SHARD, Clock, projector


class MemoryLog:
    """A log of one shard and its projection, which goes on when told to."""

    def __init__(self, *records: Record) -> None:
        self.records = list(records)
        self.stores = MemoryStores()
        self.breaks = False
        """Whether the next append takes effect and is not answered."""

    def project(self, stores: MemoryStores | None = None) -> MemoryStores:
        """Project what the log holds, from where these stores are."""
        stores = self.stores if stores is None else stores
        worker = projector(Clock())
        run(worker.start(), stores)
        run(worker.project([one for one in self.records if one.sequence_number > worker.position], caught_up=True), stores)
        run(worker.flush(), stores)
        return stores

    def append(self, events: Sequence[tuple[str, bytes]]) -> list[str]:
        places = []
        for _, line in events:
            number = max((one.sequence_number for one in self.records), default=0) + 1
            self.records.append(Record(number, line + b"\n", 1_700_000_000_000 + number))
            places.append(f"{SHARD.shard_id}:{number}")
        if self.breaks:
            self.breaks = False
            raise ConnectionError("the answer was lost")
        return places

    def heads(self) -> Iterator[KeptLetter]:
        """Through the real items, in the table's order."""
        return self.whole()

    def whole(self) -> Iterator[KeptLetter]:
        items = [item for letter in self.stores.dead_letters.values() for item in dead_letter_items(letter)]
        items += map(mark_item, self.stores.marks.values())
        return read_letters(sorted(items, key=lambda item: item["place"]["S"]))

    def find(self, place: LetterPlace) -> KeptLetter | None:
        return next((kept for kept in self.whole() if tuple(kept.origin) == tuple(place)), None)
