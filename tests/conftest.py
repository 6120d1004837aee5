"""Fixtures: one LocalStack for the whole run, a stack of its own for each module that asks for one.

And the order of a run in several processes, which share the work by files: those that take long come first.
"""

import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx._transports import default as httpx_transports
from hypothesis import HealthCheck, settings

from infra.local.downloads import ensure_java
from infra.local.environment import leave_alone
from infra.local.localstack import LocalStack
from tests.support.processes import running_api
from tests.support.secrets import leaks, written_below
from tests.support.stack import Stack, ask_directly, new_stack, open_stack

# Clients within the tests' own process are not kept from loopback either, nor told who to be.
leave_alone(os.environ)

# Each client of httpx reads the certificates of all authorities, which takes 70 ms of processor time: once is enough for all.
vars(httpx_transports)["create_ssl_context"] = cache(httpx.create_ssl_context)

# Examples are timed by nobody: the machine may be busy with LocalStack. Shrinking and replaying stay as they are.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

LONG = {
    f"tests/{name}.py": place
    for place, name in enumerate(
        (
            "end_to_end/test_counted_once",
            "end_to_end/test_goes_on",
            "end_to_end/test_consumer_process",
            "infra/test_terraform",
            "faults/test_kills",
            "faults/test_outages",
            "faults/test_reshards",
            "infra/test_policies",
            "end_to_end/test_readme",
            "faults/test_supervision",
            "faults/test_verifications",
            "faults/test_stream_swap",
            "faults/test_whole_log",
            "infra/test_images",
            "cli/test_analysts_page",
            "infra/test_localstack",
            "faults/test_hostile",
            "faults/test_exports",
            "faults/test_refusals",
        )
    )
}
"""Longest first: no process is left with one of them when the others have done the rest. Simulations use every core anyway."""


TOGETHER = ("tests/browser/", "tests/producer_api/test_reading_")
"""Files that share a browser, or a world of readings: one process has them all, so that it is made once."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Work is shared by files, and what goes together stays together."""
    scheduler = import_module("xdist.scheduler").LoadFileScheduling(config, log)
    scheduler._split_scope = _group
    return scheduler


def _group(nodeid: str) -> str:
    return next((beginning for beginning in TOGETHER if nodeid.startswith(beginning)), nodeid.partition("::")[0])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes long, where work is shared."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: LONG.get(item.nodeid.partition("::")[0], len(LONG)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run fails whose processes wrote down a whole key, in files of modules and of tests that failed."""
    if hasattr(session.config, "workerinput"):
        return  # whoever shares the work out looks at all of it
    temporary: pytest.TempPathFactory = vars(session.config)["_tmp_path_factory"]
    if found := leaks(written_below(temporary.getbasetemp())):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        sys.stderr.write("\nThese files hold keys, each by its id:\n" + "\n".join(found) + "\n")


@pytest.fixture(scope="session")
def java() -> str:
    """The java that KCL's daemon runs on."""
    return str(ensure_java())


@pytest.fixture(scope="session")
def calls_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the LocalStack started for this run writes down who called what."""
    return tmp_path_factory.mktemp("calls") / "calls.jsonl"


@pytest.fixture(scope="session")
def endpoint(calls_file: Path) -> Iterator[str]:
    """The address of a LocalStack: the one AWS_ENDPOINT_URL names, or one started for this run."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    if given := os.environ.get("AWS_ENDPOINT_URL"):
        yield given
        return
    with LocalStack(calls_file=calls_file) as localstack:
        ask_directly(localstack.endpoint, localstack.dynamodb_endpoint)
        yield localstack.endpoint


@pytest.fixture(scope="module")
def stack(endpoint: str, java: str) -> Iterator[Stack]:
    """A stream of two shards and its tables, for one module; or those that somebody else made, if STACK_PREFIX names them."""
    if prefix := os.environ.get("STACK_PREFIX"):
        yield open_stack(endpoint, java, prefix)
        return
    with new_stack(endpoint, java) as made:
        yield made


@pytest.fixture(scope="module")
def api(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running API on the module's stack; no consumer runs beside it."""
    with running_api(stack.environ, tmp_path_factory.mktemp("api") / "api.log") as url:
        yield url


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """As pytest has it, and no file in it holds a key: those of tests that pass are gone when the run ends."""
    yield tmp_path
    assert not leaks(written_below(tmp_path))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A file for the output of the processes of one test."""
    return tmp_path / "processes.log"
