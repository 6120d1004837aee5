"""GET /: what this is, for a person who opened it, with examples that work as they stand."""

import hashlib
import re
from base64 import b64encode
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from producer_api.services import services

_STYLE = """
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 3rem auto; padding: 0 1rem; color: #1c2430; }
  pre { background: #f2f4f7; padding: .8rem 1rem; overflow-x: auto; border-radius: 6px; }
  code { font-family: ui-monospace, monospace; }
"""
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HOST = re.compile(r"[A-Za-z0-9._~:\[\]-]+")

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Telemetry</title>
<style>$style</style>
<h1>Telemetry</h1>
<p>Temperature readings go in, are kept in an event log, and come out as exact statistics.
   A reading is acknowledged once it is durable, and counted once however often it is sent.</p>
<h2>Send a reading</h2>
<pre><code>curl -X PUT $base/api/temperature \\
  -H 'Content-Type: application/json' \\
  -d '{"sensorId": "202", "temperature": 18.7, "timestamp": "2021-11-26T18:10:00"}'</code></pre>
<pre><code>{"message": "Temperature reading recorded successfully"}</code></pre>
<p>The timestamp is ISO 8601, in UTC unless it names an offset.</p>
<h2>Ask for the statistics</h2>
<pre><code>curl $base/api/stats</code></pre>
<pre><code>{"Maximum": 18.7, "Minimum": 18.7, "Average": 18.7}</code></pre>
<h2>Ask how it is</h2>
<p><a href="/livez">/livez</a>: the process answers. <a href="/readyz">/readyz</a>: the stream and the tables do.
   <a href="/api/stats">/api/stats</a>: the numbers now.</p>
</html>
""")


async def home(request: Request) -> Response:
    """The page, its examples pointing at PUBLIC_URL, or else at the address it was asked under."""
    # The Host header is the client's text and goes into HTML: anything but a plain host and port is left out.
    host = request.url.netloc
    asked = f"{request.url.scheme}://{host}" if _HOST.fullmatch(host) else ""
    base = (services(request).settings.public_url or asked).rstrip("/")
    return HTMLResponse(_PAGE.substitute(base=base, style=_STYLE), headers={"Content-Security-Policy": _POLICY})
