"""POST /api/v2/write and /write: InfluxDB line protocol, answered as its clients expect (docs/devices.md).

204 when nothing is to be mended or sent again, 503 as soon as a line may be stored if the body is sent again, else 400 with the
numbers of the bad lines: their clients drop what is 400 and repeat what is 503, whatever the body says.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from producer_api.doors.lines import BadLine, Line, parse_lines
from producer_api.doors.points import PRECISIONS_NS, reading_of_point
from producer_api.operating.requests import refuse
from producer_api.problems import UNAVAILABLE, come_back_s, problem
from producer_api.services import Services, services
from producer_api.writing.storing import Door, Fates, Given, store_all
from telemetry.errors import InvalidBatch, InvalidReading
from telemetry.reading import Reading
from telemetry.strict_json import without_mark

DOOR: Final = Door("write", body_bytes_max=4 * 1024 * 1024, items_max=5_000)
INVALID: Final = "invalid-lines"
_TOLD_MAX: Final = 100
"""Bad lines that an answer names."""


async def write(request: Request) -> Response:
    """Store the temperatures among the points of a body, of any Content-Type; good lines are stored beside bad ones.

    `org`, `bucket`, `db`, `rp`, `consistency` say nothing here.
    """
    precision = request.query_params.get("precision") or "ns"
    if precision not in PRECISIONS_NS:
        known = ", ".join(PRECISIONS_NS)
        return _refused(request, f"precision: Expected {known}, not {precision[:32]!r}. Nothing was stored.")
    numbers: list[int] = []
    read = partial(_readings, services(request), PRECISIONS_NS[precision], numbers)
    try:
        fates = await store_all(request, DOOR, read)
    except InvalidBatch as error:
        return _refused(request, f"{error} Nothing was stored.")
    positions = {"X-Stream-Position": ", ".join(fates.after)} if fates.after else {}
    if fates.failure:
        code, detail = UNAVAILABLE[fates.failure]
        headers = {"Retry-After": come_back_s(request, fates.failure), **positions}
        return problem(503, detail, code, headers=headers)
    if bad := _bad_lines(fates, numbers):
        first = f"line {bad[0]['line']}: {bad[0]['detail']}"
        more = f" And {len(bad) - 1} more." if len(bad) > 1 else ""
        return _refused(request, first + more, bad[:_TOLD_MAX], positions)
    return Response(status_code=204, headers=positions)


def _readings(found: Services, unit_ns: int, numbers: list[int], body: bytes, now_us: int) -> Iterator[Given]:
    """What each line says; its number goes into `numbers`. What is no UTF-8 is no sensor's id: it spoils its line only."""
    for line in parse_lines(without_mark(body).decode(errors="surrogateescape")):
        numbers.append(line.number)
        yield _reading(found, unit_ns, line, now_us)


def _reading(found: Services, unit_ns: int, line: Line, now_us: int) -> Given:
    if isinstance(line.says, BadLine):
        return InvalidReading({"line": line.says.reason})
    try:
        reading = reading_of_point(line.says, unit_ns, found.settings.id_tags, found.settings, now_us)
    except InvalidReading as error:
        return error
    if isinstance(reading, Reading) and line.says.time is None:
        found.outcomes.untimed += 1
    return reading


def _bad_lines(fates: Fates, numbers: list[int]) -> list[dict[str, Any]]:
    return [
        {"line": number, "detail": fate.fields.get("line") or str(fate)}
        for number, fate in zip(numbers, fates.items, strict=True)
        if isinstance(fate, InvalidReading)
    ]


def _refused(
    request: Request, message: str, errors: list[dict[str, Any]] | None = None, headers: dict[str, str] | None = None
) -> Response:
    """400 as InfluxDB 2 and 1 write it: `message` is read by clients of the one, `error` by those of the other."""
    refuse(request.scope, INVALID, message)
    told = {"code": INVALID, "message": message, "error": message, "errors": errors or []}
    return JSONResponse(told, 400, {"Cache-Control": "no-store", **(headers or {})})
