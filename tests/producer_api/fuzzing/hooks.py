"""Loaded by schemathesis: texts of our formats, and what no schema can say of a question.

`FUZZED_SENSORS` and `FUZZED_POSITIONS` name, as JSON lists, sensors and positions that are counted.
"""

import json
import os
import string
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote
from zoneinfo import available_timezones

import schemathesis
from hypothesis import strategies as st

from producer_api.reading.cursors import cursor_of
from producer_api.reading.sensors import Order
from telemetry.reading import parse_sensor_id

SENSORS = json.loads(os.environ["FUZZED_SENSORS"])
POSITIONS = json.loads(os.environ["FUZZED_POSITIONS"])
UNKNOWN_ZONES = {"localtime", "Factory"}

ids = st.one_of(
    st.sampled_from(SENSORS),
    st.text(st.characters(exclude_categories=["Cc", "Cf", "Zl", "Zp", "Cs"], codec="utf-8"), min_size=1, max_size=64)
    .map(lambda text: unicodedata.normalize("NFC", text.strip()))
    .filter(lambda text: text not in ("", ".", "..")),
)
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001
    datetime(2026, 1, 1),  # noqa: DTZ001
    timezones=st.one_of(st.none(), st.just(UTC), offsets),
).map(datetime.isoformat)
moments = st.one_of(
    times,
    st.dates(datetime(1970, 1, 2).date(), datetime(2100, 1, 1).date()).map(str),  # noqa: DTZ001
    st.just("now"),
    st.builds("-{}{}".format, st.integers(0, 999), st.sampled_from("smhdw")),
    st.integers(10**12, 10**13 - 1).map(str),
)
zones = st.one_of(
    st.sampled_from(sorted(available_timezones() - UNKNOWN_ZONES)),
    st.sampled_from(sorted(available_timezones() - UNKNOWN_ZONES)).map(str.lower),
    st.builds("{}{:02}:{:02}".format, st.sampled_from("+-"), st.integers(0, 23), st.integers(0, 59)),
)
positions = st.one_of(
    st.sampled_from(POSITIONS),
    st.builds("{}:{}".format, st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=128), st.integers(0)),
)
celsius = st.builds("{}{}".format, st.sampled_from(["", " ", "+", "-", "00"]), st.decimals(0, 273, places=2))

for name, strategy in {
    "sensor-id": ids,
    "moment": moments,
    "time-zone": zones,
    "position": positions,
    "timestamp": times,
    "celsius": celsius,
    "cursor": st.just("fitting"),
}.items():
    schemathesis.openapi.format(name, strategy)


@schemathesis.serializer("application/x-ndjson", "application/ndjson", "application/jsonl")
def as_it_stands(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """Lines are text already."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


@schemathesis.deserializer("application/x-ndjson")
def last_line(_: schemathesis.DeserializationContext, response: schemathesis.Response) -> Any:
    """What the schema is of, when there is a line."""
    lines = [json.loads(line) for line in response.content.splitlines()]
    if not lines:
        raise NotImplementedError
    return lines[-1]


@schemathesis.check
def code_is_described(_: schemathesis.CheckContext, response: schemathesis.Response, case: "schemathesis.Case[Any]") -> None:
    """A problem's code stands in what is said of its status."""
    kinds = response.headers.get("content-type", [])
    described = case.operation.definition.raw["responses"].get(str(response.status_code))
    if described and kinds[:1] == ["application/problem+json"]:
        code = response.json()["code"]
        assert f"`{code}`" in described["description"], f"{code} is not said of {response.status_code}"


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: "schemathesis.Case[Any]", __: dict[str, Any]) -> None:
    """A stream ends after its snapshot; a cursor is one of the question it is asked with.

    A sensor's days in a zone with odd minutes take a query each, which LocalStack may be too busy for: they are few.
    """
    query = case.query
    if case.path == "/api/stats/history" and "sensorId" in query and str(query.get("limit", "1")).isdigit():
        query["limit"] = min(int(query.get("limit", 20)), 20)
    if case.path == "/api/live" and query.get("once", "false") in (False, "false"):
        query["once"] = "true"
    if query.get("cursor") == "fitting":
        try:
            fitting = _cursor(case)
        except ValueError:  # of an id that is none, drawn to be refused
            fitting = None
        query.pop("cursor") if fitting is None else query.update(cursor=fitting)


def _cursor(case: "schemathesis.Case[Any]") -> str | None:
    """A cursor of a question, if it has one."""
    query, path = case.query, case.path
    match path:
        case "/api/sensors" if query.get("order", "id") == "id":
            return cursor_of(("sensors", Order.ID, parse_sensor_id(query["prefix"]) if query.get("prefix") else ""), SENSORS[0])
        case "/api/readings" | "/api/sensors/{sensorId}/readings":
            sensor_id = query.get("sensorId") if "{" not in path else unquote(case.formatted_path.split("/")[3])
            if isinstance(sensor_id, str) and sensor_id.strip():
                return cursor_of(("readings", parse_sensor_id(sensor_id), query.get("order") == "desc"), (0, 0))
    return None
