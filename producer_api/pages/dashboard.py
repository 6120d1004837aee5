"""GET / and GET /sensor: what a person sees. Right as it comes, without a script; `static/` makes it live."""

import re
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from producer_api.keys.guarded import grant_of
from producer_api.live.topics import VERSION
from producer_api.pages.looking import Seen, look_at_all
from producer_api.pages.own import own_page
from producer_api.pages.shown import shown
from producer_api.pages.view import view_of
from producer_api.services import services
from telemetry.errors import InvalidQuestion
from telemetry.keys import Role
from telemetry.reading import parse_sensor_id

_HOST: Final = re.compile(r"[A-Za-z0-9._~:\[\]-]+")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors {}"
)
_TEMPLATES: Final = Environment(
    loader=PackageLoader("producer_api.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


async def dashboard(request: Request) -> Response:
    """All sensors, or those that the key is for."""
    grant = grant_of(request.scope)
    if grant and not grant.key.covers_all:
        return await own_page(request, grant.key)
    seen = await look_at_all(services(request), view_of(request), None)
    return _page(request, "dashboard.html", seen, None)


async def sensor_page(request: Request) -> Response:
    """One sensor. Raises InvalidQuestion for what is no id of a sensor."""
    text = request.query_params.get("sensorId", "")
    if not text.strip():
        return RedirectResponse("./#sensors", status_code=303)
    try:
        sensor_id = parse_sensor_id(text)
    except ValueError as error:
        raise InvalidQuestion({"sensorId": str(error)}) from None
    seen = await look_at_all(services(request), view_of(request), sensor_id)
    return _page(request, "sensor.html", seen, sensor_id)


def _page(request: Request, template: str, seen: Seen, sensor_id: str | None) -> Response:
    grant = grant_of(request.scope)
    html = _TEMPLATES.get_template(template).render(
        base=base_of(request),
        version=VERSION,
        view=seen.view,
        sensor_id=sensor_id,
        signed_in=grant is not None,
        operates=grant is None or grant.key.role is Role.ADMIN,
        **shown(seen, sensor_id),
    )
    headers = {
        "Content-Security-Policy": _POLICY.format(services(request).settings.frame_ancestors),
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding, X-Time-Zone, X-Without",
    }
    return HTMLResponse(html, headers=headers)


def base_of(request: Request) -> str:
    """Where the examples point: PUBLIC_URL, or else the address that the page was asked under."""
    # The Host header is the client's text: anything but a plain host and port is left out.
    host = request.url.netloc
    asked = f"{request.url.scheme}://{host}" if _HOST.fullmatch(host) else ""
    return (services(request).settings.public_url or asked).rstrip("/")
