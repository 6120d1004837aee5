"""P24 and P26: what a reading costs on its way into the archive, and on its way out of it as Parquet.

The archiver is the real one, a shard's line of work with its pages, its drafts and its puts; Kinesis is a list of records that
were made before the clock runs, and the archive is in memory, so that neither a socket nor a disk is measured.
"""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import batched
from pathlib import Path
from random import Random
from threading import Event as Flag
from typing import Any, Final
from unittest.mock import patch

from archive.held import Held
from archive.line import ShardLine, Stop
from archive.metrics import ArchiveMetrics
from archive.source import ArchiveSource
from archive.stream import Stream, now_ms
from archive.targets import MemoryTarget, Target
from benchmarks.consuming import EVENTS_A_RECORD, SHARD, readings, records
from benchmarks.figures import Figure, ratios
from benchmarks.rig import Rig
from replay.events import Choice, Events, Passed
from replay.export import Lines
from replay.formats import Output, line_of
from replay.parquet import Parts
from telemetry.events import encode_event
from telemetry.log import Log
from telemetry.reading import Reading
from telemetry.settings import Settings
from telemetry.shards import Shard

_READINGS: Final = 200_000
_SENSORS: Final = 200
_RUNS: Final = 5
_PAGE_RECORDS: Final = {"packed": 30, "plain": 3_000}
"""A page of what is archived at a full shard is some 0.5 to 1 MB (`telemetry/read_budget.py`)."""
_CREATED_MS: Final = 1_780_000_000_000
_LOG_SHARD: Final = Shard(SHARD, 0, 2**128 - 1)

type Page = list[dict[str, Any]]


