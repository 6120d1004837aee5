"""Promises 1 to 4 from outside: what was acknowledged is stored and counted once.

tests/faults/ kills whoever there is meanwhile.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from projections.queries import fleet_stats
from telemetry.events import decode_event, encode_event
from telemetry.reading import Reading, rfc3339
from tests.end_to_end.conftest import Pipeline
from tests.faults.fleet import Lag, fleet_sending, lag_watched
from tests.support.aggregates import aggregate
from tests.support.oracle import eventually_equal
from tests.support.sensors import Reply, send_all, workload
from tests.support.waiting import eventually

PUTS = 5_000
SENSORS = 200
LAG_S_MAX = 5

stored: set[Reading] = set()
"""Every reading acknowledged on this module's pipeline; the tests below run in order and add to it."""


def check_replies(replies: Iterable[Reply]) -> None:
    """Malformed messages got their 4xx, all others 200 and a position; those join what must be stored."""
    for reply in replies:
        if reply.message.reading is None:
            assert 400 <= reply.status < 500, reply
        else:
            assert (reply.status, bool(reply.position)) == (200, True), reply
            stored.add(reply.message.reading)


def settled(pipeline: Pipeline) -> None:
    """Wait until the fleet has counted as many readings as were stored; then every table must be exactly right."""

    def counted() -> None:
        count = fleet_stats(pipeline.stack.dynamodb, pipeline.stack.names).stats.count
        assert count == len(stored), f"{count} of {len(stored)}\n{pipeline.log.read_text()[-3000:]}"

    eventually(counted, within_s=90)
    eventually_equal(pipeline.stack, stored, within_s=60)


def test_a_reading_is_in_the_stats_within_two_seconds(pipeline: Pipeline) -> None:
    """The thinnest path: PUT, then GET shows it."""
    body = {"sensorId": "sensor-000", "temperature": 21.5, "timestamp": "2026-03-01T12:00:00"}
    assert httpx.put(f"{pipeline.url}/api/temperature", json=body).status_code == 200
    stored.add(decode_event(_event(body)))

    def shown() -> None:
        assert httpx.get(f"{pipeline.url}/api/stats").json() == {"Maximum": 21.5, "Minimum": 21.5, "Average": 21.5}

    eventually(shown, within_s=10)


def test_five_thousand_puts_of_two_hundred_sensors_are_counted_once_each(pipeline: Pipeline) -> None:
    """Repeats, late and malformed ones among them, over two shards, by concurrent clients."""
    replies = send_all(pipeline.url, workload(1, PUTS, SENSORS))
    check_replies(replies)
    assert {reply.position.partition(":")[0] for reply in replies if reply.position} == {
        "shardId-000000000000",
        "shardId-000000000001",
    }
    settled(pipeline)
    stats = httpx.get(f"{pipeline.url}/api/stats").json()
    temperatures = [reading.temperature_micro for reading in stored]
    assert stats["Maximum"] == max(temperatures) / 1e6
    assert stats["Minimum"] == min(temperatures) / 1e6
    assert stats["Average"] == pytest.approx(sum(temperatures) / len(temperatures) / 1e6, abs=0.00501)


def test_a_fleet_that_is_late_and_repeats_itself_is_kept_up_with(pipeline: Pipeline) -> None:
    """Totals are never more than seconds behind. tests/faults/test_fleet.py kills the consumer meanwhile, for long."""
    with lag_watched(pipeline.stack, LAG_S_MAX) as lag, fleet_sending(pipeline.stack, 100, seed=13) as fleet:
        lag.killed()  # looked at from when the first of it is counted
        eventually(lambda: _is_looked_at(lag, 12), within_s=60)
    stored.update(fleet.sent)
    assert max(lag.lags_s) <= LAG_S_MAX
    assert len(set(fleet.sent)) < len(fleet.sent)
    settled(pipeline)


def _is_looked_at(lag: Lag, times: int) -> None:
    assert len(lag.lags_s) >= times


def test_s01_an_aggregate_under_foreign_keys_is_counted_whole(pipeline: Pipeline) -> None:
    """KCL, as it comes, drops all of it: of its keys and of its sensors half belong to the other shard."""
    found = [Reading(1_760_000_000_000_000 + number, f"sensor-{number:03}", number) for number in range(300)]
    data = aggregate([encode_event(reading, 0) for reading in found], [f"key-{number}" for number in range(20)])
    pipeline.stack.kinesis.put_record(StreamName=pipeline.stack.names.stream, PartitionKey="gateway", Data=data)
    stored.update(found)
    settled(pipeline)


