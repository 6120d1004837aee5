"""What CloudWatch takes: alarms, dashboards, metric filters and queries as they are planned, judged by AWS's own documents.

Emulators take anything, so nothing else would say before an apply that a value is refused. Each rule names its source: the API
reference of CloudWatch and CloudWatch Logs, and their user guides. Everything here is pure: a plan's values in, sentences out.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tests.support.metric_math import Kind, MathError, kind_of

_ID: Final = re.compile(r"[a-z][a-zA-Z0-9_]*")
_STATISTIC: Final = re.compile(r"SampleCount|Average|Sum|Minimum|Maximum|IQM|(p|tm|tc|ts|wm)(\d{1,2}(\.\d{1,10})?|100)")
_MISSING: Final = ("breaching", "notBreaching", "ignore", "missing")
_COMPARISONS: Final = (
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)
_QUERY: Final = re.compile(
    r"SELECT (AVG|COUNT|MAX|MIN|SUM)\((\w+|\"[^\"]+\")\) FROM (SCHEMA\(.+\)|\"[^\"]+\"|\w+)( WHERE .+)?( GROUP BY .+)?"
    r"( ORDER BY .+)?( LIMIT \d+)?"
)
"""User Guide, "Metrics Insights query components and syntax": names of other than letters, digits and _ are quoted."""
_DAY_S: Final = 86_400
_CONDITION: Final = re.compile(r"\$\.[\w.]+ (=|!=|<|>|<=|>=) (\"[^\"]*\"|\*|-?\d+(\.\d+)?)")
_UNITS: Final = ("None", "Seconds", "Milliseconds", "Count", "Percent", "Bytes")


def alarm_faults(alarm: Mapping[str, Any]) -> Iterator[str]:
    """Why a planned aws_cloudwatch_metric_alarm would be refused (API reference, PutMetricAlarm and MetricDataQuery)."""
    name = alarm["alarm_name"]
    if not 1 <= len(name) <= 255:
        yield "a name has 1 to 255 characters"
    if len(alarm["alarm_description"] or "") > 1024:
        yield "a description has at most 1024 characters"
    if alarm["comparison_operator"] not in _COMPARISONS:
        yield f"{alarm['comparison_operator']} is no comparison"
    if alarm["treat_missing_data"] not in _MISSING:
        yield f"{alarm['treat_missing_data']} says nothing of missing data"
    for actions in ("alarm_actions", "ok_actions"):
        if len(alarm.get(actions) or []) > 5:
            yield f"{actions} are at most five"
    if (of := alarm.get("datapoints_to_alarm")) and of > alarm["evaluation_periods"]:
        yield "more data points than periods"
    yield from _query_faults(alarm["metric_query"], alarm["evaluation_periods"])


def _query_faults(queries: Sequence[Mapping[str, Any]], periods: int) -> Iterator[str]:
    metrics = [query for query in queries if query["metric"]]
    expressions = [query for query in queries if query["expression"]]
    if len(metrics) > 10 or len(expressions) > 10:
        yield "at most ten metrics and ten expressions"
    if sum(bool(query["return_data"]) for query in queries) != 1:
        yield "exactly one query is the alarm's"
    ids = [query["id"] for query in queries]
    if len(set(ids)) != len(ids) or not all(_ID.fullmatch(id_) for id_ in ids):
        yield f"ids are {ids}: each once, beginning with a small letter"
    periods_s = {metric["period"] for query in metrics for metric in query["metric"]} | {
        int(query["period"]) for query in expressions if query.get("period")
    }
    for query in metrics:
        yield from metric_faults(query["metric"][0])
    for period_s in periods_s:
        if period_s not in (10, 20, 30) and period_s % 60:
            yield f"a period of {period_s} s is none"
        if period_s * periods > (_DAY_S if period_s < 3600 else 7 * _DAY_S):
            yield f"{periods} periods of {period_s} s are longer than an alarm looks back"
    for query in expressions:
        yield from _expression_faults(query, [metric["id"] for metric in metrics])


def _expression_faults(query: Mapping[str, Any], ids: Sequence[str]) -> Iterator[str]:
    """Of metric math, or of a Metrics Insights query, which stands alone in its alarm and has a period (MetricDataQuery)."""
    text = query["expression"]
    if text.startswith("SELECT"):
        yield from insights_faults(text)
        if ids:
            yield "a Metrics Insights query beside metrics"
        if not query.get("period"):
            yield "a Metrics Insights query needs a period"
        return
    try:
        kind_of(text, ids, alarm=bool(query["return_data"]))
    except MathError as error:
        yield f"{text}: {error}"


def metric_faults(metric: Mapping[str, Any]) -> Iterator[str]:
    """Why a metric is none (API reference, Metric and MetricStat; user guide, statistics definitions)."""
    if not re.fullmatch(r"[^:].{0,254}", metric["namespace"]):
        yield f"{metric['namespace']} is no namespace"
    if not _STATISTIC.fullmatch(metric["stat"]):
        yield f"{metric['stat']} is no statistic"
    dimensions = metric["dimensions"] or {}
    if len(dimensions) > 30 or any(not 1 <= len(value) <= 1024 for value in dimensions.values()):
        yield "at most 30 dimensions, each with a value"


def insights_faults(query: str) -> Iterator[str]:
    """Why a Metrics Insights query is none."""
    if not _QUERY.fullmatch(query):
        yield f"{query} is no query of Metrics Insights"


def filter_faults(log_filter: Mapping[str, Any]) -> Iterator[str]:
    """Why PutMetricFilter would refuse (API reference; Logs User Guide, filter pattern syntax for JSON)."""
    if not re.fullmatch(r"[^:*]{1,512}", log_filter["name"]):
        yield f"{log_filter['name']} is no name of a filter"
    pattern = log_filter["pattern"]
    inner = pattern.removeprefix("{ ").removesuffix(" }")
    if len(pattern) > 1024 or inner == pattern:
        yield f"{pattern} is no pattern for JSON"
    for condition in re.split(r" (?:&&|\|\|) ", inner):
        if not _CONDITION.fullmatch(condition.strip("()")):
            yield f"{condition} is no condition on a field"
    (made,) = log_filter["metric_transformation"]
    if not re.fullmatch(r"[^:*$]{1,255}", made["namespace"]) or not re.fullmatch(r"[^:*$]{1,255}", made["name"]):
        yield "namespace and name are free of :, * and $"
    field = re.fullmatch(r"(\$\.[\w.]+)|-?\d+(\.\d+)?", made["value"])
    if not field or (field[1] and f"{field[1]} " not in inner):
        yield f"{made['value']} is neither a number nor a field that the pattern names"
    if made.get("dimensions") and made.get("default_value"):
        yield "a default value beside dimensions"
    if (made.get("unit") or "None") not in _UNITS:
        yield f"{made['unit']} is no unit"


def dashboard_faults(body: str) -> Iterator[str]:
    """Why PutDashboard would refuse (API reference, "Dashboard Body Structure and Syntax")."""
    widgets = json.loads(body)["widgets"]
    if len(widgets) > 500:
        yield "at most 500 widgets"
    for widget in widgets:
        where, of = widget["properties"].get("title", ""), widget["properties"]
        if not (0 <= widget["x"] <= 23 and 1 <= widget["width"] <= 24 - widget["x"] and 1 <= widget["height"] <= 1000):
            yield f"{where}: not within the 24 columns"
        if widget["type"] == "alarm":
            if not 1 <= len(of["alarms"]) <= 100:
                yield f"{where}: 1 to 100 alarms"
        elif widget["type"] == "metric":
            yield from (f"{where}: {fault}" for fault in _widget_faults(of))
        else:
            yield f"{where}: {widget['type']} is not known here"


def _widget_faults(of: Mapping[str, Any]) -> Iterator[str]:
    if of["view"] not in ("timeSeries", "singleValue", "gauge", "bar", "pie", "table") or not of.get("region"):
        yield "a view and a region"
    if not _STATISTIC.fullmatch(of["stat"]):
        yield f"{of['stat']} is no statistic"
    ids = [entry[-1]["id"] for entry in of["metrics"] if isinstance(entry[-1], dict) and "id" in entry[-1]]
    for entry in of["metrics"]:
        options = entry[-1] if isinstance(entry[-1], dict) else {}
        words = entry[: len(entry) - bool(options)]
        if "expression" in options:
            yield from _dashed(options, ids)
        elif len(words) < 2 or len(words) % 2 or not all(isinstance(word, str) and word for word in words):
            yield f"{entry} is not a namespace, a metric, and dimensions in pairs"


def _dashed(options: Mapping[str, Any], ids: Sequence[str]) -> Iterator[str]:
    if options["expression"].startswith("SELECT"):
        yield from insights_faults(options["expression"])
        return
    try:
        assert kind_of(options["expression"], ids) in Kind
    except MathError as error:
        yield str(error)


def publisher_faults(policy: str) -> Iterator[str]:
    """Why a topic's policy would keep a service's messages out, or let another account's in.

    EventBridge publishes without anything that a condition could look at (EventBridge User Guide, troubleshooting, messages to
    an SNS topic); of all others the account is asked (SNS Developer Guide, "Example cases for Amazon SNS access control").
    """
    for statement in json.loads(policy)["Statement"]:
        named = statement["Principal"]["Service"]
        for service in [named] if isinstance(named, str) else named:
            keys = {key for condition in statement.get("Condition", {}).values() for key in condition}
            if service == "events.amazonaws.com" and keys:
                yield f"{service} publishes nothing under {sorted(keys)}"
            if service != "events.amazonaws.com" and "aws:SourceAccount" not in keys:
                yield f"{service} may publish for any account"
