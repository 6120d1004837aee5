"""Schedules: one seed decides who does what, when, and what goes wrong; then faults stop and all must come to rest."""

import hashlib
from random import Random

from archive.chain import archived_shards
from telemetry.shards import Shard
from tests.simulation.archive.archivers import Line, ModelTarget, ShardWorld
from tests.simulation.archive.bugs import NONE, Bugs, seeded
from tests.simulation.archive.invariants import Invariants
from tests.simulation.archive.stream import RETENTION_MS, ModelStream
from tests.simulation.violation import Violation

START_MS = 1_700_010_000_000
STREAM = "a-stream"
STEPS_TO_REST_MAX = 3_000
TRACE_LINES_SHOWN = 15
_SHARDS_MAX = 7
_CHECKED = 0.05
"""Of steps, so many are followed by a look at everything."""
_LOOKS_FOR_FORGOTTEN = 0.1
_LOOKS_AT_THE_END = 40


class Simulation:
    """One schedule. `trace` tells what happened, step by step."""

    def __init__(self, seed: int, bugs: Bugs = NONE) -> None:
        self._rng = rng = Random(seed)  # noqa: S311  # replayable, not secret
        self._bugs = bugs
        self._calm = rng.random() < 0.15
        self._fault_rate = rng.choice((0, 0.1, 0.3))
        self._archivers = rng.choice((1, 2, 2, 3))
        self.trace: list[str] = []
        self._stream = ModelStream(rng, START_MS)
        self._target = ModelTarget()
        self._created = f"{START_MS / 1000:.3f}"
        self._invariants = Invariants(self._stream, self._target, self._created, calm=self._calm)
        self._lines: dict[tuple[int, str], Line] = {}
        """By archiver and shard."""
        self._frozen: list[Line] = []
        """Stopped in the middle; they go on when nobody expects them any more."""
        self._over: set[tuple[int, str]] = set()
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
        if rng.random() < 0.3:
            self._stream.trim()
        if not self._down:
            self._start_lines()
        what = rng.random()
        if what < 0.25:
            self._write(rng.choice((1, 1, 3)))
        elif what < 0.86:
            self._step_some(self._fault_rate)
        elif what < 0.89:
            if len(self._stream.shards) < _SHARDS_MAX:
                self._note("reshard")
                rng.choice((self._stream.split, self._stream.split, self._stream.merge))()
        elif what < 0.93:
            self._trouble_a_line()
        elif what < 0.95 and self._frozen:
            self._thaw()
        elif what < 0.97 and not self._calm:
            self._down = not self._down
            self._note("all archivers are down" if self._down else "archivers come back")
            if self._down:
                for line in list(self._lines.values()):
                    self._forget(line)
                    if rng.random() < 0.5:
                        self._frozen.append(line)

    def _pass_time(self) -> None:
        """Mostly little; where nothing is calm also most of the retention, or more than that."""
        if self._calm:
            self._stream.now_ms += self._rng.choice((0, 0, 50, 200))
            return
        if self._rng.random() < (0.1 if self._down or self._frozen else 0.02):
            self._stream.now_ms += int(RETENTION_MS * self._rng.choice((0.3, 0.6, 0.85, 1.2)))
            self._note(f"time passes: {self._stream.now_ms - START_MS}")
        self._stream.now_ms += self._rng.choice((0, 0, 100, 1_000, 3_000))

    def _note(self, what: str) -> None:
        self.trace.append(what)

    def _write(self, records: int) -> None:
        for _ in range(records):
            self._written += 1
            lines = self._rng.choice((1, 1, 2, 4))
            data = b"".join(b'{"record":%d,"line":%d}\n' % (self._written, line) for line in range(lines))
            self._stream.put(data if self._rng.random() < 0.9 else b"\xff" + data)

    def _start_lines(self) -> None:
        """For listed shards; now and then also for those that only the archive knows."""
        shards = self._stream.listed()
        if self._rng.random() < _LOOKS_FOR_FORGOTTEN:
            for shard_id in archived_shards(self._target, self._created):
                shards.setdefault(shard_id, self._stream.shards[shard_id].shard)
        for archiver in range(self._archivers):
            for shard_id, shard in shards.items():
                key = archiver, shard_id
                if key not in self._lines and key not in self._over:
                    self._start_line(key, shard)

    def _start_line(self, key: tuple[int, str], shard: Shard) -> None:
        self._names += 1
        created, rng = self._created, self._rng
        world = ShardWorld(self._stream, self._target, shard, created=created, rng=rng, bugs=self._bugs)
        self._lines[key] = line = Line(f"line {self._names}", shard, world, stream=STREAM, created=created, rng=rng)
        self._note(f"{line.name} takes {shard.shard_id}")

    def _step_some(self, fault_rate: float) -> None:
        if self._lines:
            self._step(self._rng.choice(list(self._lines.values())), fault_rate)

    def _step(self, line: Line, fault_rate: float) -> None:
        troubled = self._rng.random() < fault_rate
        self._note(f"{line.name} {line.shard_id} step{' troubled' * troubled}")
        line.steps.hurried |= self._rng.random() < 0.05
        line.step(troubled=troubled)
        if line.done:
            self._forget(line)

    def _forget(self, line: Line) -> None:
        for key, other in list(self._lines.items()):
            if other is line:
                del self._lines[key]
                if line.steps.ended:
                    self._over.add(key)

    def _trouble_a_line(self) -> None:
        if not self._lines:
            return
        line = self._rng.choice(list(self._lines.values()))
        what = self._rng.choice(("before", "after", "stop", *(3 * ["freeze"])))
        if what == "freeze" and self._calm:
            return
        self._note(f"{line.name} {line.shard_id} {what}")
        if what == "stop":
            line.steps.stop_ms = self._stream.now_ms
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
        self._stream.trim()
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
        for _ in range(_LOOKS_AT_THE_END):
            self._start_lines()
        for line in self._lines.values():
            line.steps.stop_ms = self._stream.now_ms + 2_000
        for _ in range(STEPS_TO_REST_MAX):
            if not self._lines:
                return
            self._stream.now_ms += self._rng.choice((0, 100, 500))
            self._step_some(0)
        raise Violation("the archivers do not come to rest")

    def left_behind(self) -> str:
        """The archive as text."""
        return repr([(key, self._target.data(key)) for key in self._target.list_after("log/")])


def run_schedule(seed: int, bugs: Bugs = NONE) -> None:
    """Run one schedule to its end. Raises Violation with the seed and the last steps."""
    simulation = Simulation(seed, bugs)
    try:
        simulation.run()
    except Violation as violation:
        last = "\n  ".join(simulation.trace[-TRACE_LINES_SHOWN:])
        raise Violation(f"seed {seed}, step {len(simulation.trace)}: {violation}\n  {last}") from None


def fingerprint(seed: int) -> str:
    """A hash of everything that a schedule did and left behind."""
    simulation = Simulation(seed)
    simulation.run()
    return hashlib.sha256("\n".join([*simulation.trace, simulation.left_behind()]).encode()).hexdigest()
