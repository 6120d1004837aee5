"""DynamoDB items: how readings and rows are written down. Pure; `dynamodb.py` moves them."""

from functools import cache
from itertools import chain
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from projections import sheets, varints
from projections.effects import Sighting
from projections.fold import Stats
from projections.packs import Bucket, Pack, Place
from projections.retention import Gap
from projections.rows import (
    FLEET,
    NO_PROGRESS,
    NO_REFUSALS,
    NO_SENSOR,
    PROGRESS,
    Mark,
    Progress,
    Row,
    RowKey,
    Sensor,
    directory_scope,
    sensor_of,
)
from telemetry.reading import Reading

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    type Item = dict[str, AttributeValueTypeDef]
    type Statement = dict[str, str | list[AttributeValueTypeDef]]

_HASH_KEY_BYTES: Final = 16


def pack_key(pack: Pack) -> "Item":
    """The primary key of a pack: within its sensor by bucket, then by shard and bounds."""
    first, last = (f"{place.sequence_number}.{place.line}" for place in (pack.first, pack.last))
    return {"sensor_id": {"S": pack.bucket.sensor_id}, "pack": {"S": f"{pack.bucket.time}#{pack.shard_id}#{first}#{last}"}}


def pack_item(pack: Pack) -> "Item":
    """A pack."""
    return {**pack_key(pack), "readings": {"S": pack.text}}


def read_pack(item: "Item") -> Pack:
    """The inverse of `pack_item`."""
    bucket, shard_id = read_pack_key(item)
    first, last = item["pack"]["S"].split("#")[2:]
    return Pack(bucket, shard_id, _read_place(first), _read_place(last), item["readings"]["S"])


def read_pack_end(item: "Item") -> tuple[str, int]:
    """The shard a pack belongs to, and the record it ends with."""
    _, shard_id, _, last = item["pack"]["S"].split("#")
    return shard_id, _read_place(last).sequence_number


def read_pack_key(item: "Item") -> tuple[Bucket, str]:
    """The bucket a pack belongs to, and the shard."""
    time, shard_id, *_ = item["pack"]["S"].split("#")
    return Bucket(item["sensor_id"]["S"], time), shard_id


def _read_place(text: str) -> Place:
    sequence_number, _, line = text.partition(".")
    return Place(int(sequence_number), int(line))


def row_key(shard_id: str, key: RowKey) -> "Item":
    """The primary key of a row: its window ends with the shard, so that a query finds a window's rows side by side."""
    return {"scope": {"S": key.scope}, "window": {"S": f"{key.window}#{shard_id}"}}


def row_item(shard_id: str, row: Row) -> "Item":
    """A row: one write unit, so at most 1,024 bytes with ids of up to 32 bytes.

    Positions are bytes: sequence numbers have 56 digits, DynamoDB's numbers 38 (hazard H18). Times are microseconds since 1970.
    """
    item: Item = {**row_key(shard_id, row.key), **_mark_item("position", "as_of", row.mark)}
    if row.key.is_sheet:
        return {**item, "cells": {"B": sheets.encode(row.sheet)}}
    stats = row.stats
    item |= {
        "count": {"N": str(stats.count)},
        "sum": {"N": str(stats.sum_micro)},
        "squares": {"N": str(stats.sum_squares)},
        "histogram": {"B": stats.histogram},
    }
    if stats.duplicates:
        item["duplicates"] = {"N": str(stats.duplicates)}
    item |= _extremes_item(stats, with_ids=row.key.scope == FLEET)
    if row.key == PROGRESS:
        item |= _progress_item(row.progress)
    elif row.key.scope != FLEET:
        item |= _sensor_item(row.sensor)
    return item


def row_statement(table: str, shard_id: str, row: Row, known: Row) -> "Statement":
    """A PartiQL statement that writes a row if it is still as it was known: absent, or at the position of `known`."""
    item = row_item(shard_id, row)
    if not known.position:
        return _insert(table, item)
    scope, window = item.pop("scope"), item.pop("window")
    parameters = [*item.values(), scope, window, position_value(known.position)]
    return {"Statement": _update_text(table, tuple(item)), "Parameters": parameters}


