"""Days of readings out of the archive, as Parquet: each distinct reading once, sorted by sensor and time.

| rule | because |
|---|---|
| a part is what it was and what is new, never less | who takes again, after a kill or beside others, changes nothing |
| of equal readings the one that arrived first stays | what a part holds does not depend on the order of taking |
| a part is replaced only as it was read | of two who take at the same time the second would lose what the first had put in |
| what was taken is written when all parts are put | killed in between, nothing is missed: it is taken again |
| it is written down by chain, not by day | a late reading may come for any day, and a line without a day may hold one |
| a part is put whole, in one call | who reads meets each sensor's day as it was or as it is, never half of it or twice |

Needs pyarrow. In memory are 200,000 rows, or one part of a day; up to ROUND_ROWS wait on disk.
"""

import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.days import part_key
from archive.instants import DAY_US, day
from archive.targets import Target
from replay.events import Events
from replay.parquet import GROUP_ROWS, SCHEMA, writer
from replay.spill import Part, Spill
from telemetry.errors import ArchiveUnreadable
from telemetry.log import Page

ROUND_ROWS: Final = 20_000_000
"""Taken together: some 2 GB on disk. More is taken in several rounds, each of which replaces the parts it has rows of."""

_IDENTITY: Final = ("sensor_id", "measured_at", "temperature")
_FIRST: Final = ("arrived_at", "shard", "sequence_number", "line")
_ORDER: Final = [(name, "ascending") for name in (*_IDENTITY, *_FIRST)]


@dataclass(slots=True)
class Compacted:
    """What was done."""

    readings: int = 0
    """That were read, repeats included."""
    replaced: int = 0
    """Parts."""
    days: set[str] = field(default_factory=set)
    """Of which parts were replaced."""


def compact(
    pages: Iterable[Page],
    events: Events,
    target: Target,
    *,
    only: Collection[str] | None,
    told: Callable[[Page, int], None],
    taken: Callable[[Sequence[Page]], None],
) -> Compacted:
    """Put all readings of the pages into their days; `only` names days, None for all.

    `told` hears of each page and how many readings were read; `taken`, in the order of the pages, of those whose readings are
    in the parts by now, without their records. Raises what pages and target raise, and ArchiveUnreadable.
    """
    done = Compacted()
    coming = iter(pages)
    with tempfile.TemporaryDirectory(prefix="telemetry-compact-") as folder:
        for number in count():
            part = Path(folder, str(number))
            part.mkdir()
            spill, read = Spill(part, DAY_US), []
            for page in coming:
                for event in events.of(page):
                    if only is None or day(event.reading.measured_at_us) in only:
                        spill.add(event)
                        done.readings += 1
                read.append(page._replace(records=(), reached=page.position))
                told(page, done.readings)
                if spill.rows >= ROUND_ROWS:
                    break
            else:
                coming = iter(())
            if not read:
                return done
            for which, rows in spill.parts():
                if _put(target, which, rows):
                    done.replaced += 1
                    done.days.add(day(which.day * DAY_US))
            for path in part.iterdir():
                path.unlink()
            taken(read)
    raise AssertionError("there is an end to all pages")


def _put(target: Target, which: Part, rows: Any) -> bool:
    """Have these rows in their part, whoever else replaces it meanwhile; false when they are in it already."""
    key = part_key(day(which.day * DAY_US), which.part)
    while True:
        found = target.get_part(key)
        known = _read(found.data, key) if found else None
        made = distinct(pa.concat_tables([known, rows]) if known else rows)
        if known is not None and made.equals(known):
            return False
        if target.replace_part(key, _written(made), found.version if found else None):
            return True


def distinct(rows: Any) -> Any:
    """Each reading once, the first of it to arrive, sorted by sensor and time."""
    rows = rows.sort_by(_ORDER).combine_chunks()
    if len(rows) < 2:
        return rows
    differs = None
    for name in _IDENTITY:
        column = rows[name].combine_chunks()
        found = pc.not_equal(column.slice(1), column.slice(0, len(column) - 1))
        differs = found if differs is None else pc.or_(differs, found)
    return rows.filter(pa.concat_arrays([pa.array([True]), differs])).combine_chunks()


def _written(rows: Any) -> bytes:
    out = pa.BufferOutputStream()
    with writer(out) as file:
        file.write_table(rows, row_group_size=GROUP_ROWS)
    data: bytes = out.getvalue().to_pybytes()
    return data


def _read(data: bytes, key: str) -> Any:
    try:
        return pq.read_table(pa.BufferReader(data)).select(SCHEMA.names).cast(SCHEMA)
    except (pa.ArrowInvalid, KeyError) as error:
        day_of = key.partition("dt=")[2].partition("/")[0]
        raise ArchiveUnreadable(
            f"{key} is no part of a day: {error}. Remove it, and make its day anew (telemetry archive compact --day {day_of})."
        ) from None
