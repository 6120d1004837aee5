"""Where a key may stand in a request, and where not."""

import base64

import pytest

from producer_api.keys.credentials import presented
from telemetry.errors import Unauthenticated
from telemetry.keys import Credential

KEY = Credential("AbCdEf01", "0123456789ABCDEFGHIJabcdefghij").text
OTHER = Credential("AbCdEf02", "0123456789ABCDEFGHIJabcdefghij").text


def basic(password: str) -> str:
    """As clients of InfluxDB 1 send it."""
    return "Basic " + base64.b64encode(f"user:{password}".encode()).decode()


def found(path: str = "/api/stats", method: str = "GET", url: str = "http://127.0.0.1:8080", **headers: str) -> str | None:
    """The credential of a request to a server of this address."""
    scheme, _, host = url.partition("://")
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return presented({"path": path, "method": method, "scheme": scheme, "headers": [*named, (b"host", host.encode())]})


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY} "},
        {"authorization": f"Token {KEY}"},
        {"x_api_key": KEY},
        {"cookie": f"a=b; __Host-telemetry={KEY}", "url": "https://telemetry.example"},
        {"cookie": f"telemetry={KEY}"},
        {"authorization": f"Bearer {KEY}", "x_api_key": KEY, "cookie": f"telemetry={KEY}"},
    ],
)
def test_a_key_is_found_where_it_may_stand(headers: dict[str, str]) -> None:
    """The same one several times is one."""
    assert found(**headers) == KEY


def test_without_a_key_there_is_none() -> None:
    """Others' cookies are none either."""
    assert found() is None
    assert found(cookie="session=1; theme=dark") is None


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_a_cookie_counts_for_reading_only(method: str) -> None:
    """A form of another site could else send it along."""
    assert found(method=method, cookie=f"telemetry={KEY}") is None
    assert found(method=method, cookie=f"__Host-telemetry={KEY}", url="https://telemetry.example") is None


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://127.0.0.1:8080", OTHER),
        ("http://localhost", OTHER),
        ("http://[::1]:8080", OTHER),
        ("https://telemetry.example", KEY),
        ("https://localhost", KEY),
        ("http://10.0.0.1", None),
        ("http://telemetry", None),
    ],
)
def test_only_the_cookie_counts_that_fits_how_the_request_came(url: str, key: str | None) -> None:
    """A sibling domain may set the other one, and whoever answered here before."""
    both = f"telemetry={OTHER}; __Host-telemetry={KEY}"
    assert found(cookie=both, url=url) == key
    one = {"scheme": "http", "path": "/", "method": "GET", "headers": [(b"host", b"10.0.0.1"), (b"cookie", both.encode())]}
    assert presented(one, "https://telemetry.example") == KEY


@pytest.mark.parametrize("others", ['prefs={"a":1}', "a[b]=c", "naked", "", 'x="', "=", "a=b,c; d:e=f", "\u00e4=1"])
def test_cookies_of_other_applications_sign_nobody_out(others: str) -> None:
    """Whatever they hold: what stands beside them is read all the same."""
    assert found(cookie=f"{others}; telemetry={KEY}") == KEY
    assert found(cookie=f"telemetry={KEY}; {others}") == KEY


def test_basic_is_taken_on_the_paths_of_influxdb_1_only() -> None:
    """Where the password is the key."""
    assert found("/write", "POST", authorization=basic(KEY)) == KEY
    assert found("/query", "POST", authorization=basic(KEY)) == KEY
    for path in ("/api/v2/write", "/api/stats"):
        with pytest.raises(Unauthenticated, match="Bearer or Token"):
            found(path, authorization=basic(KEY))
    with pytest.raises(Unauthenticated, match="base 64"):
        found("/write", authorization="Basic ?")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}", "x_api_key": OTHER},
        {"authorization": f"Bearer {KEY}", "cookie": f"telemetry={OTHER}"},
    ],
)
def test_two_different_credentials_are_refused(headers: dict[str, str]) -> None:
    """Nobody knows which is meant."""
    with pytest.raises(Unauthenticated, match="Two different"):
        found(**headers)
