"""A TCP relay between the API and LocalStack that can be cut, mended, and held."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_HELD_S_MAX = 60


class Forwarder:
    """Relays loopback connections to one endpoint. `flowing` cleared: bytes wait. Cut: connections are closed."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.flowing = threading.Event()
        self.flowing.set()
        self._cut = False
        self._sockets: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """Close every connection, and each new one as soon as it is made."""
        self._cut = True
        for connection in self._sockets[1:]:
            _end(connection)

    def mend(self) -> None:
        """Let connections pass again."""
        self._cut = False

    def close(self) -> None:
        """End everything."""
        self.flowing.set()
        self.cut()
        _end(self._listener)
        for thread in self._threads:
            thread.join()
        for connection in self._sockets:
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._cut:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._sockets += near, far
                for source, sink in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=self._pump, args=(source, sink)))
                    self._threads[-1].start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.flowing.wait(_HELD_S_MAX)
                sink.sendall(data)
        _end(source)
        _end(sink)


@contextmanager
def forwarding(endpoint: str) -> Iterator[Forwarder]:
    """A forwarder for one test."""
    forwarder = Forwarder(endpoint)
    try:
        yield forwarder
    finally:
        forwarder.close()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
