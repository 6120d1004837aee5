"""What the rule of AWS IoT Core makes of a message is an event that we decode, in the record that Kinesis gets of it."""

import hashlib
import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from telemetry.errors import UndecodableEvent
from telemetry.events import SOURCE, decode_event, encode_event
from telemetry.reading import Reading
from telemetry.records import Line, split_record
from telemetry.shards import hash_key
from tests.support.terraform import TREE

MODULE = (TREE / "modules/mqtt/main.tf").read_text()


def statement() -> dict[str, str]:
    """The expressions that the rule selects, by the member that each becomes, as Terraform writes them."""
    [block] = re.findall(r"^  event = \{\n(.*?)^  \}", MODULE, re.DOTALL | re.MULTILINE)
    return {name: json.loads(text) for name, text in re.findall(r"^ +(\w+) += (\".*\")$", block, re.MULTILINE)}


def record(topic: str, payload: dict[str, Any]) -> bytes:
    """What the rule hands to Kinesis: one JSON object, without what is undefined and without a newline.

    Of IoT's SQL only what the rule uses, as its reference has it: what the payload lacks is undefined, and left out.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    known: dict[str, Any] = {
        "newuuid()": str(uuid.uuid4()),
        "topic(2)": topic.split("/")[1],
        "time": payload.get("time"),
        "parse_time(\"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'\", timestamp(), 'UTC')": now,
        "{'temperature': temperature}": {name: value for name, value in payload.items() if name == "temperature"},
    }
    made = {name: text[1:-1] if text.startswith("'") else known[text] for name, text in statement().items()}
    return json.dumps({name: value for name, value in made.items() if value is not None}, separators=(",", ":")).encode()


def only_line(data: bytes) -> bytes:
    """What the decoder makes of such a record."""
    [line] = split_record(data)
    assert isinstance(line, Line)
    return line.data


def test_a_message_is_a_reading_like_any_other() -> None:
    """The same as one that was PUT: it counts once, whichever way it comes, and how often."""
    data = record("sensors/room-1/temperature", {"temperature": 21.5, "time": "2026-03-01T12:00:00Z", "battery": 80})
    line = only_line(data)
    reading = Reading(1_772_366_400_000_000, "room-1", 21_500_000)
    assert decode_event(line) == reading == decode_event(encode_event(reading, 0))
    event = json.loads(line)
    assert event.keys() == {"specversion", "type", "source", "id", "subject", "time", "receivedtime", "data"}
    assert event["source"] != SOURCE, "it says which way it came"


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("sensors/room-1/temperature", {"time": "2026-03-01T12:00:00Z"}, "data.temperature"),
        ("sensors/room-1/temperature", {"temperature": "warm", "time": "2026-03-01T12:00:00Z"}, "data.temperature"),
        ("sensors/room-1/temperature", {"temperature": 1}, "time"),
        ("sensors//temperature", {"temperature": 1, "time": "2026-03-01T12:00:00Z"}, "subject"),
    ],
)
def test_what_is_no_reading_is_a_dead_letter_that_says_why(topic: str, payload: dict[str, Any], reason: str) -> None:
    """Nobody else is told: MQTT has no answer."""
    line = only_line(record(topic, payload))
    with pytest.raises(UndecodableEvent, match=re.escape(reason)):
        decode_event(line)


def test_it_lies_in_the_shard_of_its_sensor() -> None:
    """The partition key is the sensor's id, of which Kinesis makes the same number as the API."""
    assert 'partition_key = "$${topic(2)}"' in MODULE
    assert statement()["subject"] == "topic(2)"
    assert hash_key("room-1") == int(hashlib.md5(b"room-1", usedforsecurity=False).hexdigest(), 16)
