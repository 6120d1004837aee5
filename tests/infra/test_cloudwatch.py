"""CloudWatch would take every alarm, dashboard and filter that is planned; and what it would not is seen."""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from botocore import xform_name

from tests.support.cloudwatch import alarm_faults, dashboard_faults, filter_faults, insights_faults, publisher_faults
from tests.support.iam import json_list
from tests.support.metric_math import Kind, MathError, kind_of
from tests.support.terraform import planned
from tests.tidy.tree import ROOT

type Plans = Mapping[str, dict[str, Any]]


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("m0 + 5", Kind.TS),
        ("100 * (FILL(m0, 0) + FILL(m1, 0)) / (FILL(m2, 0) + FILL(m1, 0))", Kind.TS),
        ("MAX([m0, m1])", Kind.TS),
        ("m0 / MAX(m0)", Kind.TS),
        ("[m0, m1] * 2", Kind.ARRAY),
        ("IF(m0 > 5 AND m1 > 2, m0, 0)", Kind.TS),
        ("-m0 ^ 2", Kind.TS),
        ("FILL(m0, REPEAT)", Kind.TS),
        ("m0 / PERIOD(m0)", Kind.TS),
    ],
)
def test_what_an_expression_is_of(expression: str, kind: Kind) -> None:
    """As the tables of "Using metric math" have it."""
    assert kind_of(expression, ["m0", "m1", "m2"]) is kind


@pytest.mark.parametrize(
    "expression",
    [
        "100 * m0 / MAX([FILL(m1, 0), 1])",  # a scalar in an array: what one bad alarm would have ended the apply with
        "m0 +",
        "m0 m1",
        "(m0",
        "m9",
        "NOSUCH(m0)",
        "AVG(m0)",  # a scalar is no result
        "5",
        "[m0, m1] > 3",
        "FILL(m0, m1)",
        "m0 # m1",
    ],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    """Each for its own reason."""
    with pytest.raises(MathError):
        kind_of(expression, ["m0", "m1"])


@pytest.mark.parametrize("expression", ["[m0, m0]", "m0 / MAX(m0)"])
def test_an_alarm_takes_one_series_that_does_not_depend_on_how_many_points_are_looked_at(expression: str) -> None:
    """Which the user guide advises against, since CloudWatch looks at more points than periods."""
    kind_of(expression, ["m0"])
    with pytest.raises(MathError):
        kind_of(expression, ["m0"], alarm=True)


@pytest.mark.parametrize("query", ["SELECT MAX(a-b) FROM x", "SELECT MAX(x) FROM t-projector", "SELECT x FROM y"])
def test_what_is_no_query_is_refused(query: str) -> None:
    """Names with dashes have to be quoted."""
    assert list(insights_faults(query))


def _alarm(**changed: Any) -> dict[str, Any]:
    metric = {"namespace": "N", "metric_name": "m", "stat": "Sum", "period": 60, "dimensions": {"A": "b"}}
    return {
        "alarm_name": "a",
        "alarm_description": "",
        "comparison_operator": "GreaterThanThreshold",
        "treat_missing_data": "breaching",
        "evaluation_periods": 5,
        "alarm_actions": [],
        "metric_query": [{"id": "m0", "metric": [metric], "expression": "", "return_data": True, "period": None}],
        **changed,
    }


def _query(**changed: Any) -> list[dict[str, Any]]:
    return [{"id": "e", "metric": [], "expression": 'SELECT MAX(x) FROM "n"', "return_data": True, "period": 60, **changed}]


@pytest.mark.parametrize(
    "changed",
    [
        {"alarm_name": "a" * 256},
        {"alarm_description": "d" * 1025},
        {"comparison_operator": "Above"},
        {"treat_missing_data": "bad"},
        {"evaluation_periods": 1441},
        {"datapoints_to_alarm": 6},
        {"alarm_actions": ["arn"] * 6},
        {"metric_query": _query(id="Upper")},
        {"metric_query": _query(period=None)},
        {"metric_query": _query(period=45)},
        {"metric_query": _query() + _query(id="other")},
        {"metric_query": _query(expression="m7")},
    ],
)
def test_an_alarm_that_aws_refuses_is_seen(changed: dict[str, Any]) -> None:
    """Whichever rule it breaks."""
    assert not list(alarm_faults(_alarm()))
    assert list(alarm_faults(_alarm(**changed)))


def _filter(**changed: Any) -> dict[str, Any]:
    made = {"namespace": "n", "name": "m", "value": "$.age_s", "unit": "Seconds"}
    pattern = '{ $.event = "archive_age" && $.age_s = * }'
    return {"name": "f", "pattern": pattern, "metric_transformation": [{**made, **changed.pop("made", {})}], **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "a:b"},
        {"pattern": '$.event = "x"'},
        {"pattern": "{ $.event = archive && $.age_s = * }"},
        {"made": {"value": "$.other"}},
        {"made": {"value": "many"}},
        {"made": {"namespace": "a:b"}},
        {"made": {"unit": "Years"}},
        {"made": {"dimensions": {"a": "$.b"}, "default_value": "0"}},
    ],
)
def test_a_filter_that_aws_refuses_is_seen(changed: dict[str, Any]) -> None:
    """Whichever rule it breaks."""
    assert not list(filter_faults(_filter()))
    assert list(filter_faults(_filter(**changed)))


