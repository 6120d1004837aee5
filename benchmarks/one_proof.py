"""`python -m benchmarks.one_proof archive|fill|verify FOLDER [READINGS]`: a step of P25, and what it took as a line of JSON.

The archive lies in the folder, beside the file that answers in place of DynamoDB. Each step is a process of its own, so that it
weighs what it weighs alone. Processor time is told without what the answering takes.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from archive.folder import FolderTarget
from archive.source import ArchiveSource
from benchmarks.archiving import CannedKinesis, archive_all, pages
from benchmarks.canned import CannedDynamoDB
from benchmarks.child_log import Fleet
from benchmarks.consuming import EVENTS_A_RECORD
from benchmarks.one_child import most_memory_mb
from operations.filling import fill
from operations.spilled import disk_bytes
from operations.units import Units, pace_writes
from operations.verifying import Verification, promised
from projections.dynamodb import CALLS_AT_ONCE, AwsStores
from projections.dynamodb_scan import AwsTables
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.events import encode_event
from telemetry.log import Log
from telemetry.names import ResourceNames
from telemetry.processes import collect_garbage_seldom
from telemetry.records import encode_record
from telemetry.settings import Settings

_SENSORS: Final = 1_000
_READINGS_S: Final = 100
"""Each sensor once in ten seconds, as a year is rather made of than each second."""
_PAGE_RECORDS: Final = 30
_ENOUGH: Final = 1e9
"""Write units a second."""
_NAMES: Final = ResourceNames("bench")
_KEYS: Final = {
    _NAMES.readings: ("sensor_id", "pack"),
    _NAMES.stats: ("scope", "window"),
    _NAMES.dead_letters: ("shard_id", "place"),
}

type Told = dict[str, float]


def archive(folder: Path, readings: int) -> Told:
    """Archive a log of one shard and so many readings, as our API packs them."""
    archive_all(CannedKinesis(pages(_records(readings), _PAGE_RECORDS)), _target(folder))
    return {"archive MB": _size_mb(folder)}


def fill_tables(folder: Path, canned: CannedDynamoDB) -> Told:
    """What `telemetry rebuild` does of an archive, from a bucket of units that is never empty."""
    settings = Settings(prefix=_NAMES.prefix)
    dynamodb = dynamodb_client(settings, pool=CALLS_AT_ONCE, validate=False)
    units = Units(_ENOUGH)
    pace_writes(dynamodb, units)
    stores = AwsStores(dynamodb, kinesis_client(settings), _NAMES, settings.store_retry_s)
    collect_garbage_seldom()
    try:
        filled = fill(ArchiveSource(_target(folder)), stores)
    finally:
        stores.close()
    return {"readings": filled.readings, "records": filled.records, "items written": canned.written.total()}


def verify(folder: Path, canned: CannedDynamoDB) -> Told:
    """What `telemetry verify` does. Fails when anything differs."""
    tables = AwsTables(dynamodb_client(Settings(prefix=_NAMES.prefix)), _NAMES)
    promised_mb = disk_bytes(promised(tables.progress()), *tables.sizes()) / 1e6
    with TemporaryDirectory(dir=folder) as tmp:
        run = Verification(tables, Log([ArchiveSource(_target(folder))]), Path(tmp))
        differences = list(run.differences())
        assert run.complete, (run.gaps, run.behind)
        assert not differences, differences[:10]
        disk_mb = _size_mb(Path(tmp))
    return {"readings": run.readings, "items read": canned.read, "disk MB": disk_mb, "disk MB promised": promised_mb}


def _records(readings: int) -> Iterator[tuple[bytes, int]]:
    fleet = Fleet(_SENSORS, _READINGS_S)
    for numbers in batched(range(readings), EVENTS_A_RECORD, strict=False):
        each = [(fleet.reading(number), fleet.moment_us(number)) for number in numbers]
        yield encode_record([encode_event(reading, at_us) for reading, at_us in each]), each[-1][1] // 1000


def _target(folder: Path) -> FolderTarget:
    return FolderTarget(folder / "archive")


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


@contextmanager
def _answering(folder: Path) -> Iterator[CannedDynamoDB]:
    canned = CannedDynamoDB(folder / "tables.db", _KEYS)
    canned.answer_clients()
    try:
        yield canned
    finally:
        canned.close()


def _measured(step: Callable[[Path, CannedDynamoDB], Told], folder: Path) -> Told:
    with _answering(folder) as canned:
        began_s, before_s = time.perf_counter(), time.process_time()
        told = step(folder, canned)
        took_s, used_s = time.perf_counter() - began_s, time.process_time() - before_s
        return {**told, "s": took_s, "CPU s": used_s - canned.cpu_s, "table s": canned.cpu_s, "memory MB": most_memory_mb()}


def main() -> None:
    """Take a step."""
    step, folder = sys.argv[1], Path(sys.argv[2])
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    if step == "archive":
        told = archive(folder, int(sys.argv[3]))
    else:
        told = _measured({"fill": fill_tables, "verify": verify}[step], folder)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
