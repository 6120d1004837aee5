"""What `telemetry leases` says, and how it exits."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from operations.leasing import LeaseLine, Leases

OK = LeaseLine("one", "ok", "worker-1", moving=True, lag_us=400_000, position_age_s=0.0, parents=())
STALLED = LeaseLine("two", "stalled", "worker-2", moving=True, lag_us=60_000_000, position_age_s=37.5, parents=("one",))
WAITS = LeaseLine("three", "waits", None, moving=None, lag_us=None, position_age_s=None, parents=("one", "two"))

type Typed = Callable[..., Result]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    def typed(found: Leases, *words: str) -> Result:
        monkeypatch.setattr("cli.leasing.seen_leases", lambda: found)
        return CliRunner().invoke(telemetry, ["leases", *words])

    return typed


def test_each_shard_has_a_line(typed: Typed) -> None:
    """Shard, verdict, owner, whether its lease moves, lag, since when its position stands, parents. Status 0 when all is ok."""
    answer = typed(Leases((OK, WAITS), "worker-1", 2.5))
    assert answer.exit_code == 0
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert lines[1] == ["one", "ok", "worker-1", "moves", "0.4", "s", "moves", "-"]
    assert lines[2] == ["three", "waits", "-", "-", "-", "-", "one,", "two"]
    assert answer.stdout.splitlines()[3] == "Leader: worker-1. Worst: ok. Watched for 2 s."


def test_the_worst_shard_decides(typed: Typed) -> None:
    """Status 1, also for programs."""
    found = Leases((OK, STALLED), None, 37.5)
    answer = typed(found)
    assert (answer.exit_code, "Leader: nobody. Worst: stalled." in answer.stdout) == (1, True)
    answer = typed(found, "--json")
    told = json.loads(answer.stdout)
    assert (answer.exit_code, told["verdict"], told["leader"]) == (1, "stalled", None)
    assert told["shards"][1] == {
        "shardId": "two", "verdict": "stalled", "owner": "worker-2", "moving": True, "lagMs": 60_000, "positionAgeMs": 37_500,
        "parents": ["one"],
    }  # fmt: skip


def test_where_nothing_is_read_nothing_is_ok(typed: Typed) -> None:
    """Not even a stream without shards."""
    assert typed(Leases((), None, 2.5)).exit_code == 1


def test_who_cannot_look_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 5, one sentence."""
    monkeypatch.setattr("cli.contact.CONTACT_PATIENCE_S", 0.0)
    environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    answer = CliRunner(env=environ).invoke(telemetry, ["leases"])
    assert (answer.exit_code, answer.stderr.startswith("Error: Nobody answers at http://127.0.0.1:9.")) == (5, True)
