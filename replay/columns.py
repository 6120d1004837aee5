"""The values of a table's columns as JSON can hold them, whatever type of Arrow's they have; pyarrow is handed in."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, NamedTuple

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  of columns without a zone too
_A_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY_MS: Final = 86_400_000


class Unfit(NamedTuple):
    """In the place of a value that no reading can have."""

    what: str
    """In words: what it is."""


def plain(pa: Any, column: Any) -> list[Any]:
    """A column's values: text, numbers, decimals, None, and Unfit.

    Numbers of 32 bits by their own digits, since 18.7 would be 18.700000762939453 in 64. Times as ISO 8601, cut to microseconds
    as the API cuts them; dates too.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(pa, column.dictionary_decode())
    is_extension = isinstance(kind, pa.BaseExtensionType)
    if is_extension and kind.extension_name != "arrow.uuid":
        return plain(pa, column.storage)
    for fits, read in _readers(pa):
        if fits(kind):
            return read(column)
    return [Unfit(f"of type {kind}, which is no text, number or time") if one.is_valid else None for one in column]


def _readers(pa: Any) -> Iterator[tuple[Callable[[Any], bool], Callable[[Any], list[Any]]]]:
    """Which types are read how."""
    types, whole = pa.types, pa.int64()
    yield (lambda kind: isinstance(kind, pa.UuidType)), _as_text
    for fits in (types.is_float16, types.is_float32):
        yield fits, lambda column: _values(column.cast(pa.float32()).cast(pa.string()))
    yield types.is_timestamp, lambda column: _times(_values(column.cast(whole)), column.type)
    yield types.is_date32, lambda column: _dates(_values(column.cast(pa.int32())))
    yield types.is_date64, lambda column: _dates([ms and ms // _DAY_MS for ms in _values(column.cast(whole))])
    for fits in (types.is_string, types.is_large_string, types.is_string_view):
        yield fits, _texts
    for fits in (types.is_null, types.is_boolean, types.is_integer, types.is_floating, types.is_decimal):
        yield fits, _values


def _values(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _texts(column: Any) -> list[Any]:
    try:
        return _values(column)
    except UnicodeDecodeError:
        return [*_texts_one_by_one(column)]


def _texts_one_by_one(column: Iterable[Any]) -> Iterable[Any]:
    for one in column:
        try:
            yield one.as_py()
        except UnicodeDecodeError:
            yield Unfit("no text in UTF-8")


def _as_text(column: Any) -> list[Any]:
    return [None if value is None else str(value) for value in _values(column)]


def _times(ticks: Iterable[int | None], kind: Any) -> list[Any]:
    """Of a type with a zone in UTC."""
    a_second, zone = _A_SECOND[kind.unit], UTC if kind.tz is not None else None
    return [tick if tick is None else _time(tick * 10**6 // a_second, zone) for tick in ticks]


def _time(at_us: int, zone: tzinfo | None) -> Any:
    try:
        return (_EPOCH + timedelta(microseconds=at_us)).replace(tzinfo=zone).isoformat()
    except OverflowError:
        return Unfit("a time that is not in the years 1 to 9999")


def _dates(days: Iterable[int | None]) -> list[Any]:
    return [day if day is None else _date(day) for day in days]


def _date(days: int) -> Any:
    try:
        return (_EPOCH + timedelta(days=days)).date().isoformat()
    except OverflowError:
        return Unfit("a date that is not in the years 1 to 9999")
