"""A deployment that ECS rolled back is no success, however stable it is."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra.rollout import NotRolledOut, arm, is_done, try_canary, wait_for

NEW, OLD = "task-definition/t-dev-api:2", "task-definition/t-dev-api:1"


def service(state: str, runs: str = NEW, name: str = "api") -> dict[str, Any]:
    """A service as DescribeServices has it, an older deployment beside the primary one."""
    old = {"status": "ACTIVE", "taskDefinition": OLD, "rolloutState": "COMPLETED"}
    primary = {"status": "PRIMARY", "taskDefinition": runs, "rolloutState": state}
    return {"serviceName": name, "deployments": [primary, old], "events": [{"message": "tasks failed to start"}]}


def test_done_is_what_was_applied_and_completed() -> None:
    """While it is in progress one waits."""
    assert is_done(service("COMPLETED"), NEW)
    assert not is_done(service("IN_PROGRESS"), NEW)


@pytest.mark.parametrize(("state", "runs"), [("COMPLETED", OLD), ("IN_PROGRESS", OLD), ("FAILED", NEW)])
def test_rolled_back_or_failed_is_said_with_what_ecs_said(state: str, runs: str) -> None:
    """A waiter for a stable service would have been content with the first."""
    with pytest.raises(NotRolledOut, match="tasks failed to start"):
        is_done(service(state, runs), NEW)


def test_every_service_is_waited_for() -> None:
    """One that is done is not asked about again, though it may be moved on by somebody else."""
    looks: Iterator[list[Mapping[str, Any]]] = iter(
        [
            [service("COMPLETED"), service("IN_PROGRESS", name="consumer")],
            [service("COMPLETED", OLD), service("COMPLETED", name="consumer")],
        ]
    )
    pauses: list[str] = []
    wait_for(lambda: next(looks), {"api": NEW, "consumer": NEW}, lambda: pauses.append("paused"))
    assert pauses == ["paused"]


class Ecs:
    """A canary's task that ends with a status."""

    def __init__(self, exit_code: int, *failures: str) -> None:
        self._exit_code, self._failures = exit_code, failures
        self.asked: dict[str, Any] = {}

    def run_task(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return {"failures": list(self._failures), "tasks": [{"taskArn": "task", "lastStatus": "PENDING", "containers": []}]}

    def describe_tasks(self, **asked: Any) -> dict[str, Any]:
        return {"tasks": [{"taskArn": "task", "lastStatus": "STOPPED", "containers": [{"exitCode": self._exit_code}]}]}


CANARY = {"taskDefinition": "t-dev-canary", "subnets": ["s"], "securityGroups": ["g"], "assignPublicIp": "DISABLED"}


def test_the_canary_decides() -> None:
    """Where the services lie, once, and by its exit status."""
    ecs = Ecs(0)
    try_canary(ecs, "t-dev", CANARY, lambda: None)
    assert ecs.asked["launchType"] == "FARGATE"
    assert ecs.asked["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["s"]
    with pytest.raises(NotRolledOut, match="ended with 1"):
        try_canary(Ecs(1), "t-dev", CANARY, lambda: None)
    with pytest.raises(NotRolledOut, match="no room"):
        try_canary(Ecs(0, "no room"), "t-dev", CANARY, lambda: None)


class Alarms:
    """CloudWatch with a few alarms: by name, whether it tells people, and its state at each look."""

    def __init__(self, **of: tuple[bool, list[str]]) -> None:
        self.of = of
        self.armed: list[str] = []

    def describe_alarms(self, **asked: Any) -> dict[str, Any]:
        found = []
        for name in asked["AlarmNames"]:
            enabled, states = self.of[name]
            found.append({"AlarmName": name, "ActionsEnabled": enabled, "StateValue": states[0]})
            del states[: len(states) > 1]
        return {"MetricAlarms": found}

    def enable_alarm_actions(self, **asked: Any) -> None:
        self.armed += asked["AlarmNames"]


def test_new_alarms_tell_people_once_they_are_quiet() -> None:
    """What rings because there was nothing yet is waited for; an alarm that told people before rings as it likes."""
    alarms = Alarms(new=(False, ["ALARM", "ALARM", "OK"]), mute=(False, ["INSUFFICIENT_DATA"]), old=(True, ["ALARM"]))
    pauses: list[str] = []
    assert arm(alarms, ["new", "mute", "old"], lambda: pauses.append("paused")) == ["new", "mute"]
    assert (alarms.armed, pauses) == (["new", "mute"], ["paused"])
    assert arm(alarms, ["old"], lambda: pytest.fail("paused")) == []


def test_a_new_alarm_that_goes_on_ringing_is_named_and_told_of_from_then_on() -> None:
    """It is no leftover of the beginning."""

    def late() -> None:
        raise NotRolledOut("alarms ring")

    alarms = Alarms(new=(False, ["ALARM"]), mute=(False, ["OK"]))
    with pytest.raises(NotRolledOut, match="alarms ring: new"):
        arm(alarms, ["new", "mute"], late)
    assert alarms.armed == ["new", "mute"]
