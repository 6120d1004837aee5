"""A deployment that ECS rolled back is no success, however stable it is."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra.rollout import NotRolledOut, is_done, try_canary, wait_for

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
