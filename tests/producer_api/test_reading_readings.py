"""GET /api/readings and /api/sensors/{id}/readings: pages, and streams of CSV and NDJSON that end well or break."""

import csv
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import quote

import httpx
import pytest

from telemetry.reading import Reading
from tests.faults.faults import Fault, Forward, Request, Response, refuse_with
from tests.faults.proxy import FaultProxy, Rule, fault_proxy
from tests.producer_api.raw import Broken, Connection
from tests.producer_api.server import Server, serving
from tests.producer_api.test_reading_history import TYPES, all_pages
from tests.producer_api.test_reading_sensors import plain
from tests.producer_api.world import CLOCK_SET, DENSE, DENSE_FROM, ODD_IDS, World, asking, utc
from tests.support.logs import log_lines
from tests.support.stack import at
from tests.support.waiting import eventually

READINGS = "/api/readings"
CUT = {"from_": (DENSE_FROM + timedelta(seconds=599.7)).isoformat(), "to": (DENSE_FROM + timedelta(minutes=12)).isoformat()}


def written(reading: Reading) -> tuple[str, str, str]:
    """As a line of CSV."""
    celsius = f"{reading.temperature_micro / 10**6:.6f}".rstrip("0").rstrip(".")
    return reading.sensor_id, utc(reading.measured_at_us), celsius


