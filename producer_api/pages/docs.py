"""GET /docs: what `/openapi.json` says, to be read and tried (Swagger UI). Everything that the page loads is served here."""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_POLICY: Final = (
    # Swagger UI sets styles on elements; scripts are files all the same.
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Telemetry: the HTTP API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/vendor/swagger-ui/swagger-ui.css">
<div id="swagger-ui"></div>
<noscript><p>This page needs JavaScript. <a href="openapi.json">openapi.json</a> says the same to programs.</p></noscript>
<script src="static/vendor/swagger-ui/swagger-ui-bundle.js"></script>
<script src="static/docs.js"></script>
</html>
"""


async def docs(_: Request) -> Response:
    """The page."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})
