"""What is wrong around a pipeline: with its archive, and with the machine that this runs on. Pure; `checkup.py` looks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from operations.doctor import ARCHIVE_AGE_S_MAX, JAVA_MIN, Finding, Section, State


def archive(where: str, ages_s: Mapping[str, float], retention_s: int, *, local: bool) -> Section:
    """Since when what arrived of each open shard may lie in no object yet, in seconds."""

    def findings() -> Iterator[Finding]:
        for shard_id, age_s in ages_s.items():
            if age_s > ARCHIVE_AGE_S_MAX:
                lost = age_s > retention_s / 4
                yield Finding(
                    f"{shard_id} was archived until {age_s / 60:.0f} min ago.",
                    "The stream will have dropped it soon: then it is gone for good."
                    if lost
                    else "A rebuild reads the archive, and what is beyond it only as long as the stream keeps it.",
                    ("make run, or .venv/bin/python -m archive" if local else "see the archiver's service")
                    + " (docs/runbook.md, The archive is behind)",
                )

    oldest_s = max(ages_s.values(), default=0)
    return Section.of("archive", f"{where}, at most {oldest_s:.0f} s behind", findings())


@dataclass(frozen=True, slots=True)
class JavaSeen:
    """The java that JAVA names, and KCL's jars beside it."""

    program: str
    version: int | None
    """None when it is not there, 0 when it does not run."""
    jars: int
    missing: Sequence[str] = ()
    other: Sequence[str] = ()
    """Not the locked ones."""


def java(seen: JavaSeen, *, local: bool) -> Section:
    """Whether a consumer can run here. Where AWS is elsewhere, none need run on this machine."""
    why, mend = "No consumer starts on this machine.", f"Install Java {JAVA_MIN} or newer, or set JAVA to its path."

    def findings() -> Iterator[Finding]:
        if seen.version is None:
            yield Finding(f"JAVA={seen.program!r} is no program.", why, mend)
        elif seen.version < JAVA_MIN:
            is_now = f"version {seen.version}" if seen.version else "there, and does not run"
            yield Finding(f"{seen.program} is {is_now}; KCL wants {JAVA_MIN}.", why, mend)
        if seen.missing:
            yield Finding(f"{len(seen.missing)} jars of KCL are missing, {seen.missing[0]} for one.", why, "make setup")
        if seen.other:
            yield Finding(
                f"{len(seen.other)} jars of KCL are not the locked ones, {seen.other[0]} for one.",
                "Nobody knows what runs in the consumer.",
                "Remove .venv, and make setup",
            )

    if not local and seen.version is None:
        return Section("Java and jars", "no java here, and no consumer need run here", state=State.NONE)
    return Section.of("Java and jars", f"Java {seen.version}, {seen.jars} jars as locked", findings())


class Listener(StrEnum):
    """Who listens at a port."""

    NOBODY = "nobody"
    OURS = "ours"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PortSeen:
    """A port of the settings."""

    setting: str
    port: int
    listener: Listener


def ports(seen: Sequence[PortSeen]) -> Section:
    """Whether API, supervisor and archiver have theirs."""

    def findings() -> Iterator[Finding]:
        for one in seen:
            if one.listener is Listener.OTHER:
                yield Finding(
                    f"Somebody else listens at port {one.port}, {one.setting} of the settings.",
                    "What of ours is to listen there cannot start, or is not what answers.",
                    f"Set {one.setting} to another port, or stop who listens: ss -ltnp 'sport = :{one.port}'",
                )

    told = ", ".join(f"{one.port} {'free' if one.listener is Listener.NOBODY else one.listener}" for one in seen)
    return Section.of("ports", told or "none are set", findings())
