"""What is taken of the user's shell."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.local import environment
from infra.local.downloads import install_once
from infra.local.environment import for_installing, for_running, leave_alone
from infra.local.tools import find_java
from telemetry.settings import Settings
from tests.tidy.tree import ROOT

MACHINE = {"PATH": "/bin", "HOME": "/home/somebody", "TMPDIR": "/scratch"}
NETWORK = dict.fromkeys(("HTTP_PROXY", "https_proxy", "ALL_PROXY", "no_proxy"), "http://proxy:3128")
_INDEXES = """
SSL_CERT_FILE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS PIP_INDEX_URL UV_DEFAULT_INDEX UV_INDEX_OFFICE_PASSWORD
NPM_CONFIG_REGISTRY npm_config_//registry.example/:_authToken MAVEN_REPO_URL XDG_CACHE_HOME
"""
INDEXES = dict.fromkeys(_INDEXES.split(), "given")
_AWS = """
AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_REGION AWS_ENDPOINT_URL_KINESIS AWS_USE_FIPS_ENDPOINT
AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONFIG_FILE
"""
AWS = dict.fromkeys(_AWS.split(), "a secret")
_MISLEADING = """
PYTHONPATH PYTHONHOME JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS NODE_OPTIONS LD_PRELOAD BASH_ENV WEB_CONCURRENCY UV_NO_BUILD PIP_USER
npm_config_global VIRTUAL_ENV
"""
MISLEADING = dict.fromkeys(_MISLEADING.split(), "given")
SHELL = {**MACHINE, **NETWORK, **INDEXES, **AWS, **MISLEADING}
NO_AWS = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}


def test_r01_r02_a_run_takes_the_machine_and_its_own_settings_alone() -> None:
    """No proxy, nothing of AWS, and nothing that changes how Python, Java or Node behave."""
    settings = {name.upper(): "1" for name in Settings.model_fields if not name.startswith("aws_")}
    own = {**settings, "DEMO": "1", "FRESH": "1", "LOCALSTACK_PORT": "0"}
    assert for_running({**SHELL, **own}) == {**MACHINE, **own, **NO_AWS}


def test_r02_an_address_of_aws_comes_with_the_keys_and_the_region_beside_it() -> None:
    """Profiles, files and the other AWS variables are left out even then."""
    keys = {name: AWS[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")}
    endpoint = {"AWS_ENDPOINT_URL": "http://aws.example"}
    assert for_running({**SHELL, **endpoint}) == {**MACHINE, **endpoint, **keys, **NO_AWS}


def test_r01_what_installs_takes_proxy_certificate_and_index_settings_too() -> None:
    """And nothing that would have it install something else, or elsewhere."""
    assert for_installing(SHELL) == {**MACHINE, **NETWORK, **INDEXES}


def test_r01_an_installation_sees_them_after_they_were_taken_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only while it lasts, and also when it fails."""
    monkeypatch.setattr(environment, "_SHELL", SHELL)
    before = dict(os.environ)
    seen: dict[str, str] = {}

    def build(_: Path) -> None:
        seen.update(os.environ)
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  the one above
        install_once(tmp_path / "thing", build)
    assert seen["HTTP_PROXY"] == NETWORK["HTTP_PROXY"]
    assert not seen.keys() & (AWS.keys() | MISLEADING.keys())
    assert dict(os.environ) == before


def test_r01_options_for_java_do_not_speak_for_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A real JVM says first which options it has picked up, with their numbers."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(
        '#!/bin/sh\n[ -z "$JAVA_TOOL_OPTIONS" ] || echo "Picked up $JAVA_TOOL_OPTIONS"\necho "openjdk version 21"\n'
    )
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx8g")
    assert find_java() == java


def test_r01_r02_the_tests_own_clients_are_left_alone() -> None:
    """AWS and HTTP clients in the tests' process reach loopback too; what tests are told stays."""
    environ = {**SHELL, "PYTEST_ADDOPTS": "-x"}
    leave_alone(environ)
    assert environ == {**MACHINE, **INDEXES, **MISLEADING, "PYTEST_ADDOPTS": "-x", **NO_AWS}


def test_r01_make_keeps_from_python_and_installers_what_would_mislead_them(tmp_path: Path) -> None:
    """The targets' own programs see no Python variable, and of pip's and uv's only those of the list."""
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"include {ROOT}/Makefile\nshow:\n\t@env\n")
    environ = {**os.environ, **SHELL, "PATH": os.environ["PATH"]}
    shown = subprocess.run(
        ["make", "-f", str(makefile), "show"], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    ).stdout
    names = {line.partition("=")[0] for line in shown.splitlines()}
    assert names >= NETWORK.keys() | {"PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_OFFICE_PASSWORD"}
    assert not names & {"PYTHONPATH", "PYTHONHOME", "PIP_USER", "UV_NO_BUILD"}
