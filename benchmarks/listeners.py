"""`python -m benchmarks.listeners URL`: clients of live streams that take whatever comes, until they are told to end.

A process of its own. Prints a line once all have their snapshot, and at SIGTERM JSON of what came since.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections import Counter
from urllib.parse import urlsplit


async def listen(host: str, port: int, counts: Counter[str], begun: asyncio.Event) -> None:
    """One stream: counts events by name, and bytes."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /api/live HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n\r\n".encode())
    try:
        async for line in reader:
            counts["bytes"] += len(line)
            if line.startswith(b"event: "):
                counts[line[7:].decode().strip()] += 1
                begun.set()
    finally:
        writer.close()


async def main() -> int:
    """Listen, and print what came."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listeners", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--streams", type=int, default=500)
    a = parser.parse_args()
    address = urlsplit(a.url)
    assert address.hostname
    assert address.port
    counts: Counter[str] = Counter()
    begun = [asyncio.Event() for _ in range(a.streams)]
    streams = [asyncio.create_task(listen(address.hostname, address.port, counts, each)) for each in begun]
    await asyncio.gather(*(each.wait() for each in begun))
    counts.clear()
    print("listening", flush=True)  # noqa: T201  whoever measures begins now
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    lost = sum(stream.done() for stream in streams)
    for stream in streams:
        stream.cancel()
    sys.stdout.write(json.dumps({**counts, "lost": lost}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
