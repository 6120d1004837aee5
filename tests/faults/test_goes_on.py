"""A machine's data survive: `make run` goes on with its archive, and a stream that was lost is continued from one."""

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from archive.instants import instant_ms
from infra.local.downloads import ensure_localstack
from infra.setup import load_definition, make_missing, names_now
from projections.generations import read_pointer
from projections.queries import fleet_stats
from telemetry.reading import Reading, parse_temperature, parse_timestamp
from telemetry.streams import number_of
from tests.faults.checker import events_in_log
from tests.faults.conftest import Trial
from tests.support.make_run import MakeRun
from tests.support.oracle import assert_tables_equal
from tests.support.processes import running
from tests.support.waiting import eventually

READINGS, TIMES = 10_000, 3


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_make_run_goes_on_with_ten_thousand_readings(tmp_path: Path) -> None:
    """Stopped or killed with all it started, three times in a row: all is there within 30 s, equal attribute for attribute."""
    ensure_localstack()
    archive, runs, slowest_s, since_s = tmp_path / "data", 0, 0.0, 0.0

    def again(**settings: str) -> MakeRun:
        nonlocal runs, slowest_s
        began_s, runs = time.monotonic(), runs + 1
        run = MakeRun(archive, tmp_path / f"{runs}.log", **settings).wait()
        slowest_s = max(slowest_s, time.monotonic() - began_s)
        return run

    run = again()
    began_us = 1_700_000_000_000_000
    after = run.send([Reading(began_us + number * 10**6, f"s-{number % 50}", number % 999) for number in range(READINGS)])
    try:
        assert run.count(after) == READINGS
        tables = run.tables()
        for kills in [False] * TIMES + [True] * TIMES:
            if kills:
                last_ms = time.time_ns() // 1_000_000
                run.kill()
            else:
                assert run.stop() == 0
            run = again()
            assert (run.count(after), run.tables()) == (READINGS, tables)
            said = run.said(r"what arrived after \S+ and before .* may be missing.*")
            assert len(said) == 0 if not kills else len(said) >= 1
            if kills:
                since_s = max(since_s, (last_ms - instant_ms(said[-1].split()[3])) / 1000)
        assert slowest_s < 30
        assert since_s < 30
        assert run.stop() == 0
        run = again(FRESH="1")
        assert (run.count(), len(list(tmp_path.glob("data.*")))) == (0, 1)
        assert run.stop() == 0
    finally:
        run.end()


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_stream_that_is_lost_under_load_is_continued_from_the_archive(trial: Trial) -> None:
    """With fresh tables: everything that was acknowledged and archived is counted once, and what may be lost is named."""
    kinesis, dynamodb, names = trial.stack.kinesis, trial.stack.dynamodb, trial.stack.names
    folder = trial.folder / "archive"
    archiving = {**trial.stack.environ, "ARCHIVE_TARGET": str(folder), "ARCHIVE_INTERVAL_S": "1"}
    old = read_pointer(dynamodb, names)
    assert old
    with trial.serving() as api, trial.sending(api, seed=15, per_s=100) as load:
        with trial.consuming(), running("archive", archiving, trial.folder / "archiver.log"):
            load.wait_for_more(1_000)
            kinesis.delete_stream(StreamName=names.stream)
            eventually(partial(_is_gone, trial), within_s=30)
        eventually(partial(_is_refused, api.url), within_s=30)
        make_missing(kinesis, dynamodb, names_now(kinesis, dynamodb, names.prefix), shards=2)
        command = [sys.executable, "-m", "cli", "continue", "--generation", "2", "--forget-unarchived"]
        told = subprocess.run(command, env=archiving, capture_output=True, text=True, timeout=120, check=False)
        assert told.returncode == 0, told.stderr
        continued = read_pointer(dynamodb, names)
        assert continued
        assert (continued.generation, continued.streams[0], continued.place.number) == (2, old.streams[0], 2)
        rows = fleet_stats(dynamodb, continued.names(names.prefix)).shards
        assert sum(row.stats.count for row in rows.values()) > 0
        assert {number_of(shard_id) for shard_id in rows} == {1}
        assert all(row.progress.ended for row in rows.values())
        gaps = [gap for row in rows.values() if (gap := row.progress.gap)]
        with trial.consuming("worker-2"):
            load.wait_for_more(500)
            load.stop()
            archived = set(_archived(folder))
            stack = replace(trial.stack, names=continued.names(names.prefix))
            known = archived | events_in_log(stack).keys()
            eventually(partial(assert_tables_equal, stack, known), within_s=120)
    since_us = min(gap.from_us for gap in gaps)
    offset_s = time.time() - time.monotonic()
    lost = [one for one in load.operations if one.outcome == "ok" and one.message.reading and one.message.reading not in known]
    assert all((one.ended_s + offset_s) * 10**6 >= since_us for one in lost)
    first, second = (
        {table["name"] for table in load_definition(one)["tables"].values()} for one in (names, continued.names(names.prefix))
    )
    for table in second - first:
        dynamodb.delete_table(TableName=table)
    trial.report("2 4", "the stream lost under load, and continued from the archive", 1, lost=len(lost))


def _is_gone(trial: Trial) -> None:
    assert trial.stack.names.stream not in trial.stack.kinesis.list_streams(Limit=1000)["StreamNames"]


def _is_refused(url: str) -> None:
    """The API has seen that the stream is gone: it stores nothing in another one that the log does not name."""
    body = {"sensorId": "nobody", "temperature": 1, "timestamp": "2026-03-01T00:00:00Z"}
    assert httpx.put(f"{url}/api/temperature", json=body, timeout=10).json()["code"] == "wrong-stream"


def _archived(folder: Path) -> Iterator[Reading]:
    """Every reading in the folder's objects, taken from their lines."""
    for path in folder.rglob("*.ndjson.gz"):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            if event := json.loads(line, parse_float=str, parse_int=str).get("event"):
                temperature = parse_temperature(event["data"]["temperature"])
                yield Reading(parse_timestamp(event["time"]), event["subject"], temperature)
