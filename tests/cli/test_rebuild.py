"""What `telemetry rebuild` says, and how it exits; what it does is tried on LocalStack (`test_rebuild_on_localstack.py`)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.failures import told
from cli.main import telemetry
from telemetry.errors import LogLacks, NotRebuilt, TelemetryError
from telemetry.names import ResourceNames

type Typed = Callable[..., Result]


class Bench:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.did: list[Any] = []
        self.fails: dict[str, BaseException] = {}
        self.archive = True

    def _do(self, what: str, *how: object) -> None:
        self.did.append((what, *how))
        if what in self.fails:
            raise self.fails[what]

    def require_java(self) -> None:
        self._do("java")

    def say_plan(self, generation: int | None, max_units: int, *, forget: bool) -> None:
        self._do("plan", generation, max_units, forget)

    def begin(self, generation: int | None) -> ResourceNames:
        self._do("begin", generation)
        return ResourceNames("t", generation or 2)

    @contextmanager
    def failures(self, names: ResourceNames) -> Iterator[None]:
        try:
            yield
        except TelemetryError as error:
            self.did.append(("failed", names.generation, str(error)))
            raise

    def require_whole(self, names: ResourceNames, *, forget: bool) -> None:
        self._do("whole", forget)

    def require_nobody(self, names: ResourceNames) -> None:
        self._do("nobody")

    def fill(self, names: ResourceNames, max_units: int, *, forget: bool) -> bool:
        self._do("fill", max_units, forget)
        return self.archive

    def feed(self, names: ResourceNames) -> None:
        self._do("feed", names.generation)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> Typed:
    @contextmanager
    def log_at(_: object) -> Iterator[None]:
        with told():
            yield None

    monkeypatch.setattr("cli.rebuilding.log_at", log_at)
    monkeypatch.setattr("cli.rebuilding._Bench", lambda _: bench)
    return lambda *words: CliRunner().invoke(telemetry, ["rebuild", *words])


def test_a_generation_is_filled_and_fed(typed: Typed, bench: Bench) -> None:
    """Nobody may feed it meanwhile, which is looked at again after the filling took its time."""
    answer = typed()
    assert (answer.exit_code, answer.stdout) == (0, "g2 is live, and others feed it.\n")
    assert "telemetry rebuild --generation 2 goes on" in answer.stderr
    assert bench.did == [
        ("java",),
        ("begin", None),
        ("whole", False),
        ("nobody",),
        ("fill", 500, False),
        ("nobody",),
        ("feed", 2),
    ]


def test_what_was_typed_is_done(typed: Typed, bench: Bench) -> None:
    """One that goes on, slowly, of a log that lacks something, and without an archive."""
    bench.archive = False
    assert typed("--generation", "g7", "--max-units", "20", "--forget-before").exit_code == 0
    assert bench.did == [("java",), ("begin", 7), ("whole", True), ("nobody",), ("fill", 20, True), ("feed", 7)]


def test_a_dry_run_changes_nothing(typed: Typed, bench: Bench) -> None:
    """It says what would be done, with all that was typed; and whether its consumer could run."""
    assert typed("--dry-run", "--generation", "3").exit_code == 0
    assert typed("--dry-run", "--forget-before").exit_code == 0
    assert bench.did == [("java",), ("plan", 3, 500, False), ("java",), ("plan", None, 500, True)]


@pytest.mark.parametrize(
    ("step", "error", "status", "said"),
    [
        ("java", NotRebuilt("JAVA is no program."), 1, "Error: JAVA is no program.\n"),
        ("begin", NotRebuilt("g2 is live."), 1, "Error: g2 is live.\n"),
        ("whole", LogLacks("g2 would not hold all."), 5, "Error: g2 would not hold all.\n"),
        ("fill", NotRebuilt("The disk is full."), 1, "Error: The disk is full.\n"),
        ("feed", KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_ends_it_is_one_sentence(
    typed: Typed, bench: Bench, *, step: str, error: BaseException, status: int, said: str
) -> None:
    """And kept beside the generation, once that has a number; what a person ends has not failed."""
    bench.fails[step] = error
    answer = typed()
    assert (answer.exit_code, answer.stderr.endswith(said)) == (status, True)
    failed = [did for did in bench.did if did[0] == "failed"]
    assert failed == ([] if step in ("java", "begin", "feed") else [("failed", 2, str(error))])


@pytest.mark.parametrize(
    "words", [["--generation", "g0"], ["--generation", "two"], ["--max-units", "0"], ["--max-units", "fast"], ["g2"]]
)
def test_what_cannot_be_meant_is_refused(typed: Typed, bench: Bench, words: list[str]) -> None:
    """With status 2, and nothing is done."""
    assert (typed(*words).exit_code, bench.did) == (2, [])
