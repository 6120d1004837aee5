"""Everything that delivers is clean by its own linter, and keeps the rules that no linter knows."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local.downloads import cache_folder, install_once
from infra.local.fetch import DownloadError
from telemetry.settings import Settings
from tests.tidy.tree import ROOT, tracked_files

ACTIONLINT = "1.7.12"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))


def load(path: Path) -> dict[str, Any]:
    """A YAML file. `on` is a truth value to YAML 1.1, so it is read under that name."""
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in loaded.items()}


def clean(*command: str | Path) -> None:
    """Assert that a linter finds nothing."""
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name: str) -> Path:
    """A program of the project's own environment."""
    return Path(sys.executable).with_name(name)


def test_the_dockerfile_is_clean() -> None:
    """By hadolint."""
    clean(tool("hadolint"), "infra/images/Dockerfile")


def test_every_shell_script_is_clean() -> None:
    """By shellcheck; whatever begins like one is one."""
    scripts = [
        path for path in tracked_files() if (ROOT / path).read_bytes()[:20].startswith((b"#!/bin/sh", b"#!/usr/bin/env b"))
    ]
    assert {".ci/run", "infra/environment.sh", "infra/images/push.sh"} <= {str(path) for path in scripts}
    clean(tool("shellcheck"), *scripts)


def test_the_workflows_are_safe() -> None:
    """By zizmor: pins, permissions, credentials that stay behind, templates that inject."""
    clean(tool("zizmor"), "--offline", "--quiet", ".github")


