"""The daemon's side of KCL's conversation: messages as MultiLangDaemon writes them, and a child process to send them to."""

import base64
import io
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amazon_kclpy.kcl import KCLProcess

from consumer.processor import ShardRecordProcessor

type Message = dict[str, Any]

ARRIVED_MS = 1_700_000_000_250
_ANSWER_WAIT_S = 30


def initialize(shard_id: str) -> Message:
    return {"action": "initialize", "shardId": shard_id, "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0}


def process_records(records: Mapping[int, bytes | Sequence[bytes]], behind_ms: int = 0) -> Message:
    """Records by sequence number, all of which arrived at ARRIVED_MS; of aggregates the user records, as KCL gives them."""
    listed = [
        {
            "action": "record",
            "data": base64.b64encode(part).decode(),
            "partitionKey": "a",
            "sequenceNumber": str(number),
            "subSequenceNumber": place,
            "approximateArrivalTimestamp": ARRIVED_MS,
        }
        for number, data in records.items()
        for place, part in enumerate([data] if isinstance(data, bytes) else data)
    ]
    return {"action": "processRecords", "records": listed, "millisBehindLatest": behind_ms}


def acknowledge(sequence_number: int | str | None, error: str | None = None) -> Message:
    """What the daemon answers to a checkpoint request."""
    number = None if sequence_number is None else str(sequence_number)
    return {"action": "checkpoint", "sequenceNumber": number, "subSequenceNumber": None, "error": error}


SHUTDOWN_REQUESTED: Message = {"action": "shutdownRequested"}
SHARD_ENDED: Message = {"action": "shardEnded"}
LEASE_LOST: Message = {"action": "leaseLost"}


def done(action: str) -> Message:
    """What a child answers when it is done with a message."""
    return {"action": "status", "responseFor": action}


def checkpoint(sequence_number: int | None) -> Message:
    """What a child asks for; None means all that was delivered."""
    number = None if sequence_number is None else str(sequence_number)
    return {"action": "checkpoint", "sequenceNumber": number, "subSequenceNumber": None}


def converse(processor: ShardRecordProcessor, *messages: Message) -> tuple[list[Message], int | None]:
    """Send all messages, acknowledgements among them, to a processor in this process.

    Returns its answers, and the status it exited with when it did not hear all to the end.
    """
    out, status = io.StringIO(), None
    said = io.StringIO("".join(json.dumps(message) + "\n" for message in messages))
    try:
        KCLProcess(processor, said, out, io.StringIO()).run()
    except SystemExit as exit_:
        status = exit_.code
    assert status is None or isinstance(status, int)
    return [json.loads(line) for line in out.getvalue().splitlines() if line], status


def granted(processor: ShardRecordProcessor, *messages: Message) -> list[Message]:
    """Send all messages to a processor in this process, and grant every checkpoint it asks for. Its answers."""
    out, waiting = io.StringIO(), list(messages)

    class Said:
        heard = 0

        def readline(self) -> str:
            answers = [json.loads(line) for line in out.getvalue().splitlines() if line]
            asked = answers[self.heard :] and answers[-1]["action"] == "checkpoint"
            self.heard = len(answers)
            if asked:
                waiting.insert(0, {**answers[-1], "error": None})
            return json.dumps(waiting.pop(0)) + "\n" if waiting else ""

    KCLProcess(processor, Said(), out, io.StringIO()).run()
    return [json.loads(line) for line in out.getvalue().splitlines() if line]


class Child:
    """A child process on pipes. Every line it writes must be one of the protocol."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, message: Message) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Message:
        """Its next message."""
        while not (line := self._lines.get(timeout=_ANSWER_WAIT_S)).strip():
            pass
        message: Message = json.loads(line)
        return message

    def exchange(self, message: Message) -> Message:
        """Say something and hear the answer."""
        self.say(message)
        return self.hear()

    def end(self) -> int:
        """Close its standard input, as the daemon does, and wait; its exit status."""
        assert self._process.stdin
        self._process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        status = self._process.wait(_ANSWER_WAIT_S)
        self._reader.join()
        return status

    def rest(self) -> Sequence[str]:
        """What it wrote and nobody heard."""
        return [self._lines.get() for _ in range(self._lines.qsize())]

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)


@contextmanager
def child(environ: Mapping[str, str], log: Path, code: str | None = None) -> Iterator[Child]:
    """`python -m consumer.child`, or `code` in its place, with its standard error in `log`."""
    command = [sys.executable, *(["-c", code] if code else ["-m", "consumer.child"])]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1
        )
    talking = Child(process)
    try:
        yield talking
    finally:
        if process.poll() is None:
            process.kill()
        talking.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe
            pipe.close()
