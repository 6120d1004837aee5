"""Where the log is read: in the stream, in the archive, or in both as one; and what of it is within reach."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import ClientError

from archive.chain import archived_streams
from archive.names import created_ms
from archive.opening import open_for_reading
from archive.source import ArchiveSource
from archive.targets import Target
from archive.wanted import Wanted
from cli.contact import CONTACT_PATIENCE_S, contact
from cli.failures import told
from projections.generations import LogStream, read_pointer
from replay.stream import StreamSource, Stretch
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import InvalidSettings, WrongStream
from telemetry.log import SHARDS_AT_ONCE, Gap, Source
from telemetry.names import ResourceNames
from telemetry.retry import patiently
from telemetry.settings import Settings
from telemetry.streams import UNKNOWN_PARENT, StreamPlace, kinesis_id, number_of

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_READ_TIMEOUT_S: Final = 30
"""A page takes the emulator seconds when the machine is busy."""
_PATIENCE_S: Final = 60.0
"""Of a reader in the middle of an archive in S3."""
_OUR_CLOCK_ALLOWANCE_MS: Final = 60_000
"""A clock of ours that is behind must not cost the newest records."""


class Origin(StrEnum):
    """Where the log is read."""

    AUTO = "auto"
    STREAM = "stream"
    ARCHIVE = "archive"


class Sources(NamedTuple):
    """What a log is read from."""

    archive: ArchiveSource | None
    stream: StreamSource | None
    missing: Sequence[Gap]
    """What of the log neither has, as far as it is asked for."""

    @property
    def all(self) -> list[Source]:
        """In the order in which a shard is read."""
        return [source for source in (self.archive, self.stream) if source]


@dataclass(frozen=True, slots=True)
class LogAt:
    """A log that can be read."""

    settings: Settings
    whole: Stretch
    """All that is there now."""
    streams: Sequence[LogStream]
    """Those of the log, in its order, of which the last is that which is there."""
    kinesis: "KinesisClient | None"
    """None when the stream is not read."""
    archive: Target | None
    """None when it is not read."""
    whole_log: bool
    """Whether all of the log is asked for, wherever it is."""

    @property
    def where(self) -> dict[str, str | None]:
        """In words that are kept."""
        stream = self.streams[-1].name if self.kinesis else None
        return {"stream": stream, "ARCHIVE_TARGET": self.settings.archive_target if self.archive else None}

    @property
    def name(self) -> str:
        """What is read, in a word."""
        return self.streams[-1].name if self.kinesis else self.settings.archive_target

    @property
    def created_ms(self) -> list[int]:
        """When the streams that are read were created: in ms since 1970."""
        read = self.streams if self.archive else self.streams[-1:]
        return [created_ms(stream.created) for stream in read]

    def begin_ms(self, stretch: Stretch) -> int:
        """Before when nothing that is read can have arrived: in ms since 1970."""
        return max(self.created_ms[0], stretch.from_ms or 0) if self.archive else stretch.oldest_ms

    def reaching(self, from_ms: int) -> "LogAt":
        """The same without the archive, where the stream surely holds all that arrived from a time on."""
        return replace(self, archive=None) if from_ms >= self.whole.surely_kept_since_ms else self

    def sources(self, stretch: Stretch, wanted: Wanted) -> Sources:
        """The archive, and then the stream, of which what lies in the stretch is read."""
        archive = stream = None
        if self.archive:
            archive = ArchiveSource(self.archive, [one.created for one in self.streams], wanted)
            archive.shards()  # before the stream's: what is in neither is over
        if self.kinesis:
            stream = self.stream(stretch, archive)
        if archive and stream:
            archive.followed = {shard.shard_id: shard for shard in stream.shards()}
        return Sources(archive, stream, list(self._missing(archive, wanted)))

    def stream(self, stretch: Stretch, archive: ArchiveSource | None) -> StreamSource:
        """What of the stream lies in the stretch."""
        assert self.kinesis
        last, number = self.streams[-1], len(self.streams)
        # Which shards were the last ones of the stream before the pointer may not know.
        earlier = [shard.shard_id for shard in archive.shards() if number_of(shard.shard_id) < number] if archive else []
        place = StreamPlace(number, (*last.before, *earlier))
        empty_until_ms = archive.empty_until_ms if archive else lambda _: 0
        return StreamSource(self.kinesis, last.name, stretch, place=place, empty_until_ms=empty_until_ms)

    def _missing(self, archive: ArchiveSource | None, wanted: Wanted) -> Iterator[Gap]:
        """What earlier streams held, and is not in what is read of the log."""
        archived = {shard.shard_id for shard in archive.shards()} if archive else set()
        for gap in archive.unarchived() if archive else ():
            known = kinesis_id(gap.shard_id) != UNKNOWN_PARENT
            archived.add(gap.shard_id)
            yield gap if known else gap._replace(shard_id=f"unarchived shards of the log's stream {number_of(gap.shard_id)}")
        if not self.whole_log:
            return
        for number, (lost, then) in enumerate(zip(self.streams, self.streams[1:], strict=False), 1):
            begin_ms, end_ms = created_ms(lost.created), created_ms(then.created)
            if not wanted.may_lie_between(begin_ms, end_ms):
                continue
            if archive is None:
                yield Gap(f"the log's stream {number}", begin_ms, end_ms)
            else:
                unknown = set(then.before) - archived - {UNKNOWN_PARENT}
                yield from (Gap(shard_id, begin_ms, end_ms) for shard_id in sorted(unknown))


@contextmanager
def log_at(origin: Origin, status: int = 1) -> Iterator[LogAt]:
    """What there is of the log. Whatever fails there or inside ends the command with one sentence, and this status."""
    if origin is Origin.ARCHIVE:
        with told(status=status):
            settings = Settings.from_environment(os.environ)
        with told(settings, status):
            yield _archived(settings)
        return
    with contact(status) as (settings, names, whole):
        streams = _streams(settings, names, whole)
        reads_archive = origin is Origin.AUTO and settings.archive_target
        archive = open_for_reading(settings, _PATIENCE_S) if reads_archive else None
        with closing(kinesis_client(settings, attempts=1, pool=SHARDS_AT_ONCE, read_timeout_s=_READ_TIMEOUT_S)) as kinesis:
            yield LogAt(settings, whole, streams, kinesis, archive, whole_log=origin is Origin.AUTO)


def _archived(settings: Settings) -> LogAt:
    """What lies in an archive, which nobody else is asked about."""
    found = archived_streams(open_for_reading(settings, CONTACT_PATIENCE_S))
    if not found:
        raise InvalidSettings(f"ARCHIVE_TARGET={settings.archive_target} holds no archive: nothing in it is called log/….")
    now_ms = time.time_ns() // 1_000_000
    until_ms = now_ms + _OUR_CLOCK_ALLOWANCE_MS
    whole = Stretch(created_ms(found[0]), until_ms, now_ms, until_ms)
    streams = [LogStream("", created) for created in found]
    archive = open_for_reading(settings, _PATIENCE_S)
    return LogAt(settings, whole, streams, None, archive, whole_log=False)


def _streams(settings: Settings, names: ResourceNames, whole: Stretch) -> Sequence[LogStream]:
    """The streams of the log, as the pointer tells. Where nobody has set one up, the stream that is there is all."""
    with closing(dynamodb_client(settings, attempts=1)) as dynamodb:
        try:
            pointer = patiently(partial(read_pointer, dynamodb, names), CONTACT_PATIENCE_S)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            pointer = None
    if pointer is None:
        return [LogStream(names.stream, f"{whole.created_ms / 1000:.3f}")]
    if created_ms(pointer.stream_created) != whole.created_ms:
        raise WrongStream(
            f"{names.stream} is not the log's last stream, which was created at {pointer.stream_created}. Let the log go on in "
            "this one (telemetry continue), or read what is archived (--source archive)."
        )
    return pointer.streams
