"""P1 to P6, P14 and P23: the API and its writer."""

import asyncio
import gzip
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from benchmarks.figures import Figure, ratios
from benchmarks.rig import Rig, Server, load
from producer_api.writing.commit import Answer, Entry
from producer_api.writing.writer import Writer
from telemetry.aws import kinesis_client
from telemetry.events import encode_event
from telemetry.reading import Reading
from telemetry.records import encode_record
from telemetry.shards import ShardMap, list_shards
from tests.support.stack import Stack

APP = "benchmarks.baselines.apps"
PAIRS = 5
A_FULL_SHARD_PER_S = 34_000
"""Readings in a megabyte, packed."""
WARM_UP = {"clients": 16, "readings": 100}


def against_one_put_per_request(rig: Rig) -> Iterator[Figure]:
    """P1: the same application, one PutRecord a request in a pool of threads."""
    for clients, reach, then in ((64, 15, 20), (256, 30, 40)):
        yield _pairs(
            rig,
            Figure("P1", f"durable PUT/s ÷ one-put-per-request, {clients} clients", "×", reach, then, []),
            (APP, "one-put-per-request"),
            {"clients": clients, "readings": 1500},
        )


def against_no_op(rig: Rig) -> Iterator[Figure]:
    """P2: the same application without a stream."""
    figure = Figure("P2", "durable PUT/s ÷ no-op, 256 clients", "×", 0.6, 0.8, [])
    yield _pairs(rig, figure, (APP, "no-op"), {"clients": 256, "readings": 8000})


def against_original(rig: Rig) -> Iterator[Figure]:
    """P3: Flask behind uWSGI, DynamoDB in the request, four processes of two threads as it had them."""
    uwsgi = str(rig.folder / "venv/bin/uwsgi")
    options = "--http 127.0.0.1:{port} --http-keepalive --master --need-app --processes 4 --threads 2 --disable-logging"
    command = (uwsgi, *options.split(), "--die-on-term", "--module", "benchmarks.baselines.original:app")
    for clients, reach in ((64, 16), (256, 40)):
        figure = Figure("P3", f"durable PUT/s ÷ original-style, {clients} clients", "×", reach, 50, [])
        yield _pairs(rig, figure, command, {"clients": clients, "readings": 600})


def stats_against_no_op(rig: Rig) -> Iterator[Figure]:
    """P14: the query that all requests of 50 ms share, against a constant."""
    figure = Figure("P14", "GET /api/stats/s ÷ no-op, 64 clients", "×", 0.66, 0.9, [])
    yield _pairs(rig, figure, (APP, "no-op"), {"clients": 64, "readings": 5000, "get": "/api/stats"})


def batches(rig: Rig) -> Iterator[Figure]:
    """P23: one API process, given readings in batches of 5,000 and in single PUTs; then what one in a batch costs it."""
    rates: dict[str, list[float]] = {"batches": [], "PUTs": []}
    cpu: dict[str, list[float]] = {"batches": [], "PUTs": []}
    for _ in range(PAIRS):
        with rig.stack() as stack, rig.server(stack, "producer_api") as server:
            for what, options in (
                ("PUTs", {"clients": 64, "readings": 8_000}),
                ("batches", {"clients": 4, "readings": 100_000, "batch": 5_000}),
            ):
                _run(server, options, rates[what], cpu[what])
    beside: dict[str, Any] = {f"{what} readings per s": statistics.median(rates[what]) for what in rates}
    yield Figure(
        "P23", "readings/s in batches of 5,000 ÷ single PUTs", "×", 8, None, ratios(rates["batches"], rates["PUTs"]), beside
    )
    shares = [per_million / 1e6 * A_FULL_SHARD_PER_S * 100 for per_million in cpu["batches"]]
    beside = {"PUTs CPU s per million": statistics.median(cpu["PUTs"])}
    what = "share of a core at 34,000 readings/s in batches"
    yield Figure("P23", what, "%", 150, 100, shares, beside, smaller_is_better=True)


