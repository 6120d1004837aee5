"""What /openapi.json says is what the API takes and answers; /docs shows it, and asks no other host for anything."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from infra.local.environment import machine
from producer_api.app import ROUTES
from producer_api.keys.policy import POLICY
from producer_api.live.topics import Freshness, Generation, Snapshot, differences
from producer_api.openapi.document import document
from producer_api.openapi.operating import EVENTS
from producer_api.pages.errors import CODES
from producer_api.pages.files import STATIC
from producer_api.reading.shapes import DetailShape, SensorShape, WindowShape
from tests.producer_api.test_contract import project
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT

SENSORS = ["202", "a/b %", "Halle Süd/readings", "..x"]
EXAMPLES = os.environ.get("FUZZED_EXAMPLES")
"""How many questions of each operation are asked; a few, without this."""
QUICK = ["--max-examples", "4", "--phases", "examples,fuzzing", "--seed", "14", "--no-shrink"]


@pytest.fixture
def client(api: str) -> Iterator[httpx.Client]:
    """Connections to the module's API."""
    with httpx.Client(base_url=api, timeout=15) as client:
        yield client


@pytest.fixture(scope="module")
def counted(api: str, stack: Stack) -> list[str]:
    """Readings of some sensors over some days are in the tables: their last positions in the log."""
    readings = [
        {"sensorId": sensor_id, "temperature": 18 + day / 8, "timestamp": f"2021-11-{day:02}T{day % 24:02}:10:00"}
        for day in range(1, 31)
        for sensor_id in SENSORS
    ]
    answer = httpx.post(f"{api}/api/temperature/batch", json=readings, timeout=30)
    assert answer.status_code == 200, answer.text
    project(stack)

    def there() -> None:
        assert httpx.get(f"{api}/api/stats?detail=true").json()["Count"] == len(readings)

    eventually(there)
    positions: list[str] = answer.json()["after"]
    return positions


def operations() -> dict[tuple[str, str], Any]:
    """What is described, by path and method."""
    return {(path, method): one for path, methods in document()["paths"].items() for method, one in methods.items()}


def test_the_document_is_openapi_3_1() -> None:
    """Schemas, references, parameters of paths, examples' places: all as the specification has them."""
    assert document()["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document()).validate()


def test_what_is_referred_to_is_there() -> None:
    """Also by what tells the items of a batch's answer apart; each schema is used."""
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document())))
    assert named == set(document()["components"]["schemas"])


def test_every_route_is_described_and_nothing_else() -> None:
    """With its methods; HEAD goes without saying. A sensor in the path is a sensor, or its readings."""
    routes = {(route.path, method.lower()) for route in ROUTES if isinstance(route, Route) for method in route.methods or ()}
    routes = {(path, method) for path, method in routes if method != "head"}
    assert ("/api/sensors/{rest:path}", "get") in routes
    routes -= {("/api/sensors/{rest:path}", "get")}
    routes |= {("/api/sensors/{sensorId}", "get"), ("/api/sensors/{sensorId}/readings", "get")}
    assert set(operations()) == routes


@pytest.mark.parametrize("path", sorted({path for path, method in operations() if method == "get"} - {"/ping", "/query"}))
def test_the_parameters_described_are_those_that_are_taken(client: httpx.Client, path: str) -> None:
    """Who names an unknown one is told which there are; pages and doors pass over them, what is no question takes none."""
    described = [one["name"] for one in operations()[path, "get"].get("parameters", ()) if one["in"] == "query"]
    answer = client.get(path.format(sensorId="202", code="not-found"), params={"0": "1", "once": "true"})
    if answer.status_code != 400:
        assert not path.startswith("/api/")
        assert (answer.status_code, described) == ((303, ["sensorId"]) if path == "/sensor" else (200, []))
        return
    told = next(fault["detail"] for fault in answer.json()["errors"] if fault["parameter"] == "0")
    taken = re.findall(r"It takes (.*)\.$", told)
    assert (taken[0].split(", ") if taken else []) == described
    assert taken or "takes none" in told


def test_what_is_required_is_refused_when_it_is_left_out(client: httpx.Client) -> None:
    """And it alone."""
    for (path, method), one in operations().items():
        required = [parameter["name"] for parameter in one.get("parameters", ()) if parameter.get("required")]
        if method == "get" and required and "{" not in path:
            answer = client.get(path)
            assert answer.status_code == 400
            assert [fault["parameter"] for fault in answer.json()["errors"]] == required


