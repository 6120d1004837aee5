"""An archive in a folder.

An object is written beside its place, synced, and linked to its name, which fails when somebody was first: to rename it would
replace theirs, and to open the name exclusively would leave half an object after a crash.
"""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from archive.targets import Versioned, not_there
from telemetry.errors import InvalidSettings

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class FolderTarget:
    """See Target. Names that begin with a dot are left alone: they are what a crash left of a write."""

    def __init__(self, folder: Path, *, for_reading: bool = False) -> None:
        """Makes the folder if need be, but not for readers. Raises InvalidSettings when it cannot be used."""
        self._folder = folder
        if for_reading:
            if not folder.is_dir():
                raise InvalidSettings(f"ARCHIVE_TARGET={folder}: there is no such folder. Name the one that holds the archive.")
            return
        try:
            _make(folder.absolute())
            self._refuse_without_links()
        except OSError as error:
            raise InvalidSettings(f"ARCHIVE_TARGET={folder}: {error.strerror}. Name a folder that may be written to.") from None

    def put_new(self, key: str, data: bytes) -> bool:
        """See Target."""
        path = self._folder / key
        written = _write(path, data)
        try:
            os.link(written, path)
        except FileExistsError:
            return False
        finally:
            written.unlink()
            _sync(path.parent)
        return True

    def get(self, key: str) -> BinaryIO:
        """See Target."""
        try:
            return (self._folder / key).open("rb")
        except FileNotFoundError:
            raise not_there(key) from None

    def get_start(self, key: str, size_bytes: int) -> bytes:
        """See Target."""
        with self.get(key) as file:
            return file.read(size_bytes)

    def get_tail(self, key: str, size_bytes: int) -> bytes:
        """See Target."""
        with self.get(key) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - size_bytes))
            return file.read()

    def size_bytes(self, key: str) -> int:
        """See Target."""
        with self.get(key) as file:
            return file.seek(0, os.SEEK_END)

    def list_after(self, prefix: str, after: str = "") -> Iterator[str]:
        """See Target."""
        return _names(self._folder / prefix, prefix, after)

    def put_state(self, key: str, data: bytes) -> None:
        """See Target."""
        path = self._folder / key
        _write(path, data).replace(path)
        _sync(path.parent)

    def get_state(self, key: str) -> bytes | None:
        """See Target."""
        try:
            return (self._folder / key).read_bytes()
        except FileNotFoundError:
            return None

    def get_part(self, key: str) -> Versioned | None:
        """See Target."""
        try:
            with (self._folder / key).open("rb") as file:
                return Versioned(file.read(), _version(os.fstat(file.fileno())))
        except FileNotFoundError:
            return None

    def replace_part(self, key: str, data: bytes, version: str | None) -> bool:
        """See Target. Between the look at what is there and the new name nobody else replaces it: the folder is locked."""
        path = self._folder / key
        written = _write(path, data)
        try:
            with _locked(path.parent):
                if (_version(path.stat()) if path.exists() else None) != version:
                    return False
                written.replace(path)
        finally:
            written.unlink(missing_ok=True)
        _sync(path.parent)
        return True

    def _refuse_without_links(self) -> None:
        written = _write(self._folder / "links", b"")
        linked = written.with_name(written.name + "-linked")
        try:
            os.link(written, linked)
            linked.unlink()
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            raise InvalidSettings(
                f"ARCHIVE_TARGET={self._folder}: its file system has no hard links, without which two archivers would "
                "overwrite each other. Name a folder on another one, or s3://bucket/prefix."
            ) from None
        finally:
            written.unlink()


def _write(path: Path, data: bytes) -> Path:
    """A file with these bytes, on the disk, beside the path; its name is nobody else's."""
    _make(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".tmp-{os.getpid()}-", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  it is open already
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def _version(found: os.stat_result) -> str:
    """Each part is a file of its own, which is never written again."""
    return f"{found.st_ino} {found.st_mtime_ns} {found.st_size}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time. The lock goes with its holder, however that ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make(folder: Path) -> None:
    """Make a folder and those above it, each on the disk."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _names(folder: Path, prefix: str, after: str) -> Iterator[str]:
    """The names below a folder, in the order of texts: a folder's is that of its name with the slash."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        found = sorted(entry.name + "/" * entry.is_dir() for entry in entries if not entry.name.startswith("."))
    for name in found:
        key = prefix + name
        if not name.endswith("/"):
            if key > after:
                yield key
        elif key > after or after.startswith(key):
            yield from _names(folder / name, key, after)
