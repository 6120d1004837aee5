"""Anything that a record of the stream may hold, for hypothesis."""

import gzip
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from archive.meta import Gap
from archive.names import START, Place, object_key
from archive.objects import Draft
from archive.targets import Target
from projections.decoding import Decoder, Record
from telemetry.aggregates import user_records
from telemetry.events import encode_event
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord
from telemetry.records import encode_record
from telemetry.shards import Shard
from tests.support.aggregates import aggregate
from tests.telemetry.strategies import READINGS

SHARD = Shard("shardId-000000000002", 0, HASH_KEY_MAX, ("shardId-000000000000", "shardId-000000000001"))
CREATED = "1764147529.316"

EVENTS = st.builds(encode_event, READINGS, st.integers(0, 4 * 10**15))
ODD_LINES = st.sampled_from(
    [
        b"",
        b" ",
        b"\t\r",
        b"{}",
        b" {}",
        b"{} ",
        b"{}\r",
        b'{"a":\r1}',
        b'{"a":"\xe2\x80\xa8"}',
        b'{"a":"\xc2\x85"}',
        b'{"a":1,"a":2}',
        b'{"a":' + b"9" * 4301 + b"}",
        b'{"a":1e999999999999999999999}',
        b'{"a":1e400}',
        b'{"a":NaN}',
        b'{"a":"\\ud83d\\ude00"}',
        b'{"a":"\\ud83d"}',
        b'{"a":"\\ude00"}',
        b'{"specversion":"1.0","type":"of.tomorrow"}',
        b'\xef\xbb\xbf{"a":1}',
        b"\xff{}",
        b"[1]",
        b"null",
        b'{"meta":{}}',
        b'{"seq":"1","line":0}',
        b"[" * 600 + b"]" * 600,
    ]
)
TEXTS = st.builds(
    lambda lines, end: b"\n".join(lines) + end,
    st.lists(st.one_of(EVENTS, EVENTS, ODD_LINES, st.binary(max_size=30)), max_size=6),
    st.sampled_from([b"\n", b"\n", b"", b"\n\n", b"\n \n"]),
)
PACKED = st.one_of(
    TEXTS.map(lambda text: gzip.compress(text, mtime=0)),
    st.lists(TEXTS, min_size=1, max_size=3).map(lambda texts: b"".join(gzip.compress(text, mtime=0) for text in texts)),
    TEXTS.map(lambda text: gzip.compress(text, mtime=0)[:-3]),
    st.sampled_from([101, 150]).map(lambda count: gzip.compress(b'{"specversion":"1.0"}\n' * count)),
)
OURS = st.lists(EVENTS, min_size=1, max_size=20).map(encode_record)
AGGREGATES = st.one_of(
    st.lists(st.one_of(TEXTS, OURS), min_size=1, max_size=3).map(aggregate),
    st.lists(TEXTS, min_size=1, max_size=3).map(lambda texts: aggregate(texts)[:-1]),
    st.lists(TEXTS, min_size=1, max_size=3).map(lambda texts: aggregate(texts, hash_keys=("no number",))),
)
DATA = st.one_of(st.binary(max_size=100), TEXTS, PACKED, OURS, AGGREGATES)


def numbered(contents: list[bytes], first: int = 49590338271490256608559692538361571095921575989136588898) -> list[LogRecord]:
    """Records of these contents, as a shard has them: their arrivals need not rise."""
    return [LogRecord(first + 2 * at, 1_764_147_600_000 + at * 7 - at % 3 * 20, data) for at, data in enumerate(contents)]


def projected(record: LogRecord) -> list[object]:
    """What the projector is told of a record's lines, dead letters with their bytes included."""
    parts = user_records(record.data).parts or [b""]
    return list(Decoder(SHARD).decode(Record(record.sequence_number, parts[0], record.arrived_ms, tuple(parts[1:]))))


def chained(
    target: Target,
    objects: Sequence[Sequence[LogRecord]],
    *,
    shard: Shard = SHARD,
    created: str = CREATED,
    ended: bool = False,
    stream_end: bool = False,
    gaps: Mapping[int, Gap] | None = None,
) -> list[str]:
    """A chain of objects that hold these records, some behind a gap; their names."""
    after, keys = START, []
    for number, records in enumerate(objects):
        draft = Draft("a-stream", created, shard, after, (gaps or {}).get(number))
        for record in records:
            draft.add(record)
        last = number == len(objects) - 1
        tail, data = draft.finish(shard_end=ended and last, stream_end=stream_end and last)
        keys.append(object_key(created, shard.shard_id, after))
        assert target.put_new(keys[-1], data)
        after = tail.place
    return keys


def drafted(records: list[LogRecord], after: Place = START) -> Draft:
    """An object that is being made of these records."""
    draft = Draft("a-stream", CREATED, SHARD, after)
    for record in records:
        draft.add(record)
    return draft
