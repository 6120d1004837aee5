"""What the doctor says of archive, java and ports: each finding provoked once, on programs and servers of the test's own."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from operations.doctor import State
from operations.machine import look_at_java, look_at_ports
from operations.surroundings import JavaSeen, Listener, PortSeen, archive, java, ports

DAY_S = 86_400


@pytest.mark.parametrize(("age_s", "why"), [(901, "as long as the stream keeps it"), (DAY_S / 4 + 1, "gone for good")])
def test_an_archive_that_is_behind_is_said(age_s: float, why: str) -> None:
    """From 15 minutes on; what will soon be lost is said as that."""
    section = archive("a folder", {"one": 3, "two": age_s}, DAY_S, local=True)
    (finding,) = section.findings
    assert finding.what.startswith("two was archived until")
    assert why in finding.why
    assert archive("a folder", {"one": 3}, DAY_S, local=True).told == "a folder, at most 3 s behind"


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (JavaSeen("java", None, 2), "JAVA='java' is no program"),
        (JavaSeen("java", 11, 2), "java is version 11; KCL wants 17"),
        (JavaSeen("java", 0, 2), "java is there, and does not run"),
        (JavaSeen("java", 17, 1, missing=["a.jar"]), "1 jars of KCL are missing, a.jar"),
        (JavaSeen("java", 17, 2, other=["b.jar"]), "1 jars of KCL are not the locked ones, b.jar"),
    ],
)
def test_what_keeps_a_consumer_from_starting_is_said(seen: JavaSeen, words: str) -> None:
    """Where AWS is on this machine; elsewhere none need run here."""
    (finding,) = java(seen, local=True).findings
    assert words in finding.what
    assert java(JavaSeen("java", None, 0), local=False).state is State.NONE
    assert java(JavaSeen("java", 21, 2), local=True).state is State.OK


def test_java_and_jars_are_looked_at(tmp_path: Path) -> None:
    """The version that the program tells; of the jars those that lack, and those that are others."""
    program = tmp_path / "java"
    program.write_text("#!/bin/sh\necho 'openjdk version \"21.0.2\" 2024-01-16' >&2\n")
    program.chmod(0o755)
    for name in ("same.jar", "other.jar", "more.jar"):
        (tmp_path / name).write_text(name)
    lock = tmp_path / "lock"
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("same.jar", "gone.jar")}
    lock.write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()) + f"{'0' * 64}  other.jar\n")
    seen = look_at_java(str(program), lock, tmp_path)
    assert seen == JavaSeen(str(program), 21, 3, ["gone.jar"], ["more.jar", "other.jar"])
    assert look_at_java(str(tmp_path / "none"), lock, tmp_path).version is None
    program.write_text("#!/bin/sh\nexit 1\n")
    assert look_at_java(str(program), lock, tmp_path).version == 0


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """A server that says this to everybody; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_who_listens_at_a_port_is_told_by_its_answer() -> None:
    """Ours, somebody else, or nobody; a port that is not set is not looked at."""
    with answering(b'{"status":"ok"}') as ours, answering(b"hello") as other:
        wanted = (("PORT", ours, "/livez"), ("METRICS_PORT", other, "/metrics"), ("ARCHIVER_METRICS_PORT", 0, "/metrics"))
        seen = look_at_ports("127.0.0.1", wanted)
    assert seen == [PortSeen("PORT", ours, Listener.OURS), PortSeen("METRICS_PORT", other, Listener.OTHER)]
    (finding,) = ports(seen).findings
    assert f"port {other}, METRICS_PORT" in finding.what
    (free,) = look_at_ports("127.0.0.1", [("PORT", ours, "/livez")])
    assert free.listener is Listener.NOBODY
    assert ports([free]).told == f"{ours} free"
