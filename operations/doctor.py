"""What is wrong with a pipeline: what is, why it matters, and the command that mends it. Pure; `checkup.py` looks.

`telemetry doctor` shows a section for each part. What was not looked at is never taken for well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from operations.observation import Observation
from telemetry.limits import MICRO
from telemetry.reading import rfc3339

BEHIND_S_MAX = 60
"""An idle shard says every ten seconds that it is caught up (`FlushPolicy.renew_every_s`)."""
CLOCK_OFF_S_MAX: Final = 60
ARCHIVE_AGE_S_MAX: Final = 900
"""As the alarm has it: three times as long as the archiver collects."""
JAVA_MIN: Final = 17

_SET_UP: Final = {
    True: ".venv/bin/python -m infra.setup",
    False: "infra/environment.sh ENVIRONMENT plan, then apply (docs/deploy.md)",
}
"""What makes stream and tables: here, and on AWS."""
_START: Final = {
    True: "make run, or .venv/bin/python -m consumer",
    False: "see the consumer's service, and its log (docs/runbook.md, Lag)",
}


class State(StrEnum):
    """Of a section."""

    OK = "ok"
    FOUND = "found"
    UNSEEN = "unseen"
    """It could not be looked at."""
    NONE = "none"
    """There is nothing to look at from here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, in sentences."""

    what: str
    why: str
    """Why it matters."""
    mend: str
    """The command, or what else is to be done."""


@dataclass(frozen=True, slots=True)
class Section:
    """What was seen of one part."""

    name: str
    told: str
    """A few words for when all is well; why, when it could not be looked at, or there is nothing to look at."""
    findings: tuple[Finding, ...] = ()
    state: State = State.OK

    @classmethod
    def of(cls, name: str, told: str, findings: Iterator[Finding]) -> "Section":
        """A section that was looked at."""
        found = tuple(findings)
        return cls(name, told, found, State.FOUND if found else State.OK)


def verdict(sections: Sequence[Section]) -> str:
    """One sentence about all of them."""
    found = [section for section in sections if section.findings]
    unseen = [section.name for section in sections if section.state is State.UNSEEN]
    count = sum(len(section.findings) for section in found)
    parts = []
    if found:
        things = "One thing is" if count == 1 else f"{count} things are"
        parts.append(f"{things} wrong, in {_listed([section.name for section in found])}: mend {found[0].name} first.")
    if unseen:
        parts.append(f"Could not look at {_listed(unseen)}.")
    return " ".join(parts) or "All is well."


def clock(off_s: float | None) -> Section:
    """By how many seconds this machine's clock is ahead of AWS's."""
    if off_s is None:
        return Section("clock", "AWS did not tell its time", state=State.NONE)

    def findings() -> Iterator[Finding]:
        if abs(off_s) > CLOCK_OFF_S_MAX:
            where = "ahead of" if off_s > 0 else "behind"
            yield Finding(
                f"This machine's clock is {abs(off_s):.0f} s {where} AWS's.",
                "Lags and verdicts are told by it, and AWS refuses every call beyond five minutes.",
                "sudo timedatectl set-ntp true",
            )

    return Section.of("clock", f"within {max(1, round(abs(off_s)))} s of AWS's", findings())


@dataclass(frozen=True, slots=True)
class StreamSeen:
    """What there is of the stream."""

    name: str
    created: str | None
    """As `stream_created` gives it; None when there is none, or it is about to go."""
    pointed: str | None
    """When the log's last stream was created; None without a pointer."""
    retention_h: int
    wanted_h: int
    shards_open: int
    promoting: str | None = None
    """Which promote began a while ago, and marks the pointer still."""


def stream(seen: StreamSeen, *, local: bool) -> Section:
    """The stream, and whether the tables speak of it."""

    def findings() -> Iterator[Finding]:
        if seen.created is None:
            yield Finding(f"There is no stream {seen.name}.", "Nothing can be stored.", _SET_UP[local])
        elif seen.pointed is None:
            why = "Neither API nor consumer start without a pointer."
            yield Finding(f"Nothing says yet which stream {seen.name} is.", why, _SET_UP[local])
        elif seen.created != seen.pointed:
            yield Finding(
                f"{seen.name} was created at {seen.created}, but the log's last stream at {seen.pointed}.",
                "Its positions begin anew: old ones would swallow new readings, so nothing works on it.",
                ".venv/bin/telemetry continue (docs/runbook.md, The stream was lost)",
            )
        if seen.promoting:
            yield Finding(
                f"A promote {seen.promoting} and has not come to an end.",
                "The live generation's consumers write nothing meanwhile.",
                ".venv/bin/telemetry promote --take-back",
            )
        # On AWS an environment's .tfvars file may say otherwise, and what is changed by hand there is drift.
        if local and seen.created and seen.retention_h < seen.wanted_h:
            yield Finding(
                f"{seen.name} keeps records for {seen.retention_h} h, and is defined with {seen.wanted_h} h.",
                "A consumer or an archiver that is away for longer loses readings.",
                f"aws kinesis increase-stream-retention-period --stream-name {seen.name} "
                f"--retention-period-hours {seen.wanted_h}",
            )

    return Section.of("stream", f"{seen.name}, {seen.shards_open} open shards, keeps {seen.retention_h} h", findings())


@dataclass(frozen=True, slots=True)
class TableSeen:
    """A table that is there."""

    status: str
    keys: tuple[str, ...]
    indexes: Mapping[str, str]
    """The status of each."""


