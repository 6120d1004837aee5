"""Schedules: one seed decides who does what, when, and what goes wrong; then faults stop and all must come to rest."""

from dataclasses import dataclass, field
from random import Random

from archive.chain import archived_shards
from telemetry.shards import Shard
from tests.simulation.archive.archivers import Line, ModelTarget, ShardWorld
from tests.simulation.archive.bugs import NONE, Bugs, seeded
from tests.simulation.archive.invariants import Invariants
from tests.simulation.archive.stream import RETENTION_MS, ModelLog, ModelStream
from tests.simulation.violation import Violation

START_MS = 999_999_900_000
"""Soon a creation in seconds has a digit more."""
STEPS_TO_REST_MAX = 3_000
_SHARDS_MAX = 7
_STREAMS_MAX = 3
_MADE_AGAIN = 0.5
_CHECKED = 0.05
"""Of steps, so many are followed by a look at everything."""
_LOOKS = 0.02
"""Of steps, so many are one at which an archiver looks which stream is there."""
_LOOKS_FOR_FORGOTTEN = 0.1
_LOOKS_AT_THE_END = 40


@dataclass(slots=True)
class Archiver:
    """One process, from the stream that was there when it began."""

    stream: ModelStream
    lines: dict[str, Line] = field(default_factory=dict)
    """By shard."""
    over: set[str] = field(default_factory=set)