class CannedKinesis:
    """One stream of one open shard, of so many pages; beyond the last there is nothing."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = iter(pages)
        self.pages_read = 0

    def describe_stream_summary(self, **_: Any) -> Any:
        """As boto3 answers."""
        created = datetime.fromtimestamp(_CREATED_MS / 1000, UTC)
        summary = {"StreamCreationTimestamp": created, "RetentionPeriodHours": 24 * 365, "StreamStatus": "ACTIVE"}
        return {"StreamDescriptionSummary": summary}

    def list_shards(self, **_: Any) -> Any:
        """As boto3 answers."""
        keys = {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
        return {"Shards": [{"ShardId": SHARD, "HashKeyRange": keys, "SequenceNumberRange": {"StartingSequenceNumber": "1"}}]}

    def get_shard_iterator(self, **_: Any) -> Any:
        """From the beginning: it is asked for once."""
        return {"ShardIterator": "0"}

    def get_records(self, ShardIterator: str, **_: Any) -> Any:  # noqa: N803  as boto3 names it
        """The next page, however many were asked for. The one before is not asked for again."""
        assert int(ShardIterator) == self.pages_read
        page = next(self._pages, [])
        self.pages_read += 1
        return {"Records": page, "NextShardIterator": str(self.pages_read), "MillisBehindLatest": 0 if not page else 1}


def pages(log: Iterable[tuple[bytes, int]], page_records: int) -> Iterator[Page]:
    """A log of records, each with when it arrived (milliseconds since 1970), as Kinesis answers with it."""
    items = (
        {
            "SequenceNumber": str(10**55 + number),
            "ApproximateArrivalTimestamp": datetime.fromtimestamp(arrived_ms / 1000, UTC),
            "Data": data,
        }
        for number, (data, arrived_ms) in enumerate(log)
    )
    return map(list, batched(items, page_records, strict=False))


def archive_all(kinesis: Any, target: Target) -> float:
    """Archive all there is, without the pauses that leave others their reads: the processor seconds."""
    settings = Settings(archive_interval_s=3600)
    stop = Stop(Flag(), at_ms=now_ms())
    stream = Stream(kinesis, "benchmark", 5)
    metrics = ArchiveMetrics(now_ms)
    line = ShardLine(settings, stream, target, _LOG_SHARD, held=Held(settings.archive_held_bytes), stop=stop, metrics=metrics)
    with patch("archive.stream.pause_s", lambda *_, **__: 0.0):
        began_s = time.process_time()
        line.run()
        return time.process_time() - began_s


def archiver(_: Rig) -> Iterator[Figure]:
    """P24: readings a second of one core, and bytes of the archive a reading, of packed records and of plain ones."""
    log = measured()
    for kind, data in (("packed", records(log)), ("plain", plain(log))):
        rates, sizes = [], []
        for _run in range(_RUNS):
            target = MemoryTarget()
            rates.append(_READINGS / archived(data, _PAGE_RECORDS[kind], target))
            objects = [target.get_tail(key, 2**40) for key in target.list_after("log/")]
            sizes.append(sum(map(len, objects)) / _READINGS)
        a_reading = {"objects": float(len(objects)), "bytes in the stream": sum(map(len, data)) / _READINGS}
        figure = partial(Figure, "P24", then=None, beside=a_reading, note=_NOTE)
        yield figure(f"archiver's readings/s a core, {kind} records", "/s", 80_000, values=rates)
        yield figure(f"archive's bytes a reading, {kind} records", "B", 37, values=sizes, smaller_is_better=True)


_NOTE: Final = f"{_SENSORS} sensors, {EVENTS_A_RECORD} readings a packed record, pages and archive in memory"


def measured() -> list[Reading]:
    """By sensors that drift by hundredths of a degree and keep time to half a second: what repeats would pack to nothing."""
    rng, drifted_micro = Random(26), [0] * _SENSORS  # noqa: S311  repeatable on purpose
    log = []
    for number, (measured_at_us, sensor_id, _) in enumerate(readings(_READINGS, _SENSORS)):
        sensor = number % _SENSORS
        drifted_micro[sensor] += rng.randint(-20, 20) * 10_000
        log.append(Reading(measured_at_us + rng.randrange(500) * 1000, sensor_id, 20_000_000 + drifted_micro[sensor]))
    return log


def plain(log: Sequence[Reading]) -> list[bytes]:
    """The log with a record for each reading, as our API puts one that comes alone."""
    return [encode_event(one, one.measured_at_us) + b"\n" for one in log]


def archived(data: Sequence[bytes], page_records: int, target: MemoryTarget) -> float:
    """Archive all records: the processor seconds. Fails unless all are in."""
    kinesis = CannedKinesis(list(pages(((one, _CREATED_MS + 1000) for one in data), page_records)))
    used_s = archive_all(kinesis, target)
    found = sum(len(page.records) for page in Log([ArchiveSource(target)]).pages())
    assert found == len(data), (found, len(data))
    return used_s


def parquet(_: Rig) -> Iterator[Figure]:
    """P26: the same archive exported as Parquet and as JSON lines, in turn; bytes of the Parquet a reading."""
    target = MemoryTarget()
    archived(records(measured()), _PAGE_RECORDS["packed"], target)
    lines_s, parquet_s, sizes = [], [], []
    for _run in range(_RUNS):
        folder = Path(tempfile.mkdtemp(prefix="telemetry-bench-"))
        with (folder / "lines").open("wb") as file:
            lines_s.append(_exported(target, Lines(file, line_of, time.monotonic, mark=False, stays=False)))
        parquet_s.append(_exported(target, Parts(folder / "parts", 0, mark=False)))
        sizes.append(sum(path.stat().st_size for path in (folder / "parts").iterdir()) / _READINGS)
        shutil.rmtree(folder)
    per_s = {
        "Parquet per s": _READINGS / sorted(parquet_s)[_RUNS // 2],
        "JSON lines per s": _READINGS / sorted(lines_s)[_RUNS // 2],
    }
    figure = partial(Figure, "P26", then=None, note=f"{_SENSORS} sensors, archive in memory")
    yield figure("Parquet export ÷ JSON lines export, readings/s", "×", 0.5, values=ratios(lines_s, parquet_s), beside=per_s)
    yield figure("Parquet's bytes a reading, in the log's order", "B", 8, values=sizes, smaller_is_better=True)


def _exported(target: MemoryTarget, output: Output) -> float:
    """How long an export takes, in seconds. Fails unless all was written."""
    began_s, written = time.perf_counter(), 0
    events = Events(Choice(), Passed())
    for page in Log([ArchiveSource(target)]).pages():
        for event in events.of(page):
            output.write(event, repeat=False)
            written += 1
    output.save()
    assert written == _READINGS, written
    return time.perf_counter() - began_s
