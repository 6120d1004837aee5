"""JSON, CSV and NDJSON: which one a client gets, and how the other two are written (contract, "Reading")."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from producer_api.parameters import Asked, Parameter, choice
from producer_api.preferences import preferences
from telemetry.errors import Unanswerable


class Format(StrEnum):
    """How an answer is written."""

    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"


MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.NDJSON: "application/x-ndjson",
}
_NAMES: Final[Mapping[Format, frozenset[str]]] = {
    Format.JSON: frozenset({"application/json"}),
    Format.CSV: frozenset({"text/csv"}),
    Format.NDJSON: frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"}),
}
_SPREADSHEET_TRIGGERS: Final = ("=", "+", "-", "@", "\t", "\r")
_UNSAFE_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")

FORMAT: Final = choice("format", "How the answer is written; outranks Accept.", Format.JSON)


def _parse_for(text: str) -> bool:
    if text != "spreadsheet":
        raise ValueError("Expected spreadsheet.")
    return True


FOR: Final = Parameter(
    "for",
    _parse_for,
    False,  # noqa: FBT003  the default of a flag
    "`spreadsheet`: CSV with a byte order mark, and ' before text that a spreadsheet would take for a formula.",
    {"type": "string", "enum": ["spreadsheet"]},
)


def format_of(request: Request, asked: Asked) -> Format:
    """What was asked for by parameter, or else by Accept.

    Raises 406 when nothing fits, Unanswerable when what is for spreadsheets is not CSV.
    """
    form = asked[FORMAT] if FORMAT in asked else _accepted(",".join(request.headers.getlist("Accept")))
    if asked[FOR] and form is not Format.CSV:
        raise Unanswerable("csv-only", {"for": "Taken with format=csv only."}, {"format": Format.CSV.value})
    return form


def _accepted(accept: str) -> Format:
    if not accept.strip():
        return Format.JSON
    weights = _weights(accept)
    form = max(Format, key=lambda one: weights.get(one, 0.0))  # the first of those that weigh most
    if not weights.get(form):
        raise HTTPException(406, "This is told as application/json, text/csv or application/x-ndjson. Ask for one of these.")
    return form


def _weights(accept: str) -> Mapping[Format, float]:
    """Each format that is named, with its weight: the most specific range that names it decides."""
    weights: dict[Format, tuple[int, float]] = {}
    for media, quality in preferences(accept):
        for form, names in _NAMES.items():
            kind = MEDIA_TYPES[form].partition("/")[0]
            rank = 3 if media in names else 2 if media == f"{kind}/*" else 1 if media == "*/*" else 0
            # Of several names of one format the one that is liked best.
            if rank and (rank, quality) > weights.get(form, (0, 0.0)):
                weights[form] = (rank, quality)
    return {form: quality for form, (_, quality) in weights.items()}


class CsvWriter:
    """Lines of RFC 4180: CRLF, null is empty, values unaltered unless they are for a spreadsheet."""

    def __init__(self, *, spreadsheet: bool) -> None:
        self._spreadsheet = spreadsheet
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, lineterminator="\r\n")

    def header(self, names: Sequence[str]) -> bytes:
        """The first line."""
        return (b"\xef\xbb\xbf" if self._spreadsheet else b"") + self.lines([names])

    def lines(self, rows: Iterable[Sequence[object]]) -> bytes:
        """Some lines."""
        self._writer.writerows([self._cell(value) for value in row] for row in rows)
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text.encode()

    def _cell(self, value: object) -> object:
        if isinstance(value, bool):
            return "true" if value else "false"
        if self._spreadsheet and isinstance(value, str) and value.startswith(_SPREADSHEET_TRIGGERS):
            return f"'{value}"
        return value


def attachment(name: str) -> str:
    """A Content-Disposition with a file name in both forms (RFC 6266)."""
    plain = _UNSAFE_IN_NAMES.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
