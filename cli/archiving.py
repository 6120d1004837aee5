"""What analysts type of the archive: days packed for engines."""

import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec

import click

from archive.days import TAKEN_KEY, Reached, Taken, chain_name, encode_taken, parse_taken
from archive.instants import DAY_US, day_us
from archive.meta import UNDATED
from archive.source import ArchiveSource
from archive.targets import Target
from archive.wanted import EVERYTHING, Wanted
from cli.failures import GAP
from cli.showing import Shown, say_gaps, say_passed
from cli.sources import LogAt, Origin, log_at
from replay.events import Choice, Events
from replay.place import Progress
from telemetry.log import Log, Page
from telemetry.streams import kinesis_id, number_of


@click.group("archive")
def archive() -> None:
    """Work with the archive at ARCHIVE_TARGET."""


@archive.command(
    "compact",
    epilog="Exit status: 0 done, or nothing was new, 1 failed, 2 not asked as --help says, "
    "5 what was taken has a gap, 130 interrupted.",
)
@click.option(
    "--day",
    "days",
    type=click.DateTime(["%Y-%m-%d"]),
    multiple=True,
    help="Take what was measured on this day (UTC) anew, whatever was taken. May be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Say only, about, how many readings are new, and of which days.")
def compact(days: Sequence[datetime], *, dry_run: bool) -> None:
    """Pack what is new in the archive into readings/dt=<day>/part-….parquet: distinct readings by sensor and time."""
    if find_spec("pyarrow") is None:
        raise click.ClickException("archive compact needs pyarrow: install the extra, telemetry-pipeline[parquet].")
    only = {one.date().isoformat() for one in days} or None
    with log_at(Origin.ARCHIVE) as at:
        assert at.archive
        wanted = _wanted(only)
        source = at.sources(at.whole, wanted).archive
        assert source
        chains = {shard.shard_id: _chain(at, shard.shard_id) for shard in source.shards()}
        taken = parse_taken(None if only else at.archive.get_state(TAKEN_KEY))
        progress = _gone_on(chains, taken)
        if dry_run:
            _survey(source, wanted, progress)
        else:
            _compact(at, source, progress, only, _Taking(at.archive, chains, taken) if only is None else None)
    say_passed(progress.passed)
    say_gaps(progress.gaps.values())
    if progress.gaps:
        sys.exit(GAP)


def _compact(
    at: LogAt, source: ArchiveSource, progress: Progress, only: Collection[str] | None, taking: "_Taking | None"
) -> None:
    from replay import compacting  # noqa: PLC0415  an extra that not everybody has

    assert at.archive
    log = Log([source])
    shown = Shown(log, at.begin_ms(at.whole), at.whole, progress)

    def told(page: Page, readings: int) -> None:
        if page.gap:
            progress.add(page.gap)
        progress.events = readings
        shown.note(page)

    events = Events(Choice(), progress.passed)
    pages = log.pages(progress.positions, progress.ended.copy())
    done = compacting.compact(pages, events, at.archive, only=only, told=told, taken=taking or (lambda _: None))
    shown.clear()
    if not done.replaced:
        click.echo(f"{done.readings:,} readings read; nothing was new: all of them are in readings/.")
        return
    days = f"{len(done.days):,} days, {min(done.days)} to {max(done.days)}"
    click.echo(f"{done.readings:,} readings read; {done.replaced:,} parts of {days}, replaced.")


class _Taking:
    """Writes down what was taken."""

    def __init__(self, target: Target, chains: Mapping[str, str], taken: Taken) -> None:
        self._target, self._chains, self._taken = target, chains, taken

    def __call__(self, pages: Sequence[Page]) -> None:
        """These pages lie in the parts."""
        places, ended = dict(self._taken.chains), set(self._taken.ended)
        for page in pages:
            chain = self._chains[page.shard_id]
            if page.position:
                places[chain] = Reached.of(page.position)
            if page.ended and chain in places:
                ended.add(chain)
        self._taken = Taken(self._taken.format, self._taken.parts, places, sorted(ended))
        self._target.put_state(TAKEN_KEY, encode_taken(self._taken))


def _survey(source: ArchiveSource, wanted: Wanted, progress: Progress) -> None:
    """Say what is new, by the last lines of the objects."""
    objects, found = 0, dict[str, int]()
    for shard in source.shards():
        if shard.shard_id in progress.ended:
            continue
        reading = source.reading(shard.shard_id, progress.positions.get(shard.shard_id))
        for page in reading.surveyed():
            if page.gap:
                progress.add(page.gap)
        objects += reading.objects
        for name, count in reading.measured.items():
            if name != UNDATED and wanted.may_be_of(name):
                found[name] = found.get(name, 0) + count
    lies = f", measured on {len(found):,} days, {min(found)} to {max(found)}" if found else ""
    click.echo(f"About {sum(found.values()):,} readings, repeats included, in {objects:,} objects{lies}.")


def _wanted(only: Collection[str] | None) -> Wanted:
    """Objects that hold nothing of these days are not read."""
    if only is None:
        return EVERYTHING
    return Wanted(measured_from_us=day_us(min(only)), measured_to_us=day_us(max(only)) + DAY_US)


def _chain(at: LogAt, shard_id: str) -> str:
    return chain_name(at.streams[number_of(shard_id) - 1].created, kinesis_id(shard_id))


def _gone_on(chains: Mapping[str, str], taken: Taken) -> Progress:
    """How far the shards of the log were taken."""
    progress = Progress()
    for shard_id, chain in chains.items():
        if chain in taken.ended:
            progress.ended.add(shard_id)
        if reached := taken.chains.get(chain):
            progress.positions[shard_id] = reached.position
    return progress
