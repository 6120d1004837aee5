"""Alerts and dashboards name what is really told: metrics, labels and their values, routes, parameters and members."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from archive.metrics import ArchiveMetrics
from consumer.metrics import SupervisorMetrics
from operations.exposition import ShardsSeen
from operations.verdicts import ShardState, ShardVerdict
from producer_api.app import ROUTES
from producer_api.live.hub import Hub
from producer_api.operating.metrics import Metrics, Serving
from producer_api.operating.outcomes import Outcome, Outcomes
from producer_api.reading.asking import Asking
from producer_api.reading.history import PARAMETERS
from producer_api.reading.shapes import WindowWithPercentiles
from producer_api.writing.writer import Counters, Writer
from projections.dynamodb_reads import LiveFleet
from telemetry.errors import ReasonCode
from telemetry.keys import KEY_FORM
from tests.tidy.tree import ROOT

GRAFANA = ROOT / "infra/grafana"
ALERTS = ROOT / "infra/prometheus/alerts.yaml"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
ADDED_BY_PROMETHEUS = {"instance", "job"}
VARIABLES = {"${__from}": "1637950200000", "${__to}": "1637953800000", "$tz": "UTC", "$sensor": "202"}
_NAME = re.compile(r"\b(?:telemetry|http_server)_\w+")


def rules() -> list[dict[str, Any]]:
    """Every alert rule."""
    loaded = yaml.safe_load(ALERTS.read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def scrapes() -> list[dict[str, Any]]:
    """What Prometheus asks."""
    found: list[dict[str, Any]] = yaml.safe_load((ALERTS.parent / "prometheus.yaml").read_text())["scrape_configs"]
    return found


def targets(dashboard: str) -> Iterator[dict[str, Any]]:
    """Every query of a dashboard."""
    return (target for panel in DASHBOARDS[dashboard]["panels"] for target in panel["targets"])


EXPRESSIONS = [rule["expr"] for rule in rules()] + [target["expr"] for target in targets("operators")]


@pytest.fixture(scope="module")
def told() -> Mapping[str, set[str]]:
    """The labels of every sample that API, supervisor and archiver tell when there is something of each."""
    outcomes = Outcomes()
    outcomes.reading("put", Outcome.STORED)
    outcomes.refused["invalid-reading"] += 1
    api = Metrics(outcomes)
    api.answered("PUT", "/api/temperature", 200, 0.01)
    counters = Counters()
    counters.outcomes["stored"] += 1
    writer = cast("Writer", SimpleNamespace(counters=counters, held=0))
    asking, hub = cast("Asking", SimpleNamespace(read_units={"stats": 1.0})), cast("Hub", SimpleNamespace(streams=0))
    api.serving = Serving(writer, asking, hub, cast("LiveFleet", SimpleNamespace(units=1.0)))
    api.shards.seen = ShardsSeen([ShardState("one", "me", ShardVerdict.OK, 1, 0.0)], {"one": {ReasonCode.NOT_JSON: 1}})
    archive = ArchiveMetrics(lambda: 1)
    archive.complete("one", 0)
    archive.holds("one", 1)
    archive.retention_ms = 1
    for counter in (archive.objects, archive.bytes, archive.records, archive.taken, archive.gaps):
        counter.labels("one").inc()
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for registry in (api.registry, SupervisorMetrics(int).registry, archive.registry):
        for family in text_string_to_metric_families(generate_latest(registry).decode()):
            for sample in family.samples:
                labels[sample.name] |= sample.labels.keys()
    return labels


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_of_a_query_is_told(told: Mapping[str, set[str]], expression: str) -> None:
    """Matchers, groupings and names alike; else an alert would never fire, and nobody would know."""
    names = _NAME.findall(re.sub(r"\{[^}]*\}", "", expression))
    metrics = set(names)
    assert metrics
    assert metrics <= told.keys()
    known = set.union(ADDED_BY_PROMETHEUS, *(told[name] for name in metrics))
    assert {label for label, _ in _matchers(expression)} <= known
    grouped = {label for found in re.findall(r"by \(([^)]*)\)", expression) for label in re.findall(r"\w+", found)}
    assert grouped <= known


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_value_that_is_matched_can_be_met(expression: str) -> None:
    """Fates of readings and calls, routes, statuses."""
    fates = {*Outcome, "partly", "failed"}
    routes = {route.path for route in ROUTES}
    for label, text in _matchers(expression):
        match label:
            case "outcome":
                assert set(text.split("|")) <= fates
            case "http_route":
                assert text in routes
            case "job":
                assert text in {scraped["job_name"] for scraped in scrapes()}
            case _:
                assert re.fullmatch(text, "503"), (label, text)


def _matchers(expression: str) -> list[tuple[str, str]]:
    """Labels and what they are matched with."""
    return re.findall(r'(\w+)\s*(?:=~|!=|=)\s*"([^"]*)"', expression)


def test_every_alert_says_what_it_is_about() -> None:
    """Unlike names, how urgent it is, and a sentence of what to do or where to look."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "description"}


