"""The search for keys, in all that a run wrote and in each answer of a door in memory, finds what it is made for."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from telemetry.keys import Credential
from tests.producer_api.doors.app import asking
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.test_writer import scenario
from tests.support.secrets import leaks, written_below

KEY = Credential("AbCdEf01", "0123456789ABCDEFGHIJabcdefghij").text


@pytest.fixture
def folder() -> Iterator[Path]:
    """Gone before the run ends, which would find what lies here."""
    with TemporaryDirectory() as name:
        yield Path(name)


def test_a_whole_key_is_found_and_told_by_its_id(folder: Path) -> None:
    """In any file, between anything; what only looks like one, or says which key it was, is none.

    Nor is one that a test gave to a process.
    """
    for name, text in (
        ("leaks.log", f'{{"event":"request_refused","path":"/write?p={KEY}"}}\n'),
        ("deep/also.log", f"x{KEY}\n{KEY}"),
        ("fine.log", f"tlm_AbCdEf01_… {KEY[:-1]} {KEY[:-1]}x tlm_"),
        ("log", f"\0{KEY}"),
        ("given.conf", KEY),
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (folder / "gone").symlink_to(folder / "nowhere")
    found = leaks([*written_below(folder), folder / "nowhere"])
    assert found == [f"{folder / name}: AbCdEf01" for name in ("deep/also.log", "leaks.log", "log")]
    assert not any(KEY[13:43] in line for line in found)


@scenario
async def test_no_answer_of_a_door_in_memory_may_hold_a_key(kinesis: FakeKinesis) -> None:
    """In its text or its headers: but the cookie that holds it, and what its sender itself wrote."""

    async def tell(request: Request) -> Response:
        where = request.query_params["where"]
        return PlainTextResponse(KEY if where == "text" else "", headers={where: KEY} if where != "text" else {})

    async with asking(kinesis, routes=[Route("/", tell, methods=["POST"])]) as client:
        for where in ("text", "Location", "X-Anything"):
            with pytest.raises(AssertionError, match="AbCdEf01"):
                await client.post("/", params={"where": where})
        for where, content in (("Set-Cookie", ""), ("text", KEY)):
            answer: httpx.Response = await client.post("/", params={"where": where}, content=content)
            assert answer.status_code == 200
