"""What every answer of the read side carries: freshness, ETag, Vary, packing; other methods; pages of other origins."""

import gzip
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from producer_api.app import ROUTES
from tests.producer_api.raw import Connection
from tests.producer_api.world import World, at, problem
from tests.support.waiting import eventually

ALL = [
    "/api/stats",
    "/api/stats?detail=true",
    "/api/stats?sensorId=202",
    "/api/stats?from=2026-03-01&to=2026-04-01",
    "/api/stats/history?interval=day",
    "/api/stats/history?interval=hour&sensorId=202&format=csv",
    "/api/sensors?limit=20",
    "/api/sensors?order=silent&limit=3",
    "/api/sensors/x%2Freadings",
    "/api/sensors/202/readings",
    "/api/sensor?sensorId=202",
    "/api/readings?sensorId=202&limit=10&format=ndjson",
]
LARGE = ["/api/stats/history?interval=hour", "/api/readings?sensorId=dense", "/api/readings?sensorId=dense&format=csv"]
ORIGIN = {"Origin": "https://a.example"}
EXPOSED = {
    *("content-disposition", "etag", "link", "retry-after", "x-as-of", "x-event-id", "x-projection-lag-ms", "x-request-id"),
    *("ratelimit", "ratelimit-policy", "www-authenticate", "x-stream-position"),
}


def packed(world: World, target: str, wish: str) -> tuple[httpx.Response, bytes]:
    """An answer to who wishes for a coding, and its body as it came."""
    with world.client.stream("GET", target, headers={"Accept-Encoding": wish}) as answer:
        return answer, b"".join(answer.iter_raw())


@pytest.mark.parametrize("target", ALL)
def test_an_answer_tells_how_fresh_it_is(world: World, target: str) -> None:
    """To the microsecond in UTC, and by its age now; nobody keeps it without asking again."""
    answer = world.client.get(target)
    assert answer.status_code == 200
    as_of = datetime.fromisoformat(answer.headers["x-as-of"])
    age_ms = (datetime.now(UTC) - as_of).total_seconds() * 1000
    assert int(answer.headers["x-projection-lag-ms"]) == pytest.approx(age_ms, abs=2_000)
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["vary"] == "Accept, Accept-Encoding, Origin"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("target", ALL)
def test_who_has_an_answer_is_told_that_it_still_holds(world: World, target: str) -> None:
    """304 without a body, with fresh headers; HEAD too."""

    def unchanged() -> None:
        first = world.client.get(target)
        etag = first.headers["etag"]
        assert etag.startswith('W/"')
        for method in ("GET", "HEAD"):
            again = world.client.request(method, target, headers={"If-None-Match": etag})
            assert (again.status_code, again.content) == (304, b"")
            assert "content-type" not in again.headers
            assert int(again.headers["x-projection-lag-ms"]) >= int(first.headers["x-projection-lag-ms"])
            for name in ("etag", "x-as-of", "cache-control", "vary", "link"):
                assert again.headers.get(name) == first.headers.get(name)

    eventually(unchanged)  # those that tell how long it is silent change every ten seconds


def test_an_etag_may_be_given_in_any_way(world: World) -> None:
    """Weak or strong, in a list, in several headers; `*` is any."""
    etag = world.client.get("/api/stats?sensorId=202").headers["etag"]
    for given in ([etag], [etag.removeprefix("W/")], [f'"other", {etag}'], ['"other"', etag], ["*"]):
        headers = [("If-None-Match", one) for one in given]
        assert world.client.get("/api/stats?sensorId=202", headers=headers).status_code == 304
    for other in ('"other"', "W/", "", '"', etag[:-2], f"{etag[:-1]}x"):
        assert world.client.get("/api/stats?sensorId=202", headers={"If-None-Match": other}).status_code == 200


def test_an_etag_changes_with_what_is_told(world: World) -> None:
    """With each reading that is counted, whatever was asked."""
    world.send(at("2026-01-22T10:00+00:00", "etag", "1"))
    world.count()
    targets = [*ALL[:6], *(one.replace("202", "etag") for one in ALL[8:])]
    before = [world.client.get(target) for target in targets]
    world.send(at("2026-01-22T10:00:01+00:00", "etag", "1"))
    world.count()
    for target, old in zip(targets, before, strict=True):

        def new(target: str = target, etag: str = old.headers["etag"]) -> None:
            assert world.client.get(target, headers={"If-None-Match": etag}).status_code == 200

        eventually(new)


@pytest.mark.parametrize(
    ("target", "others"),
    [
        (
            "/api/readings?sensorId=202&limit=3",
            ["&format=csv", "&format=ndjson", "&tz=Asia/Tokyo", "&order=desc", "&to=2027-01-01"],
        ),
        ("/api/readings?sensorId=202&limit=3&format=csv", ["&for=spreadsheet"]),
        ("/api/stats/history?interval=day", ["&format=csv", "&gaps=null", "&tz=Asia/Tokyo", "&percentiles=true", "&limit=1"]),
        ("/api/stats?sensorId=202", ["&detail=true", "&detail=true&tz=Asia/Tokyo", "&from=2026-03-01"]),
    ],
)
def test_an_etag_is_of_one_representation(world: World, target: str, others: list[str]) -> None:
    """Another form, zone or order of the same is another."""
    assert len({world.client.get(target + more).headers["etag"] for more in ("", *others)}) == 1 + len(others)


