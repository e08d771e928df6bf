# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bindings and events are written by a protocol of our own: aiohttp costs a multiple of CPU.

HTTP/1.1 over kept-alive connections. A binding has one to itself; a burst of requests leaves in one
write, and the server answers one after the other. A request is never repeated here: once a byte was
written its outcome is the server's answer, or Unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

from ..clock import LoopClock
from ..errors import Unknown, Unreached
from .connection import Connection
from .credentials import Credentials, Identity
from .http import CONNECT_SECONDS, USER_AGENT, failure
from .tls import Secured
from .transport import JSON, Ending, Request, Response

# Servers and balancers close idle connections after 60 s or more; a request that meets such a
# close is Unknown, so a connection that was idle for long is not used again.
IDLE_SECONDS = 30.0


class WriterPool:
    """At most `connections` at a time; who comes when all are busy waits in line.

    At most `waiting` wait; one more is turned away as Unreached. `gate` is asked in the moment
    before bytes are written: False is Unreached too.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        connections: int = 32,
        waiting: int = 10_000,
        gate: Callable[[], bool] | None = None,
    ) -> None:
        self.credentials = credentials
        self.gate = gate
        self._connections = connections
        self._waiting = waiting
        self._queued = 0
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._closed = False
        self._identity: Identity | None = None  # that `_headers` is of
        self._headers = b""
        self._prefix = b""
        self._clock = LoopClock()

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> Response:
        """See `Transport.request`; an identity that was refused is read again once."""
        request = Request(method, path, body, content_type)
        [ending] = await self.burst((request,), timeout=timeout)
        if isinstance(ending, Response):
            return ending
        raise ending

    async def burst(self, requests: Sequence[Request], *, timeout: float = 10.0) -> list[Ending]:
        """See `Transport.burst`; all of it takes one connection."""
        if self.credentials.is_due(self._clock.monotonic()):
            await self.credentials.refresh()
        identity = self.credentials.current
        endings = await self._once(requests, timeout)
        refused = [n for n, one in enumerate(endings) if getattr(one, "status", 0) == 401]
        if refused and await self.credentials.renew(identity):
            again = await self._once([requests[n] for n in refused], timeout)
            for n, ending in zip(refused, again, strict=True):
                endings[n] = ending
        return endings

    def stream(
        self, path: str, *, idle_timeout: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Not here: short requests are the point of this transport."""
        raise TypeError("WriterPool has no streams; use HttpTransport")

    async def close(self) -> None:
        """See `Transport.close`; who waits for an answer gets Unknown."""
        self._closed = True
        for connection in tuple(self._open):
            connection.abort()
        while self._open:
            await asyncio.sleep(0)  # the loop tells each of its end in one of its next turns

    async def _once(self, requests: Sequence[Request], timeout: float) -> list[Ending]:
        told = f"{requests[0].method} {requests[0].path}"
        try:
            responses, why = await self._exchange(requests, told, timeout)
        except (Unreached, Unknown) as err:
            return [err] * len(requests)
        endings: list[Ending] = [*responses]
        for request in requests[len(responses) :]:
            endings.append(Unknown(f"{request.method} {request.path}: {why}"))
        return endings

    async def _exchange(
        self, requests: Sequence[Request], told: str, timeout: float
    ) -> tuple[list[Response], str]:
        """The answers that came, and why there were not more."""
        clock = self._clock
        deadline = clock.monotonic() + timeout
        if self._slots.locked():
            await self._wait_in_line(told, deadline)
        else:
            await self._slots.acquire()
        try:
            connection = self._reusable(clock.monotonic()) or await self._connect(told, deadline)
            if self.gate is not None and not self.gate():
                self._idle.append(connection)
                raise Unreached(f"{told}: not sent: this process may not write now")
            content = b"".join(map(self._bytes, requests))
            try:
                return await connection.send(content, len(requests), told, deadline), connection.why
            finally:
                if connection.settle(clock.monotonic()):
                    self._idle.append(connection)
        finally:
            self._slots.release()

    async def _wait_in_line(self, told: str, deadline: float) -> None:
        """First come, first served."""
        if self._queued >= self._waiting:
            raise Unreached(f"{told}: not sent: {self._queued} requests wait already")
        self._queued += 1
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError as err:
            raise Unreached(f"{told}: not sent: no connection was free in time") from err
        finally:
            self._queued -= 1

    def _reusable(self, now: float) -> Connection | None:
        """The connection that was used last, so that those in surplus grow old."""
        tls = self.credentials.current.tls
        while self._idle:
            connection = self._idle.pop()
            if connection.may_be_used(tls, now - IDLE_SECONDS):
                return connection
            connection.abort()
        return None

    async def _connect(self, told: str, deadline: float) -> Connection:
        if self._closed:
            raise Unreached(f"{told}: not sent: closed")
        loop = asyncio.get_running_loop()
        identity = self.credentials.current
        url = urlsplit(identity.server)
        host, tls = url.hostname or "", identity.tls
        connection = Connection(self._open, tls, loop)
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + CONNECT_SECONDS)):
                if tls is None:
                    await loop.create_connection(lambda: connection, host, url.port or 80)
                else:
                    secured = Secured(connection, tls, identity.server_name or host)
                    await loop.create_connection(lambda: secured, host, url.port or 443)
                    await secured.handshake()
        except (OSError, TimeoutError) as err:
            raise failure(err, told, sent=False) from err
        return connection

    def _bytes(self, request: Request) -> bytes:
        method, path, body, content_type = request
        if self._identity is not self.credentials.current:
            self._identity = self.credentials.current
            self._prefix, self._headers = _prepare(self._identity)
        content = body or b""
        rest = f"Content-Type: {content_type}\r\nContent-Length: {len(content)}\r\n\r\n"
        return b"".join(
            (
                method.encode("latin-1"),
                self._prefix,
                path.encode("latin-1"),
                self._headers,
                rest.encode("latin-1"),
                content,
            )
        )


def _prepare(identity: Identity) -> tuple[bytes, bytes]:
    """What comes before the path of each request, and what comes after it."""
    url = urlsplit(identity.server)
    lines = [
        " HTTP/1.1",
        f"Host: {url.netloc.rpartition('@')[2]}",
        f"Accept: {JSON}",
        f"User-Agent: {USER_AGENT}",
    ]
    if identity.authorization:
        lines.append(f"Authorization: {identity.authorization}")
    headers = "".join(f"{line}\r\n" for line in lines)
    return f" {url.path}".encode("latin-1"), headers.encode("latin-1")
