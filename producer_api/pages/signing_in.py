"""The form that a person fills in who opens a page without a key, or with one that is not for it."""

from collections.abc import Mapping
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>A key, please – Telemetry</title>
<link rel="icon" href="{up}static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{up}static/style.css">
<script type="module" src="{up}static/session.js"></script>
</head>
<body>
<main id="main">
<h1>A key, please</h1>
<p class="note" id="said" role="status">{note}</p>
<form id="sign-in" method="post" action="{up}api/session">
<label>Key <input type="password" name="key" autocomplete="current-password" spellcheck="false" required></label>
<button type="submit">Open</button>
</form>
<p>Keys begin with <code>tlm_</code>. Whoever runs this server makes them: <code>telemetry keys new --role read</code>.</p>
</main>
</body>
</html>
"""


def sign_in_page(request: Request, status: int, note: str, headers: Mapping[str, str]) -> Response:
    """The page in place of what was asked for, with what was wrong with the key that came, if one did."""
    up = "../" * (request.scope["path"].count("/") - 1)
    given = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", **headers}
    return HTMLResponse(_PAGE.format(note=escape(note), up=up), status, given)
