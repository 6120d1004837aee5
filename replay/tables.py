"""Readings out of tables of others: CSV, NDJSON and Parquet, whose columns have names of their own.

Nothing is checked here but that there is something to send: the API says what a reading is, the same for everybody.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple

from replay.columns import Unfit, plain
from telemetry.errors import TelemetryError

FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "sensorId": ("sensorId", "sensor_id", "subject"),
    "temperature": ("temperature", "data.temperature"),
    "timestamp": ("timestamp", "measured_at", "time"),
}
"""What a reading consists of, and under which names it is looked for: the API's, and those of `telemetry replay`."""
_ROWS_AT_ONCE: Final = 10_000


class Form(StrEnum):
    """How a table is written."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


SUFFIXES: Final = {
    ".csv": Form.CSV, ".ndjson": Form.NDJSON, ".jsonl": Form.NDJSON, ".parquet": Form.PARQUET,
}  # fmt: skip


class BadTable(TelemetryError):
    """A file that cannot be read as the table it is said to be, or that lacks a column."""


class Row(NamedTuple):
    """A row of a table as a reading."""

    number: int
    """From 1, a header not counted."""
    reading: Mapping[str, Any]
    """What is sent; empty when the row is none."""
    fault: str = ""
    """Why it is none."""


def rows_of(path: Path, form: Form, mapped: Mapping[str, str]) -> Iterator[Row]:
    """The rows of a table. `mapped` names columns by the fields they hold. Raises BadTable, OSError."""
    names = {field: [mapped[field]] if field in mapped else list(known) for field, known in FIELDS.items()}
    found = {Form.CSV: _csv, Form.NDJSON: _ndjson, Form.PARQUET: _parquet}[form](path, names)
    return (Row(number, *row) for number, row in enumerate(found, 1))


type _Names = Mapping[str, list[str]]
type _Found = tuple[Mapping[str, Any], str]


def _csv(path: Path, names: _Names) -> Iterator[_Found]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns = _chosen(path, names, list(table.fieldnames or ()))
            for row in table:
                yield {field: row[column] for field, column in columns.items()}, ""
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadTable(f"{path} is not CSV in UTF-8: {error}.") from None


def _ndjson(path: Path, names: _Names) -> Iterator[_Found]:
    with path.open("rb") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                told = json.loads(line, parse_float=Decimal)
            except (ValueError, RecursionError, InvalidOperation) as error:  # the last for exponents beyond all bounds
                yield {}, f"not JSON: {str(error) or 'a number that is none'}"
                continue
            if isinstance(told, dict):
                yield _row({field: _sent(_first(told, known)) for field, known in names.items()})
            else:
                yield {}, "not a JSON object"


def _parquet(path: Path, names: _Names) -> Iterator[_Found]:
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra that not everybody has
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ModuleNotFoundError:
        raise BadTable("Parquet needs pyarrow: install the extra, telemetry-pipeline[parquet].") from None
    try:
        with pq.ParquetFile(path) as file:
            columns = _chosen(path, names, file.schema_arrow.names)
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=[*dict.fromkeys(columns.values())]):
                found = {field: plain(pa, batch.column(column)) for field, column in columns.items()}
                for values in zip(*found.values(), strict=True):
                    yield _row(dict(zip(found, map(_sent, values), strict=True)))
    except (pa.ArrowException, KeyError) as error:
        raise BadTable(f"{path} is not Parquet that can be read: {error}") from None


def _row(values: Mapping[str, Any]) -> _Found:
    faults = [f"{field} is {value.what}" for field, value in values.items() if isinstance(value, Unfit)]
    return ({}, "; ".join(faults)) if faults else (values, "")


def _sent(value: Any) -> Any:
    """A value as JSON holds it. The API takes a number in a string, and so all of its digits."""
    if isinstance(value, list | dict):
        return Unfit("an array, which is no value" if isinstance(value, list) else "an object, which is no value")
    if isinstance(value, Decimal) or (isinstance(value, float) and not isfinite(value)):
        return str(value)
    return value


def _chosen(path: Path, names: _Names, columns: list[str]) -> dict[str, str]:
    """The column of each field. Raises BadTable, which names those that there are."""
    chosen = {field: next((name for name in known if name in columns), "") for field, known in names.items()}
    if missing := [field for field, column in chosen.items() if not column]:
        looked_for = "; ".join(f"{field} ({' or '.join(names[field])})" for field in missing)
        raise BadTable(f"{path} has no column for {looked_for}. It has {', '.join(columns) or 'none'}: use --map field=column.")
    return chosen


def _first(told: Mapping[str, Any], known: Sequence[str]) -> Any:
    """The first of these names that an object has; a dot leads into an object in it."""
    for name in known:
        value: Any = told
        for part in [name] if name in told else name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None
