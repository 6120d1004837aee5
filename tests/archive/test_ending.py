"""A stream that is about to go is archived to its end."""

from pathlib import Path

from archive.chain import chain_end
from archive.ending import archive_to_end
from archive.folder import FolderTarget
from archive.source import ArchiveSource
from archive.stream import Stream
from telemetry.log import Log
from telemetry.settings import Settings
from tests.support.stack import Stack


def test_the_tip_is_the_end_of_every_shard(stack: Stack, tmp_path: Path) -> None:
    """What was not archived is; a shard in which nothing came ends too; to do it once more changes nothing."""
    settings = Settings(**{**stack.settings.model_dump(), "archive_interval_s": 1})
    target, stream = FolderTarget(tmp_path), Stream(stack.kinesis, stack.names.stream, 10)
    sent = [stack.kinesis.put_record(StreamName=stack.names.stream, PartitionKey="a", Data=b"{}\n") for _ in range(3)]
    for _ in range(2):
        archive_to_end(settings, stream, target)
        ends = {shard_id: chain_end(target, stream.created, shard_id).tail for shard_id in stream.shards().shards}
        assert len(ends) == 2
        assert all(tail and tail.shard_end and tail.stream_end for tail in ends.values())
        assert {shard_id: tail.last for shard_id, tail in ends.items() if tail and tail.last != "0"} == {
            sent[-1]["ShardId"]: sent[-1]["SequenceNumber"]
        }
    source = ArchiveSource(target, [stream.created, "9999999999.000"])
    assert not source.unarchived()
    pages = list(Log([source]).pages())
    assert [record.sequence_number for page in pages for record in page.records] == [int(one["SequenceNumber"]) for one in sent]
    assert not any(page.gap for page in pages)
