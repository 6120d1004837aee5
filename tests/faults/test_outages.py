"""AWS away for a while, and AWS unwell all the time."""

import time
from functools import partial

import pytest

from tests.faults import faults
from tests.faults.conftest import Trial
from tests.faults.load import Load
from tests.faults.proxy import FaultProxy, Rule
from tests.support.stack import at
from tests.support.waiting import eventually

AWAY = {"broken": faults.drop_before, "failing": faults.break_down, "silent": faults.hang}

WEATHER = (
    Rule(faults.fail_entries, operation="PutRecords", share=0.1),
    Rule(faults.leave_unprocessed, operation="BatchWriteItem", share=0.2),
    Rule(faults.leave_unprocessed, operation="BatchGetItem", share=0.2),
    Rule(faults.fail_statements, operation="BatchExecuteStatement", share=0.2),
    Rule(faults.drop_before, share=0.02),
    Rule(faults.drop_after, share=0.03),
    Rule(faults.throttle, share=0.02),
    Rule(faults.break_down, share=0.02),
    Rule(faults.duplicate, share=0.03),
    Rule(faults.delay, share=0.02),
)
"""For every process's calls, KCL's own to DynamoDB among them."""


def lasts(seconds: float) -> None:
    """Until so much time has gone by: an outage's length, not a wait for something."""
    until_s = time.monotonic() + seconds

    def over() -> None:
        assert time.monotonic() >= until_s

    eventually(over, seconds + 5)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_dynamodb_away_under_load(trial: Trial) -> None:
    """Readings are acknowledged all the while, since the log takes them; the projection catches up by itself."""
    seconds = trial.often(6, 60)
    with trial.serving() as api, trial.consuming(**at(trial.proxy.url)) as consumer:
        with trial.sending(api, seed=30, per_s=40) as load:
            load.wait_for_more(50)
            trial.proxy.rules = [Rule(faults.drop_before, "DynamoDB")]
            before = load.outcomes
            lasts(seconds)
            during = load.outcomes - before
            trial.proxy.rules = []
            load.wait_for_more(50)
        assert during["unknown"] == 0
        assert during["ok"] > seconds
        found = trial.check(load)
        assert consumer.process.poll() is None
    trial.report("2 4 6", f"DynamoDB away for {seconds} s under load", 1, found, acknowledged_meanwhile=during["ok"])


@pytest.mark.parametrize("how", [pytest.param(how, marks=[] if how == "silent" else pytest.mark.full) for how in AWAY])
def test_kinesis_away_under_load(trial: Trial, how: str) -> None:
    """503 within the deadline, memory bounded, and readings stored again as soon as the stream is back."""
    seconds, deadline_s = trial.often(8, 30), 3
    environ = {**at(trial.proxy.url), "PUT_DEADLINE_S": str(deadline_s), "QUEUE_EVENTS_MAX": "2000"}
    with trial.serving(**environ) as api, trial.counting():
        with trial.sending(api, seed=31, per_s=300, clients=64) as load:
            load.wait_for_more(100)
            before_mb, before = api.memory_mb(), len(load.operations)
            trial.proxy.rules = [Rule(AWAY[how], "Kinesis")]
            lasts(seconds)
            after_mb, spoiled = api.memory_mb(), load.operations[before:]
            trial.proxy.rules = []
            healed_s = time.monotonic()
            eventually(partial(_stored_since, load, healed_s), within_s=30)
        found = trial.check_stored(load)
    refused = [operation for operation in spoiled if operation.status == 503]
    assert refused
    assert {operation.status for operation in spoiled} <= {200, 503} | {400}, "an outage is told, never hidden"
    assert after_mb < before_mb + 50, "what waits is bounded"
    slowest_s = max(operation.ended_s - operation.began_s for operation in refused)
    recovered_s = min(o.ended_s for o in load.operations if o.status == 200 and o.ended_s > healed_s) - healed_s
    trial.report(
        "1 2 6",
        f"Kinesis away for {seconds} s under load: {how}",
        1,
        found,
        answered_503=len(refused),
        slowest_503_s=round(slowest_s, 2),
        deadline_s=deadline_s,
        recovered_after_s=round(recovered_s, 2),
        memory_grew_mb=round(after_mb - before_mb, 1),
    )


