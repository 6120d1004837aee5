"""GET /: what this is, for a person who opened it, with examples that work as they stand."""

from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Telemetry</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 3rem auto; padding: 0 1rem; color: #1c2430; }
  pre { background: #f2f4f7; padding: .8rem 1rem; overflow-x: auto; border-radius: 6px; }
  code { font-family: ui-monospace, monospace; }
</style>
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
    """The page, its examples pointing at the address it was asked under."""
    # The Host header is the client's text and goes into HTML: anything but a plain host and port is left out.
    host = request.url.netloc
    plain = host.replace(".", "").replace(":", "").replace("-", "").replace("[", "").replace("]", "")
    base = f"{request.url.scheme}://{host}" if plain.isalnum() and plain.isascii() else ""
    return HTMLResponse(_PAGE.substitute(base=base))
