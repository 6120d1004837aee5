"""POST and DELETE /api/session: a person's key in a cookie, so that a browser may open the pages.

The cookie holds the key itself, for scripts unreadable, and counts for GET and HEAD only (`credentials.py`).
"""

import time
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from producer_api.keys.cookies import COOKIE, LOOPBACK_COOKIE, cookie_of
from producer_api.keys.policy import may
from producer_api.services import services
from producer_api.writing.bodies import media_type, read_body, require_json
from telemetry import strict_json
from telemetry.errors import NotPermitted
from telemetry.keys import Key, Role

BODY_BYTES_MAX: Final = 4 * 1024
LASTS_S_MAX: Final = 30 * 24 * 3600
_FORM: Final = "application/x-www-form-urlencoded"
_END: Final = "end"
"""The field of a form that ends a session: forms cannot DELETE, and one is all that a page without scripts has."""
_OPENS_NOTHING: Final = "The key is to send readings with, and opens no page: that takes one for read or admin."
_PLAIN: Final = (
    "A session needs HTTPS: a cookie would be sent in the clear. Set PUBLIC_URL, or open this machine's own address."
)


async def session(request: Request) -> Response:
    """Begin or end one."""
    return await (_begin if request.method == "POST" else _end)(request)


async def _begin(request: Request) -> Response:
    """Take a key, as JSON from a script (204) or from the form (303 to the pages), and set the cookie. 401 for what is none.

    Or end it, for a form.
    """
    by_form = request.scope["page"] = media_type(request) == _FORM  # also for who answers a refusal
    if not by_form:
        require_json(request)
    body = await read_body(request, BODY_BYTES_MAX)
    if by_form and _END in _fields(body):
        return _without_cookies(_done(by_form=True), (COOKIE, LOOPBACK_COOKIE))
    text = _given(body, by_form=by_form)
    gate = services(request).gate
    if gate is None:
        return _done(by_form=by_form)
    name = _cookie_name(request)
    key = (await gate.unlock(text, request.client.host if request.client else "")).key
    if not may(key.role, Role.READ):
        raise NotPermitted("insufficient-role", _OPENS_NOTHING)
    answer = _without_cookies(_done(by_form=by_form), {COOKIE, LOOPBACK_COOKIE} - {name})
    answer.set_cookie(name, text, max_age=_lasts_s(key), path="/", secure=name == COOKIE, httponly=True, samesite="lax")
    return answer


async def _end(_: Request) -> Response:
    """Take the cookie away."""
    return _without_cookies(_done(by_form=False), (COOKIE, LOOPBACK_COOKIE))


def _without_cookies(answer: Response, names: Iterable[str]) -> Response:
    for name in names:
        answer.delete_cookie(name, path="/", secure=name == COOKIE, httponly=True, samesite="lax")
    return answer


def _done(*, by_form: bool) -> Response:
    return (
        RedirectResponse("../", 303, {"Cache-Control": "no-store"})
        if by_form
        else Response(status_code=204, headers={"Cache-Control": "no-store"})
    )


def _given(body: bytes, *, by_form: bool) -> str:
    """The key in a body. Raises InvalidReading, whose texts name the member."""
    if by_form:
        return _fields(body).get("key", [""])[0].strip()
    try:
        document = strict_json.loads(strict_json.without_mark(body))
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("key"), str):
        raise HTTPException(400, 'Expected a JSON object with a key. e.g. {"key": "tlm_…"}')
    key: str = document["key"].strip()
    return key


def _fields(body: bytes) -> dict[str, list[str]]:
    return parse_qs(body.decode(errors="replace"), keep_blank_values=True)


def _cookie_name(request: Request) -> str:
    """Which cookie fits how the request came. Raises NotPermitted where none does."""
    public_url = services(request).settings.public_url or ""
    name = cookie_of(request.scope["scheme"], request.headers.get("host", ""), public_url)
    if name is None:
        raise NotPermitted("plain-http", _PLAIN)
    return name


def _lasts_s(key: Key) -> int:
    return LASTS_S_MAX if key.expires_s is None else max(0, min(LASTS_S_MAX, key.expires_s - int(time.time())))
