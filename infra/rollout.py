"""Waits until ECS runs what was applied, has a canary try it, and then lets new alarms tell people.

`python -m infra.rollout` reads Terraform's output `rollout`. A service is also stable after ECS has rolled it back, so what its
primary deployment runs is compared with what was applied. Exit status 0 when all services run it, the canary, where there is
one, has stored a reading and found it counted, and no new alarm rings.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import batched
from typing import Any, Final

from infra.outputs import output
from telemetry.aws import cloudwatch_client, ecs_client
from telemetry.errors import InvalidSettings
from telemetry.settings import Settings

_WAIT_S: Final = 1800
"""Fargate fetches an image and starts a task within minutes; tasks are replaced one by one, each with its time to stop."""
_CANARY_S: Final = 300
_QUIET_S: Final = 900
"""From a task's first log line or report to a metric, and to an alarm's next look at it, are minutes."""
_ALARMS: Final = 100
"""As many names does a call take (CloudWatch API reference, DescribeAlarms and EnableAlarmActions)."""
_POLL_S: Final = 10


class NotRolledOut(Exception):
    """What was applied does not run, and will not by waiting. The text says why."""


def is_done(service: Mapping[str, Any], wanted: str) -> bool:
    """Whether a service, as DescribeServices has it, runs this task definition and no other any more. Raises NotRolledOut.

    `rolloutState` is FAILED when the circuit breaker gave up; when it rolled back, another deployment is the primary one
    (ECS API reference, Deployment).
    """
    name = service["serviceName"]
    [primary] = [one for one in service["deployments"] if one["status"] == "PRIMARY"]
    if primary["taskDefinition"] != wanted:
        raise NotRolledOut(f"{name} runs {primary['taskDefinition']} and not {wanted}: it was rolled back. {_why(service)}")
    if primary["rolloutState"] == "FAILED":
        raise NotRolledOut(f"{name}: {primary.get('rolloutStateReason', 'the deployment failed')}. {_why(service)}")
    return bool(primary["rolloutState"] == "COMPLETED")


def _why(service: Mapping[str, Any]) -> str:
    """What ECS said last."""
    return "ECS said: " + " | ".join(event["message"] for event in service.get("events", [])[:5])


def wait_for(describe: Callable[[], Iterable[Mapping[str, Any]]], wanted: Mapping[str, str], pause: Callable[[], None]) -> None:
    """Until every service runs its task definition; `pause` ends the wait by raising. Raises NotRolledOut."""
    waiting = set(wanted)
    while waiting:
        for service in describe():
            if service["serviceName"] in waiting and is_done(service, wanted[service["serviceName"]]):
                waiting.discard(service["serviceName"])
        if waiting:
            pause()


def _pauses(wait_s: float, what: str) -> Callable[[], None]:
    deadline_s = time.monotonic() + wait_s

    def pause() -> None:
        if time.monotonic() > deadline_s:
            raise NotRolledOut(f"{what} after {wait_s:.0f} s")
        time.sleep(_POLL_S)

    return pause


def try_canary(ecs: Any, cluster: str, canary: Mapping[str, Any], pause: Callable[[], None]) -> None:
    """Run the canary once. Raises NotRolledOut."""
    network = {key: canary[key] for key in ("subnets", "securityGroups", "assignPublicIp")}
    started = ecs.run_task(
        cluster=cluster,
        taskDefinition=canary["taskDefinition"],
        launchType="FARGATE",  # unless it is said, ECS looks for machines of ours
        networkConfiguration={"awsvpcConfiguration": network},
    )
    if failures := started.get("failures"):
        raise NotRolledOut(f"the canary was not started: {failures}")
    [task] = started["tasks"]
    while task["lastStatus"] != "STOPPED":
        pause()
        [task] = ecs.describe_tasks(cluster=cluster, tasks=[task["taskArn"]])["tasks"]
    [container] = task["containers"]
    if container.get("exitCode") != 0:
        raise NotRolledOut(f"the canary ended with {container.get('exitCode', task.get('stoppedReason'))}: its log says why")


def arm(cloudwatch: Any, names: Sequence[str], pause: Callable[[], None]) -> list[str]:
    """Have new alarms tell people, once none of them rings; their names. Raises NotRolledOut with those that go on ringing.

    Terraform makes an alarm mute. Silence before it and its tasks were there counts as silence for it, so many ring at first.
    """
    found = [one for some in batched(names, _ALARMS, strict=False) for one in _alarms(cloudwatch, some)]
    mute = [one["AlarmName"] for one in found if not one["ActionsEnabled"]]
    told = ""
    for some in batched(mute, _ALARMS, strict=False):
        while ringing := [one["AlarmName"] for one in _alarms(cloudwatch, some) if one["StateValue"] == "ALARM"]:
            try:
                pause()
            except NotRolledOut as late:
                told = f"{late}: {', '.join(ringing)}"
                break
        cloudwatch.enable_alarm_actions(AlarmNames=list(some))
    if told:
        raise NotRolledOut(told)
    return mute


def _alarms(cloudwatch: Any, names: Sequence[str]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = cloudwatch.describe_alarms(AlarmNames=list(names), MaxRecords=_ALARMS)["MetricAlarms"]
    return found


def main() -> None:
    """Wait for what standard input names, as Terraform's output `rollout` has it."""
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSettings as error:
        sys.exit(str(error))
    rollout = output("rollout", sys.stdin)
    cluster, wanted = rollout["cluster"], rollout["task_definitions"]
    ecs = ecs_client(settings)

    def describe() -> Iterable[Mapping[str, Any]]:
        services: list[Mapping[str, Any]] = ecs.describe_services(cluster=cluster, services=[*wanted])["services"]
        return services

    try:
        wait_for(describe, wanted, _pauses(_WAIT_S, "not everything runs what was applied"))
        if rollout["canary"]:
            try_canary(ecs, cluster, rollout["canary"], _pauses(_CANARY_S, "the canary has not ended"))
        armed = arm(cloudwatch_client(settings), rollout["alarms"], _pauses(_QUIET_S, "what was applied runs, but alarms ring"))
    except NotRolledOut as error:
        sys.exit(str(error))
    tried = "a canary was counted" if rollout["canary"] else "no canary tried it"
    sys.stdout.write(
        f"{', '.join(sorted(wanted))}: what was applied runs, and {tried}\n{len(armed)} new alarms tell people from now on\n"
    )


if __name__ == "__main__":
    main()
