"""GET /connect: what to paste into each tool, and what came in last: whether it arrives is seen at once, and if not, why."""

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from producer_api.pages.dashboard import base_of
from producer_api.pages.signing_in import POLICY
from producer_api.pages.snippets import snippets
from producer_api.services import services
from telemetry.reading import decimal_text, rfc3339

_TEMPLATE: Final = Environment(
    loader=PackageLoader("producer_api.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).get_template("connect.html")


async def connect(request: Request) -> Response:
    """The page."""
    found = services(request)
    received = [
        (rfc3339(at_us), door, one.sensor_id, decimal_text(one.temperature_micro), rfc3339(one.measured_at_us))
        for at_us, door, one in reversed(found.recent.received)
    ]
    refused, ignored = (
        [(rfc3339(at_us), door, code, why) for at_us, door, code, why in reversed(some)]
        for some in (found.recent.refused, found.recent.ignored)
    )
    html = _TEMPLATE.render(
        snippets=snippets(base_of(request), keyed=found.gate is not None),
        keyed=found.gate is not None,
        received=received,
        refused=refused,
        ignored=ignored,
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})
