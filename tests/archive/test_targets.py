"""The contract of targets: S3 (LocalStack's), a folder, and the twin in memory keep the same one."""

import errno
import io
import os
import pickle
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NoReturn

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from archive.folder import FolderTarget
from archive.opening import open_for_reading, open_target
from archive.s3 import S3Target
from archive.targets import MemoryTarget, Target
from telemetry.aws import s3_client
from telemetry.errors import ArchiveUnreadable, InvalidSettings, StoreUnavailable
from telemetry.settings import Settings

KEY = "log/1.000/s-1/001-0~0.ndjson.gz"
REGION: Final = "eu-west-1"


@pytest.fixture(scope="module")
def bucket(endpoint: str) -> Iterator[tuple[Settings, str]]:
    """A bucket of this module's own."""
    settings = Settings.from_environment({"AWS_ENDPOINT_URL": endpoint})
    client, name = s3_client(settings), f"t-{uuid.uuid4().hex[:8]}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield settings, name
    for item in client.list_objects_v2(Bucket=name).get("Contents", []):
        client.delete_object(Bucket=name, Key=item["Key"])
    client.delete_bucket(Bucket=name)


@pytest.fixture(params=["memory", "folder", "s3"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """One of the three, empty."""
    if request.param == "memory":
        return MemoryTarget()
    if request.param == "folder":
        return open_target(Settings(archive_target=str(tmp_path / "a" / "b")))
    settings, name = request.getfixturevalue("bucket")
    return open_target(settings.model_copy(update={"archive_target": f"s3://{name}/{uuid.uuid4().hex}/"}))


def test_the_first_put_of_a_name_wins(target: Target) -> None:
    """A later one changes nothing, and says so."""
    assert target.put_new(KEY, b"first")
    assert not target.put_new(KEY, b"second")
    with target.get(KEY) as source:
        assert source.read() == b"first"


def test_of_rivals_exactly_one_wins(target: Target) -> None:
    """However they meet, and whoever asks afterwards finds the winner's bytes whole."""
    names = [f"log/1.000/s-1/{number}" for number in range(5)]

    def put(rival: int) -> list[bool]:
        return [target.put_new(name, bytes([rival]) * 10_000) for name in names]

    with ThreadPoolExecutor(4) as rivals:
        won = list(rivals.map(put, range(4)))
    for number, name in enumerate(names):
        [winner] = [rival for rival in range(4) if won[rival][number]]
        assert target.get_tail(name, 20_000) == bytes([winner]) * 10_000
    assert list(target.list_after("log/1.000/")) == names


def test_an_object_is_read_in_steps_and_from_its_ends(target: Target) -> None:
    """One that is shorter than what is asked for is given whole."""
    data = bytes(range(256)) * 100
    target.put_new(KEY, data)
    with target.get(KEY) as source:
        assert [source.read(10), source.read(20), source.read()] == [data[:10], data[10:30], data[30:]]
    assert target.get_tail(KEY, 1000) == data[-1000:]
    assert target.get_tail(KEY, 10**6) == data
    assert target.get_start(KEY, 1000) == data[:1000]
    assert target.get_start(KEY, 10**6) == data
    assert target.size_bytes(KEY) == len(data)


def test_names_are_listed_in_the_order_of_texts(target: Target) -> None:
    """Those that begin with the prefix and come after a text, which need be no name; states as well."""
    names = ["log/1/s-1-2/a", "log/1/s-1/a", "log/1/s-1/b", "log/1/s-10/a", "log/1/s-10/b", "log/2/s-1/a"]
    for name in reversed(names):
        target.put_new(name, b"")
    target.put_state("state/1/s-1", b"{}")
    assert list(target.list_after("log/")) == names
    assert list(target.list_after("log/1/")) == names[:5]
    assert list(target.list_after("log/1/s-1/")) == names[1:3]
    assert list(target.list_after("log/1/s-1/", "log/1/s-1/a")) == names[2:3]
    assert list(target.list_after("log/1/", "log/1/s-10")) == names[3:5]
    assert list(target.list_after("log/1/", "log/1/s-10/a5")) == names[4:5]
    assert list(target.list_after("log/3/")) == []
    assert list(target.list_after("state/")) == ["state/1/s-1"]


def test_a_state_takes_the_place_of_the_one_before(target: Target) -> None:
    """There may be none."""
    assert target.get_state("state/1/s-1") is None
    for state in (b"one", b"two"):
        target.put_state("state/1/s-1", state)
        assert target.get_state("state/1/s-1") == state


def test_an_object_that_is_not_there_is_named(target: Target) -> None:
    """Nobody asks for one that no list named."""
    with pytest.raises(ArchiveUnreadable, match=rf"{KEY} is not there"):
        target.get_tail(KEY, 10)
    with pytest.raises(ArchiveUnreadable, match=rf"{KEY} is not there"):
        target.get(KEY).read()
    with pytest.raises(ArchiveUnreadable, match=rf"{KEY} is not there"):
        target.size_bytes(KEY)


def test_more_names_than_s3_tells_at_once_are_listed(bucket: tuple[Settings, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page."""
    settings, name = bucket
    client, prefix = s3_client(settings), uuid.uuid4().hex
    target = S3Target(lambda: client, name, prefix, 10)
    for number in range(5):
        target.put_new(f"log/{number}", b"")
    ask = client.list_objects_v2
    monkeypatch.setattr(client, "list_objects_v2", lambda **asked: ask(**asked, MaxKeys=2))
    assert list(target.list_after("log/")) == [f"log/{number}" for number in range(5)]


def test_another_process_makes_a_client_of_its_own(bucket: tuple[Settings, str], tmp_path: Path) -> None:
    """A target goes through a pipe, and finds there what it finds here."""
    settings, name = bucket
    for where in (f"s3://{name}/{uuid.uuid4().hex}", str(tmp_path)):
        target = open_target(settings.model_copy(update={"archive_target": where}))
        target.put_new(KEY, b"x")
        assert pickle.loads(pickle.dumps(target)).get_start(KEY, 1) == b"x"  # noqa: S301  ours


def stubbed(*answers: tuple[str, int] | None) -> tuple[S3Target, Stubber]:
    """S3 that answers puts with these errors in turn, None for a success."""
    client = s3_client(Settings(aws_endpoint_url="http://127.0.0.1:9"))
    stub = Stubber(client)
    for answer in answers:
        asked = {"Bucket": "a-bucket", "Key": f"p/{KEY}", "Body": b"x", "IfNoneMatch": "*"}
        if answer is None:
            stub.add_response("put_object", {}, asked)
        else:
            stub.add_client_error("put_object", answer[0], http_status_code=answer[1], expected_params=asked)
    stub.activate()
    return S3Target(lambda: client, "a-bucket", "p", 5), stub


@pytest.mark.parametrize(
    ("answers", "won"),
    [
        ([None], True),
        ([("PreconditionFailed", 412)], False),
        ([("ConditionalRequestConflict", 409), None], True),
        ([("ConditionalRequestConflict", 409), ("PreconditionFailed", 412)], False),
        ([("InternalError", 500), ("SlowDown", 503), ("PreconditionFailed", 412)], False),
    ],
)
def test_s3_is_asked_again_until_it_says_who_won(answers: list[tuple[str, int] | None], *, won: bool) -> None:
    """A conflict is no answer yet; the put whose answer was lost is found to have been made."""
    target, stub = stubbed(*answers)
    assert target.put_new(KEY, b"x") == won
    stub.assert_no_pending_responses()


def test_what_s3_refuses_for_good_is_raised_at_once() -> None:
    """A bucket that is not there, a right that lacks."""
    target, _ = stubbed(("NoSuchBucket", 404))
    with pytest.raises(ClientError, match="NoSuchBucket"):
        target.put_new(KEY, b"x")


def test_s3_that_stays_away_is_told() -> None:
    """After as long as it is to be asked."""
    target = S3Target(lambda: s3_client(Settings(aws_endpoint_url="http://127.0.0.1:9")), "a-bucket", "", 0)
    with pytest.raises(StoreUnavailable):
        target.get_state("state/1/s-1")


def test_a_crash_leaves_no_part_of_an_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither within the write nor between that and the link; what is left of it is no object."""

    def die(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    target = FolderTarget(tmp_path)
    for call in ("fsync", "link"):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, die)
            with pytest.raises(KeyboardInterrupt):
                target.put_new(KEY, b"x")
    (tmp_path / KEY).with_name(".tmp-1-x").write_bytes(b"half")
    assert list(target.list_after("log/")) == []
    assert target.put_new(KEY, b"whole")
    assert list(target.list_after("log/")) == [KEY]


def test_what_is_put_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes before the name, the name before the answer, and every folder that was made for it."""
    calls: list[str] = []
    link, fsync = os.link, os.fsync

    def noted(name: str, call: Callable[..., None]) -> Callable[..., None]:
        def made(*arguments: object) -> None:
            calls.append(name)
            call(*arguments)

        return made

    target = FolderTarget(tmp_path)
    monkeypatch.setattr(os, "link", noted("link", link))
    monkeypatch.setattr(os, "fsync", noted("fsync", fsync))
    target.put_new(KEY, b"x")
    assert calls == [*["fsync"] * 3, "fsync", "link", "fsync"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_folder_without_links_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """In a sentence, before anything is put."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(InvalidSettings, match=r"no hard links, .* Name a folder on another one, or s3://"):
        open_target(Settings(archive_target=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """So is one that is a file, and no target at all."""
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSettings, match=r"ARCHIVE_TARGET=.*file/archive"):
        open_target(Settings(archive_target=str(tmp_path / "file" / "archive")))
    with pytest.raises(InvalidSettings, match="ARCHIVE_TARGET is not set: name a folder, or s3://bucket/prefix"):
        open_target(Settings())


def test_who_reads_makes_no_folder(tmp_path: Path) -> None:
    """It is there, or it is not the archive's; it need not take what is written."""
    with pytest.raises(InvalidSettings, match=r"ARCHIVE_TARGET=.*nowhere: there is no such folder"):
        open_for_reading(Settings(archive_target=str(tmp_path / "nowhere")), 1.0)
    with pytest.raises(InvalidSettings, match="ARCHIVE_TARGET is not set"):
        open_for_reading(Settings(), 1.0)
    open_target(Settings(archive_target=str(tmp_path / "there"))).put_new(KEY, b"x")
    tmp_path.joinpath("there").chmod(0o500)
    try:
        assert open_for_reading(Settings(archive_target=str(tmp_path / "there")), 1.0).get_tail(KEY, 1) == b"x"
    finally:
        tmp_path.joinpath("there").chmod(0o700)


@pytest.mark.parametrize("where", ["s3:", "s3://", "s3://A", "s3://ab", "s3://bucket name/x", "s3://bucket/a?b"])
def test_a_bucket_that_s3_would_not_take_is_refused(where: str) -> None:
    """With the setting's name and what is expected."""
    with pytest.raises(InvalidSettings, match=r"ARCHIVE_TARGET=.*a folder, or s3://bucket/prefix"):
        Settings.from_environment({"ARCHIVE_TARGET": where})


def test_an_s3_object_is_asked_for_in_steps() -> None:
    """So a break costs one step, and a reader holds no more."""
    client = s3_client(Settings(aws_endpoint_url="http://127.0.0.1:9"))
    stub = Stubber(client)
    for begin, data in ((0, b"ab"), (2, b"")):
        asked = {"Bucket": "a-bucket", "Key": KEY, "Range": f"bytes={begin}-{512 * 1024 - 1}"}
        if data:
            stub.add_response("get_object", {"Body": io.BytesIO(data)}, asked)
        else:
            stub.add_client_error("get_object", "InvalidRange", http_status_code=416, expected_params=asked)
    stub.activate()
    assert S3Target(lambda: client, "a-bucket", "", 5).get(KEY).read(10) == b"ab"


PART = "readings/dt=2026-11-26/part-00.parquet"


def test_a_part_is_replaced_only_as_it_was_read(target: Target) -> None:
    """Who read it before somebody replaced it is told so, and changes nothing."""
    assert target.get_part(PART) is None
    assert not target.replace_part(PART, b"x", "of none")
    assert target.replace_part(PART, b"one", None)
    assert not target.replace_part(PART, b"other", None)
    one = target.get_part(PART)
    assert one
    assert one.data == b"one"
    assert target.replace_part(PART, b"two", one.version)
    assert not target.replace_part(PART, b"other", one.version)
    two = target.get_part(PART)
    assert two
    assert (two.data, two.version == one.version) == (b"two", False)
    assert list(target.list_after("log/")) == []


def test_of_rivals_for_a_version_exactly_one_wins(target: Target) -> None:
    """Round after round, so what each of them adds is kept."""

    def add(rival: int) -> None:
        for _ in range(5):
            while True:
                found = target.get_part(PART)
                data = (found.data if found else b"") + bytes([rival])
                if target.replace_part(PART, data, found.version if found else None):
                    break

    with ThreadPoolExecutor(4) as rivals:
        list(rivals.map(add, range(4)))
    found = target.get_part(PART)
    assert found
    assert sorted(found.data) == [rival for rival in range(4) for _ in range(5)]


@pytest.mark.parametrize(
    ("version", "condition", "error", "replaced"),
    [
        (None, {"IfNoneMatch": "*"}, None, True),
        ('"e"', {"IfMatch": '"e"'}, None, True),
        ('"e"', {"IfMatch": '"e"'}, ("PreconditionFailed", 412), False),
        ('"e"', {"IfMatch": '"e"'}, ("NoSuchKey", 404), False),
    ],
)
def test_s3_compares_a_part_with_what_was_read(
    version: str | None, condition: dict[str, str], error: tuple[str, int] | None, *, replaced: bool
) -> None:
    """By its ETag; one that was removed meanwhile is not what was read."""
    client = s3_client(Settings(aws_endpoint_url="http://127.0.0.1:9"))
    stub = Stubber(client)
    asked = {"Bucket": "a-bucket", "Key": PART, "Body": b"x", **condition}
    if error is None:
        stub.add_response("put_object", {}, asked)
    else:
        stub.add_client_error("put_object", error[0], http_status_code=error[1], expected_params=asked)
    stub.activate()
    assert S3Target(lambda: client, "a-bucket", "", 5).replace_part(PART, b"x", version) == replaced


def test_a_crash_leaves_no_half_of_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor the folder locked."""

    def die(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    target = FolderTarget(tmp_path)
    assert target.replace_part(PART, b"one", None)
    found = target.get_part(PART)
    assert found
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            target.replace_part(PART, b"two", found.version)
    assert target.get_part(PART) == found
    assert FolderTarget(tmp_path).replace_part(PART, b"two", found.version)