def _dashboard(**changed: Any) -> str:
    of = {"title": "t", "region": "eu-west-1", "view": "timeSeries", "stat": "Sum", "metrics": [["N", "m", "A", "b"]]}
    widget = {"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6, "properties": of}
    of |= changed.pop("of", {})
    return json.dumps({"widgets": [widget | changed]})


@pytest.mark.parametrize(
    "changed",
    [
        {"x": 13},
        {"type": "picture"},
        {"of": {"stat": "Total"}},
        {"of": {"region": ""}},
        {"of": {"metrics": [["N", "m", "A"]]}},
        {"of": {"metrics": [[{"expression": "m0 +"}]]}},
    ],
)
def test_a_dashboard_that_aws_refuses_is_seen(changed: dict[str, Any]) -> None:
    """Whichever rule it breaks."""
    assert not list(dashboard_faults(_dashboard()))
    assert list(dashboard_faults(_dashboard(**copy.deepcopy(changed))))


def _faults(plans: Plans, kind: str, judge: Callable[[Any], Iterator[str]]) -> list[str]:
    found = planned(plans["environment"], kind)
    assert found
    return [f"{address}: {fault}" for address, values in found.items() for fault in judge(values)]


def test_cloudwatch_takes_every_alarm(plans: Plans) -> None:
    """Those that change the number of tasks as well."""
    assert not _faults(plans, "aws_cloudwatch_metric_alarm", alarm_faults)


def test_cloudwatch_takes_every_filter(plans: Plans) -> None:
    """Of the logs."""
    assert not _faults(plans, "aws_cloudwatch_log_metric_filter", filter_faults)


def test_cloudwatch_takes_the_dashboard(plans: Plans) -> None:
    """All its widgets; its body is known before anything exists."""
    assert not _faults(plans, "aws_cloudwatch_dashboard", lambda values: dashboard_faults(values["dashboard_body"]))


def test_every_alarm_leads_to_its_section(plans: Plans) -> None:
    """And every section is an alarm's."""
    sections = set(re.findall(r"^## ([\w-]+)$", (ROOT / "docs/alarms.md").read_text(), re.MULTILINE))
    alarms = planned(plans["environment"], "aws_cloudwatch_metric_alarm").values()
    told = [alarm["alarm_description"] for alarm in alarms if "-scale-" not in alarm["alarm_name"]]
    led = {of.rpartition(" docs/alarms.md#")[2] for of in told}
    assert led == sections


@pytest.mark.parametrize(
    ("service", "condition"), [("events", {"StringEquals": {"aws:SourceAccount": "1"}}), ("cloudwatch", {})]
)
def test_a_service_that_is_kept_out_or_speaks_for_anybody_is_seen(service: str, condition: dict[str, Any]) -> None:
    """Alone, or one of several."""
    one = f"{service}.amazonaws.com"
    for services in (one, ["budgets.amazonaws.com", one]):
        statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sns:Publish", "Condition": condition}
        assert any(one in fault for fault in publisher_faults(json.dumps({"Statement": [statement]})))


def test_whoever_tells_of_something_may_publish(plans: Plans) -> None:
    """Alarms, a budget, and the rule that hears of containers without memory; under conditions that the service meets."""
    [topic] = planned(plans["environment"], "aws_sns_topic_policy").values()
    assert not list(publisher_faults(topic["policy"]))
    allowed = json.loads(topic["policy"])["Statement"]
    services = {name for one in allowed for name in json_list(one["Principal"]["Service"])}
    assert services == {f"{name}.amazonaws.com" for name in ("budgets", "cloudwatch", "events")}


def test_an_alarm_on_an_operation_watches_one_that_we_call(plans: Plans) -> None:
    """Another's metric is never there, and its alarm silent for ever."""
    parts = ("projections", "producer_api", "telemetry", "consumer", "operations")
    source = "".join(path.read_text() for part in parts for path in (ROOT / part).rglob("*.py"))
    watched = {
        dimensions["Operation"]
        for alarm in planned(plans["environment"], "aws_cloudwatch_metric_alarm").values()
        for query in alarm["metric_query"]
        for metric in query["metric"]
        if "Operation" in (dimensions := metric["dimensions"] or {})
    }
    assert watched
    assert not [
        operation
        for operation in watched
        if f".{xform_name(operation)}," not in source and f".{xform_name(operation)}(" not in source
    ]
