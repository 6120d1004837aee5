"""Dead letters and their marks as DynamoDB items. Pure; `dynamodb.py` and `dynamodb_letters.py` move them.

A mark is an item of its own beside the letter's: a letter that comes again, however late, writes over its own parts alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from projections.effects import DeadLetter, Origin
from telemetry.errors import ReasonCode
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome
from telemetry.limits import BATCH_WRITE_ITEMS_MAX, DEAD_LETTER_PART_BYTES_MAX, DEAD_LETTERS_CALL_BYTES_MAX
from telemetry.reading import parse_timestamp, rfc3339

if TYPE_CHECKING:
    from projections.items import Item

_MARK: Final = "mark"
"""Where a letter's parts have their number. It follows all digits, so a letter's items stand together, its mark last."""


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """What the table holds of one place of the log: a letter, a mark, or both."""

    origin: Origin
    letter: DeadLetter | None
    """None when it is not there, or not all of its parts are; where only heads were asked for its data is empty."""
    mark: LetterMark | None


def dead_letter_items(letter: DeadLetter) -> "Iterator[Item]":
    """One item per part of a dead letter, since a record may be larger than an item."""
    offsets = range(0, max(len(letter.data), 1), DEAD_LETTER_PART_BYTES_MAX)
    lines: Item = {"lines": {"S": " ".join(f"{first}-{last}" for first, last in letter.lines)}} if letter.lines else {}
    for part, offset in enumerate(offsets):
        yield {
            **letter_key(letter.origin, str(part)),
            "parts": {"N": str(len(offsets))},
            "data": {"B": letter.data[offset : offset + DEAD_LETTER_PART_BYTES_MAX]},
            "code": {"S": letter.code.value},
            "reason": {"S": letter.reason},
            "arrived": {"S": rfc3339(letter.arrived_at_ms * 1000)},
            **lines,
        }


def letter_key(origin: Origin | LetterPlace, part: str) -> "Item":
    """The primary key of a part of a letter."""
    return {"shard_id": {"S": origin.shard_id}, "place": {"S": f"{origin.sequence_number}#{origin.line}#{part}"}}


def mark_item(mark: LetterMark) -> "Item":
    """A mark. Of two the one with the larger `marked` stays."""
    item: Item = {
        **letter_key(mark.letter, _MARK),
        "marked": {"S": mark.order},
        "outcome": {"S": mark.outcome.value},
        "by": {"S": mark.by},
        "because": {"S": mark.because},
        "at": {"S": rfc3339(mark.marked_at_us)},
    }
    return item | ({"moved_to": {"L": [{"S": place} for place in mark.moved_to]}} if mark.moved_to else {})


def read_letters(items: "Iterable[Item]", *, whole: bool = True) -> Iterator[KeptLetter]:
    """What items say, in the order of a query or scan; without `whole` data are not looked for, nor parts but the first."""
    for origin, found in groupby(items, _origin):
        parts: dict[int, Item] = {}
        mark: LetterMark | None = None
        for item in found:
            part = item["place"]["S"].rpartition("#")[2]
            if part == _MARK:
                mark = _read_mark(origin, item)
            else:
                parts[int(part)] = item
        complete = 0 in parts and (not whole or len(parts) == int(parts[0]["parts"]["N"]))
        yield KeptLetter(origin, _read_letter(origin, parts, whole=whole) if complete else None, mark)


def calls_of(letters: "Iterable[Item]") -> "Iterator[Sequence[Item]]":
    """Items of dead letters call by call: no more than one takes, and far below a request's 16 MB."""
    call: list[Item] = []
    size_bytes = 0
    for item in letters:
        data_bytes = len(item["data"]["B"])
        if call and (len(call) == BATCH_WRITE_ITEMS_MAX or size_bytes + data_bytes > DEAD_LETTERS_CALL_BYTES_MAX):
            yield call
            call, size_bytes = [], 0
        call.append(item)
        size_bytes += data_bytes
    if call:
        yield call


def _origin(item: "Item") -> Origin:
    sequence_number, line, _ = item["place"]["S"].split("#")
    return Origin(item["shard_id"]["S"], int(sequence_number), int(line))


def _read_letter(origin: Origin, parts: "dict[int, Item]", *, whole: bool) -> DeadLetter:
    first = parts[0]
    data = b"".join(bytes(parts[number]["data"]["B"]) for number in range(len(parts))) if whole else b""
    arrived_at_ms = parse_timestamp(first["arrived"]["S"]) // 1000
    runs = (run.split("-") for run in first.get("lines", {"S": ""})["S"].split())
    lines = tuple((int(begin), int(end)) for begin, end in runs)
    return DeadLetter(origin, data, ReasonCode(first["code"]["S"]), first["reason"]["S"], arrived_at_ms, lines)


def _read_mark(origin: Origin, item: "Item") -> LetterMark:
    return LetterMark(
        LetterPlace(*origin),
        Outcome(item["outcome"]["S"]),
        item["by"]["S"],
        item["because"]["S"],
        parse_timestamp(item["at"]["S"]),
        tuple(place["S"] for place in item.get("moved_to", {"L": []})["L"]),
    )