def test_each_archiver_that_is_silent_alerts() -> None:
    """Others that tell their ages do not speak for it: `absent` alone is silent while one of them does."""
    [rule] = [rule for rule in rules() if rule["alert"] == "TelemetryArchiveNotSeen"]
    [archivers] = [scraped for scraped in scrapes() if f'up{{job="{scraped["job_name"]}"}} == 0' in rule["expr"]]
    assert archivers["static_configs"] == [{"targets": ["127.0.0.1:9101"]}]


def test_every_metric_that_counts_is_shown_to_operators(told: Mapping[str, set[str]]) -> None:
    """What is told and looked at by nobody had better not be told."""
    shown = {name for target in targets("operators") for name in _NAME.findall(target["expr"])}
    kept = {name for name in told if not re.search(r"_(?:created|sum)$", name)}
    assert kept <= shown


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_are_told_apart_and_do_not_overlap(name: str) -> None:
    """By number; on a grid of 24 columns."""
    panels = DASHBOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        x, y, width, height = (panel["gridPos"][side] for side in "xywh")
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert x + width <= 24
        assert not cells & taken
        taken |= cells


def test_every_query_of_temperatures_is_one_that_is_answered() -> None:
    """The path is a route, each parameter is taken as it is written, each column is a member of a window."""
    routes = {route.path for route in ROUTES}
    known = {parameter.name: parameter for parameter in PARAMETERS}
    members = {field.encode_name for field in msgspec.structs.fields(WindowWithPercentiles)}
    for target in targets("temperatures"):
        assert target["url"] in routes
        assert target["root_selector"] == "windows"
        for parameter in target["url_options"]["params"]:
            text = parameter["value"]
            known[parameter["key"]].parse(VARIABLES.get(text, text))
        assert {column["selector"] for column in target["columns"]} <= members
    written = {variable["name"] for variable in DASHBOARDS["temperatures"]["templating"]["list"]}
    assert {f"${name}" for name in written} == {name for name in VARIABLES if "{" not in name}


def test_every_data_source_is_provisioned() -> None:
    """Under the id, and of the type, that the dashboards ask for; none of them holds an address."""
    loaded = yaml.safe_load((GRAFANA / "provisioning/datasources/telemetry.yaml").read_text())
    sources = {(source["type"], source["uid"]) for source in loaded["datasources"]}
    asked = {(one["datasource"]["type"], one["datasource"]["uid"]) for name in DASHBOARDS for one in targets(name)}
    assert asked == sources
    assert not any("http://" in path.read_text() for path in GRAFANA.rglob("*.*"))
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/telemetry.yaml").read_text())["providers"]
    assert provider["options"] == {"path": "$TELEMETRY_DASHBOARDS"}


def test_keys_come_from_outside_and_are_kept_secret() -> None:
    """The data source sends what Grafana's environment holds, and keeps it where it shows it to nobody."""
    loaded = yaml.safe_load((GRAFANA / "provisioning/datasources/telemetry.yaml").read_text())
    [api] = [source for source in loaded["datasources"] if source["uid"] == "telemetry-api"]
    assert api["jsonData"]["httpHeaderName1"].lower() == "x-api-key"
    assert api["secureJsonData"] == {"httpHeaderValue1": "$TELEMETRY_KEY"}
    assert not any(KEY_FORM.search(path.read_text()) for path in GRAFANA.rglob("*.*"))


def test_prometheus_is_told_where_everything_is_and_where_the_key_goes() -> None:
    """The ports of docs/operating.md, the rules beside it; uncommented, the key is the API's only."""
    text = (ALERTS.parent / "prometheus.yaml").read_text()
    for lines, keyed in ((text, False), (re.sub(r"(?m)^(    )# ( *(?:authorization|credentials_file))", r"\1\2", text), True)):
        loaded = yaml.safe_load(lines)
        assert [(ALERTS.parent / name).exists() for name in loaded["rule_files"]] == [True]
        api, *others = loaded["scrape_configs"]
        assert api["static_configs"] == [{"targets": ["127.0.0.1:8080"]}]
        assert api.get("authorization") == ({"credentials_file": "api-key"} if keyed else None)
        assert not any("authorization" in scraped for scraped in others)