def actionlint() -> Path:
    """From PATH, else made from its sources by Go, once for all clones."""
    if found := shutil.which("actionlint"):
        return Path(found)
    if not shutil.which("go"):
        pytest.skip("actionlint was not run: neither it nor Go, which would install it, is on PATH")

    def build(folder: Path) -> None:
        module = f"github.com/rhysd/actionlint/cmd/actionlint@v{ACTIONLINT}"
        environ = {**os.environ, "GOBIN": str(folder)}
        done = subprocess.run(["go", "install", module], env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DownloadError(done.stderr)

    try:
        return install_once(cache_folder() / f"actionlint-{ACTIONLINT}", build) / "actionlint"
    except DownloadError as error:
        pytest.skip(f"actionlint was not run: it could not be installed: {error}")


def test_the_workflows_are_right() -> None:
    """By actionlint, which has shellcheck look at their scripts."""
    clean(actionlint(), "-shellcheck", tool("shellcheck"), "-pyflakes", "")


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Every step of workflows and actions, with its file."""
    found = []
    for path in WORKFLOWS:
        for job in load(path)["jobs"].values():
            found += [(path.name, step) for step in job.get("steps", [])]
    for path in ACTIONS:
        found += [(path.parent.name, step) for step in load(path)["runs"]["steps"]]
    return found


def test_actions_of_others_are_pinned_to_a_commit_and_say_its_version() -> None:
    """A tag can be moved to other code, a commit cannot. One action has one version everywhere."""
    lines = [line.strip(" -") for path in [*WORKFLOWS, *ACTIONS] for line in path.read_text().splitlines() if "uses:" in line]
    others = {line for line in lines if not line.startswith("uses: ./")}
    wrong = [line for line in others if not re.fullmatch(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)]
    assert not wrong
    assert len(others) == len({line.partition("@")[0] for line in others})


def test_jobs_may_do_only_what_they_say_and_not_for_ever() -> None:
    """Nothing by default; a limit for each job; who becomes a role of AWS says so."""
    for path in WORKFLOWS:
        workflow = load(path)
        assert workflow["permissions"] == {}, path.name
        assert "concurrency" in workflow or "workflow_call" in workflow["on"], path.name
        for name, job in workflow["jobs"].items():
            assert "uses" in job or job["timeout-minutes"] <= 60, f"{path.name}: {name}"
            assert set(job.get("permissions", {}).items()) <= {
                ("actions", "read"),
                ("contents", "read"),
                ("id-token", "write"),
                ("pull-requests", "write"),
            } | ({("contents", "write")} if path.name == "renew.yml" else set()), f"{path.name}: {name}"


def test_no_workflow_knows_a_secret() -> None:
    """Roles are taken on by OIDC; there is no key to lose."""
    for path in [*WORKFLOWS, *ACTIONS]:
        assert "secrets." not in path.read_text(), path
        assert "aws-access-key" not in path.read_text(), path


def test_commands_of_the_workflows_exist() -> None:
    """Targets of make, and files."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    if not (ROOT / "infra/terraform").is_dir():
        targets.add("infra-test")  # comes with what it tests
    runs = [(name, step["run"]) for name, step in steps() if "run" in step]
    for name, run in runs:
        assert set(re.findall(r"^make ([a-z-]+)", run, re.MULTILINE)) <= targets, name
        for file in re.findall(r"^\s*(infra/\S+\.sh)", run, re.MULTILINE):
            assert os.access(ROOT / file, os.X_OK), f"{name}: {file}"
    called = [path for step in steps() if (path := step[1].get("uses", "")).startswith("./")]
    called += [job["uses"] for path in WORKFLOWS for job in load(path)["jobs"].values() if "uses" in job]
    assert all((ROOT / path).exists() for path in called)


def test_an_approved_plan_and_nothing_else_is_applied() -> None:
    """Apply and destroy wait for the environment's reviewers, and get the file that the planning job made."""
    for workflow, last, command in (("environment", "apply", "plan"), ("destroy", "destroy", "destroy")):
        jobs = load(ROOT / f".github/workflows/{workflow}.yml")["jobs"]
        job = jobs[last]
        assert job["needs"] == "plan"
        assert job["environment"]["name"] == "${{ inputs.environment }}"
        names = [step["with"]["name"] for step in job["steps"] if "download-artifact" in step.get("uses", "")]
        assert names == [f"{command}-${{{{ inputs.environment }}}}"]
        applied = [line for step in job["steps"] for line in step.get("run", "").splitlines() if " apply " in line]
        assert applied == ['infra/environment.sh "$ENVIRONMENT" apply "$ENVIRONMENT.tfplan"']
        roles = [step["with"]["role-to-assume"] for step in job["steps"] if "configure-aws" in step.get("uses", "")]
        assert [role.partition("role/")[2] for role in roles] == ["${{ env.NAME }}-apply-${{ inputs.environment }}"]


def gate(environ: dict[str, str], folder: Path, rules: str) -> bool:
    """Whether the first job lets a deployment pass, with a stand-in for GitHub that answers these rules."""
    [step] = load(ROOT / ".github/workflows/environment.yml")["jobs"]["gate"]["steps"]
    program = folder / "gh"
    program.write_text(f"#!/bin/sh\n{rules}\n")
    program.chmod(0o755)
    asked = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "o/n",
        "ENVIRONMENT": "prod",
        "UNREVIEWED": "[]",
        **environ,
    }
    return subprocess.run(["bash", "-e", "-c", step["run"]], env=asked, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("environ", "rules", "passes"),
    [
        ({}, "echo required_reviewers branch_policy", True),
        ({}, "echo branch_policy", False),
        ({}, "exit 1", False),  # an environment that nobody made
        ({"UNREVIEWED": '["dev"]'}, "exit 1", False),
        ({"UNREVIEWED": '["dev", "prod"]'}, "exit 1", True),
    ],
)
def test_nothing_is_planned_where_nobody_has_to_approve(
    environ: dict[str, str], rules: str, passes: bool, tmp_path: Path
) -> None:
    """Unless that is said out loud; the gate is before all that follows."""
    if not shutil.which("jq"):
        pytest.skip("jq is not on PATH")
    jobs = load(ROOT / ".github/workflows/environment.yml")["jobs"]
    assert [jobs[name]["needs"] for name in ("plan", "apply", "keep")] == ["gate", "plan", "apply"]
    assert gate(environ, tmp_path, rules) is passes


