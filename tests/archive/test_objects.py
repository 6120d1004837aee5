"""Objects: made record by record, read step by step, told by their last line; what is spoilt or newer is refused by name."""

import gzip
import io
import json
import subprocess
import tracemalloc
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.meta import Gap, Tail, parse_state
from archive.names import Place
from archive.objects import TAIL_BYTES, Draft, ObjectReader, read_tail
from telemetry.errors import ArchiveUnreadable
from telemetry.events import encode_event
from telemetry.log import LogRecord
from telemetry.reading import Reading
from telemetry.records import encode_record
from tests.archive.records import CREATED, DATA, SHARD, drafted, numbered

KEY = "log/1764147529.316/shardId-000000000002/001-0~0.ndjson.gz"
EVENTS = [encode_record([encode_event(Reading(at * 1_000_000, f"sensor-{at}", at), 0)]) for at in range(5)]


def read(data: bytes) -> tuple[list[LogRecord], Tail | None]:
    """All of an object."""
    reader = ObjectReader(io.BytesIO(data), KEY)
    return list(reader.records()), reader.tail


@given(st.lists(DATA, max_size=4))
def test_what_is_put_in_comes_out(contents: list[bytes]) -> None:
    """Records with their numbers and arrivals, and a last line that is found from the object's end too."""
    records = numbered(contents)
    tail, data = drafted(records).finish(shard_end=False)
    found, last = read(data)
    assert [record[:2] for record in found] == [record[:2] for record in records]
    assert last == tail == read_tail(data[-TAIL_BYTES:], KEY)
    assert tail.records == len(records)
    if records:
        assert tail.place == records[-1][:2]


def test_the_last_line_tells_of_the_object() -> None:
    """In words that stay: how far it reaches, what it holds, from when."""
    first, _, last = records = numbered(EVENTS[:3])
    _, data = drafted(records).finish(shard_end=True)
    lines = gzip.decompress(data).splitlines()
    assert json.loads(lines[0]) == {
        "meta": {
            "format": 1,
            "stream": "a-stream",
            "created": CREATED,
            "shard": "shardId-000000000002",
            "parents": ["shardId-000000000000", "shardId-000000000001"],
            "hash_range": ["0", str(2**128 - 1)],
            "gap": None,
        }
    }
    assert json.loads(lines[-1]) == {
        "meta": {
            "last": str(last.sequence_number),
            "records": 3,
            "lines": 3,
            # Arrivals need not rise along a shard.
            "arrived": {
                "min": "2025-11-26T08:59:59.974Z",
                "max": "2025-11-26T09:00:00.000Z",
                "last": "2025-11-26T08:59:59.974Z",
            },
            "measured": {"1970-01-01": 3},
            "shard_end": True,
        }
    }
    assert last.arrived_ms < first.arrived_ms


def test_an_end_may_be_an_object_without_records() -> None:
    """It reaches as far as the one before it; that of an empty shard nowhere."""
    after = Place(4711, 1_764_147_600_000)
    tail, data = drafted([], after).finish(shard_end=True)
    assert read(data) == ([], tail)
    assert (tail.place, tail.records, tail.shard_end, tail.arrived.min) == (after, 0, True, None)
    assert drafted([]).finish(shard_end=True)[0].place == Place()


def test_a_gap_stands_in_the_first_line() -> None:
    """With its bounds; the shard's start and end have none."""
    gap = Gap.between(Place(), Place(7, 1000), parents=("shardId-000000000000",))
    _, data = Draft("a-stream", CREATED, SHARD, Place(), gap).finish(shard_end=False)
    assert ObjectReader(io.BytesIO(data), KEY).head.gap == gap
    assert json.loads(gzip.decompress(data).splitlines()[0])["meta"]["gap"] == {
        "after": "0",
        "before": "7",
        "arrived_after": None,
        "arrived_before": "1970-01-01T00:00:01.000Z",
        "parents": ["shardId-000000000000"],
    }
    assert Gap.between(Place(7, 1000), None) == Gap("7", None, "1970-01-01T00:00:01.000Z", None)