@pytest.mark.full
def test_kinesis_away_from_the_consumer(trial: Trial) -> None:
    """Nothing can be read meanwhile and nothing is started anew for it; then the projection catches up."""
    seconds = trial.often(8, 60)
    with trial.serving() as api, trial.consuming(**at(trial.proxy.url)) as consumer:
        with trial.sending(api, seed=34, per_s=40) as load:
            load.wait_for_more(50)
            trial.proxy.rules = [Rule(faults.drop_before, "Kinesis")]
            trial.proxy.cut_tunnels()
            lasts(seconds)
            trial.proxy.rules = []
            load.wait_for_more(50)
        found = trial.check(load)
    assert "consumer_restarting" not in consumer.events()
    trial.report("2 4", f"Kinesis away from the consumer for {seconds} s under load", 1, found)


@pytest.mark.timeout(900)
def test_h14_h15_h16_h17_bad_weather_all_the_time(trial: Trial) -> None:
    """Every fault the proxy has, at random, for every process: slower, and equal."""
    readings = trial.often(150, 5_000)
    environ = at(trial.proxy.url)
    with trial.serving(**environ) as api, trial.consuming(**environ):
        trial.proxy.rules = WEATHER
        with trial.sending(api, seed=32, per_s=60) as load:
            load.wait_for_more(readings, within_s=600)
            eventually(partial(_all_struck, trial.proxy), within_s=120)
        trial.proxy.rules = []
        found = trial.check(load)
    struck = trial.proxy.struck
    writes = {call.split()[1] for call in trial.proxy.calls if call.endswith(trial.stack.names.stats)}
    # H17: adding to a number twice is wrong. Rows are written whole; UpdateItem raises a time and adds to a set.
    assert writes <= {"BatchExecuteStatement", "BatchGetItem", "PutItem", "Query", "UpdateItem"}, writes
    trial.report("1 2 3 4 6", "faults of every kind at random in all calls", struck.total(), found, **struck)


@pytest.mark.full
def test_poison_among_the_readings(trial: Trial) -> None:
    """Bytes that are no events become dead letters, each once, whoever is restarted meanwhile; the rest is counted."""
    times = 200
    garbage = [b"\x1f\x8bbroken", b"\x00\xff", b'{"specversion":"1.0","type":"unknown"}', b"[" * 50_000]
    records = [{"PartitionKey": f"poison-{n}", "Data": garbage[n % len(garbage)]} for n in range(times)]
    with trial.serving() as api, trial.consuming() as consumer:
        with trial.sending(api, seed=33) as load:
            for number, record in enumerate(records):
                trial.stack.kinesis.put_record(StreamName=trial.stack.names.stream, **record)  # type: ignore[arg-type]
                if number == times // 2:
                    consumer.signal(9, consumer.processors()[:1])
            load.wait_for_more(50)
        found = trial.check(load)
        pages = trial.stack.dynamodb.get_paginator("scan").paginate(TableName=trial.stack.names.dead_letters)
        letters = [item for page in pages for item in page["Items"]]
    assert len(letters) == times
    assert consumer.events().count("consumer_restarting") == 1, "poison restarts nobody"
    trial.report("4", "poison: bytes in the stream that are no events", times, found, dead_letters=len(letters))


def _all_struck(proxy: FaultProxy) -> None:
    """By chance, so the weather lasts until it is so: few calls of a short load write rows by statements."""
    missing = {rule.fault.__name__ for rule in WEATHER} - set(proxy.struck)
    assert not missing, f"never struck: {missing}"


def _stored_since(load: Load, moment_s: float) -> None:
    assert any(operation.status == 200 and operation.ended_s > moment_s for operation in load.operations[-200:])
