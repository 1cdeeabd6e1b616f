"""The store's listening socket: how many connections, what is in flight, who went away."""

from __future__ import annotations

import logging
import select
import socket
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from laddstream.embedded.engine import Engine
from laddstream.embedded.process import LOOPBACK
from laddstream.embedded.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

Socket = Any
"""`socketserver` types a connection as a socket or a pair; here it is always a socket."""
Address = Any

MAX_CONNECTIONS = 512
GUEST_SLOTS = 8
IDLE_S = 300.0
"""How long a connection may stay open without a request."""

_LOG = logging.getLogger("laddstream.store")


class Server(ThreadingHTTPServer):
    """Listens on loopback and knows the engine, the secret and what is in flight."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        port: int,
        handler: type[BaseHTTPRequestHandler],
        engine: Engine,
        secret: str,
    ) -> None:
        """Bind; raises OSError where the port is taken."""
        self.engine = engine
        self.secret = secret
        self.sessions = Sessions(engine)
        self.guests = threading.BoundedSemaphore(GUEST_SLOTS)
        self.watch = Watch(engine)
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._idle = threading.Condition()
        self._in_flight = 0
        self.stopping = False
        super().__init__((LOOPBACK, port), handler)

    def process_request(self, request: Socket, client_address: Address) -> None:
        """Give a connection its thread, up to `MAX_CONNECTIONS`."""
        if not self._free.acquire(blocking=False):
            request.sendall(b"HTTP/1.1 503 Too Many Connections\r\nContent-Length: 0\r\n\r\n")
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Socket, client_address: Address) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Socket, client_address: Address) -> None:  # noqa: ARG002
        """A defect of ours ends one connection, not the store; a client gone is no news."""
        if isinstance(sys.exc_info()[1], ConnectionError):
            _LOG.info("a client went away")
            return
        _LOG.exception("a connection ended with an error")

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Counts a request as being worked on."""
        with self._idle:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._idle:
                self._in_flight -= 1
                self._idle.notify_all()

    def drain(self, seconds: float) -> bool:
        """Take no more requests, and wait for those in flight; whether all of them ended."""
        self.stopping = True
        with self._idle:
            return self._idle.wait_for(lambda: not self._in_flight, seconds)


class Watch:
    """Cancels reading statements whose client has gone away."""

    def __init__(self, engine: Engine) -> None:
        """Start the watching thread; it sleeps while nothing is watched."""
        self._engine = engine
        self._watched: dict[int, str] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    @contextmanager
    def over(self, connection: socket.socket, tag: str) -> Iterator[None]:
        """Watch a connection while a statement runs under this `log_comment`."""
        descriptor = connection.fileno()
        with self._changed:
            self._watched[descriptor] = tag
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(descriptor, None)

    def _run(self) -> None:
        gone = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._watched))
                polled = dict(self._watched)
            poll = select.poll()
            for descriptor in polled:
                poll.register(descriptor, gone)
            for descriptor, _ in poll.poll(250):
                tag = polled[descriptor]
                with self._changed:
                    # Meanwhile the number may belong to another connection.
                    is_same = self._watched.get(descriptor) == tag
                    if is_same:
                        del self._watched[descriptor]
                if is_same:
                    _LOG.info("the client of %s went away, it is cancelled", tag)
                    self._engine.kill(tag)