def tables(defined: Sequence[Mapping[str, Any]], seen: Mapping[str, TableSeen | None], *, local: bool) -> Section:
    """The tables of `infra/resources.json`, and those that are there, by name."""
    why = "API and consumer work on all of them: what is missing stops them."

    def findings() -> Iterator[Finding]:
        for table in defined:
            name, found = table["name"], seen[table["name"]]
            keys = tuple(table[key] for key in ("hash_key", "range_key") if key in table)
            if found is None:
                yield Finding(f"There is no table {name}.", why, _SET_UP[local])
                continue
            if found.status not in {"ACTIVE", "UPDATING"}:
                yield Finding(f"{name} is {found.status}.", why, "Wait until it is ACTIVE, and look again.")
            if found.keys != keys:
                yield Finding(
                    f"{name} has the keys {_listed(found.keys)}, and is defined with {_listed(keys)}.",
                    "No row can be found in it.",
                    f"Delete it, if nothing of yours is in it; then {_SET_UP[local]}",
                )
            index = table.get("index")
            if index and found.indexes.get(index["name"]) != "ACTIVE":
                is_now = found.indexes.get(index["name"], "not there")
                yield Finding(
                    f"The index {index['name']} of {name} is {is_now}.",
                    "Leases by owner, and sensors by when they were seen, are found by it.",
                    "Wait until it is ACTIVE."
                    if index["name"] in found.indexes
                    else f"Delete the table, if nothing of yours is in it; then {_SET_UP[local]}",
                )

    return Section.of("tables", f"{len(defined)} tables with their indexes", findings())


@dataclass(frozen=True, slots=True)
class LettersSeen:
    """Dead letters that nobody decided about; `more` when not all were counted."""

    undecided: int = 0
    more: bool = False


def consumer(seen: Observation, letters: LettersSeen, now_us: int, retention_s: int, *, local: bool) -> Section:
    """Workers, leases, progress, and what may be lost or could not be read."""
    findings = [
        *_workers(seen, local=local),
        *_leases(seen, local=local),
        *_progress(seen, now_us, retention_s),
        *_losses(seen),
        *_letters(letters),
    ]
    return Section.of("consumer", f"{len(seen.shards.open)} open shards, each with a worker and up to date", iter(findings))


def _workers(seen: Observation, *, local: bool) -> Iterator[Finding]:
    if not seen.workers:
        yield Finding("No worker has ever given a sign of life.", "Readings are stored, and in no figure.", _START[local])
    elif seen.leader is None:
        yield Finding(
            "Nobody assigns the shards to workers.",
            "A shard whose worker goes is read by nobody.",
            f"A running consumer takes the lead within a minute; else {_START[local]}",
        )


def _leases(seen: Observation, *, local: bool) -> Iterator[Finding]:
    for shard_id in seen.without_lease():
        yield Finding(
            f"{shard_id} has no lease, so nobody reads it.",
            "Its readings are stored, and in no figure.",
            f"A running consumer makes it again within a minute; else {_START[local]}",
        )
    for shard_id, lease in seen.leases.items():
        if lease.owner is None and seen.is_due(shard_id):
            yield Finding(
                f"{shard_id} belongs to no worker.",
                "Its readings are stored, and in no figure.",
                f"{_START[local]}, or see why the running ones do not take it.",
            )
        row = seen.progress.get(shard_id)
        if not lease.ended and lease.checkpoint > (row.progress.flushed.position if row else 0):
            yield Finding(
                f"{shard_id} is rewound: its row is behind its lease's checkpoint, {lease.checkpoint}.",
                "A table was restored, or rows were removed. Readings between the two are missing, and are not read again.",
                ".venv/bin/telemetry rebuild",
            )


def _progress(seen: Observation, now_us: int, retention_s: int) -> Iterator[Finding]:
    for shard_id, lease in seen.leases.items():
        if not seen.is_due(shard_id):
            continue
        row = seen.progress.get(shard_id)
        if row is None:
            yield Finding(
                f"{shard_id} has projected nothing yet; its worker is {lease.owner}.",
                "Its readings are in no figure.",
                "See the log of that worker.",
            )
        elif (behind_s := (now_us - row.as_of_us) // MICRO) > retention_s:
            yield Finding(
                f"{shard_id} was read until {rfc3339(row.as_of_us)}, which is longer ago than the stream keeps records.",
                "What has left the stream cannot be counted by going on.",
                ".venv/bin/telemetry rebuild (from the archive)",
            )
        elif behind_s > BEHIND_S_MAX:
            yield Finding(
                f"{shard_id} is {behind_s} s behind (as of {rfc3339(row.as_of_us)}).",
                "Figures are old but right; what is behind for longer than the stream keeps it is lost to them.",
                f"See the log of its worker, {lease.owner}, and docs/runbook.md, Lag.",
            )


def _losses(seen: Observation) -> Iterator[Finding]:
    for shard_id, row in seen.progress.items():
        if row.progress.gap:
            stretch = f"after {rfc3339(row.progress.gap.from_us)} and before {rfc3339(row.progress.gap.until_us)}"
            yield Finding(
                f"{shard_id}: what arrived {stretch} may have left the stream unread.",
                "Figures may lack it.",
                ".venv/bin/telemetry rebuild, where it is archived; docs/runbook.md, Records may be lost.",
            )


def _letters(letters: LettersSeen) -> Iterator[Finding]:
    if letters.undecided:
        count = f"{letters.undecided}{' or more' if letters.more else ''}"
        yield Finding(
            f"{count} dead letters that nobody decided about.",
            "What is in them is in no figure; among old ones nobody sees the new.",
            ".venv/bin/telemetry dead-letters",
        )


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
