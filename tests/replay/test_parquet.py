"""What is written as Parquet opens in pyarrow, DuckDB and pandas, says what the log says, and is packed for readings."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from replay import parquet
from replay.events import Event
from replay.formats import COLUMNS
from replay.parquet import Parts
from telemetry.limits import TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN
from telemetry.log import LogRecord
from telemetry.reading import Reading

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEGIN_US = 1_700_000_000_000_000


def event(number: int, sensor_id: str, temperature_micro: int) -> Event:
    record = LogRecord(49 * 10**54 + number // 10, BEGIN_US // 1000 + number, b"")
    reading = Reading(BEGIN_US + number * 1_000_001, sensor_id, temperature_micro)
    return Event(f"shardId-{number % 3:012}", record, number % 10, b"", reading)


EVENTS = [
    event(0, "Küche", 18_700_000),
    event(1, 'a,"b"', TEMPERATURE_MICRO_MIN),
    event(2, "Küche", TEMPERATURE_MICRO_MAX),
    event(3, "𝄞", -1),
    *(event(number, f"sensor-{number % 7}", 20_000_000 + number * 10_000) for number in range(4, 500)),
]
REPEATS = [number % 5 == 0 for number in range(len(EVENTS))]


def written(folder: Path, events: Sequence[Event] = EVENTS, parts: int = 0) -> int:
    output = Parts(folder, parts, mark=True)
    saved = parts
    for one, repeat in zip(events, REPEATS, strict=False):
        output.write(one, repeat=repeat)
        if output.is_due():
            saved = output.save()
    return max(saved, output.save())


def expected(events: Sequence[Event] = EVENTS) -> list[tuple[Any, ...]]:
    """What the columns must hold, by another way: datetimes and decimals of Python."""
    return [
        (
            one.reading.sensor_id,
            Decimal(one.reading.temperature_micro) / 1_000_000,
            EPOCH + timedelta(microseconds=one.reading.measured_at_us),
            EPOCH + timedelta(milliseconds=one.record.arrived_ms),
            one.shard_id,
            str(one.record.sequence_number),
            one.number,
            repeat,
        )
        for one, repeat in zip(events, REPEATS, strict=False)
    ]


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 64)
    monkeypatch.setattr(parquet, "PART_ROWS", 200)


@pytest.fixture
def folder(tmp_path: Path, small_groups: None) -> Path:
    """Three parts of several row groups."""
    assert written(tmp_path / "out") == 3
    return tmp_path / "out"


def test_pyarrow_reads_what_the_log_says(folder: Path) -> None:
    """Exact decimals, instants, and the places."""
    table = pq.read_table(folder)
    assert table.column_names == [*COLUMNS, "repeat"]
    assert [tuple(row.values()) for row in table.to_pylist()] == expected()


def test_duckdb_reads_what_the_log_says(folder: Path) -> None:
    """Sums of decimals are exact too."""
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        found = db.execute(f"select * from '{folder}/*.parquet' order by measured_at").fetchall()  # noqa: S608  our own path
        [(total,)] = db.execute(f"select sum(temperature) from '{folder}/*.parquet'").fetchall()  # noqa: S608
    assert found == expected()
    assert total == sum(row[1] for row in expected())


def test_pandas_reads_what_the_log_says(folder: Path) -> None:
    """With its defaults."""
    frame = pd.read_parquet(folder)
    assert [tuple(row) for row in frame.itertuples(index=False)] == expected()
    assert str(frame["measured_at"].dtype) == "datetime64[us, UTC]"


def test_parts_and_row_groups_are_bounded_and_packed_for_readings(folder: Path) -> None:
    """Differences for numbers, dictionaries for what repeats, zstd for all."""
    files = [pq.ParquetFile(path).metadata for path in sorted(folder.iterdir())]
    assert [file.num_rows for file in files] == [200, 200, 100]
    columns = [file.row_group(group).column(at) for file in files for group in range(file.num_row_groups) for at in range(7)]
    assert all(file.row_group(group).num_rows <= 64 for file in files for group in range(file.num_row_groups))
    assert {column.compression for column in columns} == {"ZSTD"}
    for column in columns:
        wanted = (
            "RLE_DICTIONARY" if column.path_in_schema in ("sensor_id", "shard", "sequence_number") else "DELTA_BINARY_PACKED"
        )
        assert wanted in column.encodings, column.path_in_schema
    assert {column.physical_type for column in columns if column.path_in_schema == "temperature"} == {"INT64"}


def test_a_part_is_there_when_it_is_finished(tmp_path: Path, small_groups: None) -> None:
    """Whoever opens all that is there meets no half of one."""
    output = Parts(tmp_path, 0, mark=True)
    for one in EVENTS[:100]:
        output.write(one, repeat=False)
    assert [path.name for path in tmp_path.iterdir()] == ["part-000000.parquet.tmp"]
    assert output.save() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["part-000000.parquet"]
    assert output.save() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["part-000000.parquet"]


def test_a_part_is_due_after_minutes_however_few_are_in_it(tmp_path: Path) -> None:
    """Also with none, so that the place of what was read is kept; and not again at once."""
    now_s = [1000.0]
    output = Parts(tmp_path, 0, lambda: now_s[0], mark=True)
    output.write(EVENTS[0], repeat=False)
    for parts in (1, 1):
        now_s[0] += 299
        assert not output.is_due()
        now_s[0] += 1
        assert output.is_due()
        assert output.save() == parts
        assert not output.is_due()
    assert [path.name for path in tmp_path.iterdir()] == ["part-000000.parquet"]


def test_what_nobody_vouches_for_goes(folder: Path) -> None:
    """A part begun, and one finished without its place having been saved, are written again; what else lies there stays."""
    (folder / "part-000001.parquet.tmp").write_bytes(b"half")
    (folder / "README").write_text("mine")
    Parts(folder, 1, mark=True)
    assert sorted(path.name for path in folder.iterdir()) == ["README", "part-000000.parquet"]
    assert written(folder, EVENTS[200:], parts=1) == 3
    assert pq.read_table(sorted(folder.glob("*.parquet"))).num_rows == 500