class Simulation:
    """One schedule. `trace` tells what happened, step by step."""

    def __init__(self, seed: int, bugs: Bugs = NONE) -> None:
        self._rng = rng = Random(seed)  # noqa: S311  # replayable, not secret
        self._bugs = bugs
        self._calm = rng.random() < 0.15
        self._fault_rate = rng.choice((0, 0.1, 0.3))
        self._lost_rate = rng.choice((0, 0.01, 0.03))
        """How often a stream is lost."""
        self.trace: list[str] = []
        self._log = ModelLog(rng, START_MS)
        self._target = ModelTarget()
        self._invariants = Invariants(self._log, self._target, calm=self._calm)
        self._archivers: list[Archiver | None] = [None] * rng.choice((1, 2, 2, 3))
        """None for a process that is not there."""
        self._frozen: list[Line] = []
        """Stopped in the middle; they go on when nobody expects them any more."""
        self._down = False
        """No archiver works."""
        self._names = 0
        self._written = 0

    def run(self) -> None:
        """Raises Violation."""
        with seeded(self._bugs):
            for _ in range(self._rng.randint(60, 250)):
                self._disturb()
                if self._rng.random() < _CHECKED:
                    self._invariants.check()
            self._come_to_rest()

    def _disturb(self) -> None:
        rng = self._rng
        self._pass_time()
        self._replace_stream()
        there = self._log.there
        if there and rng.random() < 0.3:
            there.trim()
        if not self._down:
            self._start_lines()
        what = rng.random()
        if what < 0.25:
            self._write(rng.choice((1, 1, 3)))
        elif what < 0.86:
            self._step_some(self._fault_rate)
        elif what < 0.89:
            if there and len(there.shards) < _SHARDS_MAX:
                self._note("reshard")
                rng.choice((there.split, there.split, there.merge))()
        elif what < 0.93:
            self._trouble_a_line()
        elif what < 0.95 and self._frozen:
            self._thaw()
        elif what < 0.97 and not self._calm:
            self._down = not self._down
            self._note("all archivers are down" if self._down else "archivers come back")
            if self._down:
                for number in range(len(self._archivers)):
                    self._end(number, frozen=0.5)

    def _pass_time(self) -> None:
        """Mostly little; where nothing is calm also most of the retention, or more than that."""
        if self._calm:
            self._log.now_ms += self._rng.choice((0, 0, 50, 200))
            return
        if self._rng.random() < (0.1 if self._down or self._frozen else 0.02):
            self._log.now_ms += int(RETENTION_MS * self._rng.choice((0.3, 0.6, 0.85, 1.2)))
            self._note(f"time passes: {self._log.now_ms - START_MS}")
        self._log.now_ms += self._rng.choice((0, 0, 100, 1_000, 3_000))

    def _replace_stream(self) -> None:
        """The stream is lost, and at once or some time later another is made."""
        if self._log.there and len(self._log.streams) < _STREAMS_MAX and self._rng.random() < self._lost_rate:
            self._note("the stream is lost")
            self._log.delete()
        if not self._log.there and self._rng.random() < _MADE_AGAIN:
            self._make_stream()

    def _make_stream(self) -> None:
        self._log.make(self._rng.choice((1, 1, 2)))
        self._note(f"another stream is made: {self._log.streams[-1].created}")

    def _note(self, what: str) -> None:
        self.trace.append(what)

    def _write(self, records: int) -> None:
        for _ in range(records if self._log.there else 0):
            assert self._log.there
            self._written += 1
            lines = self._rng.choice((1, 1, 2, 4))
            data = b"".join(b'{"record":%d,"line":%d}\n' % (self._written, line) for line in range(lines))
            self._log.there.put(data if self._rng.random() < 0.9 else b"\xff" + data)

    def _start_lines(self) -> None:
        """Of archivers whose stream is there, for listed shards; now and then also for those that only the archive knows."""
        for number, archiver in enumerate(self._archivers):
            if self._log.there is None:
                continue
            if archiver is None:
                archiver = self._archivers[number] = Archiver(self._log.there)  # noqa: PLW2901  it begins
            if archiver.stream is not self._log.there and self._rng.random() < _LOOKS:
                self._end(number, frozen=0.5)
                continue
            # Between two looks its stream may be replaced: the shards are another's then.
            if archiver.stream is self._log.there or self._rng.random() < _LOOKS:
                for shard in self._seen(archiver).values():
                    if shard.shard_id not in archiver.lines and shard.shard_id not in archiver.over:
                        self._start_line(archiver, shard)

    def _seen(self, archiver: Archiver) -> dict[str, Shard]:
        assert self._log.there
        shards = self._log.there.listed()
        if self._rng.random() < _LOOKS_FOR_FORGOTTEN:
            for shard_id in archived_shards(self._target, archiver.stream.created):
                if model := archiver.stream.shards.get(shard_id):
                    shards.setdefault(shard_id, model.shard)
        return shards

    def _start_line(self, archiver: Archiver, shard: Shard) -> None:
        self._names += 1
        world = ShardWorld(self._log, archiver.stream, self._target, shard, rng=self._rng, bugs=self._bugs)
        line = Line(f"line {self._names}", shard, world, archiver.stream.created, self._rng)
        archiver.lines[shard.shard_id] = line
        self._note(f"{line.name} takes {shard.shard_id} of {archiver.stream.created}")

    def _lines(self) -> list[Line]:
        return [line for archiver in self._archivers if archiver for line in archiver.lines.values()]

    def _step_some(self, fault_rate: float) -> None:
        if lines := self._lines():
            self._step(self._rng.choice(lines), fault_rate)

    def _step(self, line: Line, fault_rate: float) -> None:
        troubled = self._rng.random() < fault_rate
        self._note(f"{line.name} {line.shard_id} step{' troubled' * troubled}")
        line.steps.hurried |= self._rng.random() < 0.05
        line.step(troubled=troubled)
        if line.done:
            number = self._forget(line)
            if line.wrong_stream:
                self._end(number, frozen=0.5)

    def _forget(self, line: Line) -> int:
        """The number of the archiver whose line it was."""
        for number, archiver in enumerate(self._archivers):
            if archiver and archiver.lines.get(line.shard_id) is line:
                del archiver.lines[line.shard_id]
                if line.steps.ended:
                    archiver.over.add(line.shard_id)
                return number
        raise AssertionError("nobody's line")

    def _end(self, number: int, frozen: float) -> None:
        """A process ends, or so many of its lines have yet to hear of that."""
        archiver, self._archivers[number] = self._archivers[number], None
        if archiver:
            self._note(f"archiver {number} of {archiver.stream.created} ends")
            self._frozen += [line for line in archiver.lines.values() if self._rng.random() < frozen and not self._calm]

    def _trouble_a_line(self) -> None:
        if not (lines := self._lines()):
            return
        line = self._rng.choice(lines)
        what = self._rng.choice(("before", "after", "stop", *(3 * ["freeze"])))
        if what == "freeze" and self._calm:
            return
        self._note(f"{line.name} {line.shard_id} {what}")
        if what == "stop":
            line.steps.stop_ms = self._log.now_ms
        elif what == "freeze":
            self._forget(line)
            self._frozen.append(line)
        else:
            line.die(after=what == "after")
            self._forget(line)

    def _thaw(self) -> None:
        """A line that stood still goes on for some steps, beside those that have taken its shard up."""
        line = self._rng.choice(self._frozen)
        self._note(f"{line.name} {line.shard_id} goes on")
        for _ in range(self._rng.randint(1, 6)):
            if not line.done:
                line.step(troubled=False)
        if line.done or self._rng.random() < 0.3:
            self._frozen.remove(line)

    def _come_to_rest(self) -> None:
        """Archivers and zombies go on until nothing is left to do; then all is archived, or said to be lost."""
        self._note("faults end")
        if self._log.there is None:
            self._make_stream()
        assert self._log.there
        self._log.there.trim()
        for line in self._frozen:
            for _ in range(self._rng.randint(0, 30)):
                if not line.done:
                    line.step(troubled=False)
        self._frozen.clear()
        self._invariants.check()
        # Later records show whether a stretch was taken for whole that is not.
        for _ in range(2):
            self._write(3)
            self._drain()
        self._invariants.check_at_rest()

    def _drain(self) -> None:
        """Every archiver takes up what it sees, and archives the tip."""
        for number, archiver in enumerate(self._archivers):
            if archiver and archiver.stream is not self._log.there:
                self._end(number, frozen=0)
        for _ in range(_LOOKS_AT_THE_END):
            self._start_lines()
        for line in self._lines():
            line.steps.stop_ms = self._log.now_ms + 2_000
        for _ in range(STEPS_TO_REST_MAX):
            if not self._lines():
                return
            # Where nothing is ever away for long it takes no part of the retention to go through all lines.
            self._log.now_ms += self._rng.choice((0, 50, 100) if self._calm else (0, 100, 500))
            self._step_some(0)
        raise Violation("the archivers do not come to rest")

    def left_behind(self) -> str:
        """The archive as text."""
        return repr([(key, self._target.data(key)) for key in self._target.list_after("log/")])
