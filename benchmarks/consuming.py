"""P8 to P10 and some of P16: a record processor in the conversation that KCL's daemon holds with it.

The daemon itself is left out: it costs the same for ours and for the sample.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from benchmarks.figures import Figure, ratios
from benchmarks.rig import Rig, cpu_s, memory_mb
from replay.events import Choice, Events, Passed
from replay.pace import PAGE_BYTES, PAGE_RECORDS_MAX
from replay.stream import StreamSource, look_at
from telemetry.aws import dynamodb_client
from telemetry.events import encode_event
from telemetry.log import Log
from telemetry.read_budget import FIRST_PAGE_RECORDS, page_records
from telemetry.reading import Reading
from telemetry.records import encode_record
from telemetry.shards import list_shards
from tests.consumer.conversation import SHUTDOWN_REQUESTED, Child, Message, acknowledge, initialize, process_records
from tests.support.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

PAIRS = 5
EVENTS_A_RECORD = 180
RECORDS_A_DELIVERY = 10
START_US = 1_780_000_000_000_000
SHARD = "shardId-000000000000"
_REPLAYED_SHARDS: Final = 4


def readings(count: int, sensors: int, *, per_sensor_s: float = 1) -> list[Reading]:
    """Readings of so many sensors, each once in `per_sensor_s`, in the order they are measured."""
    return [
        Reading(
            START_US + int((number // sensors + number % sensors / sensors) * per_sensor_s * 1e6),
            f"sensor-{number % sensors:05}",
            15_000_000 + number * 7919 % 977 * 10_000,
        )
        for number in range(count)
    ]


def records(log: Sequence[Reading], events: int = EVENTS_A_RECORD) -> list[bytes]:
    """The log as our API packs it."""
    return [
        encode_record([encode_event(one, one.measured_at_us) for one in share]) for share in batched(log, events, strict=False)
    ]


def converse(
    rig: Rig, stack: Stack, module: str, data: Sequence[bytes], *, look: Callable[[int], None] = lambda _: None
) -> tuple[float, float]:
    """Hand a child all records and let it shut down; how long that took and its processor time, in seconds.

    `look` is given its process id before it ends.
    """
    with (rig.folder / "children.log").open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**stack.environ, "LOG_LEVEL": "error", "AWS_DEFAULT_REGION": stack.settings.aws_region},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
        )
    child = Child(process)
    try:
        child.exchange(initialize("shardId-benchmark"))
        messages = [
            process_records({10**55 + number: data[number] for number in numbers}, behind_ms=1)
            for numbers in batched(range(len(data)), RECORDS_A_DELIVERY, strict=False)
        ]
        before_s, began_s = cpu_s(process.pid), time.perf_counter()
        for message in [*messages, SHUTDOWN_REQUESTED]:
            _tell(child, message)
        seconds, used_s = time.perf_counter() - began_s, cpu_s(process.pid) - before_s
        look(process.pid)
        return seconds, used_s
    finally:
        child.end()
        assert process.stdout
        process.stdout.close()


def _tell(child: Child, message: Message) -> None:
    """Say something; acknowledge checkpoints until it is done."""
    answer = child.exchange(message)
    while answer["action"] == "checkpoint":
        answer = child.exchange(acknowledge(answer["sequenceNumber"]))


def against_batch_writes(rig: Rig) -> Iterator[Figure]:
    """P8: what the table takes when readings are written one item each, 25 a call from 8 threads."""
    log = readings(40_000, 200)
    ours, raw, cpu = [], [], []
    for _ in range(PAIRS):
        with rig.stack() as stack:
            seconds, used_s = converse(rig, stack, "consumer.child", records(log))
            ours.append(len(log) / seconds)
            cpu.append(used_s / len(log) * 1e6)
        with rig.stack() as stack:
            raw.append(_batch_writes(stack, log[:4000]))
    beside = {"ours per s": sorted(ours)[2], "raw items per s": sorted(raw)[2], "ours CPU s per million": sorted(cpu)[2]}
    yield Figure("P8", "consumer readings/s ÷ raw BatchWriteItem loop", "×", 4, None, ratios(ours, raw), beside)


def _batch_writes(stack: Stack, log: Sequence[Reading]) -> float:
    dynamodb = dynamodb_client(stack.settings)

    def put(share: Sequence[Reading]) -> None:
        items: Any = [{"PutRequest": {"Item": _plain_item(one)}} for one in share]
        assert not dynamodb.batch_write_item(RequestItems={stack.names.readings: items})["UnprocessedItems"]

    began_s = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, batched(log, 25, strict=False)))
    return len(log) / (time.perf_counter() - began_s)


def _plain_item(one: Reading) -> dict[str, Any]:
    """A reading as an item of its own, its key as long as such a key would be."""
    key = f"{one.measured_at_us}#{one.temperature_micro}"
    return {"sensor_id": {"S": one.sensor_id}, "pack": {"S": key}, "origin": {"S": f"{SHARD}:{10**55}:0"}}


def against_sample_consumer(rig: Rig) -> Iterator[Figure]:
    """P9: the same log, one event a record, as the sample expects it."""
    log = readings(400, 200)
    single = [encode_event(one, one.measured_at_us) for one in log]
    packed = readings(40_000, 200)
    ours, sample, cpu = [], [], []
    for _ in range(PAIRS):
        with rig.stack() as stack:
            seconds, used_s = converse(rig, stack, "consumer.child", records(packed))
            ours.append(len(packed) / seconds)
        with rig.stack() as stack:
            seconds, used_s = converse(rig, stack, "benchmarks.baselines.sample_consumer", single)
            sample.append(len(log) / seconds)
            cpu.append(used_s / len(log) * 1e6)
    beside = {"ours per s": sorted(ours)[2], "sample per s": sorted(sample)[2], "sample CPU s per million": sorted(cpu)[2]}
    yield Figure("P9", "consumer readings/s ÷ sample consumer", "×", 160, None, ratios(ours, sample), beside)


def replay_speed(rig: Rig) -> Iterator[Figure]:
    """P10: the log read by replay's own sources, against reading the same pages of the same shards and doing nothing with them.

    All shards side by side on both sides. The pauses that leave the consumer its share of GetRecords are left out on both; the
    rate that they allow stands beside.
    """
    log = readings(50_000, 200)
    data = records(log)
    rates: dict[str, list[float]] = {"ours": [], "raw": []}
    for _ in range(PAIRS):
        with rig.stack(shards=_REPLAYED_SHARDS) as stack:
            for chunk in batched(data, 100, strict=False):
                entries: Any = [{"PartitionKey": str(number), "Data": one} for number, one in enumerate(chunk)]
                stack.kinesis.put_records(StreamName=stack.names.stream, Records=entries)
            began_s = time.perf_counter()
            drained = drain(stack.kinesis, stack.names.stream)
            rates["raw"].append(len(log) / (time.perf_counter() - began_s))
            rates["ours"].append(len(log) / replayed_s(stack.kinesis, stack.names.stream, len(log)))
            assert drained == len(data)
            paced = len(log) / replayed_s(stack.kinesis, stack.names.stream, len(log), sleep=time.sleep)
    beside = {f"{who} per s": statistics.median(each) for who, each in rates.items()} | {"paced, per s and shard": paced}
    beside["paced, per s and shard"] /= _REPLAYED_SHARDS
    what = f"replay readings/s ÷ raw GetRecords drain, {_REPLAYED_SHARDS} shards side by side"
    yield Figure("P10", what, "×", 0.8, 0.95, ratios(rates["ours"], rates["raw"]), beside)


def replayed_s(kinesis: "KinesisClient", stream: str, count: int, sleep: Callable[[float], None] = lambda _: None) -> float:
    """How long it takes to replay a stream of so many readings, in seconds; without `sleep`, without a pause."""
    events, began_s = Events(Choice(), Passed()), time.perf_counter()
    log = Log([StreamSource(kinesis, stream, look_at(kinesis, stream), sleep=sleep)])
    chosen = sum(1 for page in log.pages() for _ in events.of(page))
    taken_s = time.perf_counter() - began_s
    assert chosen == count
    return taken_s


def drain(kinesis: "KinesisClient", stream: str) -> int:
    """Read all shards of a stream at once, in pages as replay asks for them; how many records there were."""
    shard_ids = [*list_shards(kinesis, stream).shards]
    with ThreadPoolExecutor(len(shard_ids)) as threads:
        return sum(threads.map(partial(_drain_shard, kinesis, stream), shard_ids))


def _drain_shard(kinesis: "KinesisClient", stream: str, shard_id: str) -> int:
    start = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
    iterator: str | None = start["ShardIterator"]
    limit, count = FIRST_PAGE_RECORDS, 0
    while iterator:
        page = kinesis.get_records(ShardIterator=iterator, Limit=limit)
        found = page["Records"]
        if not found and not page["MillisBehindLatest"]:
            break
        count += len(found)
        if found:
            limit = page_records([len(record["Data"]) for record in found], PAGE_BYTES, PAGE_RECORDS_MAX)
        iterator = page.get("NextShardIterator")
    return count


def memory(rig: Rig) -> Iterator[Figure]:
    """P16: a record processor that has 5,000 active sensors and a hundred thousand readings to remember."""
    for sensors in (50, 5000):
        seen: list[float] = []

        def look(pid: int, seen: list[float] = seen) -> None:
            seen.append(memory_mb(pid, "VmHWM"))

        with rig.stack() as stack:
            converse(rig, stack, "consumer.child", records(readings(100_000, sensors)), look=look)
        what = f"most memory of one shard's child, {sensors:,} sensors, 100,000 readings at once"
        yield Figure("P16", what, "MB", 100, 75, [seen[0]], smaller_is_better=True)
