"""Tables of others become readings as they are: every digit, whatever columns are called, and no row in silence."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.formats import CsvRows, line_of
from replay.tables import BadTable, Form, Row, rows_of
from tests.replay.test_parquet import EVENTS, written


def read(path: Path, form: Form, **mapped: str) -> list[Row]:
    return list(rows_of(path, form, mapped))


def sent(sensor: object, temperature: object, timestamp: object) -> dict[str, object]:
    return {"sensorId": sensor, "temperature": temperature, "timestamp": timestamp}


def test_csv_is_read_by_its_header(tmp_path: Path) -> None:
    """As text, in quotes or not, with a byte order mark or not; a row that is too short lacks what it lacks."""
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeffwhen,id,°C,more\n2021-11-26T18:10:00,"a ""b"", c",18.70,x\n2021-11-26,202\n'.encode())
    found = read(path, Form.CSV, sensorId="id", temperature="°C", timestamp="when")
    assert found == [Row(1, sent('a "b", c', "18.70", "2021-11-26T18:10:00")), Row(2, sent("202", None, "2021-11-26"))]


def test_ndjson_keeps_its_numbers_and_its_bad_lines(tmp_path: Path) -> None:
    """Exactly; blank lines are no rows; a dot leads into an object."""
    path = tmp_path / "t.ndjson"
    path.write_text(
        '{"s": "a", "m": {"t": 18.70000000000000000001}, "at": "x"}\n\n{broken\n[1]\n{"s": 202, "m": 3, "at": null}\n'
    )
    found = read(path, Form.NDJSON, sensorId="s", temperature="m.t", timestamp="at")
    assert found[0] == Row(1, sent("a", "18.70000000000000000001", "x"))
    assert (found[1].number, found[1].reading, found[1].fault[:8]) == (2, {}, "not JSON")
    assert found[2] == Row(3, {}, "not a JSON object")
    assert found[3] == Row(4, sent(202, None, None))


@pytest.mark.parametrize(
    ("column", "temperature"),
    [
        (pa.array([18.7], pa.float32()), "18.7"),
        (pa.array([18.7], pa.float64()), 18.7),
        (pa.array([Decimal("18.700000")], pa.decimal128(11, 6)), "18.700000"),
        (pa.array([18], pa.int16()), 18),
        (pa.array(["18.7"]).dictionary_encode(), "18.7"),
        (pa.array([None], pa.float64()), None),
    ],
    ids=["float", "double", "decimal", "integer", "dictionary", "null"],
)
def test_parquet_of_any_types_is_read(tmp_path: Path, column: pa.Array, temperature: object) -> None:
    """A number of 32 bits says its own digits; times with nanoseconds are cut as the API cuts them."""
    at = pa.array([1_637_950_200_123_456_789], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"sensor_id": ["a"], "temperature": column, "measured_at": at}), tmp_path / "t.parquet")
    [row] = read(tmp_path / "t.parquet", Form.PARQUET)
    assert row == Row(1, sent("a", temperature, "2021-11-26T18:10:00.123456+00:00"))
    json.dumps(row.reading)


def test_what_replay_writes_can_be_imported(tmp_path: Path) -> None:
    """In each of its formats, without a map."""
    from projections.zones import zone_of
    from telemetry.events import encode_event
    from telemetry.reading import parse_sensor_id, parse_temperature, parse_timestamp

    csv_rows = CsvRows(zone_of("Asia/Kathmandu"), mark=False)
    (tmp_path / "t.csv").write_bytes(csv_rows.header + b"".join(csv_rows.row(event, repeat=False) for event in EVENTS))
    lines = [line_of(event._replace(line=encode_event(event.reading, 0)), repeat=True) for event in EVENTS]
    (tmp_path / "t.jsonl").write_bytes(b"".join(lines))
    assert written(tmp_path / "out") == 1
    for path, form in (("t.csv", Form.CSV), ("t.jsonl", Form.NDJSON), ("out/part-000000.parquet", Form.PARQUET)):
        found = [
            (parse_timestamp(row["timestamp"]), parse_sensor_id(row["sensorId"]), parse_temperature(row["temperature"]))
            for _, row, _ in read(tmp_path / path, form)
        ]
        assert found == [event.reading for event in EVENTS], path


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"id,temperature\n", r"no column for sensorId \(sensorId or sensor_id or subject\); timestamp"),
        ("t.csv", b"", "It has none"),
        ("t.csv", b"\xff\xfe", "not CSV in UTF-8"),
        ("t.parquet", b"PAR1", "is not Parquet"),
    ],
)
def test_what_is_no_such_table_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """With the columns that were looked for, and those that there are."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadTable, match=said):
        read(tmp_path / name, Form(name.partition(".")[2]))


def test_a_parquet_file_without_a_column_is_said(tmp_path: Path) -> None:
    """As CSV does it."""
    pq.write_table(pa.table({"at": [datetime(2021, 11, 26, tzinfo=UTC)]}), tmp_path / "t.parquet")
    with pytest.raises(BadTable, match="It has at: use --map field=column"):
        read(tmp_path / "t.parquet", Form.PARQUET)
