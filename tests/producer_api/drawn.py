"""Requests of every kind, well put and spoilt, drawn from a seed: over all endpoints, in queries, paths, headers and bodies."""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

from producer_api.app import ROUTES
from telemetry.reading import Reading
from tests.producer_api.world import ODD_IDS, at

IDS = ["202", "fuzz-1", "nobody", *ODD_IDS]
SHARD = "shardId-000000000000"
VALUES: dict[str, Sequence[str]] = {
    "sensorId": IDS,
    "from": [
        "2026-03-28",
        "2026-03-28T10:00:30",
        "-15m",
        "-2000w",
        "-110000w",
        "-9999999w",
        "now",
        "1774656000123",
        "1970-01-01",
        "2026-03-29T02:30",
    ],
    "to": [
        "2026-03-30",
        "2026-03-28T10:00:40",
        "now",
        "9999-12-31T23:59:59.999999Z",
        "2026-03-28T10:00+01:00",
        "9999999999999",
    ],
    "tz": [
        "UTC",
        "Europe/Berlin",
        "+05:45",
        "-23:59",
        "Africa/Monrovia",
        "pacific/apia",
        "Australia/Lord_Howe",
        "Europe/Berlim",
    ],
    "interval": ["auto", "minute", "hour", "day", "week", "month", "year", "second"],
    "points": ["1", "60", "500", "5000", "0"],
    "limit": ["1", "2", "7", "100", "10000", "0", "99999999999999999999"],
    "gaps": ["omit", "null"],
    "percentiles": ["true", "false"],
    "detail": ["true", "false", "True"],
    "order": ["id", "silent", "asc", "desc"],
    "prefix": ["f", "fuzz-", "é", "🌡"],
    "format": ["json", "csv", "ndjson"],
    "for": ["spreadsheet", "people"],
    "cursor": ["AAAA", "Y3PC3as1Iisi", "=", "é"],
    "after": [f"{SHARD}:1", f"{SHARD}:{'9' * 56}", "shardId-000000000077:1", "x:y"],
    "wait": ["0", "0.01", "51", "1e1"],
}
"""What each parameter may be; a wait is none or short."""
PATHS = [
    *(re.sub(r"\{[^}]*\}", "{}", route.path) for route in ROUTES),
    *(("/api/stats",) * 3),
    *(("/api/stats/history",) * 5),
    "/api/sensor",
    *(("/api/readings",) * 3),
    *(("/api/sensors/{}/readings",) * 4),
    *("/nowhere", "/api/{}", "/{}"),
]
"""Every one that there is, those more often of which more can be asked, and some that there are not."""
HEADERS: dict[str, Sequence[str]] = {
    "Accept": ["*/*", "text/csv", "application/x-ndjson;q=0.5, */*;q=0.1", "text/html", "application/json;q=x", ";,;q=,", "*"],
    "Accept-Encoding": ["gzip", "gzip;q=0", "br", "*", ";q=1", "gzip;q=nan"],
    "If-None-Match": ["*", '"x"', 'W/"', "W/,,"],
    "Origin": ["https://a.example", "null", ""],
    "X-Request-Id": ["a-1", "a b", "x" * 200],
    "traceparent": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0-0-0", "ff-"],
    "Content-Type": [
        "application/json",
        "text/plain",
        "application/x-ndjson",
        "application/cloudevents-batch+json",
        ";",
        "a/b;c=\xe9",
    ],
    "Content-Encoding": ["gzip", "deflate", "identity", "br", "gzip, gzip"],
    "Range": ["bytes=0-1", "x"],
    "Access-Control-Request-Method": ["POST", "FOO"],
    "Cookie": ["a=b; c", "="],
    "Expect": ["100-continue"],
    "User-Agent": ["curl/8", "\xff"],
}
_SIGNS = "aA0-+:.,;'\"\\/?&=%# \t\r\n\0é🌡\u202e\ud800TZ9"


