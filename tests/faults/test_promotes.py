"""Promotes to and fro while sensors send, shards are split, and promotes are killed: nobody is ever told less than before."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from random import Random

import pytest

from infra.setup import load_definition, names_now, set_up
from projections.generations import Next, read_pointer, replace_pointer
from projections.queries import fleet_stats
from telemetry.names import ResourceNames
from tests.faults.conftest import Trial
from tests.faults.instances import Consumer
from tests.faults.operators import clients_asking, command, typed, verified
from tests.faults.test_reshards import reshard
from tests.support.fillers import filling
from tests.support.promoting import went_back
from tests.support.waiting import eventually


@pytest.fixture
def later(trial: Trial) -> Iterator[ResourceNames]:
    """The tables of another generation."""
    kinesis, dynamodb = trial.stack.kinesis, trial.stack.dynamodb
    names = names_now(kinesis, dynamodb, trial.stack.names.prefix, 2)
    set_up(kinesis, dynamodb, names, shards=2)
    yield names
    shared = (names.generations, names.keys)
    for table in load_definition(names)["tables"].values():
        if table["name"] not in shared:
            dynamodb.delete_table(TableName=table["name"])


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_nobody_is_told_less_over_promotes_reshards_and_kills(trial: Trial, later: ResourceNames) -> None:
    """Fifty promotes, two of which are killed and mended by the next; both generations are equal to the log in the end."""
    promotes, rng = 50, Random(16)  # noqa: S311  repeatable on purpose
    mended = tried = 0
    with trial.serving() as one, trial.serving() as other, filling(trial.stack, 1, 2):
        with trial.sending(one, 16, 40) as load, clients_asking(trial, (one, other)) as answers:
            for number in range(promotes):
                generation = 2 - number % 2
                load.wait_for_more(rng.randrange(20, 60))
                if number in (promotes // 4, promotes // 2):
                    reshard(trial.stack, rng)
                if number in (promotes // 3, 2 * promotes // 3):
                    _kill_one(trial, generation)
                    mended += 1
                tried += _promote(trial, generation)
            load.wait_for_more(100)
        found = trial.check(load)
        eventually(partial(_alike, trial, later), within_s=120)
    assert went_back(answers) == []
    assert {answer.generation for answer in answers} == {1, 2}
    for name in ("g1", "g2"):
        assert eventually(partial(verified, trial, name), within_s=180).startswith("Equal")
    fault = "promotes to and fro under load, two of them killed, shards split and merged"
    trial.report("2 5", fault, promotes, found, tried=tried, killed_and_mended=mended, answers=len(answers))


@pytest.mark.full
def test_consumers_follow_the_pointer(trial: Trial, later: ResourceNames) -> None:
    """At once, and that is no restart; they stand still while it is marked, and go on where the mark is taken back."""
    dynamodb, names = trial.stack.dynamodb, trial.stack.names
    with trial.serving() as api, trial.consuming() as consumer, trial.sending(api, 17, 20) as load:
        load.wait_for_more(50)
        pointer = read_pointer(dynamodb, names)
        assert pointer
        marked = replace(pointer, next=Next(2, "", "killed"))
        assert replace_pointer(dynamodb, names, pointer, marked)
        consumer.wait_for("writes_wait", within_s=20)
        assert typed(trial, "promote", "--take-back").returncode == 0
        consumer.wait_for("writes_go_on", within_s=20)
        assert replace_pointer(dynamodb, names, pointer, replace(pointer, generation=2))
        consumer.wait_for("consumer_following", within_s=20)
        consumer.wait_for("consumer_working", times=2, within_s=120)
        eventually(partial(_counts, trial, later), within_s=120)
        assert _restarts(consumer) == 0


def _promote(trial: Trial, generation: int) -> int:
    """Promote, again where it is taken back or nobody answers; after how many tries it is live."""
    for number in range(1, 6):
        told = typed(trial, "promote", f"g{generation}", "--unverified")
        if told.returncode == 0:
            return number
        assert told.returncode == 1, told.stderr
    raise AssertionError(told.stderr)


def _kill_one(trial: Trial, generation: int) -> None:
    """Kill -9 a promote that has marked the pointer."""
    process = subprocess.Popen(command("promote", f"g{generation}", "--unverified"), env=trial.stack.environ)
    try:

        def marked() -> None:
            pointer = read_pointer(trial.stack.dynamodb, trial.stack.names)
            assert pointer
            assert pointer.next
            assert process.poll() is None

        eventually(marked, within_s=60)
    finally:
        process.kill()
        process.wait()


def _alike(trial: Trial, later: ResourceNames) -> None:
    """Both generations have read the whole log."""
    here, there = (_positions(trial, names) for names in (trial.stack.names, later))
    assert here == there


def _positions(trial: Trial, names: ResourceNames) -> dict[str, int]:
    return {shard_id: row.position for shard_id, row in fleet_stats(trial.stack.dynamodb, names).shards.items()}


def _counts(trial: Trial, later: ResourceNames) -> None:
    """All of the log."""
    assert fleet_stats(trial.stack.dynamodb, later).stats.count > 50


def _restarts(consumer: Consumer) -> int:
    return consumer.events().count("consumer_restarting")
