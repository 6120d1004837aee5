"""The fleet's sensors page by page, by id or by how long they have been silent, with what each measured. Pure.

The directory lies in parts, DIRECTORY_SCOPES, each in both orders; a page is merged from all of them, so it costs the same in a
fleet of ten or a million. Both orders stand on the mark of everything.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter
from typing import Final, NamedTuple

from projections.fleet import FleetReader
from projections.fold import Stats, merge
from projections.marks import Answer, Which, digest, row_version
from projections.reads import ROWS_MAX, Listing, Page, Reads, ReadSteps, Silence, look, look_at_once
from projections.rows import DIRECTORY_SCOPES, Row, RowKey, sensor_total


class ListedSensor(NamedTuple):
    """A sensor, and what it measured."""

    sensor_id: str
    seen_s: int
    """When it was last seen, to the hour (`rows.seen_hour_s`)."""
    stats: Stats
    """Empty when a worker died between telling the directory and writing the first row."""


class SensorPage[C](NamedTuple):
    """Sensors in the order asked for."""

    sensors: Sequence[ListedSensor]
    after: C | None
    """The key of the last one, to ask for those that follow, if any; None when there are none."""


class Silent(NamedTuple):
    """How many sensors have sent nothing for a while."""

    recently: int
    """Silent, but not for as long as the others."""
    gone: int
    """Silent for so long that nobody may wait for them."""


def sensors(fleet: FleetReader, prefix: str = "", after: str = "", limit: int = 100) -> ReadSteps[Answer[SensorPage[str]]]:
    """At most `limit` sensors by id, those after `after` whose ids begin with `prefix`; each once, strongly consistent."""
    marks = yield from fleet.marks(Which.EVERYTHING)

    def page(scope: str, last: Listing | None, few: int) -> Callable[[Reads], Page[Listing]]:
        return lambda reads: reads.sensors(scope, last.sensor_id if last else after, prefix, few)

    found = yield from _merged(page, limit)
    listed, more, read = yield from _with_stats(found)
    return Answer(SensorPage(listed, listed[-1].sensor_id if more else None), marks, read)


def silent_sensors(
    fleet: FleetReader, after: Silence | None = None, limit: int = 100
) -> ReadSteps[Answer[SensorPage[Silence]]]:
    """At most `limit` sensors, those first that were seen longest ago, then by id.

    Eventually consistent: one that is seen meanwhile moves towards the end of the list, so it may come twice.
    """
    marks = yield from fleet.marks(Which.EVERYTHING)

    def page(scope: str, last: Silence | None, few: int) -> Callable[[Reads], Page[Silence]]:
        return lambda reads: reads.silent(scope, last or after, few)

    found = yield from _merged(page, limit)
    known = yield from look(lambda reads: reads.listings({one.sensor_id for one in found.items}))
    # The time is the one that the order goes by, even if the directory knows of a later one by now.
    listings = [known.get(one.sensor_id, _UNKNOWN)._replace(sensor_id=one.sensor_id, seen_s=one.seen_s) for one in found.items]
    listed, more, read = yield from _with_stats(Page(listings, found.more))
    return Answer(SensorPage(listed, Silence(listed[-1].seen_s, listed[-1].sensor_id) if more else None), marks, read)


def silence(gone_s: int, silent_s: int, most: int) -> ReadSteps[Silent]:
    """How many sensors were last seen before `silent_s`, those before `gone_s` apart; of each kind up to `most` and one more.

    Seconds since 1970, as the directory has them. Eventually consistent. It costs no more in a fleet of a million that is well.
    """
    silent = gone = 0
    # The parts that may hold more, and after whom.
    left: dict[str, Silence | None] = dict.fromkeys(DIRECTORY_SCOPES)
    while left:
        pages = yield from look_at_once([_seen_after(scope, after) for scope, after in left.items()])
        for page in pages:
            gone += sum(one.seen_s < gone_s for one in page.items)
            silent += sum(gone_s <= one.seen_s < silent_s for one in page.items)
        if silent > most and gone > most:
            break
        # Once enough of a kind are known, on to the others.
        end_s = gone_s if silent > most else silent_s
        left = {
            scope: max(page.items[-1], Silence(gone_s, "")) if gone > most else page.items[-1]
            for scope, page in zip(left, pages, strict=True)
            if page.more and page.items[-1].seen_s < end_s
        }
    return Silent(min(silent, most + 1), min(gone, most + 1))


def _seen_after(scope: str, after: Silence | None) -> Callable[[Reads], Page[Silence]]:
    return lambda reads: reads.silent(scope, after, _COUNTED_AT_ONCE)


_COUNTED_AT_ONCE: Final = 100
_UNKNOWN: Final = Listing("", 0, frozenset())


def _merged[T: Listing | Silence](
    page: Callable[[str, T | None, int], Callable[[Reads], Page[T]]], limit: int
) -> ReadSteps[Page[T]]:
    """The first `limit` of what all parts of the directory hold. `page` asks for a few of a part, after the last one had.

    Each part is asked for twice its share, all of them at once, and again once that is used up.
    """
    few = 2 * -(-limit // len(DIRECTORY_SCOPES))
    parts = [_Part[T](scope) for scope in DIRECTORY_SCOPES]
    found: list[T] = []
    while len(found) < limit:
        if asked := [part for part in parts if part.more and not part.waiting]:
            pages = yield from look_at_once([page(part.scope, part.last, few) for part in asked])
            for part, (items, more) in zip(asked, pages, strict=True):
                part.waiting.extend(items)
                part.last, part.more = items[-1] if items else None, more
        if not (waiting := [part.waiting for part in parts if part.waiting]):
            break
        found.append(min(waiting, key=itemgetter(0)).popleft())
    return Page(found, any(part.waiting or part.more for part in parts))


@dataclass(slots=True)
class _Part[T]:
    """A part of the directory, as far as it was read."""

    scope: str
    waiting: deque[T] = field(default_factory=deque)
    """Read, and not taken yet."""
    last: T | None = None
    """The last that was read."""
    more: bool = True


def _with_stats(found: Page[Listing]) -> ReadSteps[tuple[list[ListedSensor], bool, str]]:
    """These sensors with their stats, so many of them as ROWS_MAX rows tell of; whether there are more; the digest."""
    rows_so_far = accumulate(len(one.shards) for one in found.items)
    listings = [one for one, so_far in zip(found.items, rows_so_far, strict=True) if so_far <= ROWS_MAX]
    keys = [(shard_id, sensor_total(one.sensor_id)) for one in listings for shard_id in sorted(one.shards)]
    rows = yield from look(lambda reads: reads.rows(keys))
    listed = [ListedSensor(one.sensor_id, one.seen_s, merge(_rows_of(one, rows))) for one in listings]
    read = digest(
        [*((one.sensor_id, one.seen_s) for one in listings), *(row_version(key[0], rows[key]) for key in keys if key in rows)]
    )
    return listed, found.more or len(listed) < len(found.items), read


def _rows_of(listing: Listing, rows: Mapping[tuple[str, RowKey], Row]) -> Iterator[Stats]:
    key = sensor_total(listing.sensor_id)
    return (rows[shard_id, key].stats for shard_id in listing.shards if (shard_id, key) in rows)
