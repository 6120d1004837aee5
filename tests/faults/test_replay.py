"""Replay where the emulator is at its slowest."""

import pytest

from replay.stream import StreamSource, look_at
from telemetry.aws import kinesis_client
from telemetry.events import encode_event
from telemetry.log import Log
from telemetry.reading import Reading
from tests.support.stack import new_stack

CALLS, EVENTS = 21, 499
EVENT = encode_event(Reading(0, "a", 0), 0) + b"\n"


@pytest.mark.full
def test_s04_many_calls_of_single_events_into_one_shard_are_read_whole(endpoint: str, java: str) -> None:
    """It stamps a call with one arrival time, so that lag is 0 before the end, and takes seconds over a large page."""
    with new_stack(endpoint, java, shards=1) as stack:
        for _ in range(CALLS):
            stack.kinesis.put_records(StreamName=stack.names.stream, Records=[{"PartitionKey": "a", "Data": EVENT}] * EVENTS)
        kinesis = kinesis_client(stack.settings, attempts=1, read_timeout_s=30)
        source = StreamSource(kinesis, stack.names.stream, look_at(kinesis, stack.names.stream))
        assert sum(len(page.records) for page in Log([source]).pages()) == CALLS * EVENTS
        kinesis.close()
