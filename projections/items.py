"""DynamoDB items: how readings, rows and dead letters are written down. Pure; `dynamodb.py` moves them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from projections.effects import DeadLetter
from projections.fold import Stats
from projections.packs import Bucket, Pack, Place
from projections.retention import Gap
from projections.rows import Row, RowKey
from telemetry.limits import DEAD_LETTER_PART_BYTES_MAX
from telemetry.reading import Reading, decimal_text, parse_temperature, parse_timestamp, rfc3339

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    type Item = dict[str, AttributeValueTypeDef]


def pack_key(pack: Pack) -> "Item":
    """The primary key of a pack: within its sensor by bucket, then by shard and bounds."""
    first, last = (f"{place.sequence_number}.{place.line}" for place in (pack.first, pack.last))
    return {"sensor_id": {"S": pack.bucket.sensor_id}, "pack": {"S": f"{pack.bucket.time}#{pack.shard_id}#{first}#{last}"}}


def pack_item(pack: Pack) -> "Item":
    """A pack; its readings are text, such as `0:05=18.7 0:06.5=18.75`: the timestamp beyond the bucket's, and °C."""
    texts = (
        f"{rfc3339(reading.measured_at_us)[len(pack.bucket.time) : -1]}={decimal_text(reading.temperature_micro)}"
        for reading in pack.readings
    )
    return {**pack_key(pack), "readings": {"S": " ".join(texts)}}


def read_pack(item: "Item") -> Pack:
    """The inverse of `pack_item`."""
    sensor_id = item["sensor_id"]["S"]
    time, shard_id, first, last = item["pack"]["S"].split("#")
    readings = []
    for text in item["readings"]["S"].split(" "):
        rest, _, temperature = text.partition("=")
        readings.append(Reading(parse_timestamp(f"{time}{rest}Z"), sensor_id, parse_temperature(temperature)))
    return Pack(Bucket(sensor_id, time), shard_id, _read_place(first), _read_place(last), tuple(readings))


def _read_place(text: str) -> Place:
    sequence_number, _, line = text.partition(".")
    return Place(int(sequence_number), int(line))


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
    if row.gap:
        item["gap"] = {"S": gap_text(row.gap)}
    if row.past_us >= 0:
        item["past"] = {"S": rfc3339(row.past_us)}
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


def row_statement(table: str, shard_id: str, row: Row, known: Row) -> "dict[str, str | list[AttributeValueTypeDef]]":
    """A PartiQL statement that writes a row if it is still as it was known: absent, or at the position of `known`."""
    item = row_item(shard_id, row)
    if not known.position:
        members = ", ".join(f"'{name}': ?" for name in item)
        return {"Statement": f'INSERT INTO "{table}" VALUE {{{members}}}', "Parameters": list(item.values())}
    scope, window = item.pop("scope"), item.pop("window")
    changes = " ".join(f'SET "{name}" = ?' for name in item)
    return {
        "Statement": f'UPDATE "{table}" {changes} WHERE "scope" = ? AND "window" = ? AND "position" = ?',
        "Parameters": [*item.values(), scope, window, {"S": str(known.position)}],
    }


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
        gap=Gap(*map(parse_timestamp, item["gap"]["S"].split("/"))) if "gap" in item else None,
        past_us=parse_timestamp(item["past"]["S"]) if "past" in item else -1,
    )


def gap_text(gap: Gap) -> str:
    """A gap as an interval of ISO 8601."""
    return f"{rfc3339(gap.from_us)}/{rfc3339(gap.until_us)}"


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
            "code": {"S": letter.code.value},
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