def test_the_document_is_served_and_known_by_its_etag(client: httpx.Client) -> None:
    """Packed on the way, asked for again each time."""
    answer = client.get("/openapi.json")
    assert answer.json() == document()
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["content-encoding"], answer.headers["cache-control"]) == ("gzip", "no-cache")
    assert client.get("/openapi.json", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_every_operation_says_which_role_it_needs() -> None:
    """As the policy has it, in either header; none where keys are off, and none at all where it is open."""
    told = document()
    assert told["components"]["securitySchemes"].keys() == {"bearer", "apiKey"}
    for path, methods in told["paths"].items():
        [rule] = [rule for route, rule in POLICY.items() if route == re.sub(r"^(/api/sensors/)\{.*", r"\1{rest:path}", path)]
        asked = [{}, {"bearer": [rule.role]}, {"apiKey": [rule.role]}] if rule.role else None
        assert all(operation.get("security") == asked for operation in methods.values()), path


def test_codes_are_a_list_that_may_grow() -> None:
    """Those there are by name, and any other text."""
    code = document()["components"]["schemas"]["Problem"]["properties"]["code"]
    assert code["anyOf"] == [{"type": "string", "enum": list(CODES)}, {"type": "string"}]


def test_each_event_says_what_is_described() -> None:
    """Every kind of difference between two states, by name and shape."""
    nothing = dict.fromkeys(DetailShape.__struct_fields__)
    stats, more = DetailShape(**nothing | {"Count": 1}), DetailShape(**nothing | {"Count": 2})  # type: ignore[arg-type]
    window = WindowShape("1", "2", 1, None, None, None, partial=False, open=False)
    late, new = replace(window, count=2), replace(window, start="2", end="3")
    sensor = SensorShape("202", 1, None, None, None, None, None, 0)
    before = Snapshot(1, None, None, "0", "minute", "UTC", stats, [window], [])
    after = replace(before, stats=more, windows=[late, new], sensors=[sensor])
    told = [*differences(before, after), *differences(before, replace(before, generation=2))]
    kinds = {name: type(data) for name, data in told} | {"freshness": Freshness}
    assert kinds == EVENTS
    assert kinds["generation"] is Generation


def test_the_page_loads_its_own_files_only(client: httpx.Client) -> None:
    """By relative paths; scripts are files; the policy allows no other host."""
    page = client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self' 'unsafe-inline';" in policy
    assert not re.search(r"https?:|<script>|onload", page.text + policy)
    files = re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
    assert len(files) == 3
    kinds = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
    for name in files:
        answer = client.get(f"/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kinds[name.rpartition(".")[2]])
        assert answer.headers["cache-control"] == "no-cache"
        again = client.get(f"/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")


@pytest.mark.parametrize(
    "path", ["/static", "/static/", "/static/vendor", "/static/../app.py", "/static/%2e%2e/app.py", "/static/%00"]
)
def test_nothing_but_files_of_the_folder_is_served(client: httpx.Client, path: str) -> None:
    """Folders are not listed."""
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert client.post("/static/docs.js").status_code == 405


def test_an_installed_package_has_the_files_of_the_pages(tmp_path: Path) -> None:
    """They are no Python, and come along."""
    hatchling = Path(sys.executable).with_name("hatchling")
    subprocess.run(
        [hatchling, "build", "--target", "wheel", "--directory", tmp_path], cwd=ROOT, check=True, capture_output=True
    )
    [wheel] = tmp_path.iterdir()
    files = {f"producer_api/static/{path.relative_to(STATIC)}" for path in STATIC.rglob("*") if path.is_file()}
    assert files <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no chromium")
def test_a_browser_shows_every_operation(api: str, tmp_path: Path) -> None:
    """Under the page's policy, which blocks nothing that it needs."""
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--enable-logging=stderr",
    ]
    command += ["--virtual-time-budget=10000", "--dump-dom", f"{api}/docs"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    shown = re.findall(r'data-path="([^"]*)"', done.stdout)
    assert sorted(shown) == sorted(path for path, _ in operations())
    assert "CONSOLE" not in done.stderr, done.stderr


def test_the_api_keeps_what_its_description_says(api: str, counted: list[str], tmp_path: Path) -> None:
    """Whatever the document allows, and what it does not, is asked by schemathesis: every check holds, and nothing is 5xx."""
    environ = {**machine(os.environ), "FUZZED_SENSORS": json.dumps(SENSORS), "FUZZED_POSITIONS": json.dumps(counted)}
    command = [str(Path(sys.executable).with_name("st")), "--config-file", "tests/producer_api/fuzzing/schemathesis.toml"]
    command += ["run", f"{api}/openapi.json", "--checks", "all"]
    command += ["--max-examples", EXAMPLES] if EXAMPLES else QUICK
    log = Path(os.environ.get("FUZZED_LOG", tmp_path / "schemathesis.log"))
    with log.open("w") as out:
        done = subprocess.run(command, cwd=ROOT, env=environ, stdout=out, stderr=out, check=False)
    assert done.returncode == 0, log.read_text()[-20_000:]
    assert re.search(r"\n  \d+ generated, \d+ passed\n", log.read_text()), log.read_text()[-20_000:]