def test_s01_an_aggregate_with_a_broken_key_stops_nothing(pipeline: Pipeline) -> None:
    """KCL logs it and goes on after it; what it hands out of it counts, and replay says what it does not."""
    found = [Reading(1_761_000_000_000_000 + number, "sensor-000", number) for number in range(3)]
    events = [encode_event(reading, 0) for reading in found]
    spoilt = aggregate(events[:2], hash_keys=["0", "no number"])
    for data in (spoilt, events[2]):
        pipeline.stack.kinesis.put_record(StreamName=pipeline.stack.names.stream, PartitionKey="sensor-000", Data=data)
    stored.update([found[0], found[2]])
    settled(pipeline)
    assert "Unexpected exception during deaggregation" in pipeline.log.read_text()


def test_replay_prints_every_acknowledged_event(pipeline: Pipeline) -> None:
    """The set of replayed readings is the set of raw readings."""
    lines = replayed(pipeline)
    assert {decode_event(line) for line in lines} == stored
    assert all(json.loads(line)["type"] == "telemetry.temperature.recorded.v1" for line in lines)


def test_replay_selects_by_time_and_sensor_exactly(pipeline: Pipeline) -> None:
    """From is included, to is not; a sensor's events are its own."""
    times = sorted({reading.measured_at_us for reading in stored})
    first, last = times[len(times) // 4], times[len(times) // 2]
    lines = replayed(pipeline, "--from", rfc3339(first), "--to", rfc3339(last), "--sensor", "sensor-007")
    expected = {r for r in stored if first <= r.measured_at_us < last and r.sensor_id == "sensor-007"}
    assert expected
    assert {decode_event(line) for line in lines} == expected
    in_range = {decode_event(line) for line in replayed(pipeline, "--from", rfc3339(first), "--to", rfc3339(last))}
    assert in_range == {r for r in stored if first <= r.measured_at_us < last}


def test_garbage_in_the_stream_becomes_dead_letters_and_stops_nothing(pipeline: Pipeline) -> None:
    """Two records of garbage and an unknown event type are kept with bytes, position and reason; the shard goes on."""
    unknown = b'{"specversion":"1.0","type":"telemetry.humidity.recorded.v1","source":"/x","id":"1","data":{}}'
    garbage = [b"\x00\xff\xfenot an event", b"\x1f\x8bbroken gzip", unknown]
    records = [{"PartitionKey": f"garbage-{number}", "Data": data} for number, data in enumerate(garbage)]
    places = pipeline.stack.kinesis.put_records(StreamName=pipeline.stack.names.stream, Records=records)["Records"]  # type: ignore[arg-type]
    check_replies(send_all(pipeline.url, workload(4, 200, SENSORS)))
    settled(pipeline)
    letters = pipeline.stack.dynamodb.scan(TableName=pipeline.stack.names.dead_letters)["Items"]
    found = {(item["shard_id"]["S"], item["place"]["S"].split("#")[0]): item for item in letters}
    assert len(found) == len(garbage)
    for data, place, reason in zip(garbage, places, ("not JSON", "broken gzip", "unknown event type"), strict=True):
        item = found[place["ShardId"], place["SequenceNumber"]]
        assert bytes(item["data"]["B"]) == data
        assert reason in item["reason"]["S"]


def test_operators_see_decide_and_prove(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every shard is ok; letters are a finding until somebody decides; the tables are what the log says."""
    monkeypatch.setattr("replay.pace.pause_s", lambda _: 0)

    def typed(*words: str) -> Result:
        return CliRunner(env={**pipeline.stack.environ, "PORT": "0"}).invoke(telemetry, words)

    answer = typed("leases")
    assert answer.exit_code == 0, answer.output
    assert "3 dead letters that nobody decided about" in typed("doctor").stdout
    letters = [json.loads(line) for line in typed("dead-letters", "export").stdout.splitlines()]
    assert typed("dead-letters", "retry").exit_code == 4
    for letter in letters:
        assert typed("dead-letters", "discard", letter["place"], "--because", "a test").exit_code == 0

    def well() -> None:
        answer = typed("doctor")
        assert (answer.exit_code, answer.stdout.splitlines()[-1:]) == (0, ["All is well."]), answer.output

    eventually(well, within_s=30)
    answer = typed("verify")
    assert (answer.exit_code, answer.stdout.startswith("Equal: ")) == (0, True), answer.output


def replayed(pipeline: Pipeline, *options: str) -> list[bytes]:
    """What `telemetry replay` prints."""
    command = [str(Path(sys.executable).with_name("telemetry")), "replay", *options]
    done = subprocess.run(command, env=pipeline.stack.environ, capture_output=True, check=True, timeout=120)
    return done.stdout.splitlines()


def _event(body: dict[str, object]) -> bytes:
    event = {
        "specversion": "1.0",
        "type": "telemetry.temperature.recorded.v1",
        "subject": body["sensorId"],
        "time": body["timestamp"],
        "data": {"temperature": body["temperature"]},
    }
    return json.dumps(event).encode()