@pytest.mark.parametrize(
    ("wish", "granted"),
    [
        *(("gzip", True), ("GZIP", True), ("br, gzip;q=0.5", True), ("gzip;q=0.001", True), ("deflate, gzip", True)),
        *(("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.0, *", False), ("br", False), ("xgzip", False)),
    ],
)
def test_a_large_answer_is_packed_for_who_wishes_it(world: World, wish: str, granted: bool) -> None:
    """With gzip, and by no means when the wish weighs nothing."""
    answer, raw = packed(world, LARGE[0], wish)
    assert answer.headers.get("content-encoding") == ("gzip" if granted else None)
    assert raw.startswith(b"\x1f\x8b" if granted else b"{")


@pytest.mark.parametrize("target", LARGE)
def test_packed_and_plain_answers_say_the_same(world: World, target: str) -> None:
    """Streams too; Vary names each header once, whoever had a say in the answer."""
    (first, plain), (second, body) = (packed(world, target, wish) for wish in ("identity", "gzip"))
    assert gzip.decompress(body) == plain
    assert first.headers["vary"] == second.headers["vary"] == "Accept, Accept-Encoding, Origin"


def test_small_answers_are_not_packed(world: World) -> None:
    """Below 1,000 bytes it is not worth it; problems neither."""
    for target in ("/api/stats", "/api/stats?detail=true", "/api/sensor?sensorId=202", "/api/sensor?sensorId=nobody"):
        answer = world.client.get(target, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in answer.headers
        assert int(answer.headers["content-length"]) == len(answer.content) < 1_000


@pytest.mark.parametrize("target", [*ALL[::2], *LARGE[1:], "/api/sensors/nobody", "/api/stats?x=1"])
def test_head_tells_what_get_would(world: World, target: str) -> None:
    """The same headers, no body; the connection goes on."""
    with Connection(world.url) as connection:
        got = connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).answer()
        head = connection.send(f"HEAD {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).answer(head=True)
        assert connection.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").answer().status == 200
    assert head.status == got.status
    assert head.headers.keys() | {"transfer-encoding"} == got.headers.keys() | {"transfer-encoding"}
    varying = {"date", "x-request-id", "x-projection-lag-ms", "x-as-of", "etag", "content-length", "transfer-encoding"}
    for name in got.headers.keys() - varying:
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize("route", [route for route in ROUTES if isinstance(route, Route)], ids=lambda route: route.path)
def test_other_methods_are_refused_with_those_that_are_taken(world: World, route: Any) -> None:
    """405 with Allow; OPTIONS 200 with the same."""
    path = route.path.replace("{rest:path}", "202").replace("{code}", "not-found")
    options = world.client.options(path)
    assert (options.status_code, options.content) == (200, b"")
    allowed = {*route.methods, "OPTIONS"}
    assert set(options.headers["allow"].split(", ")) == allowed
    for method in {"GET", "PUT", "POST", "DELETE", "PATCH"} - allowed:
        answer = world.client.request(method, path)
        problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == options.headers["allow"]


# --- Pages of other origins ---


@pytest.mark.parametrize(
    ("target", "status"),
    [*((target, 200) for target in ALL), ("/api/stats?x=1", 400), ("/api/sensor?sensorId=nobody", 404), ("/nowhere", 404)],
)
def test_pages_of_an_origin_that_is_named_may_read_everything(world: World, target: str, status: int) -> None:
    """Errors too, with all headers that tell something; never with credentials. Vary names Origin once."""
    answer = world.client.get(target, headers=ORIGIN)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert set(answer.headers["access-control-expose-headers"].lower().split(", ")) == EXPOSED
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["vary"].count("Origin") == 1
    if status == 200:
        again = world.client.get(target, headers={**ORIGIN, "If-None-Match": "*"})
        assert (again.status_code, again.headers["access-control-allow-origin"]) == (304, "https://a.example")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/api/temperature/batch", "content-type,content-encoding,x-request-id"),
        ("PUT", "/api/temperature", "content-type"),
        ("GET", "/api/stats/history?interval=day", "if-none-match"),
        ("HEAD", "/api/sensors/a%2Fb", "authorization"),
    ],
)
def test_a_browser_may_ask_first(world: World, method: str, path: str, headers: str) -> None:
    """Whatever the method and its headers; of an origin that is not named, in vain."""
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    answer = world.client.options(path, headers={**ORIGIN, **asked})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert method in answer.headers["access-control-allow-methods"].split(", ")
    assert set(headers.split(",")) <= set(answer.headers["access-control-allow-headers"].lower().replace(" ", "").split(","))
    assert "access-control-allow-credentials" not in answer.headers
    refused = world.client.options(path, headers={"Origin": "https://b.example", **asked})
    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
    assert "access-control-allow-origin" not in refused.headers
    assert "access-control-allow-origin" not in world.client.get("/api/stats", headers={"Origin": "https://b.example"}).headers
