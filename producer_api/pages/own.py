"""GET / for a key that is for some sensors: a list of these, each with a link to its page. Nothing of the fleet's."""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from producer_api.pages.looking import LISTED_AT_ONCE
from producer_api.pages.signing_in import POLICY
from producer_api.services import Services, services
from producer_api.urls import relative
from projections.sensors import sensors
from telemetry.keys import Key

_PAGE: Final = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sensors – Telemetry</title>
<link rel="icon" href="static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="static/style.css">
<script type="module" src="static/session.js"></script>
</head>
<body>
<header class="top">
<p class="name"><a href="./">Telemetry</a></p>
<form method="post" action="api/session"><button name="end" value="yes">Sign out</button></form>
</header>
<main id="main">
<h1>Sensors</h1>
<p>Your key is for {{ patterns|join(", ") }}.</p>
<ul>
{% for one in listed %}
<li><a href="{{ one.url }}">{{ one.sensor_id }}</a></li>
{% endfor %}
</ul>
{% if more %}
<p>There are more: <code>GET api/sensors?prefix=…</code> lists them all.</p>
{% endif %}
</main>
</body>
</html>
""")


class _Listed(NamedTuple):
    sensor_id: str
    url: str


async def own_page(request: Request, key: Key) -> Response:
    """The list. Raises what asking raises."""
    found = services(request)
    ids, more = await _ids(found, key.patterns)
    listed = [_Listed(sensor_id, relative("sensor", [("sensorId", sensor_id)])) for sensor_id in ids]
    html = _PAGE.render(patterns=key.patterns, listed=listed, more=more)
    return HTMLResponse(html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})


async def _ids(found: Services, patterns: Sequence[str]) -> tuple[Sequence[str], bool]:
    """The sensors that patterns name: those named one by one, known or not, and the first of each beginning."""
    ids: dict[str, None] = {}
    more = False
    for pattern in patterns:
        if not pattern.endswith("*"):
            ids[pattern] = None
            continue
        prefix = pattern[:-1]
        steps = partial(sensors, prefix=prefix, after="", limit=LISTED_AT_ONCE)
        page = (await found.asking.ask(("sensors", "id", prefix, "", LISTED_AT_ONCE), steps)).value
        ids |= dict.fromkeys(one.sensor_id for one in page.sensors)
        more = more or page.after is not None
    return list(ids), more