def test_a_newer_format_is_refused_by_its_name() -> None:
    """And yet an archiver goes on behind it: the last line's words stay, whatever stands beside them."""
    _, data = drafted(numbered(EVENTS)).finish(shard_end=False)
    lines = gzip.decompress(data).splitlines(keepends=True)
    newer = gzip.compress(lines[0].replace(b'"format":1', b'"format":2').replace(b'"parents"', b'"ancestors"'))
    newer += gzip.compress(lines[-1].replace(b'"records"', b'"new":1,"records"'))
    with pytest.raises(ArchiveUnreadable, match=r"shardId-000000000002/.* is of format 2, .* up to 1: read it with a newer"):
        read(newer)
    assert read_tail(newer, KEY).records == 5


@pytest.mark.parametrize(
    "spoil", ["cut", "flipped", "no last line", "a record less", "after the last line", "not gzip", "empty"]
)
def test_a_spoilt_object_is_refused_by_name(spoil: str) -> None:
    """Nothing of it is taken for the whole."""
    _, data = drafted(numbered(EVENTS)).finish(shard_end=False)
    lines = gzip.decompress(data).splitlines(keepends=True)
    middle = len(data) // 2
    spoilt = {
        "cut": data[:-9],
        "flipped": data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :],
        "no last line": gzip.compress(b"".join(lines[:-1])),
        "a record less": gzip.compress(b"".join([*lines[:-2], lines[-1]])),
        "after the last line": data + gzip.compress(lines[1]),
        "not gzip": b"{}",
        "empty": b"",
    }[spoil]
    with pytest.raises(ArchiveUnreadable, match=KEY):
        read(spoilt)


def test_an_end_that_is_none_is_refused() -> None:
    """By name, for a tail as for a state."""
    with pytest.raises(ArchiveUnreadable, match=KEY):
        read_tail(b"\x1f\x8b\x08 no member", KEY)
    with pytest.raises(ArchiveUnreadable, match="state/1/s is no state of a shard"):
        parse_state(b"{}", "state/1/s")


def test_a_reader_of_a_large_object_stays_small() -> None:
    """It is read a record at a time, so its size does not matter."""
    chance = Random(1)  # noqa: S311  repeatable on purpose
    draft = drafted(numbered([encode_record([b'{"a":"%b"}' % chance.randbytes(100_000).hex().encode()]) for _ in range(40)]))
    _, data = draft.finish(shard_end=False)
    assert len(data) > 4_000_000
    source = io.BytesIO(data)
    tracemalloc.start()
    try:
        count = sum(1 for _ in ObjectReader(source, KEY).records())
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == draft.records
    assert peak_bytes < 2_000_000


def test_every_tool_reads_it(tmp_path: Path) -> None:
    """zcat sees lines; DuckDB the events, also of a record that a reader of ours takes by its bytes."""
    path = tmp_path / "001-0~0.ndjson.gz"
    odd = [b'{"a":1e400}\n', b'{"a":"\\ud83d\\ude00"}\n', b'{"a":"\\ud83d"}\n', b"\xff\n" + EVENTS[4]]
    tail, data = drafted(numbered([*EVENTS, *odd])).finish(shard_end=False)
    path.write_bytes(data)
    zcat = subprocess.run(["zcat", path], capture_output=True, check=True).stdout
    assert zcat.count(b"\n") == tail.lines + 2
    sql = """select count(*), count(distinct event->>'$.subject'), max(cast(event->>'$.data.temperature' as decimal(11,6)))
             from read_json(?, format='newline_delimited', columns={seq: 'VARCHAR', line: 'INTEGER', event: 'JSON'})
             where event is not null"""
    assert duckdb.connect().execute(sql, [str(path)]).fetchall() == [(8, 5, Decimal("0.000004"))]
