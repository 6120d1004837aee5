"""The images' own steps, carried out without Docker, give an API and a consumer that do their work."""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import amazon_kclpy
import pytest

from tests.infra.image import DOCKERFILE, Builder, context, parse
from tests.support.processes import free_port, stop
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT

JARS = "opt/venv/lib/python3.13/site-packages/amazon_kclpy/jars"


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Both images, built."""
    made = Builder(tmp_path_factory.mktemp("images"))
    made.build("api")
    made.build("consumer")
    return made


def everything(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below a folder."""
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@contextmanager
def running_image(builder: Builder, name: str, environ: dict[str, str], tmp: Path) -> Iterator[dict[str, str]]:
    """The image's own process, and the environment that its health check finds too."""
    inside = {**environ, **builder.environ(name), "HOST": "127.0.0.1", "TMPDIR": str(tmp), "HOME": str(tmp)}
    words = [*builder.instruction("ENTRYPOINT", name).words, *builder.instruction("CMD", name).words]
    root = builder.build(name)
    before = everything(root)
    with (tmp / "log").open("wb") as log:
        process = subprocess.Popen(builder.command(name, words), cwd="/", env=inside, stdout=log, stderr=log)
    try:
        yield inside
    finally:
        status = stop(process)
    assert status == 0, (tmp / "log").read_text()
    assert everything(root) == before, "the image's own files were written to: its root cannot be read-only"


def healthy(builder: Builder, name: str, environ: dict[str, str]) -> bool:
    """What the image's HEALTHCHECK says."""
    words = builder.instruction("HEALTHCHECK", name)
    command = parse(f"FROM x AS y\n{words.text[words.text.index('CMD') :]}")["y"].instructions[0].words
    done = subprocess.run(builder.command(name, command), cwd="/", env=environ, capture_output=True, check=False)
    return done.returncode == 0


def test_the_api_of_its_image_serves_and_says_that_it_is_well(builder: Builder, stack: Stack, tmp_path: Path) -> None:
    """And writes nothing."""
    environ = {**stack.environ, "PORT": str(free_port())}
    builder.environ("api").pop("PORT", None)
    with running_image(builder, "api", environ, tmp_path) as inside:

        def well() -> None:
            assert healthy(builder, "api", inside), (tmp_path / "log").read_text()

        eventually(well)
    assert not healthy(builder, "api", inside)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_the_consumer_of_its_image_works_and_says_so(builder: Builder, stack: Stack, tmp_path: Path) -> None:
    """With the image's own java and jars; it writes to the temporary folder only, and leaves nothing there."""
    environ = {name: value for name, value in stack.environ.items() if name not in ("JAVA", "WORKER_ID")}
    # Nobody answers there: KCL, which asks it how busy the task is, does without.
    environ["ECS_CONTAINER_METADATA_URI_V4"] = f"http://127.0.0.1:{free_port()}/v4/0123abcd-4567"
    with running_image(builder, "consumer", environ, tmp_path) as inside:
        assert Path(inside["JAVA"]).is_relative_to(builder.build("consumer"))

        def well() -> None:
            assert healthy(builder, "consumer", inside), (tmp_path / "log").read_text()

        def works() -> None:
            assert {item.get("leaseOwner", {}).get("S") for item in leases(stack)} == {"0123abcd-4567"}

        eventually(well, within_s=60)
        eventually(works, within_s=60)
    assert not healthy(builder, "consumer", inside)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def leases(stack: Stack) -> list[dict[str, dict[str, str]]]:
    """The items of KCL's lease table."""
    items: list[dict[str, dict[str, str]]] = stack.dynamodb.scan(TableName=stack.names.application)["Items"]  # type: ignore[assignment]
    return items


def test_the_set_up_can_be_run_from_the_image(builder: Builder, stack: Stack) -> None:
    """As compose does; everything is there already, so it changes nothing."""
    command = builder.command("api", ["python", "-m", "infra.setup"])
    done = subprocess.run(command, cwd="/", env={**stack.environ, **builder.environ("api")}, capture_output=True, check=True)
    assert b"are ready" in done.stderr


