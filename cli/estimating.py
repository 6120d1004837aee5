"""What a dry run says: what is archived is counted by the objects' last lines, what is in the stream by samples."""

from dataclasses import dataclass, field, replace
from typing import Final

import click

from archive.meta import UNDATED
from archive.source import ArchiveSource
from archive.wanted import Wanted
from cli.sources import LogAt
from replay.estimate import Amount, Estimate, estimate
from replay.events import Choice, Events, Passed
from replay.progress import duration
from replay.stream import StreamSource, Stretch
from telemetry.log import Gap, Position, born
from telemetry.shards import Shard

_LINES_A_S: Final = 40_000
"""Of an archive, of all shards together: about what a core decodes, chooses and writes."""


@dataclass(slots=True)
class _Archived:
    """What of a replay is archived."""

    objects: int = 0
    bytes: int = 0
    lines: int = 0
    readings: float = 0
    gaps: list[Gap] = field(default_factory=list)
    reached: dict[str, Position] = field(default_factory=dict)
    """How far shards are archived."""
    ended: set[str] = field(default_factory=set)
    """Those that are read to their end."""


def said(at: LogAt, stretch: Stretch, choice: Choice, wanted: Wanted) -> list[Gap]:
    """Say what a replay comes to. What may be missing is returned."""
    sources = at.sources(stretch, wanted)
    archived = _archived(sources.archive, choice, wanted) if sources.archive else _Archived()
    streamed = Estimate(Amount(), 0, ())
    if stream := sources.stream:
        places = {
            shard.shard_id: archived.reached.get(shard.shard_id) or born(shard, archived.reached) for shard in stream.shards()
        }
        after = {shard_id: place for shard_id, place in places.items() if place}

        def source_from(from_ms: int | None) -> StreamSource:
            return at.stream(replace(stretch, from_ms=from_ms or stretch.from_ms), sources.archive)

        assert stretch.until_ms is not None
        streamed = estimate(source_from, stretch.oldest_ms, stretch.until_ms, choice, after=after, ended=archived.ended)
    objects = f"{archived.objects:,} archived objects of {archived.bytes / 1e6:,.1f} MB" if sources.archive else ""
    megabytes = f"{streamed.amount.bytes / 1e6:,.1f} MB{' of the stream' * bool(objects)}" if sources.stream else ""
    readings = archived.readings + streamed.amount.readings
    click.echo(
        f"About {readings:,.0f} readings, repeats included; {' and '.join(filter(None, (objects, megabytes)))} to read; "
        f"{duration(archived.lines / _LINES_A_S + streamed.seconds)}."
    )
    return [*sources.missing, *archived.gaps, *streamed.gaps]


def _archived(source: ArchiveSource, choice: Choice, wanted: Wanted) -> _Archived:
    """Counted by the last lines of all objects that would be read; where sensors are chosen, a page of each shard is read."""
    found = _Archived()
    for shard in source.shards():
        reading = source.reading(shard.shard_id, None)
        for page in reading.surveyed():
            if page.gap:
                found.gaps.append(page.gap)
            if page.position:
                found.reached[shard.shard_id] = page.position
            if page.ended:
                found.ended.add(shard.shard_id)
        found.objects += reading.objects
        found.lines += reading.lines
        found.bytes += reading.bytes
        measured = sum(count for name, count in reading.measured.items() if name != UNDATED and wanted.may_be_of(name))
        found.readings += measured * (_share(source, shard, choice) if choice.sensors and measured else 1)
    return found


def _share(source: ArchiveSource, shard: Shard, choice: Choice) -> float:
    """Which part of a shard's readings the chosen sensors have, by the first page that would be read."""
    page = next((page for page in source.read(shard, None) if page.records), None)
    if page is None:
        return 0.0
    passed = Passed()
    of_all = sum(1 for _ in Events(Choice(), passed).of(page))
    return sum(1 for _ in Events(Choice(sensors=choice.sensors), passed).of(page)) / max(1, of_all)
