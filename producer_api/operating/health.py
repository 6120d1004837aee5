"""GET /livez and /readyz: is the process there, and can it do its work.

Whoever asks learns what is missing by name and code; texts, which may hold accounts, roles and addresses, go to the log.
"""

import asyncio
from typing import Annotated, Literal

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from starlette.requests import Request
from starlette.responses import Response

from producer_api.problems import problem
from producer_api.reading.shapes import Time
from producer_api.services import services
from producer_api.shared import Shared
from telemetry.errors import TelemetryError
from telemetry.logs import SparseLog
from telemetry.retry import SENSELESS, error_code

log = SparseLog(__name__)


class AliveShape(msgspec.Struct):
    """The process answers."""

    status: Literal["ok"]


class ReadyShape(msgspec.Struct, rename="camel"):
    """Everything is there."""

    status: Literal["ok"]
    checks: Annotated[dict[str, str], msgspec.Meta(description="By name: `ok`, or the code of what is wrong.")]
    stream_created: Annotated[
        Time | None,
        msgspec.Meta(description="When the stream that readings go into was made; `null` where that is not known yet."),
    ]


async def livez(_: Request) -> Response:
    """200 while the process can answer at all; looks at nothing else, so that an AWS fault restarts nobody."""
    return _json(AliveShape("ok"))


async def readyz(request: Request) -> Response:
    """200 when stream and tables answer and the log takes what is written, 503 with the codes of what is missing when not."""
    found = services(request)
    states = await asyncio.gather(*(_state(name, check) for name, check in found.readiness.items()))
    checks = dict(zip(found.readiness, states, strict=True)) | {"writes": found.writer.outage.state}
    missing = [f"{name}: {state}" for name, state in checks.items() if state != "ok"]
    if missing:
        return problem(503, f"Not ready. {'; '.join(missing)}", checks=checks)
    return _json(ReadyShape("ok", checks, found.stream.created))


async def _state(name: str, check: Shared[object]) -> str:
    try:
        await check.get()
    except (ClientError, BotoCoreError, TelemetryError, *SENSELESS) as error:
        log.warning("not_ready", check=name, error=str(error))
        return error_code(error)
    return "ok"


def _json(shape: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(shape), media_type="application/json")