class Asked(NamedTuple):
    """A request."""

    method: str
    target: bytes
    headers: Sequence[tuple[str, str]]
    body: bytes

    def encode(self) -> bytes:
        """As it goes over the wire."""
        lines = [b"%b %b HTTP/1.1" % (self.method.encode(), self.target), b"Host: x"]
        lines += [f"{name}: {value}".encode("latin-1") for name, value in self.headers]
        if self.body or self.method in ("PUT", "POST"):
            lines.append(b"Content-Length: %d" % len(self.body))
        return b"\r\n".join([*lines, b"", self.body])


def known_readings() -> list[Reading]:
    """Few, of sensors that are asked for."""
    hours = [f"2026-03-28T{hour:02}:07:30+00:00" for hour in range(0, 24, 3)]
    found = [at(hour, sensor_id, hour[11:13]) for hour in hours for sensor_id in ("202", "fuzz-1")]
    return found + [at("2026-03-28T10:00+00:00", sensor_id, "-0.5") for sensor_id in ODD_IDS]


def draw(rng: Random) -> Asked:
    """A request."""
    kind = rng.random()
    if kind < 0.1:
        return _writing(rng, "PUT", "/api/temperature", _reading)
    if kind < 0.16:
        return _writing(rng, "POST", "/api/temperature/batch", _batch)
    method = rng.choice(["GET"] * 12 + ["HEAD", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"])
    template = rng.choice(PATHS)
    path, query = template.replace("{}", _quoted(rng, _text(rng, IDS))), "&".join(_parameters(rng, template))
    target = path + (f"?{query}" if query or rng.random() < 0.02 else "")
    body = rng.randbytes(rng.randrange(40)) if rng.random() < 0.05 else b""
    return Asked(method, _visible(target), _headers(rng), body)


def _parameters(rng: Random, path: str) -> list[str]:
    """Mostly of those that the path takes, and one that it cannot do without."""
    named = [rng.choice(list(VALUES)) for _ in range(rng.choice([0, 0, 1, 1, 2, 2, 3, 4, 6]))]
    if path in ("/api/sensor", "/api/readings") and rng.random() < 0.95:
        named.append("sensorId")
    if rng.random() < 0.8:
        named = [name for name in dict.fromkeys(named) if name in _TAKEN.get(path, VALUES)]
    found = [f"{name}={_quoted(rng, _text(rng, VALUES[name], spoilt=0.08))}" for name in named]
    if path == "/api/live":
        found.append("once=true")  # the others have no end
    if rng.random() < 0.03:
        found.append(
            f"{_quoted(rng, _text(rng, ['sensorid', 'FROM', 'limt', '', '__class__'], spoilt=0.5))}={rng.randrange(9)}"
        )
    rng.shuffle(found)
    return found


_ENDS = {"from", "to", "tz", "after", "wait"}
_HISTORY = {"interval", "points", "sensorId", "gaps", "percentiles", "limit", "format", "for", *_ENDS}
_READINGS = {"order", "limit", "format", "for", *_ENDS}
_TAKEN: dict[str, set[str]] = {
    "/api/stats": {"sensorId", "detail", *_ENDS},
    "/api/stats/history": _HISTORY,
    "/api/sensors": {"prefix", "order", "limit", "cursor"},
    "/api/sensor": {"sensorId", "after", "wait"},
    "/api/readings": {"sensorId", *_READINGS},
    "/api/sensors/{}": {"after", "wait"},
    "/api/sensors/{}/readings": _READINGS,
    "/api/live": {"sensorId", "interval", "points", "tz"},
}


def _text(rng: Random, known: Sequence[str], spoilt: float = 0.15) -> str:
    """One that is known, or what a slip makes of it, or anything."""
    text = rng.choice(known)
    kind = rng.random() / spoilt
    if kind < 0.4:
        place = rng.randrange(len(text) + 1)
        return text[:place] + rng.choice(_SIGNS) + text[place + rng.randrange(2) :]
    if kind < 0.7:
        return "".join(rng.choice(_SIGNS) for _ in range(rng.randrange(12)))
    if kind < 0.8:
        return rng.choice(["T0000", "9", "a", "é", "%", "e\u0301", "-"]) * rng.choice([50, 300, 2_000])
    return "" if kind < 0.9 else text * 2 if kind < 1 else text


def _quoted(rng: Random, text: str) -> str:
    """As clients write it: all of it encoded, as little as they think is needed, or wrongly."""
    data = text.encode("utf-8", "surrogatepass")
    kind = rng.random()
    if kind < 0.9:
        return quote(data, safe="")
    return quote(data, safe="/:+@!$'()*,;%=&" if kind < 0.97 else "") + rng.choice(["", "%", "%f", "%ff", "%00", "+"])


def _visible(target: str) -> bytes:
    """What a request line can hold."""
    return quote(target, safe="%/:?#[]@!$&'()*+,;=-._~\\\"<>^`{|}").encode()


def _headers(rng: Random) -> list[tuple[str, str]]:
    found = []
    for name in rng.sample(list(HEADERS), rng.choice([0, 0, 0, 1, 1, 2, 4])):
        value = rng.choice(HEADERS[name])
        if rng.random() < 0.15:
            value = "".join(chr(rng.choice([*range(0x20, 0x7F), *range(0xA0, 0x100)])) for _ in range(rng.randrange(30)))
        found.append((name, value))
    return found


def _writing(rng: Random, method: str, path: str, made: Callable[[Random], bytes]) -> Asked:
    body, headers = made(rng), dict(_headers(rng))
    headers.pop("Content-Encoding", None) if rng.random() < 0.8 else None
    headers.setdefault("Content-Type", rng.choice(["application/json"] * 4 + ["application/x-ndjson"]))
    if rng.random() < 0.1:
        headers["Content-Encoding"], body = (
            ("gzip", gzip.compress(body)) if rng.random() < 0.5 else ("deflate", zlib.compress(body))
        )
    if rng.random() < 0.1:
        place = rng.randrange(len(body) + 1)
        body = body[:place] + rng.randbytes(rng.randrange(3)) + body[place + rng.randrange(4) :]
    return Asked(method, path.encode(), list(headers.items()), body)


def _reading(rng: Random) -> bytes:
    return json.dumps(_item(rng)).encode()


def _batch(rng: Random) -> bytes:
    items = [_item(rng) if rng.random() < 0.95 else _value(rng) for _ in range(rng.choice([0, 1, 2, 5, 40]))]
    if rng.random() < 0.3:
        return b"\n".join(json.dumps(item).encode() for item in items)
    return json.dumps(items if rng.random() < 0.95 else {"items": items}).encode()


def _item(rng: Random) -> dict[str, Any]:
    """A reading, or nearly."""
    item: dict[str, Any] = {
        "sensorId": _text(rng, IDS),
        "temperature": rng.choice([18, 18.7, "18.7", -273.15, 1e300, -0.0, rng.randrange(10**30)]),
        "timestamp": _text(rng, ["2021-11-26T18:10:00", "2026-03-28T10:00:00.123456+05:45", "20260328T1000"]),
    }
    if rng.random() < 0.2:
        item[rng.choice([*item, "extra"])] = _value(rng)
    if rng.random() < 0.05:
        item.pop(rng.choice(list(item)))
    return item


def _value(rng: Random, depth: int = 0) -> Any:
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind >= 6:
        values = [_value(rng, depth + 1) for _ in range(rng.randrange(3))]
        return values if kind == 6 else {_text(rng, ["a", "sensorId"]): value for value in values}
    return [None, True, float("nan"), rng.randrange(-(2**70), 2**70), rng.random() * 1e9, _text(rng, ["x", "18"])][kind]
