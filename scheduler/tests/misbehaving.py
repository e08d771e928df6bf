# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server on a real socket, which answers as badly as a test tells it to."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from podplacement_scheduler.api.client import Client
from podplacement_scheduler.api.credentials import Credentials
from podplacement_scheduler.api.http import HttpTransport
from podplacement_scheduler.api.reading import Reading
from podplacement_scheduler.api.writer import WriterPool

LIMIT = 20.0  # seconds after which a test is stuck


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Exchange:
    """One request, and the means to answer it."""

    def __init__(self, head: str, body: bytes, streams: Streams) -> None:
        first, *lines = head.split("\r\n")
        self.method, target, _version = first.split(" ")
        self.path = urlsplit(target).path
        self.query = {
            key: values[0]
            for key, values in parse_qs(urlsplit(target).query, keep_blank_values=True).items()
        }
        pairs = (line.partition(":") for line in lines if line)
        self.headers = {name.lower(): value.strip() for name, _colon, value in pairs}
        self.body = body
        self._reader, self._writer = streams

    async def reply(self, body: Any = b"{}", status: int = 200, **headers: str) -> None:
        """An ordinary answer; underscores in names of headers are hyphens."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join((*lines, "", "")).encode() + data)

    async def refuse(self, code: int, reason: str = "", message: str = "", **more: Any) -> None:
        """An answer with a Status object."""
        await self.reply(status(code, reason, message, **more), code)

    async def begin(self) -> None:
        """The head of a watch."""
        await self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def event(self, kind: str, content: Any) -> None:
        """A line of a watch."""
        await self.chunk(json.dumps({"type": kind, "object": content}).encode() + b"\n")

    async def chunk(self, data: bytes) -> None:
        """A part of a watch; none is its end."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def read(self, count: int) -> list[tuple[str, bytes]]:
        """Head and body of the next requests, which were sent before this one is answered."""
        return [await request(self._reader) for _one in range(count)]

    def close(self) -> None:
        """End the connection as a server does that shuts down."""
        self._writer.close()

    def drop(self) -> None:
        """End the connection as a server does that dies."""
        self._writer.transport.abort()

    async def hang(self) -> None:
        """Say nothing until the client goes."""
        await self._reader.read(1)


async def request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Head and body of the next one."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = head.lower().partition("content-length:")[2].partition("\r\n")[0]
    return head, await reader.readexactly(int(length or 0))


Script = Callable[[Exchange], Awaitable[None]]


class Server:
    """Requests are answered by `script`, one after the other, and then by `otherwise`."""

    def __init__(self) -> None:
        self.script: list[Script] = []
        self.otherwise: Script = Exchange.reply
        self.requests: list[Exchange] = []
        self.connections = 0  # since the start
        self.open = 0
        self.most_open = 0
        self.port = 0
        self.changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Open the socket: where it was, if there was one."""
        self._listener = await asyncio.start_server(self._take, "127.0.0.1", self.port, ssl=tls)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close all as a process does that is killed."""
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._handle(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def until(self, truth: Callable[[], bool]) -> None:
        """Wait until what the server has seen is as expected."""
        async with self.changed:
            await self.changed.wait_for(truth)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        await self._count(+1)
        try:
            while not (writer.is_closing() or reader.at_eof()):
                exchange = Exchange(*await request(reader), (reader, writer))
                self.requests.append(exchange)
                await self._count(0)
                await (self.script.pop(0) if self.script else self.otherwise)(exchange)
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()
            await self._count(-1)

    async def _count(self, by: int) -> None:
        async with self.changed:
            self.open += by
            self.most_open = max(self.open, self.most_open)
            self.changed.notify_all()

    def credentials(self, *, token: str = "secret-token", scheme: str = "http") -> Credentials:
        """As they would come from a kubeconfig."""
        server = f"{scheme}://127.0.0.1:{self.port}"
        return Credentials(lambda: Reading(server=server, authorization=f"Bearer {token}"))

    @asynccontextmanager
    async def pool(self, connections: int = 4, **options: Any) -> AsyncIterator[WriterPool]:
        """A WriterPool that is closed in the end."""
        pool = WriterPool(self.credentials(), connections=connections, **options)
        try:
            yield pool
        finally:
            await pool.close()

    @asynccontextmanager
    async def http(self, **options: Any) -> AsyncIterator[HttpTransport]:
        """An HttpTransport that is closed in the end."""
        transport = HttpTransport(self.credentials(), **options)
        try:
            yield transport
        finally:
            await transport.close()

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[Client]:
        """A client on an HttpTransport."""
        async with self.http() as transport:
            yield Client(transport, **options)


def served(
    test: Callable[[Server], Coroutine[Any, Any, None]],
) -> Callable[[], None]:
    """Make a test of a coroutine that is given a server."""

    async def main() -> None:
        server = Server()
        async with serving(server), asyncio.timeout(LIMIT):
            await test(server)

    def wrapped() -> None:
        asyncio.run(main())

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


@asynccontextmanager
async def serving(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Open its socket, and close all that is left in the end."""
    await server.start(tls)
    try:
        yield
    finally:
        await server.stop()


def status(code: int, reason: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    """A Status object."""
    return {"kind": "Status", "code": code, "reason": reason, "message": message, **more}