def table(text: str) -> list[tuple[str, ...]]:
    """The lines of a CSV, without its header."""
    assert text.count("\n") == text.count("\r\n")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == ["sensorId", "timestamp", "temperature"]
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(("sensor_id", "ends", "limit"), [("202", {}, "37"), ("dense", CUT, "170"), ("dense", {}, "4000")])
def test_pages_together_are_what_was_measured(
    world: World, sensor_id: str, ends: dict[str, str], limit: str, order: str
) -> None:
    """By time or against it, from one instant on and before another, to the end by `next`."""
    begin, end = (datetime.fromisoformat(ends[name]) if ends else None for name in ("from_", "to"))
    some = world.of(sensor_id, begin, end)
    pages = all_pages(world, asking(f"/api/sensors/{sensor_id}/readings", order=order, limit=limit, **ends))
    told = [one for page in pages for one in page["readings"]]
    assert told == [plain(one) for one in (some if order == "asc" else some[::-1])]
    assert len(pages) == -(-len(some) // int(limit))
    assert all(list(page) == ["sensorId", "readings", "asOf", "next"] for page in pages)
    assert {page["sensorId"] for page in pages} == {sensor_id}


def test_a_page_holds_a_thousand_unless_said_otherwise(world: World) -> None:
    """At most 10,000."""
    assert len(world.told(READINGS, sensorId="dense")["readings"]) == 1_000
    whole = world.told(READINGS, sensorId="dense", limit="10000")
    assert (len(whole["readings"]), whole["next"]) == (DENSE, None)


def test_times_are_told_in_the_zone_asked_for(world: World) -> None:
    """Across the night on which it is set."""
    begin = CLOCK_SET - timedelta(minutes=20)
    told = world.told(READINGS, sensorId="202", tz="Europe/Berlin", from_=begin.isoformat(), limit="3")["readings"]
    offsets = [one["timestamp"][-6:] for one in told]
    assert offsets == ["+01:00", "+02:00", "+02:00"]
    assert [datetime.fromisoformat(one["timestamp"]).astimezone(UTC) for one in told] == [
        datetime.fromisoformat(utc(one.measured_at_us)) for one in world.of("202", begin)[:3]
    ]


@pytest.mark.parametrize(("sensor_id", "order"), [("dense", "asc"), ("202", "desc")])
def test_streams_hold_everything(world: World, sensor_id: str, order: str) -> None:
    """However many: lines of CSV and of NDJSON say whose reading it is; packed they are the same."""
    some = world.of(sensor_id)[:: 1 if order == "asc" else -1]
    as_csv = world.get(READINGS, sensorId=sensor_id, order=order, format="csv")
    lines = world.get(READINGS, sensorId=sensor_id, order=order, format="ndjson")
    assert table(as_csv.text) == [written(one) for one in some]
    assert [tuple(json.loads(line, parse_float=str, parse_int=str).values()) for line in lines.text.splitlines()] == [
        written(one) for one in some
    ]
    assert list(json.loads(lines.text.partition("\n")[0])) == ["sensorId", "timestamp", "temperature"]
    for answer, form in ((as_csv, "csv"), (lines, "ndjson")):
        assert answer.headers["content-type"] == TYPES[form]
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.headers["content-encoding"] == "gzip"
        assert "link" not in answer.headers
        assert "etag" not in answer.headers
        assert answer.headers["x-as-of"]


def test_a_limit_makes_pages_of_csv_as_well(world: World) -> None:
    """Each with a header line, followed by Link."""
    target, rows = asking(READINGS, sensorId="202", format="csv", limit="100"), []
    while target:
        answer = world.client.get(target)
        rows += table(answer.text)
        assert answer.headers["etag"]
        target = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert rows == [written(one) for one in world.of("202")]


def test_head_of_a_stream_reads_no_further_than_its_first_page(world: World) -> None:
    """GET's headers, but for how the body is sent."""
    target = asking(READINGS, sensorId="dense", format="csv")
    with Connection(world.url) as connection:
        answer = connection.send(f"HEAD {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).answer(head=True)
        assert (answer.status, answer.headers["content-type"]) == (200, TYPES["csv"])
        assert connection.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").answer().body == b'{"status":"ok"}'


@pytest.mark.parametrize("sensor_id", ODD_IDS)
def test_csv_is_quoted_as_rfc_4180_says(world: World, sensor_id: str) -> None:
    """Unaltered; for spreadsheets with a byte order mark, and with a ' before text that one would take for a formula."""
    some = [written(one) for one in world.of(sensor_id)]
    plain, marked = (
        world.get(READINGS, sensorId=sensor_id, format="csv", **more).content.decode() for more in ({}, {"for_": "spreadsheet"})
    )
    assert table(plain) == some
    mark = "'" if sensor_id[0] in "=+-@" else ""
    assert table(marked.removeprefix("\ufeff")) == [(f"{mark}{name}", *rest) for name, *rest in some]
    assert marked.startswith("\ufeff")
    if sensor_id == 'q"u,o;te':
        assert '"q""u,o;te",2026-' in plain


@pytest.mark.parametrize("sensor_id", ODD_IDS)
def test_a_file_has_a_name_in_both_forms(world: World, sensor_id: str) -> None:
    """One that any system takes, and the true one (RFC 6266)."""
    told = world.get(READINGS, sensorId=sensor_id, format="csv").headers["content-disposition"]
    simple, exact = told.removeprefix("attachment; ").split("; ")
    assert exact == f"filename*=UTF-8''{quote(f'{sensor_id}.csv', safe='')}"
    name = simple.removeprefix('filename="').removesuffix('"')
    assert name.endswith(".csv")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


# --- Streams that break ---


def after_calls(calls: int) -> Fault:
    """A fault that lets so many calls pass and refuses all others."""
    passed = 0
    refuse = refuse_with("InternalServerError")

    async def fail(request: Request, forward: Forward, rng: Random) -> Response:
        nonlocal passed
        passed += 1
        return await (forward(request) if passed <= calls else refuse(request, forward, rng))

    return fail


@dataclass
class Behind:
    """An API whose tables are behind a proxy."""

    server: Server
    proxy: FaultProxy
    table: str

    @contextmanager
    def failing_after(self, calls: int) -> Iterator[None]:
        """Queries for readings are refused after so many."""
        self.proxy.rules = [Rule(after_calls(calls), operation="Query", table=self.table)]
        yield
        self.proxy.rules = ()


@pytest.fixture(scope="module")
def behind(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """The same tables."""
    log = tmp_path_factory.mktemp("behind") / "api.log"
    with (
        fault_proxy(world.stack.settings.aws_endpoint_url or "") as proxy,
        serving(world.stack.environ | at(proxy.url), log) as server,
    ):
        yield Behind(server, proxy, world.stack.names.readings)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_stream_that_fails_midway_has_no_end(world: World, behind: Behind, form: str, coding: str) -> None:
    """What came is whole lines in their order; then the connection breaks without the last chunk."""
    target = asking(READINGS, sensorId="dense", format=form)
    with behind.failing_after(2), Connection(behind.server.url) as connection:
        head = f"Host: x\r\nAccept-Encoding: {coding}\r\nX-Request-Id: broken-{form}-{coding}\r\n\r\n"
        connection.send(f"GET {target} HTTP/1.1\r\n{head}".encode())
        with pytest.raises(Broken) as broken:
            connection.answer()
    body = broken.value.body
    if coding == "gzip":
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        body = unpacker.decompress(body)
        assert not unpacker.eof
    lines = body.decode().splitlines()[form == "csv" :]
    assert body.endswith(b"\n")
    assert 0 < len(lines) < DENSE
    times = [line.split(",")[1].removeprefix('"timestamp":').strip('"') for line in lines]
    assert times == [utc(one.measured_at_us) for one in world.of("dense")[: len(lines)]]


def test_clients_and_the_log_tell_a_stream_that_broke(behind: Behind) -> None:
    """By an error, and by a line with the request's id, as of any request that failed; others are served."""
    target = behind.server.url + asking(READINGS, sensorId="dense", format="csv")
    with behind.failing_after(2), pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        httpx.get(target, headers={"X-Request-Id": "broken-1"})
    assert httpx.get(target).status_code == 200

    def told() -> None:
        lines = [line for line in log_lines(behind.server.log) if line.get("request_id") == "broken-1"]
        assert [line["event"] for line in lines if line["level"] == "warning"] == ["stream_broken", "request_failed"]
        assert (lines[-1]["code"], lines[-1]["route"]) == ("projection-unavailable", READINGS)

    eventually(told)
    assert "Traceback" not in behind.server.log.read_text()


def test_a_question_that_fails_before_its_first_byte_is_a_503(behind: Behind) -> None:
    """Streams too: nothing of them was sent."""
    for form in ("json", "csv", "ndjson"):
        with behind.failing_after(0):
            answer = httpx.get(behind.server.url + asking(READINGS, sensorId="dense", format=form), timeout=20)
        assert (answer.status_code, answer.json()["code"]) == (503, "projection-unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        assert "content-disposition" not in answer.headers
