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


def test_values_that_no_reading_has_are_faults_of_their_rows(tmp_path: Path) -> None:
    """In words; the rows beside them are read."""
    path = tmp_path / "t.ndjson"
    deep = "[" * 100_000
    path.write_text(
        f'{deep}\n{{"a": {deep}\n{{"sensorId": [1.5], "temperature": {{"a": 1.5}}, "time": "x"}}\n'
        f'{{"temperature": 1e{"9" * 30}}}\n'
        '{"sensorId": "a", "temperature": NaN, "time": "x"}\n'
    )
    *faults, last = read(path, Form.NDJSON)
    assert [row.number for row in faults if row.fault and not row.reading] == [1, 2, 3, 4]
    assert all(row.fault.startswith("not JSON: ") and len(row.fault) > 15 for row in (*faults[:2], faults[3]))
    assert faults[2].fault == "sensorId is an array, which is no value; temperature is an object, which is no value"
    assert last == Row(5, sent("a", "nan", "x"))


COLUMNS_OF_ALL_KINDS = [
    pa.array([None], pa.null()),
    *(pa.array([1], kind) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32())),
    pa.array([2**64 - 1], pa.uint64()),
    *(pa.array([value], pa.float64()) for value in (18.7, float("nan"), float("-inf"))),
    *(pa.array([value], pa.float32()) for value in (18.7, float("nan"))),
    pa.array([18.5], pa.float32()).cast(pa.float16()),
    pa.array([True], pa.bool_()),
    *(pa.array(["a"], kind) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    *(pa.array([b"\xff"], kind) for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(1))),
    pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers()),
    *(pa.array([value], pa.date32()) for value in (0, 2**31 - 1, -(2**31))),
    *(pa.array([value * 86_400_000], pa.date64()) for value in (0, 10**9, -(10**9))),
    *(
        pa.array([value], pa.timestamp(unit, zone))
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "Europe/Berlin", "Nowhere/At_all")
        for value in (0, -1, 2**63 - 1, -(2**63) + 1)
    ),
    *(pa.array([1], kind) for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))),
    *(pa.array([2**40 + 1], pa.duration(unit)) for unit in ("s", "ms", "us", "ns")),
    *(pa.array([Decimal("1.5")], kind(9, 2)) for kind in (pa.decimal32, pa.decimal64, pa.decimal128, pa.decimal256)),
    pa.array([[1]], pa.list_(pa.int8())),
    pa.array([[1]], pa.large_list(pa.date32())),
    pa.array([[1.5]], pa.list_(pa.float32(), 1)),
    pa.array([{"a": 1}]),
    pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
    pa.array([0], pa.date32()).dictionary_encode(),
    pa.array([b"a"]).dictionary_encode(),
    pa.array([b"0123456789abcdef"], pa.uuid()),
    pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"])),
    pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())),
]


def _put(path: Path, column: pa.Array, field: str) -> bool:
    """Whether Parquet holds such a column: beside two that are as they should be."""
    good = {"sensorId": pa.array(["a"]), "temperature": pa.array([1]), "timestamp": pa.array(["x"])}
    try:
        pq.write_table(pa.table(good | {field: column}), path)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return False
    return True


@pytest.mark.parametrize("field", ["sensorId", "temperature", "timestamp"])
@pytest.mark.parametrize("number", range(len(COLUMNS_OF_ALL_KINDS)), ids=lambda at: f"{at} {COLUMNS_OF_ALL_KINDS[at].type}")
def test_every_type_of_arrow_is_sent_or_a_fault_in_words(tmp_path: Path, number: int, field: str) -> None:
    """In any column. What is sent is strict JSON."""
    if not _put(tmp_path / "t.parquet", COLUMNS_OF_ALL_KINDS[number], field):
        pytest.skip("Parquet has no such type")
    [row] = read(tmp_path / "t.parquet", Form.PARQUET)
    json.dumps(row.reading, allow_nan=False)
    assert bool(row.reading) != bool(row.fault)
    assert not row.fault or row.fault.startswith(f"{field} is ")


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([18_957], pa.date32()), "2021-11-26"),
        (pa.array([-1], pa.timestamp("ns")), "1969-12-31T23:59:59.999999"),
        (pa.array([0], pa.timestamp("s", "Europe/Berlin")), "1970-01-01T00:00:00+00:00"),
        (pa.array([2**62], pa.timestamp("ms")), None),
        (pa.array([b"0123456789abcdef"], pa.uuid()), "30313233-3435-3637-3839-616263646566"),
    ],
    ids=["date", "before 1970", "zone", "beyond 9999", "uuid"],
)
def test_what_stands_for_text_is_sent_as_text(tmp_path: Path, column: pa.Array, told: str | None) -> None:
    """A time that none can be is a fault, and no other time."""
    assert _put(tmp_path / "t.parquet", column, "timestamp")
    [row] = read(tmp_path / "t.parquet", Form.PARQUET)
    assert row.reading.get("timestamp") == told
    assert row.fault == ("" if told else "timestamp is a time that is not in the years 1 to 9999")


def test_a_table_with_two_columns_of_a_name_is_refused(tmp_path: Path) -> None:
    """In a sentence."""
    columns = [pa.array(["a"]), pa.array([1]), pa.array([2]), pa.array(["x"])]
    pq.write_table(
        pa.Table.from_arrays(columns, ["sensorId", "temperature", "temperature", "timestamp"]), tmp_path / "t.parquet"
    )
    with pytest.raises(BadTable, match=r"is not Parquet that can be read: .*temperature"):
        read(tmp_path / "t.parquet", Form.PARQUET)
