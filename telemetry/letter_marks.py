"""What operators decide about dead letters: marks, which are events on the log of a type of their own.

A projection that is filled again meets them there, so a decision is never lost with a table. They are no readings: doors refuse
their type, replay passes over them. Of several marks of one letter the latest counts, in whatever order they are read.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from enum import StrEnum
from typing import Any, Final, NamedTuple

from telemetry import strict_json
from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.limits import EVENT_BYTES_MAX
from telemetry.reading import parse_timestamp, rfc3339, sortable_time

LETTER_MARKED: Final = "telemetry.dead-letter.marked.v1"
_SOURCE: Final = "telemetry dead-letters"
_TYPE: Final = LETTER_MARKED.encode()
_PLACE: Final = re.compile(r"((?:[1-9]\d{0,5}/)?[\w.-]{1,128}):(\d{1,128}):(\d{1,9})", re.ASCII)
TEXT_CHARS_MAX: Final = 2_000
"""Of who decided, and of why."""


class LetterPlace(NamedTuple):
    """Where a dead letter stood: shard, record, line in the record."""

    shard_id: str
    sequence_number: int
    line: int

    @property
    def text(self) -> str:
        """As it is typed and shown."""
        return f"{self.shard_id}:{self.sequence_number}:{self.line}"


class Outcome(StrEnum):
    """What was decided."""

    RESOLVED = "resolved"
    """What it holds was appended to the log again, and counts from there."""
    DISCARDED = "discarded"
    """Nobody needs it."""


class LetterMark(NamedTuple):
    """A decision about a dead letter."""

    letter: LetterPlace
    outcome: Outcome
    by: str
    because: str
    marked_at_us: int
    """By the clock of who decided: microseconds since 1970."""
    moved_to: tuple[str, ...] = ()
    """Where its events stand now, each as `shard:sequence number`; of what was resolved only."""

    @property
    def order(self) -> str:
        """Of two marks of a letter the one with the larger counts: the later, and of one moment always the same."""
        identity = "\n".join((self.letter.text, self.outcome, self.by, self.because, *self.moved_to))
        return f"{sortable_time(self.marked_at_us)}#{_short(identity)}"


def parse_place(text: str) -> LetterPlace:
    """The inverse of `LetterPlace.text`. Raises ValueError with text for who typed it."""
    if not (match := _PLACE.fullmatch(text)):
        raise ValueError("Expected shard:sequence number:line, as telemetry dead-letters shows it.")
    return LetterPlace(match[1], int(match[2]), int(match[3]))


def encode_mark(mark: LetterMark) -> bytes:
    """The event of a mark, one line without its newline."""
    data: dict[str, Any] = {"outcome": mark.outcome, "by": mark.by, "because": mark.because}
    if mark.moved_to:
        data["movedTo"] = list(mark.moved_to)
    event = {
        "specversion": "1.0",
        "type": LETTER_MARKED,
        "source": _SOURCE,
        "id": _short(mark.order),
        "subject": mark.letter.text,
        "time": rfc3339(mark.marked_at_us),
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def decode_mark(line: bytes) -> LetterMark | None:
    """The mark a line of the log holds; None when it is no event of that type, which `decode_event` has to judge.

    Raises UndecodableEvent when it is a mark of another form than ours.
    """
    if _TYPE not in line or len(line) > EVENT_BYTES_MAX:
        return None
    try:
        event = strict_json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or event.get("specversion") != "1.0" or event.get("type") != LETTER_MARKED:
        return None
    try:
        return _mark(event)
    except (KeyError, TypeError, ValueError) as error:
        raise UndecodableEvent(ReasonCode.NOT_AN_EVENT, f"a mark of another form: {error}") from None


def _mark(event: dict[str, Any]) -> LetterMark:
    data = event["data"]
    if not isinstance(data, dict) or not isinstance(moved_to := data.get("movedTo", []), list):
        raise TypeError("Expected data as an object, and movedTo as a list.")
    for text in (event["subject"], data["by"], data["because"], *moved_to):
        if not isinstance(text, str) or len(text) > TEXT_CHARS_MAX:
            raise ValueError(f"Expected text of at most {TEXT_CHARS_MAX} characters.")
    return LetterMark(
        parse_place(event["subject"]),
        Outcome(data["outcome"]),
        data["by"],
        data["because"],
        parse_timestamp(event["time"]),
        tuple(moved_to),
    )


def _short(text: str) -> str:
    return urlsafe_b64encode(hashlib.blake2b(text.encode(), digest_size=12).digest()).decode()
