"""What lies in DynamoDB: pointer, register, and of each generation its tables, from when they are made until they are deleted."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from projections.effects import DeadLetter
from projections.generations import LogStream, Pointer
from projections.letters import KeptLetter, dead_letter_items, mark_item, read_letters
from projections.register import Registered
from projections.rows import PROGRESS, START, Row
from telemetry.letter_marks import LetterMark
from tests.simulation.bugs import NONE
from tests.simulation.generations.bugs import Bug, Bugs
from tests.simulation.generations.leases import GenerationLeases
from tests.simulation.generations.log import ModelLog
from tests.simulation.invariants import Invariants
from tests.simulation.model_dynamodb import ModelStores
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from projections.items import Item


class TablesGone(Exception):
    """There are no tables of that name."""


class Life:
    """The tables of a generation. Made anew under the same number they are others."""

    def __init__(self, number: int, log: ModelLog, expected: dict[tuple[str, int], Any]) -> None:
        self.number = number
        self.invariants = Invariants(log, expected)
        self.tables = self.invariants.tables
        self.leases = GenerationLeases(log, self.invariants.checkpoint_moved)
        self.letters: dict[tuple[str, str], Item] = {}
        """Dead letters and marks, by their keys."""

    def progress(self) -> dict[str, Row]:
        """The progress rows, by shard."""
        return {shard_id: row for (shard_id, key), row in self.tables.rows.items() if key == PROGRESS}

    def flushed(self, shard_id: str) -> int:
        """Up to where everything of a shard is written."""
        return self.tables.row(shard_id, PROGRESS).progress.flushed.position

    def told(self) -> dict[str, object]:
        """All that the tables tell but when it was written: positions, as-of, marks, beats, and the bounds of packs."""
        return {
            **{f"{shard_id} {key}": _lasting(row) for (shard_id, key), row in self.tables.rows.items()},
            **{f"sensor {sensor_id}": seen for sensor_id, seen in self.tables.directory.items()},
            "readings": frozenset(self.tables.readings),
            "letters": [kept for _, kept in sorted((str(kept.origin), kept) for kept in self.kept_letters())],
        }

    def kept_letters(self) -> list[KeptLetter]:
        """Dead letters and their marks."""
        return list(read_letters(self.letters[key] for key in sorted(self.letters)))


class Database:
    """Everything; what is conditional is one step."""

    def __init__(self, log: ModelLog) -> None:
        self._log = log
        self._expected: dict[tuple[str, int], Any] = {}
        """What rows must say, worked out once for all generations."""
        self.pointer = Pointer(1, (LogStream("a-stream", "1.000"),))
        self.register: dict[int, Registered] = {}
        self.lives: dict[int, Life] = {}
        self.make(1)

    @property
    def live(self) -> Life:
        """The generation that the pointer names."""
        return self.lives[self.pointer.generation]

    def replace(self, known: Pointer, pointer: Pointer) -> bool:
        """Put a pointer in place of one; whether that still was the one, its `next` included."""
        if (self.pointer, self.pointer.next) != (known, known.next):
            return False
        if pointer.generation not in self.lives:
            raise Violation(f"the pointer names g{pointer.generation}, which has no tables")
        self.pointer = pointer
        return True

    def make(self, number: int) -> None:
        """A generation's tables, unless they are there."""
        self.lives.setdefault(number, Life(number, self._log, self._expected))

    def take(self, number: int) -> None:
        """Register a number, unless that was done."""
        self.register.setdefault(number, Registered(number, taken_us=1))

    def is_free(self, number: int) -> bool:
        """Whether the pointer names a generation in no way."""
        return self.pointer.generation != number and (not self.pointer.next or self.pointer.next.generation != number)

    def is_dropped(self, number: int) -> bool:
        """Whether it was marked."""
        known = self.register.get(number)
        return known is not None and known.dropped_us is not None

    def mark_dropped(self, number: int) -> None:
        """Whatever the pointer says."""
        self.register[number] = replace(self.register.get(number) or Registered(number, taken_us=1), dropped_us=1)

    def delete(self, number: int) -> None:
        """A generation's tables."""
        if number == self.pointer.generation:
            raise Violation(f"the tables of g{number}, which is live, are deleted")
        self.lives.pop(number, None)


class GenerationStores(ModelStores):
    """A client of one generation's tables, which finds them by their name."""

    def __init__(self, database: Database, number: int, log: ModelLog, rng: Random, bugs: Bugs) -> None:
        self._database = database
        self._life = database.lives[number]
        self._generations_bugs = bugs
        super().__init__(self._life.tables, log, rng, NONE, lambda: True)

    def enter(self) -> None:
        """To be called before each question. Raises TablesGone."""
        number = self._life.number
        if number not in self._database.lives:
            raise TablesGone(f"g{number}")
        if self._database.lives[number] is not self._life:
            raise Violation(f"who worked on g{number} before it was dropped writes into tables that were made since")

    @property
    def is_live(self) -> bool:
        """Whether the pointer names the generation."""
        return self._database.pointer.generation == self._life.number

    def load_live_progress(self, shard_id: str) -> Row | None:
        """By the pointer."""
        live = self._database.live
        row = live.tables.rows.get((shard_id, PROGRESS))
        if Bug.STRAYS_ARE_LEFT_TO_THE_LIVE_ONE in self._generations_bugs and live is not self._life:
            far = START._replace(position=10**60)
            return Row(PROGRESS, progress=replace(Row(PROGRESS).progress, flushed=far))
        return row

    def store_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """BatchWriteItem, part by part."""
        super().store_dead_letters(letters)
        items = {_key(item): item for letter in letters for item in dead_letter_items(letter)}

        def put(key: tuple[str, str]) -> None:
            self._life.letters[key] = items[key]
            if Bug.MARKS_ARE_OVERWRITTEN_BY_A_LETTER in self._generations_bugs:
                self._life.letters.pop((key[0], f"{key[1].rpartition('#')[0]}#mark"), None)

        self._each(sorted(items), put)

    def mark_letters(self, marks: Sequence[LetterMark]) -> None:
        """PutItem on condition that what is there is the lesser one."""
        items = {mark.order: mark_item(mark) for mark in marks}

        def put(order: str) -> None:
            there = self._life.letters.get(_key(items[order]))
            if there is None or there["marked"]["S"] < order:
                self._life.letters[_key(items[order])] = items[order]

        self._each(sorted(items), put)


def _key(item: "Item") -> tuple[str, str]:
    return item["shard_id"]["S"], item["place"]["S"]


def _lasting(row: Row) -> Row:
    return replace(row, position=0, as_of_us=0, progress=replace(row.progress, windows=START, flushed=START))
