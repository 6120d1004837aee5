"""A generation is rebuilt by command under load, promoted, rolled back and promoted again; the rebuild is killed on the way."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from infra.setup import load_definition
from projections.queries import fleet_stats
from projections.register import read_registered
from telemetry.names import ResourceNames
from telemetry.processes import end_with_parent
from tests.faults.checker import check
from tests.faults.conftest import Trial
from tests.faults.instances import restart_reasons
from tests.faults.operators import clients_asking, command, typed, verified
from tests.faults.test_reshards import reshard
from tests.support.processes import running, stop
from tests.support.promoting import went_back
from tests.support.waiting import eventually

READY_S = 300


class Rebuild:
    """`telemetry rebuild`, and what it says."""

    def __init__(self, trial: Trial, environ: dict[str, str], *words: str) -> None:
        self._log = trial.folder / "rebuild.log"
        self._log.touch()
        self._began = self._log.stat().st_size
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                command("rebuild", *words),
                env=environ,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
            )

    def said(self) -> str:
        """Since it was started."""
        return self._log.read_text()[self._began :]

    def wait_for(self, text: str, within_s: float = READY_S) -> None:
        """Until it says so."""

        def there() -> None:
            assert text in self.said(), self.said()[-2000:]
            assert self.process.poll() is None or "is live" in text, self.said()[-2000:]

        eventually(there, within_s)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def second(trial: Trial) -> Iterator[ResourceNames]:
    """The names of what is filled; its tables are removed at the end."""
    names = replace(trial.stack.names, generation=2)
    yield names
    shared = (names.generations, names.keys)
    there = trial.stack.dynamodb.list_tables()["TableNames"]
    for table in load_definition(names)["tables"].values():
        if table["name"] not in shared and table["name"] in there:
            trial.stack.dynamodb.delete_table(TableName=table["name"])


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_a_rebuild_under_load_is_promoted_rolled_back_and_promoted_again(trial: Trial, second: ResourceNames) -> None:
    """Nobody is told less at any moment, what is not live stays as it was, and both generations are equal to the log."""
    environ = {**trial.stack.environ, "ARCHIVE_TARGET": str(trial.folder / "archive"), "ARCHIVE_INTERVAL_S": "2"}
    first, rng = trial.stack.names, Random(17)  # noqa: S311  repeatable on purpose
    with (
        running("archive", environ, trial.folder / "archiver.log"),
        trial.serving() as one,
        trial.serving() as other,
        trial.consuming() as consumer,
    ):
        with trial.sending(one, 18, 40) as load, clients_asking(trial, (one, other)) as answers:
            load.wait_for_more(300)
            eventually(lambda: _is_archived(trial), within_s=60)
            rebuild = Rebuild(trial, environ, "--max-units", "20")
            eventually(lambda: _is_filled_in_part(trial, second), within_s=120)
            rebuild.kill()
            rebuild = Rebuild(trial, environ, "--generation", "2")
            reshard(trial.stack, rng)
            rebuild.wait_for("g2  lagging")
            rebuild.kill()
            for generation, left in ((2, first), (1, second), (2, first)):
                _promoted(trial, environ, generation)
                untouched = _items(trial, left)
                load.wait_for_more(200)
                reshard(trial.stack, rng)
                assert _items(trial, left) == untouched
        found = check(replace(trial.stack, names=second), load, set(), within_s=240)
        assert restart_reasons(consumer) == []
    assert went_back(answers) == []
    assert {answer.generation for answer in answers} == {1, 2}
    for name in ("g1", "g2"):
        assert verified(trial, name).startswith("Equal")
    fault = "a rebuild killed twice, promoted, rolled back and promoted again, under load, shards split and merged"
    trial.report("2 5", fault, 3, found, answers=len(answers))


def _promoted(trial: Trial, environ: dict[str, str], generation: int) -> None:
    """Catch a generation up by `rebuild`, verify and promote it, and see the rebuild leave it to the others."""
    name = f"g{generation}"
    rebuild = Rebuild(trial, environ, "--generation", str(generation))
    try:
        rebuild.wait_for(f"{name}  ready")
        assert verified(trial, name).startswith("Equal")
        _promote(trial, name)
        rebuild.wait_for(f"{name} is live, and others feed it.")
        assert rebuild.process.wait(60) == 0
    finally:
        stop(rebuild.process)


def _promote(trial: Trial, name: str) -> None:
    """Again where it is taken back, as a person would."""

    def done() -> None:
        told = typed(trial, "promote", name)
        assert told.returncode == 0, told.stderr

    eventually(done, within_s=120)


def _is_archived(trial: Trial) -> None:
    assert list((trial.folder / "archive").rglob("*.gz"))


def _is_filled_in_part(trial: Trial, names: ResourceNames) -> None:
    found = read_registered(trial.stack.dynamodb, names)
    assert found
    assert found.filled or fleet_stats(trial.stack.dynamodb, names).stats.count


def _items(trial: Trial, names: ResourceNames) -> dict[str, Any]:
    """What a generation's tables hold, by table and key."""
    found: dict[str, Any] = {}
    for table in (names.stats, names.readings, names.dead_letters):
        pages = trial.stack.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        found |= {f"{table} {sorted(item.items(), key=str)}": item for page in pages for item in page["Items"]}
    return found