def _pairs(rig: Rig, figure: Figure, theirs: Sequence[str], options: dict[str, Any]) -> Figure:
    rates: dict[str, list[float]] = {"ours": [], "baseline": []}
    cpu: dict[str, list[float]] = {"ours": [], "baseline": []}
    for _ in range(PAIRS):
        with rig.stack() as stack:
            with rig.server(stack, "producer_api") as ours:
                _run(ours, options, rates["ours"], cpu["ours"])
            with rig.server(stack, *theirs) as baseline:
                _run(baseline, options, rates["baseline"], cpu["baseline"])
    beside = {f"{who} per s": statistics.median(rates[who]) for who in rates}
    beside |= {f"{who} CPU s per million": statistics.median(cpu[who]) for who in cpu}
    return Figure(
        figure.number, figure.what, figure.unit, figure.reach, figure.then, ratios(rates["ours"], rates["baseline"]), beside
    )


def _run(server: Server, options: dict[str, Any], rates: list[float], cpu: list[float]) -> None:
    load(server.url, **{**options, **WARM_UP})
    before_s = server.cpu_s()
    result = load(server.url, **options)
    cpu.append((server.cpu_s() - before_s) / result["readings"] * 1e6)
    rates.append(result["per_s"])


def latency(rig: Rig) -> Iterator[Figure]:
    """P4: what a sensor waits beyond what PutRecords itself takes."""
    alone, crowd, beside = [], [], {}
    for _ in range(PAIRS):
        with rig.stack() as stack, ExitStack() as opened:
            server = opened.enter_context(rig.server(stack, "producer_api"))
            load(server.url, **WARM_UP)
            raw = Raw(stack)
            lone = load(server.url, clients=1, readings=150)
            alone.append(lone["p50_s"] / _quantile(raw.times([raw.records(1)] * 150, threads=1), 0.5))
            many = load(server.url, clients=256, readings=4000)
            # As many calls under way as ours may have.
            crowd_raw_s = _quantile(raw.times([raw.records(128)] * 80, threads=4), 0.99)
            crowd.append(many["p99_s"] / (2 * crowd_raw_s))
            beside = {"PUT p50 s": lone["p50_s"], "PUT p99 s, 256 clients": many["p99_s"], "raw p99 s": crowd_raw_s}
    yield Figure("P4", "PUT p50 with one client ÷ raw PutRecords p50", "×", 1.1, None, alone, beside, smaller_is_better=True)
    what = "PUT p99 of 256 clients ÷ (2 × raw PutRecords p99)"
    yield Figure("P4", what, "×", 1, None, crowd, beside, smaller_is_better=True)


