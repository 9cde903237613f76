"""Connections in bounds: how many there are, of one address and in all, and how long each may take to say something.

Connections are accepted here and not by the event loop, so that one too many is turned away before anything is
made for it, a TLS handshake included. They are kept well below the number of files the process may open: a gateway
that ran out of them could reach neither its database nor its partners. A request that does not come whole in
time, and an answer that is not read, end their connection; bodies are timed where they are read.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.config import Limits
from gateway.web.problems import BAD_REQUEST, answer

log = structlog.get_logger(__name__)

RESERVED_FILES = 256
"""Open files that are kept for other things than connections: a hundred sendings, some thirty of the database, worker
processes, bodies, and as many again that nobody has thought of."""

WRITE_SECONDS = 30.0
"""How often it is looked whether a peer that reads slowly has read on."""

CRUMBS = 5
"""Bytes between two line ends, on average, below which a body in chunks is not taken: its chunks have less than five
bytes then, each of which takes the time of a thousand. No EDI has such lines."""

_JUDGED = 4096
"""Bytes that must have come at once to be judged so; whoever sends a few at a time costs little."""

AHEAD = 64 * 1024
"""Bytes that are read before a request has begun to be handled; a header and the beginning of its body fit."""

FULL_SECONDS = 0.5
"""How long nothing is accepted after the system had no room for another connection."""

TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""What one connection too many is told, where it can be told without TLS."""

_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def raise_file_limit() -> int:
    """Let this process open as many files as the system lets it; how many that are (getrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # some systems name a limit that they do not grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Connections:
    """Who is connected."""

    def __init__(self, limits: Limits, files: int) -> None:
        """`files` is how many the process may open."""
        self.most = max(1, min(limits.connections, files - RESERVED_FILES))
        self._most_of_address = limits.connections_per_address
        self._by_address = Counter[str]()

    def __len__(self) -> int:
        return self._by_address.total()

    def admit(self, address: str) -> bool:
        """Count a new connection, unless there are too many."""
        if len(self) >= self.most or self._by_address[address] >= self._most_of_address:
            return False
        self._by_address[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A connection has ended."""
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


