"""Where a replay writes to: standard output, or a file or folder that it can go on writing after it was ended."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import click

from archive.names import created_ms
from cli.sources import LogAt
from projections.zones import Zone
from replay.api import Api
from replay.export import Lines
from replay.formats import CsvRows, Format, Output, line_of
from replay.pouring import IntoApi
from replay.speed import Pacing
from replay.streaming import IntoStream, known
from telemetry.aws import kinesis_client
from telemetry.keys import KEY_VARIABLE
from telemetry.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_PUT_TIMEOUT_S: Final = 10


class Target(NamedTuple):
    """What is written, and how."""

    path: Path | None
    """A file, or for Parquet a folder; None for standard output."""
    form: Format
    zone: Zone
    mark: bool
    url: str | None = None
    """An API, in place of all of these."""
    speed: float | None = None
    """How many times as fast as it arrived it is sent there; None as fast as it goes."""
    stream: str | None = None
    """Another stream, by name or ARN, in place of all of these."""

    @property
    def place(self) -> Path | None:
        """The place's file, beside it."""
        return self.path.with_name(f"{self.path.name}.place") if self.path else None


def require_usable(target: Target) -> None:
    """Raises UsageError for what cannot be written to, or would be written over; ClickException without what writes Parquet."""
    path, place = target.path, target.place
    if target.url is not None and (path is not None or target.form is not Format.JSONL or target.mark):
        raise click.UsageError("--into-url sends readings, which have no --output, --format and --repeats mark.")
    if target.stream is not None and (target.url or path or target.form is not Format.JSONL or target.mark):
        raise click.UsageError("--into-stream puts events, which have no --into-url, --output, --format and --repeats mark.")
    if target.speed is not None and target.url is None and target.stream is None:
        raise click.UsageError("--speed is that of --into-url and --into-stream.")
    if path is None or place is None:
        if target.form is Format.PARQUET:
            raise click.UsageError("--format parquet needs --output: it becomes a folder of files.")
        return
    if target.form is Format.PARQUET and find_spec("pyarrow") is None:
        raise click.ClickException("--format parquet needs pyarrow: install the extra, telemetry-pipeline[parquet].")
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"--output {path}: there is no folder {path.parent}.")
    if path.is_dir() != (target.form is Format.PARQUET) and path.exists():
        kind = "a folder" if target.form is Format.PARQUET else "a file"
        raise click.UsageError(f"--output {path} is there, and is not {kind}, as --format {target.form} makes.")
    if not place.exists() and path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise click.UsageError(
            f"--output {path} is there, and is not a replay to be gone on with: remove it, or choose another."
        )


def require_other_stream(stream: str, at: LogAt) -> None:
    """Raises UsageError for the stream that is read, however it is written: its copy would be read as well, and so on."""
    with closing(_kinesis(at.settings)) as kinesis:
        found = known(kinesis, stream)
    for one in at.streams:
        # Of an archive alone it is not known what its streams were called.
        same_name = not one.name or one.name.casefold() == found.name.casefold()
        if same_name and created_ms(one.created) == found.created_ms:
            raise click.UsageError(f"--into-stream {stream} is {at.name}, which is what is read.")


def _kinesis(settings: Settings) -> "KinesisClient":
    return kinesis_client(settings, attempts=1, read_timeout_s=_PUT_TIMEOUT_S)


@contextmanager
def opened(target: Target, written: int, settings: Settings) -> Iterator[Output]:
    """The output, cut to what of it counts. Raises ClickException when less is there, or it cannot be written."""
    if target.stream is not None:
        with closing(_kinesis(settings)) as kinesis:
            yield IntoStream(kinesis, target.stream, Pacing(target.speed, time.monotonic, time.sleep))
        return
    if target.url is not None:
        yield IntoApi(
            Api(target.url, key=os.environ.get(KEY_VARIABLE, "")).batch, target.speed, clock=time.monotonic, sleep=time.sleep
        )
        return
    if target.form is Format.PARQUET:
        assert target.path
        with _writing():
            yield _parts(target.path, written, mark=target.mark)
        return
    rows = CsvRows(target.zone, mark=target.mark) if target.form is Format.CSV else None
    with _file(target.path, written) as file:
        if rows and not written:
            file.write(rows.header)
        writing = rows.row if rows else line_of
        yield Lines(file, writing, time.monotonic, mark=target.mark, stays=target.path is not None)


def _parts(folder: Path, parts: int, *, mark: bool) -> Output:
    from replay.parquet import Parts, part_name  # noqa: PLC0415  an extra that not everybody has

    if missing := [number for number in range(parts) if not (folder / part_name(number)).exists()]:
        raise click.ClickException(_altered(folder, f"{part_name(missing[0])} is not there any more"))
    return Parts(folder, parts, mark=mark)


@contextmanager
def _file(path: Path | None, written: int) -> Iterator[BinaryIO]:
    if path is None:
        with standard_output() as file:
            yield file
        return
    if written and (not path.exists() or path.stat().st_size < written):
        raise click.ClickException(_altered(path, f"it had {written} bytes, which are not there any more"))
    with _writing(), path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(written)
        file.seek(written)
        yield file


@contextmanager
def _writing() -> Iterator[None]:
    """A disk that is full is said as such."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"Cannot write: {error.strerror or error}.") from None


def _altered(path: Path, what: str) -> str:
    return f"{path} was altered since: {what}. Remove it and {path.name}.place to begin anew."


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Whoever reads us may have enough before the end (`| head`), which is no failure."""
    try:
        yield sys.stdout.buffer
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        sys.exit(0)
    except OSError as error:
        _forget_stdout()
        raise click.ClickException(f"Cannot write: {error.strerror}.") from None
    except KeyboardInterrupt:
        # Python would flush at the end, and complain if it cannot.
        try:
            sys.stdout.flush()
        except OSError:
            _forget_stdout()
        raise


def _forget_stdout() -> None:
    """Python flushes once more at the end: that is to meet no error again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
