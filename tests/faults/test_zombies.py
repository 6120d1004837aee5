"""H19: a worker that stood still past its lease time goes on writing beside the one that took its shards."""

import signal
from functools import partial

import pytest

from operations.observation import observe
from projections.queries import fleet_stats
from tests.faults.conftest import Trial
from tests.faults.faults import Request
from tests.faults.instances import Consumer
from tests.support.stack import at
from tests.support.waiting import eventually


@pytest.mark.full
def test_h19_a_zombie_is_refused_and_the_tables_stay_equal(trial: Trial) -> None:
    """SIGSTOP in the middle of a batch, another worker goes on, SIGCONT: what the first still writes is refused."""
    rounds = trial.often(1, 5)
    stats = trial.stack.names.stats
    with trial.serving() as api, trial.sending(api, seed=19) as load, trial.consuming("standby"):
        for number in range(rounds):
            with trial.consuming(f"zombie-{number}", **at(trial.proxy.url)) as zombie:
                eventually(partial(_holds, trial, zombie.name, 1), within_s=90)
                places = _stop_in_a_batch(trial, zombie)
                eventually(partial(_holds, trial, zombie.name, 0), within_s=120)
                eventually(partial(_passed, trial, places), within_s=60)
                refused = trial.proxy.refused[stats]
                zombie.signal(signal.SIGCONT, zombie.everything())
                eventually(partial(_refused_more, trial, refused), within_s=60)
        load.stop()
        found = trial.check(load)
    fault = "a worker stopped (SIGSTOP) past its lease and let go on beside its successor"
    trial.report("2", fault, rounds, found, refused_writes=trial.proxy.refused[stats])


def _stop_in_a_batch(trial: Trial, zombie: Consumer) -> dict[str, int]:
    """Stop a worker when its raw readings are written and its rows are not; where every shard was then."""
    stopped: list[dict[str, int]] = []

    def in_a_batch(request: Request) -> bool:
        if request.operation == "BatchWriteItem" and not stopped:
            zombie.signal(signal.SIGSTOP, zombie.everything())
            stopped.append(_places(trial))
        return bool(stopped)

    trial.proxy.hooks = [in_a_batch]
    eventually(partial(_filled, stopped), within_s=60)
    return stopped[0]


def _places(trial: Trial) -> dict[str, int]:
    return {shard: row.position for shard, row in fleet_stats(trial.stack.dynamodb, trial.stack.names).shards.items()}


def _passed(trial: Trial, places: dict[str, int]) -> None:
    """Another worker has gone on with every shard."""
    now = _places(trial)
    assert all(now[shard] > place for shard, place in places.items())


def _holds(trial: Trial, worker: str, shards: int) -> None:
    held = observe(trial.stack.kinesis, trial.stack.dynamodb, trial.stack.names).held(worker)
    assert len(held) == shards, held


def _filled(things: list[dict[str, int]]) -> None:
    assert things


def _refused_more(trial: Trial, before: int) -> None:
    assert trial.proxy.refused[trial.stack.names.stats] > before
