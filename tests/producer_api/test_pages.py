"""The pages as they come from the server: what is in them, what is kept out of them, and what is served beside them."""

import hashlib
import html
import json
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from producer_api.pages.files import STATIC
from tests.producer_api.server import serving
from tests.producer_api.test_contract import project
from tests.support.stack import Stack
from tests.tidy.tree import ROOT

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HOSTILE = "</script><img src=x onerror=alert(1)>&\"'"
VENDORED = [*STATIC.glob("vendor/*/vendored.json"), *ROOT.glob("tests/browser/vendor/*/vendored.json")]


def code_blocks(page: str) -> list[str]:
    """The text of the page's code blocks as a person would copy it."""
    return [html.unescape(block) for block in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)]


def data_of(page: str) -> Any:
    """What the page's script begins with."""
    return json.loads(re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[0])


@pytest.fixture(scope="module")
def empty(api: str) -> str:
    """The page before anything was sent."""
    answer = httpx.get(f"{api}/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == POLICY
    return answer.text


def test_an_empty_page_shows_examples_under_the_address_it_was_asked_at(api: str, empty: str) -> None:
    """As HTML, from a plain GET."""
    commands = [block for block in code_blocks(empty) if block.startswith("curl")]
    assert [f"{api}/api/temperature" in commands[0], f"{api}/api/stats" in commands[1]] == [True, True]


@pytest.mark.parametrize("number", [0, 1])
def test_a_command_of_the_page_works_as_it_stands(empty: str, number: int) -> None:
    """Copied into a shell: what the PUT prints is what the page shows; the GET prints the three numbers."""
    command, shown = code_blocks(empty)[2 * number : 2 * number + 2]
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl"
    done = subprocess.run([*words, "-sS", "--noproxy", "*", "--fail"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert re.sub(r"null|[\d.]+", "N", done.stdout.strip()) == re.sub(r"[\d.]+", "N", shown)


@pytest.mark.parametrize("host", ["<script>alert(1)</script>", 'a"onload="x', "a'b", "user@evil", "$base", "é", "a b", "&lt;"])
def test_a_hostile_host_header_is_not_echoed(api: str, host: str) -> None:
    """The examples then name the server's own address, or none."""
    answer = httpx.get(f"{api}/", headers={b"Host": host.encode("latin-1")})
    assert answer.status_code == 200
    _, url = code_blocks(answer.text)[2].split()
    assert url in (f"{api}/api/stats", "/api/stats")
    assert host not in answer.text


@pytest.mark.parametrize("host", ["telemetry", "10.0.0.7:8080", "[::1]:8080", "my_host:8080", "localhost"])
def test_a_plain_host_is_shown(api: str, host: str) -> None:
    """Names, addresses, ports."""
    assert f"curl http://{host}/api/stats" in httpx.get(f"{api}/", headers={"Host": host}).text


def test_the_pages_links_lead_somewhere(api: str, empty: str) -> None:
    """Each of them answers, scripts and styles too; all are relative, so that a proxy may serve them under any path."""
    links = set(re.findall(r'(?:href|src|action)="([^"#]+)"', empty))
    assert {"api/stats", "static/main.js"} <= links
    assert not [link for link in links if link.startswith(("/", "http"))]
    assert {link: httpx.get(f"{api}/{link}").status_code for link in links} == dict.fromkeys(links, 200)


def test_what_a_sensor_is_called_stays_text(api: str, stack: Stack) -> None:
    """In the page, in its links, and in the block of data, which nothing in it can end."""
    body = {"sensorId": HOSTILE, "temperature": 1e-6, "timestamp": datetime.now(UTC).isoformat()}
    assert httpx.put(f"{api}/api/temperature", json=body).status_code == 200
    project(stack)
    dashboard = httpx.get(api)
    links = [html.unescape(link) for link in re.findall(r'href="(sensor\?[^"]*)"', dashboard.text)]
    pages = [dashboard, *(httpx.get(f"{api}/{link}") for link in links)]
    told = [data_of(page.text) for page in pages]
    assert HOSTILE in [one["sensorId"] for one in told]
    for page in pages:
        assert page.status_code == 200
        assert "<img" not in page.text
    assert "0.000001" in dashboard.text
    assert told[0]["windows"][-1]["minimum"] == 1e-6


@pytest.mark.parametrize("path", ["/", "/sensor?sensorId=202"])
@pytest.mark.parametrize(
    "query",
    [
        "tz=Mars/Olympus", "range=never", "range=auto", "interval=2", "interval=auto", "p95=perhaps", "unknown=1", "from=",
        "range=own&from=nope", "range=own&from=2026-01-02&to=2026-01-01", "range=own&from=2021-01-01&interval=minute",
        "range=own&from=9999-12-31T23:59&tz=Pacific/Apia", "range=own&from=1970-01-01&to=9999-12-31&interval=year&p95=true",
        "range=all&interval=minute&p95=true", "from=-3d", "to=now", "tz=Africa/Monrovia&from=1970-01-01&to=1970-02-01",
        "sensors=all", "sensors=auto", "sensors=id&after=%07", "sensors=id&after=12:a", "sensors=gone", "sensor=%07",
        "sensors=silent&after=9999999999999999:x", "sensors=gone&after=1:%F0%9F%8C%A1",
        "from=-110000w", "range=own&from=-9999999w&to=-999999w&tz=Europe/Berlin", "sensors=silent&after=-2078:esp-1",
    ],
)  # fmt: skip
def test_a_page_passes_over_what_it_cannot_use(api: str, path: str, query: str) -> None:
    """It comes all the same, and says what it could not use, unless it knows nothing of it."""
    answer = httpx.get(f"{api}{path}{'&' if '?' in path else '?'}{query}")
    assert answer.status_code == 200
    assert 'data-part="figures"' in answer.text


def test_a_parameter_that_cannot_be_used_is_named(api: str) -> None:
    """With what is expected."""
    page = httpx.get(f"{api}/?tz=Europe/Pariss&range=never").text
    assert "tz could not be used. Expected an IANA time zone or an offset. Near to it: Europe/Paris" in html.unescape(page)
    assert "range could not be used. Expected hour, day, week, month, all, own." in page


def test_a_sensors_page_wants_a_sensor(api: str) -> None:
    """Without one it leads to the list; what is no id is refused; one that is unknown has a page that says so."""
    missing = httpx.get(f"{api}/sensor")
    assert (missing.status_code, missing.headers["location"]) == (303, "./#sensors")
    assert httpx.get(f"{api}/sensor?sensorId=%07").status_code == 400
    unknown = httpx.get(f"{api}/sensor?sensorId=nobody")
    assert (unknown.status_code, "No reading of this sensor has been counted yet" in unknown.text) == (200, True)


def test_who_may_frame_the_pages_is_a_setting(stack: Stack, log: Path) -> None:
    """In the policy as it is set."""
    with serving(stack.environ | {"FRAME_ANCESTORS": "'self' https://wiki.example"}, log) as server:
        policy = httpx.get(server.url).headers["content-security-policy"]
        assert policy.endswith("; frame-ancestors 'self' https://wiki.example")


def test_static_files_are_asked_for_anew_and_not_sent_twice(api: str) -> None:
    """no-cache with an ETag; packed; nothing beside them can be had."""
    url = f"{api}/static/main.js"
    answer = httpx.get(url)
    assert (answer.status_code, answer.headers["cache-control"], answer.headers["content-encoding"]) == (
        200,
        "no-cache",
        "gzip",
    )
    assert answer.headers["content-type"].startswith("text/javascript")
    again = httpx.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    for path in ("", "nothing.js", "%2e%2e/app.py", "..%2fapp.py", "%2fetc%2fpasswd"):
        assert httpx.get(f"{api}/static/{path}").status_code == 404


def test_pages_hold_no_style_and_no_script_of_their_own(empty: str) -> None:
    """The policy would not let them."""
    files = [*STATIC.glob("*.js"), *(ROOT / "producer_api/pages/templates").glob("*.html")]
    for name, text in [("/", empty), *((str(path), path.read_text()) for path in files)]:
        assert not re.search(r"""\sstyle=|<style|\son\w+=["']|javascript:|setAttribute\("style""", text), name


@pytest.mark.parametrize("manifest", VENDORED, ids=lambda path: path.parent.name)
def test_vendored_files_are_those_that_were_published(manifest: Path) -> None:
    """Package, version and licence are named; each file beside has its checksum."""
    told = json.loads(manifest.read_text())
    assert all(told[name] for name in ("package", "registry", "version", "licence"))
    files = sorted(path for path in manifest.parent.iterdir() if path != manifest)
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == told["sha256"]
    assert any(path.name.startswith("LICENSE") for path in files)
