"""moto's server with what it lacks for our Terraform: `moto_server.py <port>`, run by the interpreter of moto's environment.

That is little: tags that come back as they were given, subscribers of a budget, some attributes of services and rules. Whatever
else moto does not know ends the call at once, instead of having it tried again for minutes.
"""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

tags: dict[str, list[dict[str, str]]] = {}
"""By ARN, of those resources whose tags moto forgets."""


def responses(service: str, name: str) -> Any:
    """The class that answers to a service's calls."""
    return getattr(import_module(f"moto.{service}.responses"), name)


def after(owner: Any, method: str, extra: Callable[[Any, Any], Any]) -> None:
    """Have `extra` see what a method returned, and return what is to be returned instead."""
    original = getattr(owner, method)
    setattr(owner, method, lambda self, *args, **kwargs: extra(self, original(self, *args, **kwargs)))


def patch_kinesis() -> None:
    """Tags given when a stream is made."""

    def keep(self: Any, answer: Any) -> Any:
        if given := self._get_param("Tags"):
            self.kinesis_backend.add_tags_to_stream(None, self._get_param("StreamName"), given)
        return answer

    after(responses("kinesis", "KinesisResponse"), "create_stream", keep)


def patch_autoscaling() -> None:
    """Tags of scalable targets."""
    owner = responses("applicationautoscaling", "ApplicationAutoScalingResponse")

    def keep(self: Any, answer: Any) -> Any:
        if given := self._get_param("Tags"):
            tags[json.loads(answer)["ScalableTargetARN"]] = given
        return answer

    def told(self: Any) -> str:
        return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})

    after(owner, "register_scalable_target", keep)
    owner.list_tags_for_resource = told


def patch_budgets() -> None:
    """Tags and subscribers of budgets."""
    owner = responses("budgets", "BudgetsResponse")

    def keep(self: Any, answer: Any) -> Any:
        name = self._get_param("Budget")["BudgetName"]
        tags[f"budget/{name}"] = self._get_param("ResourceTags", [])
        return answer

    def told(self: Any) -> str:
        return json.dumps({"ResourceTags": tags.get(self._get_param("ResourceARN").rpartition(":")[2], [])})

    def subscribers(self: Any) -> str:
        budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("BudgetName")]
        asked = self._get_param("Notification")["NotificationType"]
        found = [one.subscribers for one in budget.notifications if one.details["NotificationType"] == asked]
        return json.dumps({"Subscribers": found[0] if found else []})

    after(owner, "create_budget", keep)
    owner.list_tags_for_resource = told
    owner.describe_subscribers_for_notification = subscribers


def patch_ecs() -> None:
    """A service's grace period, where its tasks run, and that it does not rebalance zones."""
    graces: dict[str, int] = {}
    places: dict[str, Any] = {}
    owner = responses("ecs", "EC2ContainerServiceResponse")

    def keep(self: Any, answer: Any) -> Any:
        graces[self._get_param("serviceName")] = self._get_int_param("healthCheckGracePeriodSeconds") or 0
        places[self._get_param("serviceName")] = self._get_param("capacityProviderStrategy")
        return answer

    def told(self: Any, answer: Any) -> Any:
        for service in answer.result["services"]:
            service.health_check_grace_period_seconds = graces.get(service.name, 0)
            service.availability_zone_rebalancing = "DISABLED"
            service.capacity_provider_strategy, service.launch_type = places.get(service.name), None
        return answer

    after(owner, "create_service", keep)
    after(owner, "describe_services", told)


def patch_ec2() -> None:
    """Descriptions of rules that name another security group."""
    rule = import_module("moto.ec2.models.security_groups").SecurityGroupRule
    rule.description = property(lambda self: {**(self.source_group or {}), **(self.ip_range or {})}.get("Description"))


def patch_iot() -> None:
    """Tags of rules, which come in a header, as a query."""
    owner = responses("iot", "IoTResponse")

    def keep(self: Any, answer: Any) -> Any:
        given = parse_qsl(self.headers.get("x-amz-tagging", ""))
        tags[f"rule/{self._get_param('ruleName')}"] = [{"Key": key, "Value": value} for key, value in given]
        return answer

    def told(self: Any) -> str:
        return json.dumps({"tags": tags.get(self._get_param("resourceArn").rpartition(":")[2], [])})

    after(owner, "create_topic_rule", keep)
    owner.list_tags_for_resource = told


def patch_s3() -> None:
    """A bucket's policy is kept and not judged: moto passes over its conditions, and would refuse everything without TLS."""
    neutral = import_module("moto.iam.access_control").PermissionResult.NEUTRAL
    import_module("moto.s3.models").FakeBucket.get_permission = lambda *_: neutral


def refuse_the_unknown() -> None:
    """An action that moto does not have is an error that no client tries again."""
    core = import_module("moto.core.responses")
    error = import_module("moto.core.exceptions").JsonRESTError
    original = core.BaseResponse.call_action

    def call(self: Any) -> Any:
        try:
            return original(self)
        except NotImplementedError as missing:
            sys.stderr.write(f"moto does not know: {self.service_name} {self._get_action()}\n")
            raise error("InvalidAction", str(missing)) from missing

    core.BaseResponse.call_action = call


if __name__ == "__main__":
    for patch in (
        patch_kinesis,
        patch_autoscaling,
        patch_budgets,
        patch_ecs,
        patch_ec2,
        patch_iot,
        patch_s3,
        refuse_the_unknown,
    ):
        patch()
    import_module("moto.server").main(["-H", "127.0.0.1", "-p", sys.argv[1]])
