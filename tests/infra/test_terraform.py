"""Terraform: formatted, valid, tested, scanned, and in what it plans at one with the code it runs.

Reported as skipped where terraform or its provider is not found. `terraform test` and checkov take long and are run by
`make infra-test` alone.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import structlog

from archive.archiver import tell_age
from archive.metrics import ArchiveMetrics
from archive.names import START, object_key, state_key
from consumer.daemon import _BEYOND_GRACE_S
from consumer.lag import LagTold
from consumer.oversight import Oversight
from consumer.processor import ShardRecordProcessor
from consumer.properties import JAVA_BEYOND_HEAP_MB, PROCESSOR_MB, SHUTDOWN_GRACE_S, SUPERVISOR_MB, heap_mb, patience
from consumer.status import StatusFile
from infra.local.downloads import ensure_environment
from infra.setup import load_definition
from operations import canary
from projections.memory import MemoryStores
from projections.projector import ShardProjector
from projections.rows import PROGRESS, Row
from telemetry.names import ResourceNames
from telemetry.settings import Settings
from tests.consumer.conversation import converse, initialize, process_records
from tests.consumer.test_lag import SEEN
from tests.projections.logs import SHARD
from tests.support.tables import defined, of_plan
from tests.support.terraform import ENVIRONMENTS, ROOTS, TREE, Root, planned

type Plans = Mapping[str, dict[str, Any]]
type Roots = Mapping[str, Root]


def container(plans: Plans, name: str) -> dict[str, Any]:
    """The container of a service."""
    tasks = planned(plans["environment"], "aws_ecs_task_definition").values()
    ((found,),) = (json.loads(task["container_definitions"]) for task in tasks if task["family"].endswith(f"-{name}"))
    made: dict[str, Any] = found
    return made


def settings_of(plans: Plans, name: str) -> dict[str, str]:
    """The environment variables of a service's container."""
    return {pair["name"]: pair["value"] for pair in container(plans, name)["environment"]}


def test_it_is_formatted(roots: Roots) -> None:
    """As `terraform fmt` would."""
    unformatted = Root(TREE).run("fmt", "-check", "-recursive", "-diff")
    assert not unformatted


@pytest.mark.parametrize("root", ROOTS)
def test_it_is_valid(roots: Roots, root: str) -> None:
    """With all modules that it uses."""
    roots[root].run("validate")


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("thorough")
def test_modules_and_the_environment_dev_do_what_they_should(roots: Roots) -> None:
    """`terraform test`, its provider mocked."""
    roots["environment"].run("test", "-var-file=dev.tfvars")


@pytest.mark.usefixtures("thorough")
@pytest.mark.parametrize("environment", [name for name in ENVIRONMENTS if name != "dev"])
def test_other_environments_are_what_their_files_say(roots: Roots, environment: str) -> None:
    """The same tests, with other values in another workspace."""
    options = (f"-var-file={environment}.tfvars", "-filter=tests/environment.tftest.hcl")
    roots["environment"].run("test", *options, workspace=environment)


@pytest.mark.usefixtures("thorough")
def test_bootstrap_does_what_it_should(roots: Roots) -> None:
    """`terraform test`, its provider mocked."""
    roots["bootstrap"].run("test")


def test_another_environments_values_destroy_nothing(roots: Roots) -> None:
    """dev's values in the workspace prod: refused, for destroying too."""
    root = roots["environment"]
    state = root.folder / "terraform.tfstate.d/prod/terraform.tfstate"
    state.parent.mkdir(parents=True, exist_ok=True)
    there = {"mode": "managed", "type": "terraform_data", "name": "there", "instances": [{"attributes": {"id": "1"}}]}
    there["provider"] = 'provider["terraform.io/builtin/terraform"]'
    state.write_text(json.dumps({"version": 4, "serial": 1, "lineage": "tests", "resources": [there]}))
    for options in ([], ["-destroy"]):
        said = root.run("plan", *options, *root.variables("dev"), workspace="prod", status=1)
        assert "the workspace is prod" in said


@pytest.mark.usefixtures("thorough")
def test_prod_has_https_and_somebody_who_is_told(roots: Roots) -> None:
    """Neither a domain nor an address: nothing is planned, and both are asked for."""
    root = roots["environment"]
    said = root.run("plan", *root.variables("prod"), "-var=alarm_emails=[]", workspace="prod", status=1)
    assert "Without a domain there is no HTTPS" in said
    assert "alarm_emails must name somebody" in said