def test_every_workflow_that_plans_is_told_the_same() -> None:
    """What one job hands to Terraform and another does not would show as a change."""
    told = {}
    for name in ("environment", "plan", "drift", "destroy"):
        workflow = load(ROOT / f".github/workflows/{name}.yml")
        job = next(iter(workflow["jobs"].values())) if name in ("plan", "drift") else {}
        environ = {**workflow.get("env", {}), **job.get("env", {})}
        told[name] = {
            key: re.sub(r"(inputs|matrix)\.environment", "environment", str(value))
            for key, value in environ.items()
            if key.startswith(("TF_VAR", "AWS", "NAME"))
        }
    assert len({tuple(sorted(values.items())) for values in told.values()}) == 1, told


def test_prod_is_planned_for_no_pull_request() -> None:
    """Its role trusts none (infra/terraform/bootstrap/github.tf)."""
    job = load(ROOT / ".github/workflows/plan.yml")["jobs"]["plan"]
    assert {"environment": "prod"} in job["strategy"]["matrix"]["exclude"]


@pytest.mark.parametrize(
    ("there", "call"),
    [
        ([], "pr comment 7 --repo o/n --body-file comment.md"),
        ([(1, "plan of prod"), (2, "plan of dev")], "api --method PATCH repos/o/n/issues/comments/2 --field body=@comment.md"),
    ],
)
def test_a_pull_request_has_one_comment_for_each_environment(there: list[tuple[int, str]], call: str, tmp_path: Path) -> None:
    """However often it is pushed to: the comment that is there is renewed, and no other."""
    if not shutil.which("jq"):
        pytest.skip("jq is not on PATH")
    comments = [{"id": number, "body": f"<!-- {mark} -->\nold"} for number, mark in there]
    (tmp_path / "comments").write_text(json.dumps(comments))
    program = tmp_path / "gh"
    program.write_text('#!/bin/sh\ncase "$*" in *--paginate*) cat comments ;; *) echo "$*" >> called ;; esac\n')
    program.chmod(0o755)
    (tmp_path / "plan.md").write_text("new\n")
    [step] = [
        one for one in load(ROOT / ".github/workflows/plan.yml")["jobs"]["plan"]["steps"] if "comment" in one.get("name", "")
    ]
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_REPOSITORY": "o/n", "NUMBER": "7", "ENVIRONMENT": "dev"}
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=environ, check=True)
    assert (tmp_path / "called").read_text() == f"{call}\n"
    assert (tmp_path / "comment.md").read_text() == "<!-- plan of dev -->\nnew\n"


