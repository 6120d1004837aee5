"""What docs/archive.md shows is what is written."""

import gzip
import re

from archive.names import START, object_key
from archive.objects import Draft
from telemetry.events import encode_event
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord
from telemetry.reading import Reading, parse_timestamp
from telemetry.shards import Shard
from tests.tidy.tree import ROOT

TEXT = (ROOT / "docs/archive.md").read_text()
CREATED = "1795693574.762"
READING = Reading(parse_timestamp("2021-11-26T18:10:00"), "202", 18_700_000)
RECORDS = [
    LogRecord(
        49680582185283048174946646977517061163422765233031086082,
        1_795_693_577_533,
        encode_event(READING, parse_timestamp("2026-11-26T11:46:18.123456")) + b"\n",
    ),
    LogRecord(49680582185283048174946646977518270089242379862205792258, 1_795_693_577_581, b"{no event\n"),
]


def test_the_object_shown_is_what_is_written() -> None:
    """Line by line; the names shown are its own and that of the one that follows."""
    shard = Shard("shardId-000000000000", 0, HASH_KEY_MAX // 2)
    draft = Draft("telemetry-dev-temperature-events", CREATED, shard, START)
    for record in RECORDS:
        draft.add(record)
    tail, data = draft.finish(shard_end=False)
    [shown] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert gzip.decompress(data).decode() == shown
    for place in (START, tail.place):
        assert object_key(CREATED, shard.shard_id, place) in TEXT
