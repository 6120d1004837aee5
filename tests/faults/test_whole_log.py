"""A long log, half of it only in the archive, read back as every format by a replay that is killed meanwhile."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from telemetry.shards import list_shards
from tests.faults.conftest import FULL, Trial
from tests.faults.whole_log import InOrder, Row, Sums, WholeLog
from tests.support.logs import log_lines
from tests.support.processes import start, stop
from tests.support.stack import Stack
from tests.support.waiting import eventually

FORMATS = ("jsonl", "csv", "parquet")
GAP = 5
"""The exit status of a replay that says that something may be missing: the last moments of a stream that was lost."""
PART_ROWS = 50_000
"""Of Parquet: several are finished before a replay is killed for the last time."""
_LOOK_S = 0.02
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Replayed(NamedTuple):
    """A replay that came to its end."""

    path: Path
    kills: int
    peak_mb: float
    """The most memory that one of its processes took."""
    said: str


@pytest.mark.timeout(3600)
def test_a_long_log_comes_back_whole_from_archive_and_stream(trial: Trial, tmp_path: Path) -> None:
    """Over streams and reshards, killed on the way: in every format what was put in, each sensor's in its order."""
    readings, sensors, a_call = trial.often(3_000, 1_000_000), trial.often(20, 200), trial.often(150, 10_000)
    log, environ = WholeLog(trial.stack, sensors), {**trial.stack.environ, "ARCHIVE_TARGET": str(tmp_path / "archive")}
    log.split()
    log.split()
    with archiving(trial.stack, environ, tmp_path / "first.log"):
        log.write(readings // 4, a_call)
        log.split()
        log.write(readings // 4, a_call)
    log.lose_the_stream()
    with archiving(trial.stack, environ, tmp_path / "second.log"):
        log.write(readings // 4, a_call)
    log.merge()
    log.write(readings // 4, a_call)
    kills = dict.fromkeys(FORMATS, trial.often(0, 3)) | {"jsonl": trial.often(1, 3)}
    with ThreadPoolExecutor(len(FORMATS)) as threads:
        replaying = {
            form: threads.submit(replay, environ, form, tmp_path / form, kills[form], log.oracle.bytes // 2 if FULL else 0)
            for form in FORMATS
        }
        replayed = {form: found.result() for form, found in replaying.items()}
    for form, found in replayed.items():
        assert "A gap: what arrived in shardId-" in found.said, found.said
        assert "A gap: what arrived in 2/" not in found.said, found.said
        assert got(form, found.path).told() == (log.oracle.lines if form == "jsonl" else log.oracle.rows).told(), form
    assert opened(tmp_path) == dict.fromkeys(
        ("DuckDB jsonl", "DuckDB csv", "DuckDB parquet", "pyarrow", "pandas"), log.oracle.sums
    )
    trial.report(
        "1 4",
        f"replay of {readings:,} readings over two streams and four reshards, half of them only in the archive, killed with -9",
        sum(found.kills for found in replayed.values()),
        readings=log.oracle.lines.count,
        repeats_left_out=log.oracle.repeats,
        peak_mb_of_each_format=" ".join(f"{form} {found.peak_mb:.0f}" for form, found in replayed.items()),
    )


@contextmanager
def archiving(stack: Stack, environ: Mapping[str, str], log: Path) -> Iterator[None]:
    """An archiver beside the block; at its end it archives the tip of every shard."""
    process = start("archive", {**environ, "ARCHIVE_INTERVAL_S": "1"}, log)
    try:
        yield
        shards = len(list_shards(stack.kinesis, stack.names.stream).shards)
        eventually(partial(_are_taken_up, log, shards), within_s=90)
    finally:
        assert stop(process) == 0, log.read_text()[-3000:]


def _are_taken_up(log: Path, shards: int) -> None:
    taken = {line["shard_id"] for line in log_lines(log) if line["event"] == "shard_taken_up"}
    assert len(taken) >= shards, log.read_text()[-3000:]


def replay(environ: Mapping[str, str], form: str, path: Path, kills: int, size_bytes: int) -> Replayed:
    """`telemetry replay`, killed so often on its way to some size, and begun again until it ends by itself."""
    command = [sys.executable, "-c", _SMALL_PARTS, "replay", "--format", form, "--output", str(path)]
    peak_mb, killed = 0.0, 0
    vouched: dict[str, int] = {}
    while True:
        with path.with_name(f"{form}.words").open("w+") as words:
            process = subprocess.Popen(command, env=environ, stdout=words, stderr=words)
            if killed < kills and reaches(process.pid, path, size_bytes * (killed + 1) // (kills + 1), killed + 2):
                vouched |= _finished(path)
                process.kill()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            words.seek(0)
            said = words.read()
        peak_mb = max(peak_mb, usage.ru_maxrss / 1024)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == GAP, said
            assert vouched.items() <= _finished(path).items()
            return Replayed(path, killed, peak_mb, said)
        killed += 1


_SMALL_PARTS = f"""
from cli.main import telemetry
from replay import parquet
parquet.PART_ROWS = {PART_ROWS}
telemetry()
"""


def _finished(path: Path) -> dict[str, int]:
    """When the parts were finished for which the place vouches; none where the output is a file."""
    parts = sorted(path.glob("part-*.parquet")) if path.is_dir() else []
    return {part.name: part.stat().st_mtime_ns for part in parts[:-1]}  # the place may not yet know of the last


def reaches(pid: int, path: Path, size_bytes: int, parts: int) -> bool:
    """Whether an output comes to some size, or a folder to some finished parts, before its process ends."""
    place = path.with_name(f"{path.name}.place")
    while _state(pid) != "Z":
        reached = len([*path.glob("part-*.parquet")]) >= parts if path.is_dir() else _size(path) >= size_bytes
        if place.exists() and reached:
            return True
        threading.Event().wait(_LOOK_S)
    return False


def _state(pid: int) -> str:
    """How the kernel calls what a process does: `Z` when it has ended and nobody has asked how."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def got(form: str, path: Path) -> InOrder:
    """What a replay wrote, sensor by sensor."""
    found = InOrder()
    if form == "jsonl":
        with path.open() as lines:
            for line in lines:
                found.add(json.loads(line)["subject"], line.removesuffix("\n"))
        return found
    for row in _csv_rows(path) if form == "csv" else _parquet_rows(path):
        found.add(row.sensor_id, "|".join(map(str, row)))
    return found


def _csv_rows(path: Path) -> Iterator[Row]:
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            yield _row(row)


def _parquet_rows(path: Path) -> Iterator[Row]:
    for part in sorted(path.glob("*.parquet")):
        for batch in pq.ParquetFile(part).iter_batches():
            for row in batch.to_pylist():
                at = row["measured_at"].astimezone(UTC).replace(tzinfo=None).isoformat()
                temperature = format(row["temperature"].normalize(), "f")
                yield _row(row | {"measured_at": (at.rstrip("0") if "." in at else at) + "Z", "temperature": temperature})


def _row(row: Mapping[str, Any]) -> Row:
    return Row(*(row[name] for name in Row._fields))


def opened(folder: Path) -> dict[str, dict[str, Sums]]:
    """What engines make of the outputs."""
    columns = "{'subject': 'VARCHAR', 'time': 'TIMESTAMPTZ', 'data': 'STRUCT(temperature DECIMAL(11,6))'}"
    events = f"read_json('{folder}/jsonl', format='newline_delimited', columns={columns})"
    tables = {
        "jsonl": f'select subject sensor_id, data.temperature, "time" measured_at from {events}',  # noqa: S608
        "csv": f"select * from read_csv('{folder}/csv', types={{temperature: 'DECIMAL(11,6)', sequence_number: 'VARCHAR'}})",  # noqa: S608
        "parquet": f"select * from '{folder}/parquet/*.parquet'",  # noqa: S608  our own paths
    }
    return {f"DuckDB {form}": _by_duckdb(table) for form, table in tables.items()} | {
        "pyarrow": _by_pyarrow(folder / "parquet"),
        "pandas": _by_pandas(folder / "parquet"),
    }


def _by_duckdb(table: str) -> dict[str, Sums]:
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        found = db.execute(
            "select sensor_id, count(*), (sum(temperature) * 1000000)::bigint, "  # noqa: S608  our own paths
            f"epoch_us(min(measured_at)), epoch_us(max(measured_at)) from ({table}) group by 1"
        ).fetchall()
    return {sensor_id: Sums(*sums) for sensor_id, *sums in found}


def _by_pyarrow(folder: Path) -> dict[str, Sums]:
    table = ds.dataset(folder, format="parquet").to_table(columns=["sensor_id", "temperature", "measured_at"])
    sums = table.group_by("sensor_id").aggregate([("temperature", "count"), ("temperature", "sum"), ("measured_at", "min_max")])
    return {
        row["sensor_id"]: Sums(
            row["temperature_count"],
            int(row["temperature_sum"] * 10**6),
            _us(row["measured_at_min_max"]["min"]),
            _us(row["measured_at_min_max"]["max"]),
        )
        for row in sums.to_pylist()
    }


def _by_pandas(folder: Path) -> dict[str, Sums]:
    frame = pd.read_parquet(folder, columns=["sensor_id", "temperature", "measured_at"])
    return {
        sensor_id: Sums(
            len(group),
            int(sum(group["temperature"], Decimal()) * 10**6),
            _us(group["measured_at"].min()),
            _us(group["measured_at"].max()),
        )
        for sensor_id, group in frame.groupby("sensor_id")
    }


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