def test_images_say_what_they_are_made_of() -> None:
    """Those that are pushed: SBOM and provenance, for which Docker needs another store than its usual one."""
    store, build = [step["run"] for step in load(ROOT / ".github/actions/images/action.yml")["runs"]["steps"] if "run" in step]
    assert "containerd-snapshotter" in store
    told = subprocess.run(["make", "-n", *build.split()[1:], "TAG=abc"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--provenance=mode=max --sbom=true" in told.stdout


def test_destroying_takes_the_name_twice_and_uses_it_for_everything() -> None:
    """The original's workflow of that kind was named after one environment and destroyed another."""
    workflow = load(ROOT / ".github/workflows/destroy.yml")
    jobs = workflow["jobs"]
    assert list(workflow["on"]) == ["workflow_dispatch"]
    assert workflow["env"]["ENVIRONMENT"] == "${{ inputs.environment }}"
    assert workflow["concurrency"]["group"] == "environment-${{ inputs.environment }}"
    assert (jobs["plan"]["needs"], jobs["destroy"]["needs"]) == ("confirm", "plan")
    text = (ROOT / ".github/workflows/destroy.yml").read_text()
    assert not re.findall(r"(?:telemetry|environment)-(?:dev|staging|prod)", text)
    script = jobs["confirm"]["steps"][0]["run"]
    for typed, ref, fine in (
        ("dev", "refs/heads/main", True),
        ("prod", "refs/heads/main", False),
        ("", "refs/heads/main", False),
        ("dev", "refs/heads/other", False),
    ):
        environ = {"ENVIRONMENT": "dev", "CONFIRMATION": typed, "GITHUB_REF": ref, "PATH": os.environ["PATH"]}
        done = subprocess.run(["bash", "-e", "-c", script], env=environ, capture_output=True, check=False)
        assert (done.returncode == 0) is fine, (typed, ref)


def test_terraform_runs_the_images_that_are_pushed() -> None:
    """Three services, a canary and the operators' task, two images of one tag."""
    pushed = (ROOT / "infra/images/push.sh").read_text()
    assert "for target in api consumer" in pushed
    environment = (ROOT / "infra/terraform/environment/main.tf").read_text()
    assert re.findall(r'image\s+= "\$\{var\.image\}-(\w+)"', environment) == ["api", "consumer", "api", "api", "consumer"]


def compose() -> dict[str, Any]:
    """The services of compose.yaml."""
    services: dict[str, Any] = load(ROOT / "compose.yaml")["services"]
    return services


def test_compose_opens_nothing_to_the_network() -> None:
    """Ports are bound to this machine; images are pinned, or ours."""
    for name, service in compose().items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        pinned = r"localstack/localstack:4\.14\.\d+@sha256:[0-9a-f]{64}"
        assert re.fullmatch(rf"{pinned}|telemetry-pipeline:local-(api|consumer)", service["image"]), name


def test_compose_starts_things_when_what_they_need_is_there() -> None:
    """LocalStack healthy, then the set-up done, then API and consumer, whose images say when they are well.

    The API after the archiver, which so is stopped after it.
    """
    services = compose()
    conditions = {
        name: {need: how["condition"] for need, how in of.get("depends_on", {}).items()} for name, of in services.items()
    }
    assert conditions == {
        "localstack": {},
        "setup": {"localstack": "service_healthy"},
        "api": {"setup": "service_completed_successfully", "archiver": "service_started"},
        "archiver": {"setup": "service_completed_successfully"},
        "consumer": {"setup": "service_completed_successfully"},
    }
    assert services["setup"]["command"] == ["infra.setup"]


def test_r07_compose_needs_no_newer_docker_than_most_have() -> None:
    """An engine before 25 refuses `start_interval`."""
    for name, service in compose().items():
        assert service.get("healthcheck", {}).keys() <= {"test", "interval", "timeout", "start_period", "retries", "disable"}, (
            name
        )


def test_r07_localstack_is_asked_until_both_services_have_answered(tmp_path: Path) -> None:
    """Its command, with a stand-in for awslocal: well only then, and without a further call from then on."""
    [kind, command] = compose()["localstack"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    program = tmp_path / "awslocal"
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\ntest -e {tmp_path}/$1\n')
    program.chmod(0o755)

    def well() -> bool:
        environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        asked = command.replace("/dev/shm", str(tmp_path))  # noqa: S108  the container's own
        return subprocess.run(["sh", "-c", asked], env=environ, check=False).returncode == 0

    assert not well()
    (tmp_path / "kinesis").touch()
    assert not well()
    (tmp_path / "dynamodb").touch()
    assert well()
    assert well()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == ["kinesis list-streams", *["kinesis list-streams", "dynamodb list-tables"] * 2]


def test_compose_keeps_the_archive() -> None:
    """In a volume at the one place that the image's user may write to; `down` leaves it."""
    archiver = compose()["archiver"]
    assert archiver["command"] == ["archive"]
    assert archiver["volumes"] == ["archive:/tmp"]
    assert archiver["environment"]["ARCHIVE_TARGET"].startswith("/tmp/")  # noqa: S108  the container's own
    assert load(ROOT / "compose.yaml")["volumes"] == {"archive": None}


def test_compose_runs_ours_with_as_little_as_they_need() -> None:
    """As on AWS: a root that nobody writes to, no capability; and only settings that exist."""
    known = {name.upper() for name in Settings.model_fields} | {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    for name in ("setup", "api", "archiver", "consumer"):
        service = compose()[name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["init"]
        assert set(service["environment"]) <= known
        assert service["build"]["target"] in service["image"]
