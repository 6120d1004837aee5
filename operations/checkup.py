"""Looks at every part of a pipeline for the doctor. What cannot be looked at is said, and keeps nobody from the rest."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from operations.archived import ArchiveWatch
from operations.doctor import Finding, LettersSeen, Section, State, StreamSeen, TableSeen, clock, consumer, stream, tables
from operations.machine import look_at_java, look_at_ports
from operations.observation import observe
from operations.promoting import LEFT_AFTER_S
from operations.surroundings import archive, java, ports
from projections.dynamodb_letters import AwsLetters
from projections.generations import Pointer, read_pointer
from projections.letters import KeptLetter
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import TelemetryError
from telemetry.limits import MICRO
from telemetry.names import ResourceNames
from telemetry.reading import parse_timestamp
from telemetry.retry import clock_off, patiently
from telemetry.settings import Settings
from telemetry.shards import ShardMap, list_shards
from telemetry.streams import FIRST_PLACE

_PATIENCE_S: Final = 3.0
_ARCHIVE_CALLS: Final = 8
"""At once."""
_LETTERS_MAX: Final = 1_000
_HOUR_S: Final = 3600
_NEEDS_AWS: Final = ("clock", "stream", "tables", "consumer", "archive")
_MISSING: Final = "ResourceNotFoundException"


class Checkup:
    """One checkup. `definition` fills names into `infra/resources.json`, `jars_lock` lists KCL's jars, `told` words errors."""

    def __init__(
        self,
        settings: Settings,
        definition: Callable[[ResourceNames], Mapping[str, Any]],
        jars_lock: Path,
        told: Callable[[Exception], str],
    ) -> None:
        self._settings = settings
        self._definition = definition
        self._jars_lock = jars_lock
        self._told = told
        self._local = settings.aws_endpoint_url is not None
        self._names = ResourceNames(settings.prefix)
        self._pointer: Pointer | None = None
        self._summary: Any = None
        """Of the stream, None when there is none."""
        self._off_s: float | None = None
        self._complete = False
        """Whether stream, pointer and tables are all there."""

    def sections(self) -> Iterator[Section]:
        """Each part's, as it was looked at."""
        aws = self._guarded("AWS", self._aws)
        yield aws
        if aws.state is State.OK:
            yield clock(self._off_s)
            yield self._guarded("stream", self._stream)
            yield self._guarded("tables", self._tables)
            yield self._guarded("consumer", self._consumer)
            yield self._guarded("archive", self._archive)
        else:
            yield from (Section(name, "AWS is not there to ask", state=State.UNSEEN) for name in _NEEDS_AWS)
        yield self._guarded("Java and jars", self._java)
        yield self._guarded("ports", self._ports)

    def _guarded(self, name: str, look: Callable[[], Section]) -> Section:
        try:
            return look()
        except (ClientError, BotoCoreError, TelemetryError, OSError) as error:
            return Section(name, self._told(error), state=State.UNSEEN)

    def _aws(self) -> Section:
        self._kinesis, self._dynamodb = kinesis_client(self._settings, attempts=1), dynamodb_client(self._settings)
        where = self._settings.aws_endpoint_url or "AWS"
        try:
            answer: Any = patiently(partial(self._kinesis.describe_stream_summary, StreamName=self._names.stream), _PATIENCE_S)
            self._summary = answer["StreamDescriptionSummary"]
        except ClientError as error:
            if (why := clock_off(error, time.time())) is not None:
                refused = Finding(why, "Nothing of ours can work from here.", "sudo timedatectl set-ntp true")
                return Section.of("AWS", where, iter([refused]))
            if error.response["Error"]["Code"] != _MISSING:
                raise
            answer = error.response
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        self._off_s = time.time() - parsedate_to_datetime(date).timestamp() if date else None
        return Section("AWS", f"{where} answers in {self._settings.aws_region}")

    def _stream(self) -> Section:
        try:
            self._pointer = read_pointer(self._dynamodb, self._names)
        except ClientError as error:
            if error.response["Error"]["Code"] != _MISSING:
                raise
        summary = self._summary if self._summary and self._summary["StreamStatus"] != "DELETING" else None
        seen = StreamSeen(
            name=self._names.stream,
            created=summary and f"{summary['StreamCreationTimestamp'].timestamp():.3f}",
            pointed=self._pointer.stream_created if self._pointer else None,
            promoting=left_promote(self._pointer, time.time_ns() // 1000) if self._pointer else None,
            retention_h=summary["RetentionPeriodHours"] if summary else 0,
            wanted_h=self._definition(self._names)["stream"]["retention_hours"],
            shards_open=summary["OpenShardCount"] if summary else 0,
        )
        self._complete = seen.created is not None and seen.created == seen.pointed
        return stream(seen, local=self._local)

    def _tables(self) -> Section:
        if self._pointer:
            self._names = self._pointer.names(self._settings.prefix)
        defined = list(self._definition(self._names)["tables"].values())
        seen = {table["name"]: self._table(table["name"]) for table in defined}
        self._complete = self._complete and None not in seen.values()
        return tables(defined, seen, local=self._local)

    def _table(self, name: str) -> TableSeen | None:
        try:
            found: Any = self._dynamodb.describe_table(TableName=name)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] != _MISSING:
                raise
            return None
        keys = sorted(found["KeySchema"], key=lambda key: key["KeyType"])
        indexes = {index["IndexName"]: index["IndexStatus"] for index in found.get("GlobalSecondaryIndexes", [])}
        return TableSeen(found["TableStatus"], tuple(key["AttributeName"] for key in keys), indexes)

    def _consumer(self) -> Section:
        if not self._complete:
            return Section("consumer", "stream or tables are missing", state=State.NONE)
        seen = observe(self._kinesis, self._dynamodb, self._names)
        letters = letters_seen(AwsLetters(self._dynamodb, self._names).heads())
        return consumer(seen, letters, time.time_ns() // 1000, self._retention_s, local=self._local)

    def _archive(self) -> Section:
        if not self._settings.archive_target:
            return Section("archive", "ARCHIVE_TARGET is not set here", state=State.NONE)
        where = self._settings.archive_target
        if not self._summary:
            return Section("archive", "there is no stream to be archived", state=State.NONE)
        shards: ShardMap = list_shards(self._kinesis, self._names.stream, self._pointer.place if self._pointer else FIRST_PLACE)
        created = f"{self._summary['StreamCreationTimestamp'].timestamp():.3f}"
        watch, open_ids = ArchiveWatch(self._settings, _PATIENCE_S), [one.shard_id for one in shards.open]
        with ThreadPoolExecutor(_ARCHIVE_CALLS) as threads:
            seen = watch.look(created, open_ids, time.time_ns() // 1_000_000, threads)
        return archive(where, seen.ages_s, self._retention_s, local=self._local)

    def _java(self) -> Section:
        return java(look_at_java(self._settings.java, self._jars_lock), local=self._local)

    def _ports(self) -> Section:
        settings = self._settings
        wanted = (
            ("PORT", settings.port, "/livez"),
            ("METRICS_PORT", settings.metrics_port, "/metrics"),
            ("ARCHIVER_METRICS_PORT", settings.archiver_metrics_port, "/metrics"),
        )
        return ports(look_at_ports(settings.host, wanted))

    @property
    def _retention_s(self) -> int:
        return int(self._summary["RetentionPeriodHours"]) * _HOUR_S


def letters_seen(heads: Iterable[KeptLetter]) -> LettersSeen:
    """Those that nobody decided about, up to a thousand: decided ones may be any number before them. Pure."""
    undecided = sum(1 for _ in islice((kept for kept in heads if kept.letter and not kept.mark), _LETTERS_MAX))
    return LettersSeen(undecided, more=undecided == _LETTERS_MAX)


def left_promote(pointer: Pointer, now_us: int) -> str | None:
    """Which promote left its mark on a pointer, where that is older than any that is under way. Pure."""
    if pointer.next is None or now_us - parse_timestamp(pointer.next.since) < LEFT_AFTER_S * MICRO:
        return None
    return f"of g{pointer.next.generation} began at {pointer.next.since}"


def exit_status(sections: list[Section], *, found: int, unseen: int) -> int:
    """0 when all is well, else one of these: what could not be looked at outweighs what was found."""
    if any(section.state is State.UNSEEN for section in sections):
        return unseen
    return found if any(section.findings for section in sections) else 0