def test_the_api_has_neither_java_nor_jars(builder: Builder) -> None:
    """What the world talks to holds no more than it needs; nor has either image a pip."""
    api, consumer = builder.build("api"), builder.build("consumer")
    assert not list(api.rglob("*.jar"))
    assert not (api / "opt/java").exists()
    assert len(list((consumer / JARS).glob("*.jar"))) == len(locked_jars())
    for root in (api, consumer):
        assert not list((root / "opt").rglob("site-packages/pip"))


def locked_jars() -> dict[str, str]:
    """The jars' names and their SHA-256."""
    lines = (ROOT / "infra/images/kcl-jars.sha256").read_text().splitlines()
    return {name: sha256 for sha256, name in (line.split() for line in lines)}


def test_the_jars_under_test_are_the_locked_ones() -> None:
    """What runs in the images is what all other tests ran with."""
    folder = Path(amazon_kclpy.__file__).parent / "jars"
    assert {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")} == locked_jars()


def test_a_jar_that_is_not_the_locked_one_makes_no_image(tmp_path: Path) -> None:
    """Another content, one more and one less: the step that checks them fails."""
    [check] = [step for step in parse(DOCKERFILE.read_text())["build"].instructions if "sha256sum" in step.text]
    command = check.text.replace("/build", str(tmp_path))
    jars = tmp_path / "jars"
    jars.mkdir()

    def accepted(**files: str) -> bool:
        for jar in jars.iterdir():
            jar.unlink()
        for name, content in files.items():
            (jars / f"{name}.jar").write_text(content)
        return subprocess.run(["sh", "-c", command], cwd=jars, capture_output=True, check=False).returncode == 0

    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in "ab"}
    (tmp_path / "kcl-jars.sha256").write_text("".join(f"{digest}  {name}.jar\n" for name, digest in digests.items()))
    assert accepted(a="a", b="b")
    assert not accepted(a="a", b="other")
    assert not accepted(a="a", b="b", c="c")
    assert not accepted(a="a")


def test_the_builder_is_sent_only_what_images_are_made_of(tmp_path: Path) -> None:
    """No tests, no documents, nothing of git and nothing local."""
    sent = {str(path.relative_to(tmp_path)) for path in context(tmp_path).rglob("*") if path.is_file()}
    parts = (
        *("archive", "cli", "consumer", "infra", "operations", "producer_api", "projections", "replay", "requirements"),
        "telemetry",
    )
    others = {name for name in sent if not name.startswith(tuple(f"{part}/" for part in parts))}
    assert others == {"LICENSE", "README.md", "pyproject.toml"}
    assert {name for name in sent if name.startswith("infra/")} == {
        "infra/__init__.py",
        "infra/images/kcl-jars.sha256",
        "infra/local/requirements-java.txt",
        "infra/resources.json",
        "infra/setup.py",
    }
    assert {"consumer/logback.xml", "telemetry/settings.py"} <= sent


def test_the_images_promise_what_deployments_rely_on() -> None:
    """A pinned base, no root, exec forms, a temporary folder of the right owner, and labels."""
    stages = parse(DOCKERFILE.read_text())
    outside = {stage.base for stage in stages.values()} - stages.keys()
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.13\.\d+-slim-trixie@sha256:[0-9a-f]{64}", outside.pop())
    builder_of = {name: [stages[name], stages[stages[name].base]] for name in ("api", "consumer")}
    for name, (own, common) in builder_of.items():
        for instruction in ("ENTRYPOINT", "CMD"):
            found = own.last(instruction) or common.last(instruction)
            assert found
            assert found.text.startswith("["), f"{name}: {instruction} is not in exec form"
        health = own.last("HEALTHCHECK")
        assert health
        assert "CMD [" in health.text
        labels = " ".join(step.text for step in own.instructions + common.instructions if step.name == "LABEL")
        assert set(re.findall(r"image\.(\w+)=", labels)) == {"title", "description", "licenses", "revision"}
    user, volume = stages["runtime"].last("USER"), stages["runtime"].last("VOLUME")
    assert user
    assert volume
    assert (user.text, volume.words) == ("10001:10001", ["/tmp"])  # noqa: S108  the image's own
    assert os.sep not in stages["consumer"].instructions[-1].text
