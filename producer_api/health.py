"""GET /livez and /readyz: is the process there, and can it do its work."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from producer_api.problems import problem
from producer_api.services import services
from projections.generations import LiveNames, check_stream
from projections.queries import fleet_stats
from telemetry.errors import TelemetryError
from telemetry.names import ResourceNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient


async def livez(_: Request) -> Response:
    """200 while the process can answer at all; looks at nothing else, so that an AWS fault restarts nobody."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 when stream and tables are reachable, 503 with the reasons when not."""
    checks = await services(request).readiness.get()
    ready = all(state == "ok" for state in checks.values())
    if not ready:
        reasons = "; ".join(f"{name}: {state}" for name, state in checks.items() if state != "ok")
        return problem(503, f"Not ready. {reasons}", checks=checks)
    return JSONResponse({"status": "ok", "checks": checks})


def check_readiness(
    kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames, live: LiveNames
) -> dict[str, Any]:
    """What each thing the API needs says: `ok`, or the reason why not."""
    return {
        "stream": _state(lambda: check_stream(kinesis, dynamodb, names)),
        "stats": _state(lambda: fleet_stats(dynamodb, live.current())),
    }


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except (ClientError, BotoCoreError, TelemetryError) as error:
        return str(error)
    return "ok"