@pytest.mark.usefixtures("thorough")
@pytest.mark.parametrize("root", ROOTS)
def test_checkov_finds_nothing_and_every_skip_has_its_reason(root: str, roots: Roots) -> None:
    """In an environment of its own; nothing is downloaded while it scans."""
    checkov = ensure_environment("checkov") / "bin" / "checkov"
    values = ["--var-file", str(TREE / "environment/prod.tfvars")] if root == "environment" else []
    options = ["--framework", "terraform", "--skip-download", "--compact", "-o", "json", *values]
    scanned = subprocess.run(
        [checkov, "-d", TREE / root, *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSI_COLORS_DISABLED": "1"},
    )
    results = json.loads(scanned.stdout)["results"]
    failed = [f"{check['check_id']} {check['resource']}: {check['check_name']}" for check in results["failed_checks"]]
    assert not failed, "\n".join(failed)
    assert all(check["check_result"]["suppress_comment"].strip() for check in results["skipped_checks"])
    assert scanned.returncode == 0, scanned.stderr


def test_names_are_those_the_code_computes(plans: Plans) -> None:
    """Stream and tables are what telemetry/names.py says, and have the definition's keys and indexes."""
    names = ResourceNames("telemetry-dev")
    (stream,) = planned(plans["environment"], "aws_kinesis_stream").values()
    assert stream["name"] == names.stream
    tables = {table["name"]: table for table in planned(plans["environment"], "aws_dynamodb_table").values()}
    assert tables.keys() == {
        names.readings, names.stats, names.dead_letters, names.generations, names.keys,
        names.application, names.coordinator, names.workers,
    }  # fmt: skip
    for table in load_definition(names)["tables"].values():
        assert of_plan(tables[table["name"]]) == defined(table)


@pytest.mark.parametrize("process", ["api", "consumer", "archiver"])
def test_processes_start_with_the_settings_they_are_given(plans: Plans, process: str) -> None:
    """Every variable is a setting; the prefix is the tables', the timing AWS's."""
    given = settings_of(plans, process)
    assert given.keys() <= {name.upper() for name in Settings.model_fields}
    settings = Settings.from_environment(given)
    assert (settings.prefix, settings.kcl_timing) == ("telemetry-dev", "aws")


def test_the_api_listens_where_the_load_balancer_calls(plans: Plans) -> None:
    """On every address of its task, on the target group's port."""
    settings = Settings.from_environment(settings_of(plans, "api"))
    (group,) = planned(plans["environment"], "aws_lb_target_group").values()
    assert (settings.host, settings.port) == ("0.0.0.0", group["port"])
    assert container(plans, "api")["portMappings"][0]["containerPort"] == group["port"]


def test_the_api_keeps_connections_longer_than_the_load_balancer(plans: Plans) -> None:
    """Otherwise the load balancer would send requests into connections that are being closed."""
    (balancer,) = planned(plans["environment"], "aws_lb").values()
    assert balancer["idle_timeout"] <= Settings().load_balancer_idle_s < Settings().keep_alive_s


def test_nobody_is_killed_who_still_stops_in_order(plans: Plans) -> None:
    """ECS waits longer than the processes themselves do."""
    deadline_s = Settings.from_environment(settings_of(plans, "api")).put_deadline_s
    assert container(plans, "api")["stopTimeout"] >= Settings(put_deadline_s=deadline_s).stopping_s
    assert container(plans, "consumer")["stopTimeout"] > SHUTDOWN_GRACE_S + 2 * _BEYOND_GRACE_S


def test_the_archiver_keeps_the_log_where_it_is_guarded(plans: Plans) -> None:
    """In the bucket itself, so that the policy's folders are the archive's; all shards; well while its metrics answer."""
    settings = Settings.from_environment(settings_of(plans, "archiver"))
    buckets = planned(plans["environment"], "aws_s3_bucket")
    assert settings.archive_target == f"s3://{buckets['module.archive[0].aws_s3_bucket.archive']['bucket']}"
    assert settings.archiver_share == "1/1"
    [asked] = re.findall(r"http://([\d.]+):(\d+)/metrics", " ".join(container(plans, "archiver")["healthCheck"]["command"]))
    assert asked == (settings.host, str(settings.archiver_metrics_port))
    assert object_key("1.000", "s-1", START).startswith("log/")
    assert state_key("1.000", "s-1").startswith("state/")


def test_an_archivers_task_has_the_memory_for_what_it_holds(plans: Plans) -> None:
    """All that it collects, and the largest object once more while it is put."""
    settings = Settings.from_environment(settings_of(plans, "archiver"))
    tasks = planned(plans["environment"], "aws_ecs_task_definition").values()
    [task] = (task for task in tasks if "archiver" in task["family"])
    assert int(task["memory"]) * 2**20 >= 2 * (settings.archive_held_bytes + settings.archive_object_bytes)


def test_each_consumer_is_named_after_its_own_container(plans: Plans) -> None:
    """The worker and its health check take the name from the same variable, so neither is told another."""
    assert "WORKER_ID" not in settings_of(plans, "consumer")
    task = "cd189a933e5849daa93386466019ab50-2495160603"
    environ = {"ECS_CONTAINER_METADATA_URI_V4": f"http://169.254.170.2/v4/{task}"}
    assert Settings.from_environment(environ | settings_of(plans, "consumer")).worker_id == task


def test_commands_name_modules_that_can_be_run(plans: Plans) -> None:
    """`python -m` of what is there."""
    containers = [container(plans, name) for name in ("api", "consumer", "archiver", "operator")]
    commands = [each["entryPoint"] + each["command"] for each in containers]
    for command in [*commands, container(plans, "consumer")["healthCheck"]["command"][1:]]:
        assert command[:2] == ["python", "-m"]
        module = command[2].replace(".", "/")
        assert any((TREE.parents[1] / path).is_file() for path in (f"{module}.py", f"{module}/__main__.py")), command


def test_s08_a_consumers_task_has_the_memory_to_hold_every_shard(plans: Plans) -> None:
    """As when it is the only one left, with a backlog of the largest answers; so is a rebuild's, beside what started it."""
    tasks = planned(plans["environment"], "aws_ecs_task_definition")
    shards = load_definition(ResourceNames("t"))["stream"]["shards"]
    needed_mb = SUPERVISOR_MB + JAVA_BEYOND_HEAP_MB + heap_mb(shards) + shards * PROCESSOR_MB
    assert int(tasks["module.consumer.aws_ecs_task_definition.this"]["memory"]) >= needed_mb
    assert int(tasks["module.operator.aws_ecs_task_definition.this"]["memory"]) >= 2 * needed_mb


def test_an_operators_task_does_as_the_consumer_and_finds_the_archive(plans: Plans) -> None:
    """On the same image, in the same names and KCL's same pace: a rebuild's consumer takes its place."""
    assert container(plans, "operator")["image"] == container(plans, "consumer")["image"]
    archive = {"ARCHIVE_TARGET": settings_of(plans, "archiver")["ARCHIVE_TARGET"]}
    assert settings_of(plans, "operator") == settings_of(plans, "consumer") | archive


def test_log_lines_that_alarms_count_are_logged(plans: Plans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarts, records that may be lost, the archive's age and the canary have what the metric filters look for."""
    settings = Settings()
    with structlog.testing.capture_logs() as logs, StatusFile(tmp_path / "status.json", "w") as status:
        reason = "shardId-000000000000 has not moved for 75 s"
        Oversight("w", patience(settings), status).tell("restarting", reason=reason, failures=1, pause_s=0.2)
        _tell_loss()
        tell_age(ArchiveMetrics(lambda: 0), shards=0)
        LagTold().see(SEEN, 0, 0)
        with mock.patch.multiple(canary, fly=mock.DEFAULT, configure_logs=mock.DEFAULT):
            monkeypatch.setattr("sys.argv", ["canary", "--url", "http://127.0.0.1:9"])
            canary.main()
    for address, metric_filter in planned(plans["environment"], "aws_cloudwatch_log_metric_filter").items():
        terms = {name: text.strip('"*') for name, text in re.findall(r'\$\.(\w+) = ("[^"]+"|\*)', metric_filter["pattern"])}
        assert terms, address
        assert any(all(name in line and text in str(line[name]) for name, text in terms.items()) for line in logs), address


def _tell_loss() -> None:
    """A record processor that comes back after longer than the stream keeps a record."""
    stores = MemoryStores()
    stores.rows[SHARD.shard_id, PROGRESS] = Row(PROGRESS, 1, as_of_us=1)
    projector = ShardProjector(SHARD, time.time, retention_s=86_400)
    processor = ShardRecordProcessor(lambda _: (projector, stores), lambda *_: True)
    converse(processor, initialize(SHARD.shard_id), process_records({}))


def test_policies_fit_into_a_role(plans: Plans) -> None:
    """IAM takes 10,240 characters for all inline policies of a role, and 6,144 for a managed one."""
    for plan in plans.values():
        for address, policy in planned(plan, "aws_iam_role_policy").items():
            size = len(json.dumps(json.loads(policy["policy"]), separators=(",", ":")))
            assert size <= 10_240, f"{address} has {size}"
        for address, policy in planned(plan, "aws_iam_policy").items():
            assert len(json.dumps(json.loads(policy["policy"]), separators=(",", ":"))) <= 6_144, address