class Raw:
    """The emulator's own speed: PutRecords with ready-made records."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._kinesis = kinesis_client(stack.settings, attempts=1)
        self._shards = list_shards(self._kinesis, stack.names.stream)

    def records(self, events: int) -> list[dict[str, Any]]:
        """So many events in a record for each shard, or the one event under its own key."""
        if events == 1:
            return [{"PartitionKey": "sensor-00001", "Data": encode_record([_event(1)])}]
        share = [_event(number) for number in range(events // len(self._shards.open))]
        return [
            {"PartitionKey": "*", "ExplicitHashKey": str(shard.first_hash_key), "Data": encode_record(share)}
            for shard in self._shards.open
        ]

    def times(self, calls: Sequence[Any], threads: int) -> list[float]:
        """Seconds each call took."""

        def put(records: Any) -> float:
            began_s = time.perf_counter()
            self._kinesis.put_records(StreamName=self._stack.names.stream, Records=records)
            return time.perf_counter() - began_s

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(put, calls))


class _TimedWriter(Writer):
    """The real writer, counting the processor time its calls to AWS take in their threads."""

    put_cpu_s = 0.0

    def _put(self, entries: Sequence[Entry]) -> tuple[Sequence[Answer], ShardMap | None]:
        began_s = time.thread_time()
        answer = super()._put(entries)
        self.put_cpu_s += time.thread_time() - began_s
        return answer


def aws_client_cost(rig: Rig) -> Iterator[Figure]:
    """P5: PutRecords through boto3, shared by all the readings of a call. gzip is not in it: it runs on the event loop."""
    values = []
    beside: dict[str, float] = {}
    for _ in range(PAIRS):
        with rig.stack() as stack:
            writer = asyncio.run(_append(stack, 20_000, waiting=1000))
            counters = writer.counters
            values.append(writer.put_cpu_s / counters.events * 1e6)
            beside = {"events per call": counters.events / counters.calls, "bytes per event": counters.bytes / counters.events}
    yield Figure("P5", "CPU of the AWS client per reading, 1,000 waiting", "µs", 2.6, 2, values, beside, smaller_is_better=True)


async def _append(stack: Stack, events: int, waiting: int) -> _TimedWriter:
    kinesis = kinesis_client(stack.settings, attempts=1)
    shards = await asyncio.to_thread(list_shards, kinesis, stack.names.stream)
    writer = _TimedWriter(kinesis, stack.names.stream, shards, in_flight_max=4, events_max=20_000, deadline_s=30)
    numbers = iter(range(events))

    async def sensor() -> None:
        for number in numbers:
            await writer.append(f"sensor-{number % 200:05}", _event(number))

    await asyncio.gather(*(sensor() for _ in range(waiting)))
    await writer.close()
    return writer


def bytes_per_reading(rig: Rig) -> Iterator[Figure]:
    """P6: counted in the stream itself: data and keys of every record."""
    for clients, reach, then in ((64, None, None), (256, 29, 20), (1000, 29, 20)):
        values = []
        for _ in range(3):
            with rig.stack() as stack, rig.server(stack, "producer_api") as server:
                load(server.url, clients=clients, readings=10_000)
                stored_bytes, readings = _stored(stack)
                assert readings == 10_000
                values.append(stored_bytes / readings)
        what = f"stream bytes per reading, {clients} clients"
        beside = {"readings per s and shard on AWS": 1e6 / statistics.median(values)}
        yield Figure("P6", what, "B", reach, then, values, beside, smaller_is_better=True)


def growth(rig: Rig) -> Iterator[Figure]:
    """Rates and bytes with more clients, more shards and more sensors: what they are, without a goal."""
    for clients in (1, 16, 64, 256, 1000):
        rate, _ = _rate_and_bytes(rig, 2, clients=clients, readings=300 if clients == 1 else 6000)
        yield Figure("grow", f"durable PUT/s, {clients} clients, 2 shards, 200 sensors", "/s", None, None, [rate])
    for shards, sensors in ((1, 200), (4, 200), (16, 200), (2, 100), (2, 100_000)):
        rate, size = _rate_and_bytes(rig, shards, clients=256, readings=6000, sensors=sensors)
        what = f"256 clients, {shards} shards, {sensors:,} sensors"
        yield Figure("grow", f"durable PUT/s, {what}", "/s", None, None, [rate])
        yield Figure("grow", f"stream bytes per reading, {what}", "B", None, None, [size], smaller_is_better=True)


def _rate_and_bytes(rig: Rig, shards: int, **options: int) -> tuple[float, float]:
    with rig.stack(shards) as stack, rig.server(stack, "producer_api") as server:
        rate = load(server.url, **options)["per_s"]
        size, readings = _stored(stack)
    return rate, size / readings


def _stored(stack: Stack) -> tuple[int, int]:
    """Bytes and readings in the stream."""
    size = readings = 0
    for shard_id in list_shards(stack.kinesis, stack.names.stream).shards:
        start = stack.kinesis.get_shard_iterator(
            StreamName=stack.names.stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
        )
        page = stack.kinesis.get_records(ShardIterator=start["ShardIterator"])
        while page["Records"]:
            for record in page["Records"]:
                data = record["Data"]
                size += len(data) + len(record["PartitionKey"])
                readings += (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).count(b"\n")
            page = stack.kinesis.get_records(ShardIterator=page["NextShardIterator"])
    return size, readings


def _event(number: int) -> bytes:
    reading = Reading(1_780_000_000_000_000 + number * 5000, f"sensor-{number % 200:05}", 15_000_000 + number % 977 * 10_000)
    return encode_event(reading, time.time_ns() // 1000)


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]
