"""Bodies of requests: what they may say they are, how long they may be, and how they are unpacked (contract C11, C19, C24)."""

import zlib

from starlette.exceptions import HTTPException
from starlette.requests import Request

from telemetry.errors import InvalidReading

_ENCODINGS = {"gzip": (zlib.MAX_WBITS | 16,), "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS)}
"""zlib's window bits for each content coding. `deflate` is a zlib stream (RFC 9110, 8.4.1.2); some clients send it bare."""

_PACKED_EXTRA_BYTES = 1024
"""What packing may add to a body that cannot be made smaller."""


def media_type(request: Request) -> str:
    """What a body says it is, without parameters; empty when it says nothing."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request) -> None:
    """Refuse a body that says it is something else than JSON; one that says nothing may pass."""
    kind = media_type(request)
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise HTTPException(415, f"Expected Content-Type application/json, not {kind[:64]!r}.")


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The whole body, unpacked. 413 as soon as it is known to be longer than `bytes_max`, packed or unpacked; 415 for a coding
    other than gzip and deflate; InvalidReading when it cannot be unpacked.

    How long it may take to come is the connection's matter.
    """
    encoding = _encoding(request)
    packed_max = bytes_max + _PACKED_EXTRA_BYTES if encoding else bytes_max
    if int(request.headers.get("content-length", "0")) > packed_max:
        raise _too_large(bytes_max)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > packed_max:
            raise _too_large(bytes_max)
    return _unpack(bytes(body), encoding, bytes_max) if encoding and body else bytes(body)


def _too_large(bytes_max: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {bytes_max} bytes.")


def _encoding(request: Request) -> str:
    """The body's content coding; empty for none."""
    names = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    codings = [name.strip().removeprefix("x-") for name in names if name.strip() not in ("", "identity")]
    if not codings:
        return ""
    if len(codings) > 1 or codings[0] not in _ENCODINGS:
        detail = f"Expected Content-Encoding gzip, deflate or identity, not {', '.join(codings)[:64]!r}."
        raise HTTPException(415, detail, {"Accept-Encoding": "gzip, deflate"})
    return codings[0]


def _unpack(body: bytes, encoding: str, bytes_max: int) -> bytes:
    reasons = []
    for bits in _ENCODINGS[encoding]:
        try:
            return _inflate(body, bits, bytes_max)
        except zlib.error as error:
            reasons.append(str(error))
    raise InvalidReading({"body": f"Expected a body in {encoding}, as Content-Encoding says: {reasons[0]}."})


def _inflate(body: bytes, bits: int, bytes_max: int) -> bytes:
    """Unpack; several gzip members after one another are one body (RFC 1952, 2.2). Raises zlib.error."""
    plain = b""
    while body:
        member = zlib.decompressobj(bits)
        plain += member.decompress(body, bytes_max + 1 - len(plain))
        if len(plain) > bytes_max:
            raise _too_large(bytes_max)
        if not member.eof:
            raise zlib.error("it ends too early")
        body = member.unused_data
    return plain
