"""What earlier runs of `make run` left on this machine: an archive, which a run folds into its fresh tables to go on with it.

Streams and tables are forgotten with each LocalStack; the log is not. Each run's stream is the next of one log.
"""

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archive.chain import archived_shards, archived_streams, states
from archive.folder import FolderTarget
from archive.names import LOG, STATE
from archive.source import ArchiveSource
from archive.targets import Target
from infra.setup import make_missing
from operations.filling import Filled, fill, send_home
from operations.succession import losses, pointer_to
from projections.decoding import Stray
from projections.dynamodb import CALLS_AT_ONCE, AwsStores
from projections.generations import Pointer, replace_pointer
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import ArchiveUnreadable, InvalidSettings, WrongStream
from telemetry.names import ResourceNames
from telemetry.processes import collect_garbage_seldom
from telemetry.settings import Settings
from telemetry.shards import list_shards
from telemetry.streams import StreamPlace

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_SAY_EVERY_S: Final = 5.0

type Say = Callable[[str], object]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep the folder from any other run for the block, or for as long as the process lives. Raises InvalidSettings."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a")
    except OSError as error:
        raise InvalidSettings(f"ARCHIVE_TARGET={folder}: {error.strerror}. Name a folder that may be written to.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidSettings(
                f"Another make run archives into {folder}: stop that one, or choose another PREFIX for this."
            ) from None
        yield


def move_aside(folder: Path) -> Path | None:
    """Give the folder a name with the time in it, so that nothing is in its place; the name, or None where nothing was."""
    if not any(path.name != ".lock" for path in folder.iterdir()):
        return None
    name = f"{folder.name}.{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    number = 1
    while (aside := folder.with_name(name + f"-{number}" * (number > 1))).exists():
        number += 1
    return folder.rename(aside)


def go_on(settings: Settings, folder: Path, say: Say) -> Pointer:
    """Make stream and tables, fill them with what is archived, and point at them.

    Raises ArchiveUnreadable, with a way out, when something in the folder cannot be read.
    """
    try:
        return _go_on(settings, FolderTarget(folder), say)
    except (ArchiveUnreadable, WrongStream) as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error}."
    raise ArchiveUnreadable(
        f"{problem} Nothing in {folder} was changed. FRESH=1 begins anew: it moves the folder aside and deletes nothing."
    )


def is_looked_at(kinesis: "KinesisClient", target: Target, names: ResourceNames, created: str) -> bool:
    """Whether the archiver has been at each shard of the stream: then it is known later since when something may be missing."""
    looked_at = {*states(target, created), *archived_shards(target, created)}
    return looked_at.issuperset(list_shards(kinesis, names.stream).shards)


def forget_if_empty(folder: Path, created: str) -> None:
    """Leave nothing of a stream whose archive has ended without a record. States go last: alone they tell of a crash."""
    source = ArchiveSource(FolderTarget(folder), [created])
    tails = [source.end(shard.shard_id).tail for shard in source.shards()]
    if tails and all(tail and tail.shard_end and tail.last == "0" for tail in tails):
        for part in (LOG, STATE):
            shutil.rmtree(folder / part / created, ignore_errors=True)


def _go_on(settings: Settings, target: Target, say: Say) -> Pointer:
    streams = archived_streams(target)
    names = ResourceNames(settings.prefix, place=StreamPlace(len(streams) + 1))
    kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
    created = make_missing(kinesis, dynamodb, names)
    source = ArchiveSource(target, [*streams, created])
    pointer = pointer_to(names.stream, [*streams, created], source.shards())
    names = pointer.names(settings.prefix)
    if streams:
        began_s = time.monotonic()
        tables = dynamodb_client(settings, pool=CALLS_AT_ONCE, validate=False)
        filled = _fill(source, AwsStores(tables, kinesis, names, settings.store_retry_s), say)
        runs = "the run" if len(streams) == 1 else f"the {len(streams)} runs"
        say(f"{filled.readings:,} readings of {runs} before are there again, which took {time.monotonic() - began_s:.1f} s")
        for sentence in losses(source, filled.gaps, [*streams, created]):
            say(sentence)
    replace_pointer(dynamodb, names, None, pointer)
    return pointer


def _fill(source: ArchiveSource, stores: AwsStores, say: Say) -> Filled:
    said_s, strays = time.monotonic(), list[Stray]()

    def tell(filled: Filled) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= _SAY_EVERY_S:
            said_s = time.monotonic()
            say(f"{filled.readings:,} readings so far")

    collect_garbage_seldom()
    try:
        filled = fill(source, stores, tell=tell, strays=strays)
        send_home(strays, stores)
    finally:
        stores.close()
    return filled
