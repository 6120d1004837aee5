"""An archive in S3, below a prefix of a bucket."""

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import ClientError

from archive.targets import Versioned, not_there
from telemetry.retry import patiently

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_STEP_BYTES = 512 * 1024
"""Of an object that is read, asked for at once: a reader of many shards holds a few for each. What breaks off is asked for
again from there."""
_MISSING = {"NoSuchKey", "404"}


class S3Target:
    """See Target. Calls are made again for as long as `patience_s` when they fail in a way that may pass."""

    def __init__(self, connect: Callable[[], "S3Client"], bucket: str, prefix: str, patience_s: float) -> None:
        """`connect` makes a client; `prefix` is empty or without slashes at its ends."""
        self._given = connect, bucket, prefix, patience_s
        self._s3 = connect()
        self._bucket = bucket
        self._before = f"{prefix}/" if prefix else ""
        self._patience_s = patience_s

    def __reduce__(self) -> tuple[type["S3Target"], tuple[Any, ...]]:
        """Handed to another process, which makes a client of its own."""
        return S3Target, self._given

    def put_new(self, key: str, data: bytes) -> bool:
        """See Target. Another's put of the name that is under way (409) is waited for: it may yet fail."""

        return self._put_if(key, data, IfNoneMatch="*")

    def get(self, key: str) -> BinaryIO:
        """See Target."""
        return io.BufferedReader(_Steps(self, key), _STEP_BYTES)

    def get_start(self, key: str, size_bytes: int) -> bytes:
        """See Target."""
        return self.ranged(key, f"bytes=0-{size_bytes - 1}")

    def get_tail(self, key: str, size_bytes: int) -> bytes:
        """See Target."""
        return self.ranged(key, f"bytes=-{size_bytes}")

    def size_bytes(self, key: str) -> int:
        """See Target."""

        def look() -> int | None:
            try:
                return self._s3.head_object(Bucket=self._bucket, Key=self._before + key)["ContentLength"]
            except ClientError as error:
                if error.response["Error"]["Code"] in _MISSING:
                    return None
                raise

        if (size_bytes := patiently(look, self._patience_s)) is None:
            raise not_there(key)
        return size_bytes

    def list_after(self, prefix: str, after: str = "") -> Iterator[str]:
        """See Target. A thousand names a call."""
        while True:
            start = self._before + (after or prefix)
            page = patiently(
                lambda start=start: self._s3.list_objects_v2(  # type: ignore[misc]  # of a lambda's defaults
                    Bucket=self._bucket, Prefix=self._before + prefix, StartAfter=start
                ),
                self._patience_s,
            )
            for item in page.get("Contents", []):
                after = item["Key"].removeprefix(self._before)
                yield after
            if not page["IsTruncated"]:
                return

    def put_state(self, key: str, data: bytes) -> None:
        """See Target."""
        name = self._before + key
        patiently(lambda: self._s3.put_object(Bucket=self._bucket, Key=name, Body=data), self._patience_s)

    def get_state(self, key: str) -> bytes | None:
        """See Target."""
        return self._read(key, None)

    def get_part(self, key: str) -> Versioned | None:
        """See Target."""

        def read() -> Versioned | None:
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._before + key)
                return Versioned(answer["Body"].read(), answer["ETag"])
            except ClientError as error:
                if error.response["Error"]["Code"] in _MISSING:
                    return None
                raise

        return patiently(read, self._patience_s)

    def replace_part(self, key: str, data: bytes, version: str | None) -> bool:
        """See Target. The version is S3's ETag: equal ones are equal bytes."""
        return self._put_if(key, data, **({"IfNoneMatch": "*"} if version is None else {"IfMatch": version}))

    def _put_if(self, key: str, data: bytes, **condition: Any) -> bool:
        """Put an object where the condition holds. What it compares with may be gone (404)."""

        def put() -> bool:
            try:
                self._s3.put_object(Bucket=self._bucket, Key=self._before + key, Body=data, **condition)
            except ClientError as error:
                if error.response["Error"]["Code"] in {"PreconditionFailed", *_MISSING}:
                    return False
                raise
            return True

        return patiently(put, self._patience_s)

    def ranged(self, key: str, stretch: str) -> bytes:
        """A stretch of an object, as the header Range names it; nothing behind its end."""
        data = self._read(key, stretch)
        if data is None:
            raise not_there(key)
        return data

    def _read(self, key: str, stretch: str | None) -> bytes | None:
        """None when the object is not there."""

        def read() -> bytes | None:
            try:
                ranged = {} if stretch is None else {"Range": stretch}
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._before + key, **ranged)  # type: ignore[arg-type]
                return answer["Body"].read()
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in _MISSING:
                    return None
                if code == "InvalidRange":
                    return b""
                raise

        return patiently(read, self._patience_s)


class _Steps(io.RawIOBase):
    """An object read in steps."""

    def __init__(self, target: S3Target, key: str) -> None:
        self._target = target
        self._key = key
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        wanted = len(buffer)
        data = self._target.ranged(self._key, f"bytes={self._at}-{self._at + wanted - 1}")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
