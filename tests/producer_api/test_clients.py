"""Real clients, each as it comes: what they send is theirs, what they get is the original's answer."""

import http.client
import json
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from infra.local.downloads import ensure_node
from tests.producer_api.raw import Connection, put
from tests.producer_api.test_connections import UPGRADES

CLIENTS = Path(__file__).with_name("clients")
BODY = json.dumps({"sensorId": "202", "temperature": 18.7, "timestamp": "2021-11-26T18:10:00"})
RECORDED = '200 {"message": "Temperature reading recorded successfully"}'


def says(*command: str) -> list[str]:
    """The lines a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("option", ["--http1.0", "--http1.1", "--http2", "--compressed", "--tr-encoding"])
def test_e01_curl(api: str, option: str) -> None:
    """With each protocol it may ask for; `--http2` offers an upgrade."""
    url = f"{api}/api/temperature"
    json_body = ("-H", "Content-Type: application/json", "-d", BODY, "-w", "%{http_code}\n")
    lines = says(
        "curl", "-sS", "--noproxy", "*", option, "-X", "PUT", *json_body, url, "--next", "-sS", "-X", "PUT", *json_body, url
    )
    assert lines == ['{"message": "Temperature reading recorded successfully"}', "200"] * 2


def test_e08_curl_learns_that_its_file_is_too_large(api: str, tmp_path: Path) -> None:
    """It asks before it sends 10 MB (`Expect: 100-continue`), and is told not to."""
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 10_000_000)
    (status,) = says(
        "curl", "-sS", "--noproxy", "*", "-T", str(large), "-o", "/dev/null", "-w", "%{http_code}\n", f"{api}/api/temperature"
    )
    assert status == "413"


def test_e08_pythons_client_learns_that_its_body_is_too_large(api: str) -> None:
    """It sends all of it before it reads the answer, which is not destroyed meanwhile."""
    connection = http.client.HTTPConnection(urlsplit(api).netloc, timeout=20)
    connection.request("PUT", "/api/temperature", b" " * 5_000_000, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 413
    connection.close()


def test_pythons_http_client(api: str) -> None:
    """Twice on one connection; the second time in chunks."""
    connection = http.client.HTTPConnection(urlsplit(api).netloc, timeout=20)
    for body, chunked in ((BODY.encode(), False), (iter([BODY[:20].encode(), BODY[20:].encode()]), True)):
        connection.request("PUT", "/api/temperature", body, encode_chunked=chunked)
        answer = connection.getresponse()
        assert f"{answer.status} {answer.read().decode().strip()}" == RECORDED
    connection.close()


def test_httpx(api: str) -> None:
    """Plain and from a generator."""
    with httpx.Client(base_url=api, timeout=20) as client:
        for content in (BODY, iter([BODY.encode()])):
            answer = client.put("/api/temperature", content=content)
            assert f"{answer.status_code} {answer.text.strip()}" == RECORDED


def test_nodes_fetch(api: str) -> None:
    """undici, as in browsers' server-side kin."""
    node = ensure_node() / "node"
    assert says(str(node), str(CLIENTS / "put.mjs"), f"{api}/api/temperature", BODY) == [RECORDED] * 2


def test_e01_javas_http_client(api: str, java: str) -> None:
    """Offers h2c by default. A runtime that has no compiler, or not that client, cannot be asked: its bytes can."""
    modules = says(java, "--list-modules")
    if {"jdk.compiler", "java.net.http"} <= {module.partition("@")[0] for module in modules}:
        assert says(java, str(CLIENTS / "Put.java"), f"{api}/api/temperature", BODY) == [RECORDED] * 2
    request = put(BODY.encode(), *UPGRADES["jdk"], "User-Agent: Java-http-client/25.0.2", "Content-Type: application/json")
    with Connection(api) as connection:
        for _ in range(2):
            answer = connection.send(request).answer()
            assert f"{answer.status} {answer.body.decode().strip()}" == RECORDED
