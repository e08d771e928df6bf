# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bindings and events are written by a protocol of our own: aiohttp costs a multiple of CPU.

HTTP/1.1 over kept-alive connections, one request in flight on each. A request is never repeated
here: once a byte was written its outcome is the server's answer, or Unknown.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import cast
from urllib.parse import urlsplit

from ..errors import Unknown, Unreached
from .answer import Answer, BadAnswer
from .credentials import Credentials, Identity
from .http import CONNECT_SECONDS, USER_AGENT, failure
from .transport import JSON, Response

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
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()
        self._closed = False
        self._identity: Identity | None = None  # that `_headers` is of
        self._headers = b""
        self._prefix = b""

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
        if self.credentials.is_due(asyncio.get_running_loop().time()):
            await self.credentials.refresh()
        identity = self.credentials.current
        response = await self._once(method, path, body, content_type, timeout)
        if response.status == 401 and await self.credentials.renew(identity):
            response = await self._once(method, path, body, content_type, timeout)
        return response

    def stream(
        self, path: str, *, idle_timeout: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Not here: one request in flight each is the point of this transport."""
        raise TypeError("WriterPool has no streams; use HttpTransport")

    async def close(self) -> None:
        """See `Transport.close`; who waits for an answer gets Unknown."""
        self._closed = True
        for connection in tuple(self._open):
            connection.abort()
        while self._open:
            await asyncio.sleep(0)  # the loop tells each of its end in one of its next turns

    async def _once(
        self, method: str, path: str, body: bytes | None, content_type: str, timeout: float
    ) -> Response:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        told = f"{method} {path}"
        if self._slots.locked():
            await self._wait_in_line(told, deadline)
        else:
            await self._slots.acquire()
        try:
            connection = self._reusable(loop.time()) or await self._connect(told, deadline)
            if self.gate is not None and not self.gate():
                self._idle.append(connection)
                raise Unreached(f"{told}: not sent: this process may not write now")
            content = self._bytes(method, path, body, content_type)
            try:
                return await connection.send(content, told, method, deadline)
            finally:
                if connection.settle(loop.time()):
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

    def _reusable(self, now: float) -> _Connection | None:
        """The connection that was used last, so that those in surplus grow old."""
        tls = self.credentials.current.tls
        while self._idle:
            connection = self._idle.pop()
            if connection.may_be_used(tls, now - IDLE_SECONDS):
                return connection
            connection.abort()
        return None

    async def _connect(self, told: str, deadline: float) -> _Connection:
        if self._closed:
            raise Unreached(f"{told}: not sent: closed")
        loop = asyncio.get_running_loop()
        identity = self.credentials.current
        url = urlsplit(identity.server)
        host, tls = url.hostname or "", identity.tls
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + CONNECT_SECONDS)):
                made = await loop.create_connection(
                    lambda: _Connection(self._open, tls, loop.time()),
                    host,
                    url.port or (443 if tls else 80),
                    ssl=tls,
                    server_hostname=(identity.server_name or host) if tls else None,
                )
        except (OSError, TimeoutError) as err:
            raise failure(err, told, sent=False) from err
        return made[1]

    def _bytes(self, method: str, path: str, body: bytes | None, content_type: str) -> bytes:
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


class _Connection(asyncio.Protocol):
    """One connection; `_answer` is there while a request is in flight."""

    def __init__(self, open_: set[_Connection], tls: ssl.SSLContext | None, now: float) -> None:
        self._open = open_
        self._tls = tls
        self._used = now
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._future: asyncio.Future[Response] | None = None
        self._told = ""
        self._deadline = now
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._open.add(self)

    def may_be_used(self, tls: ssl.SSLContext | None, since: float) -> bool:
        """Open, used not long ago, and made with the present certificates."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        return self._used >= since and self._tls is tls

    def send(
        self, data: bytes, told: str, method: str, deadline: float
    ) -> asyncio.Future[Response]:
        """Write a request; the future ends with its answer, or Unknown."""
        transport, loop = self._transport, asyncio.get_running_loop()
        if transport is None or transport.is_closing():
            raise Unreached(f"{told}: not sent: the connection was closed")
        self._told = told
        self._answer = Answer(method)
        self._future = loop.create_future()
        self._deadline = deadline
        # One timer runs behind the deadlines of many requests: most of them never need one.
        if self._timer is None or self._timer.when() > deadline:
            self._arm(loop)
        transport.write(data)
        return self._future

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._deadline, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        """The deadline that the timer was set to is over; the present one may not be."""
        self._timer = None
        if self._future is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._deadline:
            self._arm(loop)
        else:
            self._fail("no answer in time")

    def data_received(self, data: bytes) -> None:
        answer, future = self._answer, self._future
        if answer is None or future is None or future.done():
            self.abort()  # nobody asked: the connection is out of step
            return
        try:
            response = answer.feed(data)
        except BadAnswer as err:
            self._fail(str(err))
        else:
            if response is not None:
                future.set_result(response)

    def settle(self, now: float) -> bool:
        """The one who asked is done; whether the next request may use this connection."""
        answer, self._answer, self._future = self._answer, None, None
        self._used = now
        if answer is None or not answer.keeps_alive:
            self.abort()
        return self._transport is not None and not self._transport.is_closing()

    def eof_received(self) -> None:
        answer, future = self._answer, self._future
        if answer is not None and future is not None and not future.done():
            response = answer.end()
            if response is not None:
                future.set_result(response)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._fail("the connection was closed before the answer")

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, why: str) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_exception(Unknown(f"{self._told}: {why}"))
        self.abort()
