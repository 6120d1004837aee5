"""The log as a test reads it: every record of the stream, with plain GetRecords."""

from projections.decoding import Record
from telemetry.events import decode_event
from telemetry.reading import Reading
from telemetry.records import split_record
from tests.support.stack import Stack


def records_by_shard(stack: Stack) -> dict[str, list[Record]]:
    """All records from the trim horizon on."""
    stream = stack.names.stream
    shard_ids = [shard["ShardId"] for shard in stack.kinesis.list_shards(StreamName=stream)["Shards"]]
    return {shard_id: _records(stack, shard_id) for shard_id in shard_ids}


def readings_at(stack: Stack, position: str) -> list[Reading]:
    """The readings in the record that a receipt names (`X-Stream-Position`)."""
    shard_id, _, sequence_number = position.partition(":")
    iterator = stack.kinesis.get_shard_iterator(
        StreamName=stack.names.stream,
        ShardId=shard_id,
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=sequence_number,
    )["ShardIterator"]
    (record,) = stack.kinesis.get_records(ShardIterator=iterator, Limit=1)["Records"]
    assert record["SequenceNumber"] == sequence_number
    return [decode_event(line.data) for line in split_record(record["Data"])]


def _records(stack: Stack, shard_id: str) -> list[Record]:
    iterator = stack.kinesis.get_shard_iterator(
        StreamName=stack.names.stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records: list[Record] = []
    while True:
        page = stack.kinesis.get_records(ShardIterator=iterator, Limit=500)
        for item in page["Records"]:
            arrived_at_ms = int(item["ApproximateArrivalTimestamp"].timestamp() * 1000)
            records.append(Record(int(item["SequenceNumber"]), item["Data"], arrived_at_ms))
        iterator = page.get("NextShardIterator", "")  # a closed shard has an end
        if not iterator or (not page["Records"] and not page["MillisBehindLatest"]):
            return records
