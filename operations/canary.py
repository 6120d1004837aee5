"""`python -m operations.canary`: stores a reading through the API and waits until it is counted.

It is the same reading each time, so it is counted once, whenever and however often a canary flies: sensor `canary`, 0 °C, on
the first day of 2020. With --cluster it looks up where a task of the API is, within the network; the load balancer, which is
not in the way then, has alarms of its own. Where the API asks for keys, API_KEY holds the one to store with and API_READ_KEY
the one to ask with; on AWS they come from Secrets Manager (infra/terraform/modules/canary). Exit status 0 when the reading was
counted, and one line of log either way.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from telemetry.aws import ecs_client
from telemetry.errors import InvalidSettings
from telemetry.keys import KEY_VARIABLE, READ_KEY_VARIABLE, as_header
from telemetry.logs import configure_logs
from telemetry.retry import error_code
from telemetry.settings import Settings

SENSOR: Final = "canary"
_READING: Final = {"sensorId": SENSOR, "temperature": 0.0, "timestamp": "2020-01-01T00:00:00"}
_WAIT_S: Final = 50
"""The longest that the API lets a question wait (docs/api.md)."""
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=_WAIT_S + 10)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    text: str


type Ask = Callable[[str, str, bytes | None], Answer]
"""Asks by method and path, with a body or without one."""


class CanaryFailed(Exception):
    """The reading was not stored, or not found counted. The text says at which step, and what was answered."""


def fly(ask: Ask) -> None:
    """Store the reading, and wait for it to be counted. Raises CanaryFailed."""
    _expect(ask("GET", "/readyz", None), "the API is not ready")
    stored = _expect(ask("PUT", "/api/temperature", json.dumps(_READING).encode()), "the reading was not stored")
    position = stored.headers["X-Stream-Position"]
    _expect(ask("GET", f"/api/stats?after={position}&wait={_WAIT_S}", None), f"{position} was not counted")


def _expect(answer: Answer, otherwise: str) -> Answer:
    if answer.status != 200:
        raise CanaryFailed(f"{otherwise}: {answer.status} {answer.text[:500]}")
    return answer


def addresses(ecs: Any, cluster: str, service: str) -> list[str]:
    """Where the running tasks of a service are within the network. Raises boto3's errors."""
    arns = ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="RUNNING")["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    running = [task for task in tasks if task["lastStatus"] == "RUNNING"]
    return [each["privateIpv4Address"] for task in running for one in task["containers"] for each in one["networkInterfaces"]]


def asker(url: str, key: str = "", read_key: str = "") -> Ask:
    """Asks the API there, with the one key to store and the other to read; none where it asks for none."""
    pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)

    def ask(method: str, path: str, body: bytes | None) -> Answer:
        try:
            headers = {"Content-Type": "application/json"} | as_header(key if method == "PUT" else read_key)
            answer = pool.request(method, url + path, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise CanaryFailed(f"{method} {path}: {error}") from error
        return Answer(answer.status, answer.headers, answer.data.decode(errors="replace"))

    return ask


def _find(cluster: str, service: str, port: int) -> str:
    found = addresses(ecs_client(Settings.from_environment(os.environ)), cluster, service)
    if not found:
        raise CanaryFailed(f"no task of {service} runs in {cluster}")
    return f"http://{random.choice(found)}:{port}"  # noqa: S311  any of them will do


def main() -> None:
    """Fly once."""
    parser = argparse.ArgumentParser(prog="python -m operations.canary", description="Store a reading and see it counted.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="where the API is")
    where.add_argument("--cluster", help="the ECS cluster that the API runs in")
    parser.add_argument("--service", default="api", help="the API's service in that cluster")
    parser.add_argument("--port", type=int, default=8080, help="the port that its tasks listen on")
    asked = parser.parse_args()
    configure_logs("info", process="canary")
    began_s = time.monotonic()
    try:
        keys = (os.environ.get(name, "") for name in (KEY_VARIABLE, READ_KEY_VARIABLE))
        fly(asker(asked.url or _find(asked.cluster, asked.service, asked.port), *keys))
    except CanaryFailed as error:
        log.error("canary_failed", why=str(error))
        sys.exit(1)
    except InvalidSettings as error:
        sys.exit(str(error))
    except (ClientError, BotoCoreError) as error:
        log.error("canary_failed", why=f"{error_code(error)}: {error}")
        sys.exit(1)
    log.info("canary_counted", took_ms=round(1000 * (time.monotonic() - began_s)))


if __name__ == "__main__":
    main()
