"""DynamoDB items: how readings, rows and dead letters are written down. Pure; `dynamodb.py` moves them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from projections.effects import DeadLetter, Origin
from projections.fold import Stats
from projections.rows import Row, RowKey
from telemetry.limits import DEAD_LETTER_PART_BYTES_MAX
from telemetry.reading import Reading, decimal_text, parse_temperature, parse_timestamp, rfc3339, sortable_time

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    type Item = dict[str, AttributeValueTypeDef]


def reading_key(reading: Reading) -> "Item":
    """The primary key of a raw reading: one per identity, in time order within its sensor."""
    key = f"{sortable_time(reading.measured_at_us)}#{decimal_text(reading.temperature_micro)}"
    return {"sensor_id": {"S": reading.sensor_id}, "reading_key": {"S": key}}


def reading_item(reading: Reading, origin: Origin) -> "Item":
    """A raw reading with the place in the log that first brought it; the same bytes whenever it is written."""
    return {**reading_key(reading), "origin": {"S": f"{origin.shard_id}:{origin.sequence_number}:{origin.line}"}}


def read_reading(item: "Item") -> tuple[Reading, Origin]:
    """The inverse of `reading_item`."""
    time, _, temperature = item["reading_key"]["S"].partition("#")
    shard_id, sequence_number, line = item["origin"]["S"].rsplit(":", 2)
    reading = Reading(parse_timestamp(time), item["sensor_id"]["S"], parse_temperature(temperature))
    return reading, Origin(shard_id, int(sequence_number), int(line))


def row_key(shard_id: str, key: RowKey) -> "Item":
    """The primary key of a row: its window ends with the shard, so that a query finds a window's rows side by side."""
    return {"scope": {"S": key.scope}, "window": {"S": f"{key.window}#{shard_id}"}}


def row_item(shard_id: str, row: Row) -> "Item":
    """A row. Positions are text: sequence numbers have 56 digits, DynamoDB's numbers 38 (hazard H18)."""
    stats = row.stats
    item: Item = {
        **row_key(shard_id, row.key),
        "position": {"S": str(row.position)},
        "as_of": {"S": rfc3339(row.as_of_us)},
        "count": {"N": str(stats.count)},
        "sum_micro": {"N": str(stats.sum_micro)},
        "sum_squares": {"N": str(stats.sum_squares)},
        "duplicates": {"N": str(stats.duplicates)},
    }
    if row.flushed_position:
        item["flushed_position"] = {"S": str(row.flushed_position)}
    if row.ended:
        item["ended"] = {"BOOL": True}
    if row.beat:
        item["beat"] = {"N": str(row.beat)}
    for name, reading in (
        ("minimum", stats.minimum),
        ("maximum", stats.maximum),
        ("first", stats.first),
        ("latest", stats.latest),
    ):
        if reading:
            item[name] = {"S": _reading_text(reading)}
    return item


def read_row(item: "Item") -> tuple[str, Row]:
    """The inverse of `row_item`: the shard and its row."""
    window, _, shard_id = item["window"]["S"].rpartition("#")
    stats = Stats(
        count=int(item["count"]["N"]),
        sum_micro=int(item["sum_micro"]["N"]),
        sum_squares=int(item["sum_squares"]["N"]),
        minimum=_read_reading_text(item.get("minimum")),
        maximum=_read_reading_text(item.get("maximum")),
        first=_read_reading_text(item.get("first")),
        latest=_read_reading_text(item.get("latest")),
        duplicates=int(item["duplicates"]["N"]),
    )
    flushed_position = int(item["flushed_position"]["S"]) if "flushed_position" in item else 0
    return shard_id, Row(
        RowKey(item["scope"]["S"], window),
        int(item["position"]["S"]),
        stats,
        parse_timestamp(item["as_of"]["S"]),
        flushed_position,
        ended="ended" in item,
        beat=int(item["beat"]["N"]) if "beat" in item else 0,
    )


def dead_letter_items(letter: DeadLetter) -> "Iterator[Item]":
    """One item per part of a dead letter, since a record may be larger than an item."""
    origin = letter.origin
    offsets = range(0, max(len(letter.data), 1), DEAD_LETTER_PART_BYTES_MAX)
    for part, offset in enumerate(offsets):
        yield {
            "shard_id": {"S": origin.shard_id},
            "place": {"S": f"{origin.sequence_number}#{origin.line}#{part}"},
            "parts": {"N": str(len(offsets))},
            "data": {"B": letter.data[offset : offset + DEAD_LETTER_PART_BYTES_MAX]},
            "reason": {"S": letter.reason},
            "arrived": {"S": rfc3339(letter.arrived_at_ms * 1000)},
        }


def _reading_text(reading: Reading) -> str:
    # The sensor id comes last: it alone may hold a "#".
    return f"{rfc3339(reading.measured_at_us)}#{decimal_text(reading.temperature_micro)}#{reading.sensor_id}"


def _read_reading_text(value: "AttributeValueTypeDef | None") -> Reading | None:
    if value is None:
        return None
    time, temperature, sensor_id = value["S"].split("#", 2)
    return Reading(parse_timestamp(time), sensor_id, parse_temperature(temperature))
