"""Downloads files whose SHA-256 is known and keeps only those that match.

Responsible for one file's and one lock's downloads: parallel, checked, atomic, resumable file by file, with progress.
Not responsible for what the files mean, nor for where they lie; see downloads.py.
"""

import hashlib
import http.client
import os
import sys
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import unquote, urlsplit

PARALLEL_DOWNLOADS = 8
ATTEMPTS = 3
TIMEOUT_S = 30
CHUNK_BYTES = 1 << 16


class DownloadError(Exception):
    """Something needed could not be had; the message names the fix."""


class ChecksumMismatchError(DownloadError):
    """The bytes received are not the locked ones; nothing was kept."""


@dataclass(frozen=True)
class LockedFile:
    """A file of a Maven repository: its path below the repository's root, and its SHA-256 in hexadecimal."""

    path: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.rpartition("/")[2]


def parse_lock(text: str) -> list[LockedFile]:
    """Lines `group:artifact:version[:classifier][/extension] sha256`; blank lines and comments are skipped.

    Raises DownloadError for a line of another shape.
    """
    lines = (line.strip() for line in text.splitlines())
    return [_parse_line(line) for line in lines if line and not line.startswith("#")]


def _parse_line(line: str) -> LockedFile:
    try:
        coordinates, sha256 = line.split()
        name, _, extension = coordinates.partition("/")
        group, artifact, version, *classifier = name.split(":")
    except ValueError:
        raise DownloadError(f"not a line of a lock file: {line!r}") from None
    file_name = "-".join([artifact, version, *classifier]) + "." + (extension or "jar")
    return LockedFile(f"{group.replace('.', '/')}/{artifact}/{version}/{file_name}", sha256)


class Progress:
    """Counts files and bytes on stderr: one line that is updated on a terminal, a first and a last line elsewhere."""

    def __init__(self, label: str, files_total: int, out: TextIO | None = None) -> None:
        self._label, self._files_total = label, files_total
        self._files = self._size_bytes = 0
        self._out = out if out is not None else sys.stderr
        self._lock = threading.Lock()
        self._show()

    def add(self, size_bytes: int, files: int = 0) -> None:
        """Count what has come; may be called from several threads."""
        with self._lock:
            self._files += files
            self._size_bytes += size_bytes
            if self._out.isatty() or (files and self._files == self._files_total):
                self._show()

    def _show(self) -> None:
        text = f"{self._label}: {self._files}/{self._files_total} files, {self._size_bytes / 1e6:.1f} MB"
        finished = self._files == self._files_total
        live = self._out.isatty()
        print(f"\r{text}" if live else text, end="" if live and not finished else "\n", file=self._out, flush=True)


def fetch_all(repository_url: str, files: Iterable[LockedFile], folder: Path, progress: Progress) -> None:
    """Bring every file into `folder`, several at a time. A file that is there already was checked when it came.

    Raises ChecksumMismatchError or DownloadError for the first file that fails; the others' downloads are given up.
    """
    pool = ThreadPoolExecutor(PARALLEL_DOWNLOADS, thread_name_prefix="download")
    try:
        jobs = [pool.submit(_fetch_unless_there, repository_url, file, folder, progress) for file in files]
        for job in as_completed(jobs):
            job.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _fetch_unless_there(repository_url: str, file: LockedFile, folder: Path, progress: Progress) -> None:
    target = folder / file.name
    if not target.exists():
        fetch(f"{repository_url.rstrip('/')}/{file.path}", file.sha256, target, progress)
    progress.add(0, files=1)


def fetch(url: str, sha256: str, target: Path, progress: Progress) -> None:
    """Download `url` to `target`, which appears only when whole and right; a failed transfer is tried again.

    Raises ChecksumMismatchError (not tried again) and DownloadError.
    """
    for attempt in range(1, ATTEMPTS + 1):
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            found = _transfer(url, partial, progress)
            if found != sha256:
                raise ChecksumMismatchError(
                    f"{target.name} was refused: its SHA-256 is {found}, the lock file says {sha256}. "
                    "Try again; if it stays so, the repository (MAVEN_REPO_URL) serves another file"
                )
            partial.replace(target)
            return
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            if attempt == ATTEMPTS:
                raise DownloadError(
                    f"{target.name} could not be downloaded: {error}. Check the network, or name a reachable Maven "
                    "repository with MAVEN_REPO_URL=…; what has arrived is kept"
                ) from error
        finally:
            partial.unlink(missing_ok=True)


def _request(url: str) -> urllib.request.Request:
    """User and password of a URL as a header: urllib would take them for the host, and say so in its error."""
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())
    if userinfo:
        # Not sent on to where a redirect leads.
        request.add_unredirected_header("Authorization", f"Basic {b64encode(unquote(userinfo).encode()).decode()}")
    return request


def _transfer(url: str, partial: Path, progress: Progress) -> str:
    """Copy `url` to the file `partial` and answer its SHA-256; raises OSError when the transfer ends early."""
    digest, size_bytes = hashlib.sha256(), 0
    with urllib.request.urlopen(_request(url), timeout=TIMEOUT_S) as response, partial.open("wb") as out:
        while chunk := response.read(CHUNK_BYTES):
            out.write(chunk)
            digest.update(chunk)
            size_bytes += len(chunk)
            progress.add(len(chunk))
        announced = response.headers.get("Content-Length")
    # http.client answers a cut connection with a short read, not with an error.
    if announced is not None and int(announced) != size_bytes:
        raise OSError(f"the connection closed after {size_bytes} of {announced} bytes")
    return digest.hexdigest()