def read_row(item: "Item") -> tuple[str, Row]:
    """The inverse of `row_item`: the shard and its row."""
    window, _, shard_id = item["window"]["S"].rpartition("#")
    key = RowKey(item["scope"]["S"], window)
    position, as_of_us = _read_mark(item, "position", "as_of")
    if key.is_sheet:
        return shard_id, Row(key, position, as_of_us=as_of_us, sheet=sheets.decode(item["cells"]["B"]))
    minimum, maximum, first, latest = _read_extremes(item, sensor_of(key))
    stats = Stats(
        count=_number(item, "count"),
        sum_micro=_number(item, "sum"),
        sum_squares=_number(item, "squares"),
        minimum=minimum,
        maximum=maximum,
        first=first,
        latest=latest,
        duplicates=_number(item, "duplicates"),
        histogram=item["histogram"]["B"],
    )
    progress = _read_progress(item) if key == PROGRESS else NO_PROGRESS
    sensor = _read_sensor(item) if key.scope != FLEET else NO_SENSOR
    return shard_id, Row(key, position, stats, as_of_us, progress=progress, sensor=sensor)


def position_value(position: int) -> "AttributeValueTypeDef":
    """A position as it is stored."""
    return {"B": position.to_bytes((position.bit_length() + 7) // 8)}


def unmoved(known: Row) -> Any:
    """What a put of a progress row is conditional on: that the stored one still has the version of this one."""
    beat, gap = known.version
    values = ({":beat": {"N": str(beat)}} if beat else {}) | ({":gap": _gap_value(gap)} if gap else {})
    tests = (f"{one} = :{one}" if f":{one}" in values else f"attribute_not_exists({one})" for one in ("beat", "gap"))
    condition = {"ConditionExpression": " AND ".join(tests)}
    return condition | ({"ExpressionAttributeValues": values} if values else {})


def directory_key(sensor_id: str) -> "Item":
    """The primary key of a sensor in the directory: one of a few scopes, so that no partition is hot."""
    return {"scope": {"S": directory_scope(sensor_id)}, "window": {"S": sensor_id}}


def first_sighting(table: str, shard_id: str, sighting: Sighting) -> "Statement":
    """A PartiQL statement that puts a sensor into the directory if it is not there."""
    seen: Item = {"seen": {"N": str(sighting.seen_s)}, "shards": {"SS": [shard_id]}}
    return _insert(table, {**directory_key(sighting.sensor_id), **seen})


def read_directory(item: "Item") -> tuple[str, int, frozenset[str]]:
    """What the directory says: the sensor, when it was last seen, the shards it has rows in."""
    return item["window"]["S"], int(item["seen"]["N"]), frozenset(item["shards"]["SS"])


_ABSENT: Final = (-1, 0)
_NUMBERS: Final = Struct(">8q")
"""Time and temperature of the coldest, the hottest, the first and the latest."""


def _extremes_item(stats: Stats, *, with_ids: bool) -> "Item":
    """The four readings in one attribute, which takes a fraction of the time that lists of numbers take to be sent.

    Of each when (10⁻⁶ s since 1970; -1 when there is none) and what (10⁻⁶ °C), as integers of eight bytes, the highest first.
    Who is said beside, unless the row says so.
    """
    readings = [stats.minimum, stats.maximum, stats.first, stats.latest]
    pairs = ((one.measured_at_us, one.temperature_micro) if one else _ABSENT for one in readings)
    item: Item = {"extremes": {"B": _NUMBERS.pack(*chain.from_iterable(pairs))}}
    if with_ids:
        item["who"] = {"L": [{"S": one.sensor_id} for one in readings if one]}
    return item


def _read_extremes(item: "Item", sensor_id: str) -> "list[Reading | None]":
    numbers = iter(_NUMBERS.unpack(item["extremes"]["B"]))
    ids = [one["S"] for one in reversed(item["who"]["L"])] if "who" in item else [sensor_id] * 4
    return [
        Reading(time_us, ids.pop(), micro) if time_us >= 0 else None for time_us, micro in zip(numbers, numbers, strict=True)
    ]


def _progress_item(progress: Progress) -> "Item":
    item: Item = {"beat": {"N": str(progress.beat)}, "sensors": {"N": str(progress.sensors)}}
    if progress.ended:
        item["ended"] = {"BOOL": True}
    else:  # else all marks are the row's own
        item |= _mark_item("windows", "windows_as_of", progress.windows)
        item |= _mark_item("flushed", "flushed_as_of", progress.flushed)
    if any(progress.refusals):
        item["refusals"] = {"B": varints.encode(progress.refusals)}
    if progress.hash_range:
        item["hash_range"] = {"B": b"".join(key.to_bytes(_HASH_KEY_BYTES) for key in progress.hash_range)}
    if progress.gap:
        item["gap"] = _gap_value(progress.gap)
    return item


def _read_progress(item: "Item") -> Progress:
    ended = "ended" in item
    own = Mark(*_read_mark(item, "position", "as_of"))
    hash_range = item["hash_range"]["B"] if "hash_range" in item else b""
    return Progress(
        windows=own if ended else Mark(*_read_mark(item, "windows", "windows_as_of")),
        flushed=own if ended else Mark(*_read_mark(item, "flushed", "flushed_as_of")),
        refusals=tuple(varints.numbers(item["refusals"]["B"])) if "refusals" in item else NO_REFUSALS,
        sensors=_number(item, "sensors"),
        ended=ended,
        hash_range=(int.from_bytes(hash_range[:_HASH_KEY_BYTES]), int.from_bytes(hash_range[_HASH_KEY_BYTES:]))
        if hash_range
        else None,
        beat=_number(item, "beat"),
        gap=Gap(*(int(value["N"]) for value in item["gap"]["L"])) if "gap" in item else None,
    )


def _sensor_item(sensor: Sensor) -> "Item":
    item: Item = {}
    if sensor.past_us >= 0:
        item["past"] = {"N": str(sensor.past_us)}
    if sensor.seen_s is not None:
        # Not "seen": an item that has that is in the directory's index.
        item["last_seen"] = {"N": str(sensor.seen_s)}
    return item


_SENSOR_NAMES: Final = {"past", "last_seen"}


def _read_sensor(item: "Item") -> Sensor:
    if not _SENSOR_NAMES & item.keys():  # as most hours
        return NO_SENSOR
    return Sensor(
        past_us=_number(item, "past", -1),
        seen_s=int(item["last_seen"]["N"]) if "last_seen" in item else None,
    )


def _mark_item(position: str, as_of: str, mark: Mark) -> "Item":
    return {position: position_value(mark.position), as_of: {"N": str(mark.as_of_us)}}


def _read_mark(item: "Item", position: str, as_of: str) -> tuple[int, int]:
    return int.from_bytes(item[position]["B"]), int(item[as_of]["N"])


def _gap_value(gap: Gap) -> "AttributeValueTypeDef":
    return {"L": [{"N": str(time_us)} for time_us in gap]}


def _number(item: "Item", name: str, absent: int = 0) -> int:
    return int(item[name]["N"]) if name in item else absent


def _insert(table: str, item: "Item") -> "Statement":
    return {"Statement": _insert_text(table, tuple(item)), "Parameters": list(item.values())}


# Rows have few shapes and are written by the thousand.
@cache
def _insert_text(table: str, names: tuple[str, ...]) -> str:
    members = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{members}}}'


@cache
def _update_text(table: str, names: tuple[str, ...]) -> str:
    changes = " ".join(f'SET "{name}" = ?' for name in names)
    return f'UPDATE "{table}" {changes} WHERE "scope" = ? AND "window" = ? AND "position" = ?'
