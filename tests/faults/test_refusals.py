"""AWS refuses: rights that were taken away, and a clock that is not AWS's."""

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.faults import faults
from tests.faults.conftest import Trial
from tests.faults.faults import Forward, Request, Response
from tests.faults.load import Load
from tests.faults.proxy import Rule
from tests.faults.test_outages import lasts
from tests.support.stack import at
from tests.support.waiting import eventually

CLOCK_OFF_S_MAX = 300
"""What AWS takes (Signature Version 4)."""


async def refuse_a_wrong_clock(request: Request, forward: Forward, rng: Random) -> Response:
    """As AWS does, and no emulator: a request whose time is five minutes off is refused, with AWS's own time."""
    lines = dict(line.lower().split(b": ", 1) for line in request.head.split(b"\r\n")[1:] if b": " in line)
    signed = datetime.strptime(lines[b"x-amz-date"].decode(), "%Y%m%dt%H%M%Sz").replace(tzinfo=UTC)
    now = datetime.now(UTC)
    if abs((now - signed).total_seconds()) < CLOCK_OFF_S_MAX:
        return await forward(request)
    message = f"Signature expired: {signed:%Y%m%dT%H%M%SZ} is now earlier than {now:%Y%m%dT%H%M%SZ} (5 min.)"
    refuse = faults.refuse_with("InvalidSignatureException", message, Date=format_datetime(now, usegmt=True))
    return await refuse(request, forward, rng)


def refused_since(load: Load, begin: int) -> None:
    """Asserts that somebody was told 503."""
    assert any(operation.status == 503 for operation in load.operations[begin:])


def stored_since(load: Load, begin: int) -> None:
    """Asserts that somebody was told 200."""
    assert any(operation.status == 200 for operation in load.operations[begin:])


@pytest.mark.full
def test_e14_rights_to_write_taken_away_from_the_api_and_given_back(trial: Trial) -> None:
    """Everybody is told at once that nothing was stored, which the log bears out; readiness is red; no restart is needed."""
    with trial.serving(**at(trial.proxy.url)) as api, trial.consuming():
        with trial.sending(api, seed=51, per_s=40) as load:
            load.wait_for_more(30)
            trial.proxy.rules = [Rule(faults.refuse_with("AccessDeniedException"), operation="PutRecords")]
            lasts(1)  # calls that were under way
            begin = len(load.operations)
            lasts(trial.often(3, 30))
            during = load.operations[begin:]
            ready = httpx.get(f"{api.url}/readyz")
            trial.proxy.rules = []
            healed = len(load.operations)
            eventually(lambda: stored_since(load, healed))
            load.wait_for_more(30)
        found = trial.check(load)
    told = {operation.status for operation in during}
    assert told <= {503, 400}
    assert ready.json()["checks"]["writes"] == "AccessDeniedException"
    trial.report("1 2 6", "rights to write to the stream taken away under load", 1, found, answered_503=len(during))


@pytest.mark.full
def test_e14_rights_to_write_taken_away_from_the_consumer_and_given_back(trial: Trial) -> None:
    """It starts anew now and then, says why, and catches up by itself."""
    with trial.serving() as api, trial.consuming(**at(trial.proxy.url)) as consumer:
        with trial.sending(api, seed=52, per_s=40) as load:
            load.wait_for_more(30)
            trial.proxy.rules = [
                Rule(faults.refuse_with("AccessDeniedException"), operation=operation, table=table)
                for operation, table in (("BatchExecuteStatement", ""), ("PutItem", trial.stack.names.stats))
            ]
            lasts(20)
            trial.proxy.rules = []
            load.wait_for_more(30)
        found = trial.check(load)
    assert "AccessDenied" in consumer.log.read_text()
    trial.report("2 4", "rights to write rows taken away from the consumer under load", 1, found)


def test_e14_a_clock_five_minutes_off_heals_by_itself(trial: Trial, tmp_path: Path) -> None:
    """While it is off the API stores nothing and says in one sentence why; once it is right it stores again."""
    off = tmp_path / "clock-off"
    off.write_text("0")
    environ = {"PYTHONPATH": str(Path(__file__).with_name("clock")), "CLOCK_OFF_FILE": str(off)}
    trial.proxy.rules = [Rule(refuse_a_wrong_clock)]
    with trial.serving(**at(trial.proxy.url), **environ) as api, trial.counting():
        with trial.sending(api, seed=53, per_s=40) as load:
            load.wait_for_more(30)
            off.write_text("-330")
            lasts(1)
            begin = len(load.operations)
            eventually(lambda: refused_since(load, begin))
            lasts(trial.often(2, 20))
            during = load.operations[begin:]
            ready = httpx.get(f"{api.url}/readyz")
            off.write_text("0")
            healed = len(load.operations)
            eventually(lambda: stored_since(load, healed))
            load.wait_for_more(30)
        found = trial.check_stored(load)
    assert {operation.status for operation in during} <= {503, 400}
    assert ready.json()["checks"]["writes"] == "WrongClock"
    assert "s behind AWS's" in api.log.read_text()
    trial.report("1 2 6", "the API's clock five minutes off under load", 1, found, answered_503=len(during))
