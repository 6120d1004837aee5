"""GET /health, /ping and /query: what clients of InfluxDB ask before they write. There are no databases, and nothing to query.

Shapes are those of InfluxDB 2 (`/health`) and 1 (`/ping`, `/query`), as its clients read them.
"""

import re
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from producer_api.operating.requests import refuse
from producer_api.writing.bodies import read_body

VERSION: Final = version("telemetry-pipeline")
_VERSION_HEADERS: Final = {"X-Influxdb-Version": VERSION, "Cache-Control": "no-store"}
_DATABASE: Final = "telemetry"
_QUERY_BYTES_MAX: Final = 16 * 1024
_STATEMENT: Final = re.compile(r"\s*(?:(show\s+databases)|(?:show|create\s+database)\b[^;]*)\s*", re.IGNORECASE)
_NOT_ANSWERED: Final = "Expected SHOW … or CREATE DATABASE: readings are asked for at /api/stats and its neighbours, see /docs."


async def health(_: Request) -> Response:
    """Whether the process answers, as InfluxDB 2 says it; `/readyz` tells whether readings can be stored."""
    told = {"name": "telemetry", "message": "ready for writes", "status": "pass", "checks": [], "version": VERSION}
    return JSONResponse(told, headers=_VERSION_HEADERS)


async def ping(request: Request) -> Response:
    """Whether the process answers, as InfluxDB 1 says it."""
    if request.query_params.get("verbose", "") in ("", "0", "false"):
        return Response(status_code=204, headers=_VERSION_HEADERS)
    return JSONResponse({"version": VERSION}, headers=_VERSION_HEADERS)


async def query(request: Request) -> Response:
    """The statements by which clients make sure that their database is there; every database is."""
    text = request.query_params.get("q", "")
    if not text and request.method == "POST":
        body = await read_body(request, _QUERY_BYTES_MAX)
        text = dict(parse_qsl(body.decode(errors="replace"))).get("q", "")
    statements = [_STATEMENT.fullmatch(one) for one in text.split(";") if one.strip()]
    if not statements or not all(statements):
        refuse(request.scope, "bad-request", _NOT_ANSWERED)
        return JSONResponse({"error": _NOT_ANSWERED}, 400, _VERSION_HEADERS)
    results = [_result(number, shows=bool(one and one[1])) for number, one in enumerate(statements)]
    return JSONResponse({"results": results}, headers=_VERSION_HEADERS)


def _result(number: int, *, shows: bool) -> dict[str, Any]:
    databases = {"series": [{"name": "databases", "columns": ["name"], "values": [[_DATABASE]]}]}
    return {"statement_id": number, **(databases if shows else {})}