def network(host: str) -> str:
    """What connections are counted by: an IPv4 address, or the /64 of an IPv6 one, all of which is one subscriber's."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((int(address) >> 64 << 64, 64)))


class Connection(web.RequestHandler):
    """One HTTP connection, which ends where its peer keeps it waiting.

    How its reading is paused and resumed is aiohttp's own affair (`_buffer_paused` and the like), and has no public
    names: pyproject.toml says of which versions this holds.
    """

    def __init__(self, server: web.Server, limits: Limits, on_lost: Callable[[], None], **settings: Any) -> None:
        """`settings` are those of aiohttp's handler."""
        super().__init__(server, **settings)
        self._limits = limits
        self._on_lost = on_lost
        self._idle, self._chunked = True, False
        self._ahead = 0
        """Bytes that came since the last request began to be handled."""
        self._header: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._expect_header()

    def data_received(self, data: bytes) -> None:
        """From the first byte of a request on, its header must come whole in time."""
        if self._idle and self._header is None and data:
            self._expect_header()
        if len(data) >= _JUDGED and data.count(b"\r\n") * CRUMBS > len(data) and self._is_chunked(data):
            self._abort()
            return
        super().data_received(data)
        if self._idle:
            self._ahead += len(data)
            if self._ahead > AHEAD and not self._buffer_paused:
                self._pause_reading_for_buffer()  # undone by aiohttp when it takes up the next request, or in `begun`

    def _is_chunked(self, data: bytes) -> bool:
        """Whether `data` belongs to a body in chunks, or begins one."""
        return self._chunked if not self._idle else b"chunked" in data[:_JUDGED].lower()

    def begun(self, *, chunked: bool) -> None:
        """A request's header has come whole; its body comes in chunks or all in one."""
        self._idle, self._chunked, self._ahead = False, chunked, 0
        self._forget_header()
        if self._buffer_paused:
            self._resume_reading_if_drained()

    def ended(self, *, whole: bool) -> None:
        """The request has its answer; where its body has not come whole, the rest of that is still to come."""
        self._idle = whole

    def pause_writing(self) -> None:
        """More is to be sent than the peer has read."""
        super().pause_writing()
        self._watch_writing(self._unread())

    def resume_writing(self) -> None:
        """It has been read."""
        super().resume_writing()
        self._forget_writing()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what is no HTTP: it closes the connection, and is one short line in the log.

        A connection that was lost, by the peer or by us, gets none, and no line.
        """
        if isinstance(exc, ConnectionError):
            raise exc
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        exc.__traceback__ = None  # its frames hold what was received
        log.info("request_malformed", kind=type(exc).__name__)
        response = answer(BAD_REQUEST, "en")
        response.force_close()
        return response

    def connection_lost(self, error: BaseException | None) -> None:
        """Let go of everything."""
        self._forget_header()
        self._forget_writing()
        super().connection_lost(error)
        self._on_lost()

    def _expect_header(self) -> None:
        self._header = asyncio.get_running_loop().call_later(self._limits.header_seconds, self._abort)

    def _forget_header(self) -> None:
        if self._header is not None:
            self._header.cancel()
            self._header = None

    def _unread(self) -> int:
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def _watch_writing(self, unread: int) -> None:
        def judge() -> None:
            left = self._unread()
            if left > unread - self._limits.bytes_per_second * WRITE_SECONDS:
                self._abort()
            else:
                self._watch_writing(left)

        self._writing = asyncio.get_running_loop().call_later(WRITE_SECONDS, judge)

    def _forget_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


def time_requests(server: web.Server) -> None:
    """Let the connections of `server` know when a request begins and ends."""
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] = server.request_handler

    async def timed(request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection), "the server's connections are made here"
        connection.begun(chunked="chunked" in request.headers.get("Transfer-Encoding", "").lower())
        try:
            if not request.headers.get("Expect", "").isascii():  # aiohttp would repeat it in its answer, and fail
                return answer(BAD_REQUEST, "en")
            return await handle(request)
        finally:
            connection.ended(whole=request.content.is_eof())

    server.request_handler = timed


class BoundedSite(web.BaseSite):
    """Listens at a host and port, and makes a `Connection` of each that is not too many."""

    def __init__(
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        limits: Limits,
        connections: Connections,
        *,
        ssl_context: ssl.SSLContext | None = None,
        **settings: Any,
    ) -> None:
        """`settings` are those of aiohttp's handler."""
        super().__init__(runner, ssl_context=ssl_context, backlog=1024)
        self._address = host, port
        self._limits = limits
        self._connections = connections
        self._settings = settings
        self._tls = ssl_context

    @property
    def name(self) -> str:
        """Where it listens."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{self._address[0]}:{self._address[1]}"

    async def start(self) -> None:
        """Listen. OSError where that cannot be."""
        await super().start()
        server = self._runner.server
        assert server is not None, "the runner is set up"
        time_requests(server)
        self._server = _Listener(await _listening(*self._address), self._connected)  # type: ignore[assignment]

    async def _connected(self, peer: socket.socket, host: str) -> None:
        """One accepted connection, up to where its protocol has it."""
        address = network(host)
        if not self._connections.admit(address):
            with suppress(OSError):
                if self._tls is None:
                    peer.send(TOO_MANY)
            peer.close()
            return
        loop = asyncio.get_running_loop()
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._connections.leave(address)

        server = self._runner.server
        if server is None:  # it is being closed
            leave()
            peer.close()
            return
        seconds = self._limits.header_seconds if self._tls is not None else None
        try:
            await loop.connect_accepted_socket(
                lambda: Connection(server, self._limits, leave, loop=loop, **self._settings),
                peer,
                ssl=self._tls,
                ssl_handshake_timeout=seconds,
            )
        except (OSError, TimeoutError) as error:  # a handshake that failed or took too long
            leave()
            peer.close()
            log.debug("connection_failed", reason=str(error))


class _Listener:
    """Listening sockets, each with a task that accepts."""

    def __init__(
        self, sockets: list[socket.socket], connected: Callable[[socket.socket, str], Awaitable[None]]
    ) -> None:
        self.sockets = sockets
        self._connected = connected
        self._beginning: set[asyncio.Task[None]] = set()
        self._tasks = [asyncio.create_task(self._accept(one), name="accept") for one in sockets]

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                peer, (host, *_) = await loop.sock_accept(listening)
            except OSError as error:
                if listening.fileno() < 0:
                    return
                if error.errno in _NO_ROOM:
                    log.warning("no_room_for_connections", reason=error.strerror)
                    await asyncio.sleep(FULL_SECONDS)
                continue  # others are about one peer, which has gone already
            peer.setblocking(False)
            task = asyncio.create_task(self._begin(peer, host))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)
            await asyncio.sleep(0)  # those who are connected are served between any two

    async def _begin(self, peer: socket.socket, host: str) -> None:
        await self._connected(peer, host)

    def close(self) -> None:
        """Accept no more."""
        for task in (*self._tasks, *self._beginning):
            task.cancel()
        for one in self.sockets:
            one.close()
        self.sockets = []


async def _listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen at every address of `host`; OSError where one cannot."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            sockets.append(socket.socket(family, socket.SOCK_STREAM))
            sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sockets[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sockets[-1].setblocking(False)
            sockets[-1].bind(address)
            sockets[-1].listen(1024)
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return sockets
