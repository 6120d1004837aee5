"""GET /livez and /readyz: is the process there, and can it do its work.

Whoever asks learns what is missing by name and code; texts, which may hold accounts, roles and addresses, go to the log.
"""

import asyncio

from botocore.exceptions import BotoCoreError, ClientError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from producer_api.problems import problem
from producer_api.services import services
from producer_api.shared import Shared
from telemetry.errors import TelemetryError
from telemetry.logs import SparseLog
from telemetry.retry import SENSELESS, error_code

log = SparseLog(__name__)


async def livez(_: Request) -> Response:
    """200 while the process can answer at all; looks at nothing else, so that an AWS fault restarts nobody."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 when stream and tables answer and the log takes what is written, 503 with the codes of what is missing when not."""
    found = services(request)
    states = await asyncio.gather(*(_state(name, check) for name, check in found.readiness.items()))
    checks = dict(zip(found.readiness, states, strict=True)) | {"writes": found.writer.outage.state}
    missing = [f"{name}: {state}" for name, state in checks.items() if state != "ok"]
    if missing:
        return problem(503, f"Not ready. {'; '.join(missing)}", checks=checks)
    return JSONResponse({"status": "ok", "checks": checks})


async def _state(name: str, check: Shared[object]) -> str:
    try:
        await check.get()
    except (ClientError, BotoCoreError, TelemetryError, *SENSELESS) as error:
        log.warning("not_ready", check=name, error=str(error))
        return error_code(error)
    return "ok"
