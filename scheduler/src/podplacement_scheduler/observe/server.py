# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health is for everybody; all else is local or for those whom the API server lets in.

Two listeners: `/healthz`, `/livez` and `/readyz` on one; metrics and the pages of the daemon on the
other. Nobody who is slow, silent or numerous can hurt: a connection lives for a minute at most,
and where there are too many, the oldest goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from ..config import Server as Settings
from .access import Access, Verdict

log = logging.getLogger(__name__)
_LIFETIME = 60.0
_CONNECTIONS = 100
_LARGEST_REQUEST = 16 * 1024
_PURGE_SECONDS = 5.0

# The name of what is looked at -> what is wrong with it; empty where nothing is.
Checks = Callable[[], Mapping[str, str]]


@dataclass(frozen=True)
class Answer:
    """What a page says."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200


# The query's parameters -> the answer.
Page = Callable[[Mapping[str, str]], Awaitable[Answer]]


class Server:
    """`pages` by path, `/metrics` among them; `access` where authorization is on."""

    def __init__(
        self,
        settings: Settings,
        *,
        ready: Checks,
        pages: Mapping[str, Page],
        alive: Checks = dict,
        access: Access | None = None,
    ) -> None:
        self._settings = settings
        self._ready = ready
        self._alive = alive
        self._pages = dict(pages)
        self._access = access
        self._runners: list[web.AppRunner] = []
        self._listeners: list[asyncio.Server] = []
        self._tls: _Certificate | None = None
        self._tasks: list[asyncio.Task[None]] = []
        # Where it listens: the chosen ports, where 0 was asked for.
        self.health_address = ""
        self.address = ""

    async def start(self) -> None:
        """Listen; says in the log where."""
        health = web.Application(client_max_size=_LARGEST_REQUEST)
        health.router.add_get("/healthz", self._healthz)
        health.router.add_get("/livez", self._healthz)
        health.router.add_get("/readyz", self._readyz)
        self.health_address = await self._listen(health, self._settings.health_address, None)
        main = web.Application(client_max_size=_LARGEST_REQUEST, middlewares=[self._guard])
        for path, page in self._pages.items():
            main.router.add_get(path, _handler(page))
        if self._settings.certificate_file:
            self._tls = _Certificate(self._settings.certificate_file, self._settings.key_file)
        elif self._access is not None:
            log.warning("tokens are accepted without TLS; set server.certificateFile and keyFile")
        context = self._tls.context if self._tls else None
        self.address = await self._listen(main, self._settings.address, context)
        told = {"health_address": self.health_address, "address": self.address}
        log.info("serving", extra=told)

    async def close(self) -> None:
        """Stop listening, and drop who is still connected."""
        for task in self._tasks:
            task.cancel()
        for listener in self._listeners:
            listener.close()
        for runner in self._runners:
            await runner.cleanup()

    async def _listen(
        self, app: web.Application, address: str, context: ssl.SSLContext | None
    ) -> str:
        host, _colon, port = address.rpartition(":")
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, keepalive_timeout=15, shutdown_timeout=1
        )
        await runner.setup()
        self._runners.append(runner)
        if runner.server is None:
            raise RuntimeError("the runner was set up and has no server")
        bounded = _Bounded(runner.server)
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            bounded.connect, host.strip("[]"), int(port), ssl=context, backlog=128
        )
        self._listeners.append(listener)
        self._tasks.append(loop.create_task(self._purge(bounded)))
        return f"{host}:{listener.sockets[0].getsockname()[1]}"

    async def _purge(self, bounded: _Bounded) -> None:
        while True:
            await asyncio.sleep(_PURGE_SECONDS)
            bounded.purge()
            if self._tls is not None:
                self._tls.refresh()

    async def _healthz(self, request: web.Request) -> web.Response:
        return _report("healthz", self._alive(), request)

    async def _readyz(self, request: web.Request) -> web.Response:
        return _report("readyz", self._ready(), request)

    @web.middleware
    async def _guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Let in who may; an unknown path tells a stranger no more than a known one."""
        if self._access is not None:
            header = request.headers.get("Authorization", "")
            verdict = await self._access.judge(header, request.path)
            if verdict is not Verdict.ALLOWED:
                return web.Response(status=verdict.value, text=f"{verdict.name.lower()}\n")
        return await handler(request)


class _Bounded:
    """At most so many connections, each for at most so long; the oldest makes room."""

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._open: dict[asyncio.BaseProtocol, float] = {}

    def connect(self) -> asyncio.BaseProtocol:
        """What asyncio asks for when somebody connects."""
        self.purge()
        while len(self._open) >= _CONNECTIONS:
            self._drop(next(iter(self._open)))
        handler = self._server()
        self._open[handler] = asyncio.get_running_loop().time()
        return handler

    def purge(self) -> None:
        """Forget who is gone, drop who is here for too long. The dict is ordered by age."""
        now = asyncio.get_running_loop().time()
        for handler, since in list(self._open.items()):
            if now - since > _LIFETIME:
                self._drop(handler)
            elif now > since and getattr(handler, "transport", None) is None:
                del self._open[handler]

    def _drop(self, handler: asyncio.BaseProtocol) -> None:
        del self._open[handler]
        transport = getattr(handler, "transport", None)
        if transport is not None:
            transport.abort()


class _Certificate:
    """A certificate that is read again when its files change, as a Secret's do."""

    def __init__(self, certificate: str, key: str) -> None:
        self._files = (Path(certificate), Path(key))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seen = self._times()
        self.context.load_cert_chain(*self._files)

    def refresh(self) -> None:
        """Take the new one for new connections; a pair that does not match yet waits."""
        with contextlib.suppress(OSError, ssl.SSLError):
            times = self._times()
            if times != self._seen:
                self.context.load_cert_chain(*self._files)
                self._seen = times

    def _times(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns for file in self._files)


def _handler(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        answer = await page(request.query)
        headers = {"Content-Type": answer.content_type, "X-Content-Type-Options": "nosniff"}
        return web.Response(body=answer.body, status=answer.status, headers=headers)

    return handle


def _report(name: str, checks: Mapping[str, str], request: web.Request) -> web.Response:
    """As upstream's health pages: `ok`, or a line for each check."""
    failed = any(checks.values())
    lines = [
        f"[-]{check} failed: {problem}" if problem else f"[+]{check} ok"
        for check, problem in checks.items()
    ]
    if not failed and "verbose" not in request.query:
        return web.Response(text="ok")
    lines.append(f"{name} check {'failed' if failed else 'passed'}")
    return web.Response(text="\n".join(lines) + "\n", status=500 if failed else 200)
