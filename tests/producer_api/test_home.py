"""The page at /: its examples work as they stand."""

import html
import re
import shlex
import subprocess

import httpx
import pytest


def code_blocks(page: str) -> list[str]:
    """The text of the page's code blocks as a person would copy it."""
    return [html.unescape(block) for block in re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)]


def test_the_page_shows_examples_under_the_address_it_was_asked_at(api: str) -> None:
    """As HTML, from a plain GET."""
    answer = httpx.get(f"{api}/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    commands = [block for block in code_blocks(answer.text) if block.startswith("curl")]
    assert [f"{api}/api/temperature" in commands[0], f"{api}/api/stats" in commands[1]] == [True, True]


@pytest.mark.parametrize("number", [0, 1])
def test_a_command_of_the_page_works_as_it_stands(api: str, number: int) -> None:
    """Copied into a shell: what the PUT prints is what the page shows; the GET prints the three numbers."""
    blocks = code_blocks(httpx.get(f"{api}/").text)
    command, shown = blocks[2 * number : 2 * number + 2]
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl"
    done = subprocess.run([*words, "-sS", "--noproxy", "*", "--fail"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert re.sub(r"null|[\d.]+", "N", done.stdout.strip()) == re.sub(r"[\d.]+", "N", shown)


@pytest.mark.parametrize(
    "host", ["<script>alert(1)</script>", 'a"onload="x', "a'b", "x/../y", "user@evil", "$base", "é", "a b", "&lt;"]
)
def test_a_hostile_host_header_is_not_echoed(api: str, host: str) -> None:
    """The examples then name the server's own address, or none."""
    answer = httpx.get(f"{api}/", headers={b"Host": host.encode("latin-1")})
    assert answer.status_code == 200
    _, url = code_blocks(answer.text)[2].split()
    assert url in (f"{api}/api/stats", "/api/stats")
    assert host not in answer.text


@pytest.mark.parametrize("host", ["telemetry.example", "10.0.0.7:8080", "[::1]:8080", "my_host:8080", "localhost"])
def test_a_plain_host_is_shown(api: str, host: str) -> None:
    """Names, addresses, ports."""
    assert f"curl http://{host}/api/stats" in httpx.get(f"{api}/", headers={"Host": host}).text


def test_the_pages_links_lead_somewhere(api: str) -> None:
    """Each of them answers."""
    links = set(re.findall(r'href="(/[^"]*)"', httpx.get(f"{api}/").text))
    assert links == {"/livez", "/readyz", "/api/stats"}
    assert {httpx.get(f"{api}{link}").status_code for link in links} == {200}
