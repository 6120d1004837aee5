"""Promotes at any moment, on one clock: consumers whose writes land late, two API processes, promoters that sleep or die.

Every choice comes from one seed. Whoever was told a count is never told a smaller one out of another generation, by whatever
process.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from consumer.following import POINTER_AGE_S_MAX
from operations.lacking import Progress
from operations.promoting import SEEN_S, STILL_S, Ending, Outcome, promote
from producer_api.shared import SHARED_AGE_S_MAX
from projections.generations import POINTER_KEPT_S_MAX, Pointer
from projections.rows import Row
from tests.support.promoting import LIVE, POINTER, Answer, asked, row, went_back

SEEDS = 40
UNTIL_S = 60.0
SHARED_S = 0.05
LATE_S = 1.9
"""A call is given up after two seconds (`telemetry/aws.py`)."""

type Delays = Iterator[float]


@dataclass
class Look:
    """What a process of the API read last, or reads."""

    began_s: float
    generation: int = 0
    count: int = 0
    passes: bool = False
    done: bool = False

    def serves(self, asked_s: float) -> bool:
        """As `Shared` has it."""
        return self.began_s >= asked_s or (asked_s - self.began_s < SHARED_AGE_S_MAX and not self.passes)


@dataclass
class Schedule:
    """All who take part. It is the world that a promote sees as well."""

    rng: Random
    at_s: float = 0.0
    at: Pointer = POINTER
    rows: dict[int, Row] = field(default_factory=lambda: {1: row(0), 2: row(0)})
    answers: list[Answer] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    looks: list[Look | None] = field(default_factory=lambda: [None, None])
    kept: list[tuple[float, Pointer]] = field(default_factory=lambda: [(0.0, POINTER), (0.0, POINTER)])
    """The pointer that each process of the API read last, and when."""
    passed_s: float = 0.0

    def run(self) -> None:
        """Everybody for a while."""
        lag_s = self.rng.choice((0.0, self.rng.uniform(0, 2), self.rng.uniform(0, 8)))
        consumers = [self.consumer(1, 0.0, pinned=False), self.consumer(2, lag_s, pinned=True)]
        clients = [self.client() for _ in range(4)]
        promoters = [self.promoter(f"promote-{number}", self.rng.uniform(2, 30)) for number in range(3)]
        turns: list[tuple[float, int, Delays]] = []
        for number, steps in enumerate([*consumers, *clients, *promoters]):
            heappush(turns, (0.0, number, steps))
        while turns and self.at_s < UNTIL_S:
            self.at_s, number, steps = heappop(turns)
            if (delay_s := next(steps, None)) is not None:
                heappush(turns, (self.at_s + delay_s, number, steps))

    def consumer(self, generation: int, lag_s: float, *, pinned: bool) -> Delays:
        """Follows the pointer as `consumer/following.py` has it, so far behind. What it read and what it writes may be late."""
        while True:
            pointer, read_at_s = self.at, self.at_s
            yield self.rng.uniform(0, 0.2)
            while self.at_s - read_at_s < POINTER_AGE_S_MAX:
                if not (pinned if pointer.generation != generation else pointer.next is None):
                    yield 0.25
                    break
                position = int((self.at_s - lag_s) * 10)
                yield self.rng.choice((0.01, self.rng.uniform(0, LATE_S)))
                if position > self.rows[generation].position:
                    self.rows[generation] = row(position)
                yield self.rng.uniform(0, 0.2)

    def client(self) -> Delays:
        """Asks one process or the other."""
        while True:
            asked_s, process = self.at_s, self.rng.randrange(2)
            while True:
                look = self.looks[process]
                if look is None or (look.done and (self.at_s - look.began_s >= SHARED_S or not look.serves(asked_s))):
                    look = self.looks[process] = Look(self.at_s)
                    yield from self.read(look, process)
                while not look.done:
                    yield 0.01
                if look.serves(asked_s):
                    break
            self.answers.append(Answer(process, asked_s, self.at_s, look.generation, look.count))
            yield self.rng.uniform(0, 0.4)

    def read(self, look: Look, process: int) -> Delays:
        """The pointer first, unless it is kept as `LiveNames` does, the rows after."""
        read_at_s, pointer = self.kept[process]
        if pointer.next or self.at_s - read_at_s >= POINTER_KEPT_S_MAX:
            pointer = self.at
            self.kept[process] = self.at_s, pointer
        yield self.rng.uniform(0, 0.2)
        yield self.rng.choice((0.0, self.rng.uniform(0, 1.5)))
        look.generation, look.passes = pointer.generation, pointer.next is not None
        look.count = self.rows[look.generation].stats.count
        yield self.rng.uniform(0, 0.1)
        look.done = True

    def promoter(self, name: str, begins_s: float) -> Delays:
        """May sleep between two questions, and be gone after any."""
        yield begins_s
        steps = promote(asked(whose=name))
        question = next(steps)
        while self.rng.random() > 0.004:
            yield self.rng.uniform(0, 0.05)
            self.passed_s = 0.0
            answer = question(self)
            yield self.passed_s + self.rng.uniform(0, 0.05)
            if self.rng.random() < 0.005:
                yield self.rng.uniform(0, 25)
            try:
                question = steps.send(answer)
            except StopIteration as done:
                self.outcomes.append(done.value)
                return

    def pointer(self) -> Pointer:
        """See World."""
        return self.at

    def replace(self, known: Pointer, pointer: Pointer) -> bool:
        """See World."""
        if (self.at, self.at.next) != (known, known.next):
            return False
        self.at = pointer
        return True

    def progress(self, generation: int) -> Progress:
        """See World."""
        return {LIVE: self.rows[generation]}

    def listed(self) -> Collection[str]:
        """See World."""
        return {LIVE}

    def now_s(self) -> float:
        """See World."""
        return self.at_s

    def wait(self, seconds: float) -> None:
        """See World."""
        self.passed_s = seconds

    def say(self, text: str) -> None:
        """See World."""


def test_no_schedule_tells_anybody_less_than_before() -> None:
    """And most promotes come to their end, whatever became of those before."""
    endings: Mapping[Ending, list[int]] = {ending: [] for ending in Ending}
    live = 0
    for seed in range(SEEDS):
        schedule = Schedule(Random(seed))  # noqa: S311  a schedule, which is to be the same again
        schedule.run()
        assert not (found := went_back(schedule.answers)), (seed, found[0])
        assert len(schedule.answers) > 100
        for outcome in schedule.outcomes:
            endings[outcome.ending].append(seed)
        live += schedule.at.generation == 2
    assert live > SEEDS * 0.8
    assert endings[Ending.LIVE]
    assert endings[Ending.TAKEN_BACK]


def test_what_they_wait_for_holds_together() -> None:
    """A consumer writes by a pointer no older than a promote waits for, and no process answers by one that is older than that
    and the time that nothing moves."""
    assert POINTER_AGE_S_MAX <= SEEN_S
    assert LATE_S < STILL_S
    assert SHARED_AGE_S_MAX + POINTER_KEPT_S_MAX < SEEN_S + STILL_S
