# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All requests that are not hot, and all watches, go through aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from ..errors import SchedulerError, Unknown, Unreached
from .credentials import Credentials, Identity
from .refusal import refusal
from .transport import JSON, Ending, Request, Response, all_at_once

USER_AGENT = "podplacement-scheduler"
CONNECT_SECONDS = 10.0
_CHUNK = 1 << 20
# A busy watch is read two hundred times a second, not a thousand: after lines that came within
# this time of those before, or were there already, what follows is left to gather for as long.
GATHER_SECONDS = 0.005
_AT_ONCE = 0.0005


class HttpTransport:
    """aiohttp as a `Transport`; `gate` is asked in the moment before bytes are written."""

    def __init__(self, credentials: Credentials, *, gate: Callable[[], bool] | None = None) -> None:
        self.credentials = credentials
        self.gate = gate
        self._session: aiohttp.ClientSession | None = None

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
        await self._refresh()
        identity = self.credentials.current
        response = await self._once(method, path, body, content_type, timeout)
        if response.status == 401 and await self.credentials.renew(identity):
            response = await self._once(method, path, body, content_type, timeout)
        return response

    async def _once(
        self, method: str, path: str, body: bytes | None, content_type: str, timeout: float
    ) -> Response:
        told = f"{method} {path.partition('?')[0]}"
        trace = SimpleNamespace(sent=False)
        headers = self._headers() | ({"Content-Type": content_type} if body is not None else {})
        try:
            async with self._opened().request(
                method,
                self._url(path),
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
                trace_request_ctx=trace,
                **self._options(),
            ) as answer:
                content = await answer.read()
                return Response(answer.status, content, _lower(answer.headers))
        except (aiohttp.ClientError, OSError, TimeoutError) as err:
            raise failure(err, told, sent=trace.sent) from err

    async def burst(self, requests: Sequence[Request], *, timeout: float = 10.0) -> list[Ending]:
        """See `Transport.burst`."""
        return await all_at_once(self, requests, timeout=timeout)

    @asynccontextmanager
    async def stream(
        self, path: str, *, idle_timeout: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """See `Transport.stream`."""
        await self._refresh()
        told = f"GET {path.partition('?')[0]}"
        identity = self.credentials.current
        trace = SimpleNamespace(sent=False)
        try:
            answer = await self._opened().get(
                self._url(path),
                headers=self._headers(),
                timeout=aiohttp.ClientTimeout(
                    sock_connect=min(CONNECT_SECONDS, idle_timeout), sock_read=idle_timeout
                ),
                trace_request_ctx=trace,
                **self._options(),
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as err:
            raise failure(err, told, sent=trace.sent) from err
        try:
            if answer.status != 200:
                await self._refuse(answer, told, identity)
            yield _lines(answer, told)
        finally:
            answer.close()

    async def _refuse(self, answer: aiohttp.ClientResponse, told: str, identity: Identity) -> None:
        try:
            body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            body = b""
        if answer.status == 401:
            await self.credentials.renew(identity)  # for the next one
        raise refusal(Response(answer.status, body, _lower(answer.headers)), told)

    async def close(self) -> None:
        """See `Transport.close`."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            # Connections that were cut are told so in the next turn of the loop: if it ended
            # before, they would be reported as never closed.
            await asyncio.sleep(0)

    async def _refresh(self) -> None:
        if self.credentials.is_due(asyncio.get_running_loop().time()):
            await self.credentials.refresh()

    def _opened(self) -> aiohttp.ClientSession:
        """Made in the running loop, when first needed."""
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(self._before_sending)
            self._session = aiohttp.ClientSession(
                # Go's server closes idle connections after 90 s or more; we are first.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
                trace_configs=[trace],
                read_bufsize=_CHUNK,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    async def _before_sending(self, _session: Any, context: Any, _params: Any) -> None:
        """aiohttp calls this when a connection is there and no byte was written."""
        if self.gate is not None and not self.gate():
            raise Unreached("not sent: this process may not write now")
        context.trace_request_ctx.sent = True

    def _url(self, path: str) -> URL:
        return URL(self.credentials.current.server + path, encoded=True)

    def _headers(self) -> dict[str, str]:
        headers = {
            "Accept": JSON,
            # Compressing a watch or a bind costs both ends more than a cluster's network.
            "Accept-Encoding": "identity",
            "User-Agent": USER_AGENT,
        }
        if authorization := self.credentials.current.authorization:
            headers["Authorization"] = authorization
        return headers

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"allow_redirects": False}
        identity = self.credentials.current
        if identity.tls is not None:
            options["ssl"] = identity.tls
            if identity.server_name:
                options["server_hostname"] = identity.server_name
        if identity.proxy:
            options["proxy"] = identity.proxy
        return options


async def _lines(answer: aiohttp.ClientResponse, told: str) -> AsyncIterator[bytes]:
    """Whole lines; what is left of a line when the stream ends is dropped."""
    rest: list[bytes] = []
    clock = asyncio.get_running_loop().time
    before = asked = float("-inf")
    try:
        while chunk := await answer.content.readany():
            came = clock()
            *lines, last = chunk.split(b"\n")
            if lines and rest:
                lines[0] = b"".join((*rest, lines[0]))
                rest.clear()
            if last:
                rest.append(last)
            for line in lines:
                if line:
                    yield line
            if came - before < GATHER_SECONDS or came - asked < _AT_ONCE:
                await asyncio.sleep(GATHER_SECONDS)
            before, asked = came, clock()
    except (aiohttp.ClientError, OSError, TimeoutError) as err:
        raise failure(err, told, sent=True) from err


def failure(err: BaseException, told: str, *, sent: bool) -> SchedulerError:
    """Unknown or Unreached; the text names the request and the error, never a header."""
    cause = "no answer in time" if isinstance(err, TimeoutError) else type(err).__name__
    if isinstance(err, OSError) and err.strerror and not isinstance(err, TimeoutError):
        cause = err.strerror
    return Unknown(f"{told}: {cause}") if sent else Unreached(f"{told}: {cause}")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
