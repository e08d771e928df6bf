# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way between a daemon and the fake API server, on which everything can go wrong.

A request leaves, is carried out and is answered at three different moments, and each may be the
last: what the sender learns is what a sender over TCP would learn. The server's side of it goes on
while the sender is frozen or dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import msgspec

from ..api.refusal import refusal
from ..api.transport import JSON, Ending, Request, Response, all_at_once
from ..errors import SchedulerError, Unknown, Unreached
from .admission import Refused
from .fake import FakeServer
from .loop import process_context
from .watches import Watch

SERVER = "api-server"


@dataclass(frozen=True)
class Asked:
    """One request, as it leaves a process."""

    process: str
    method: str
    path: str
    body: bytes | None
    content_type: str = JSON


@dataclass(frozen=True)
class Fate:
    """What becomes of one request. `refused` is answered in place of carrying it out, or, with
    `executed`, after that; `lost` is the answer that never comes."""

    unreached: bool = False
    refused: Response | None = None
    executed: bool = True
    lost: bool = False
    delay: float = 0.0


WELL = Fate()
NO_ANSWER = Response(0)


class Network:
    """One API server and all that reach it; the faults of `faults.py` work on it."""

    def __init__(self, server: FakeServer, rng: Random) -> None:
        self.server = server
        self.rng = rng
        self.up = True
        self.watches: list[tuple[str, Watch]] = []
        self.fate: Callable[[str, str], Fate] = lambda _method, _path: WELL
        # Whoever wants to know what a process asks, and what it learns: None before the answer.
        self.witness: Callable[[Asked, Response | SchedulerError | None], None] = lambda *_: None
        self.context = process_context(SERVER)
        self._under_way: set[asyncio.Future[Response]] = set()

    def latency(self) -> float:
        """One way."""
        return self.rng.uniform(0.0005, 0.005)

    def crash(self) -> None:
        """As kill -9 of the API server: connections break, the store survives."""
        self.up = False
        for _process, watch in self.watches:
            watch.cut()
        for answer in list(self._under_way):
            _fail(answer, Unknown("the connection was reset"))

    def restart(self) -> None:
        """It is back; it remembers no history from before."""
        self.up = True
        self.server.store.compact()

    def send(self, asked: Asked, fate: Fate) -> asyncio.Future[Response]:
        """The bytes have left."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Response] = loop.create_future()
        self._under_way.add(answer)
        answer.add_done_callback(self._under_way.discard)
        delay = self.latency() + fate.delay
        loop.call_later(delay, self._arrive, asked, fate, answer, context=self.context)
        return answer

    def _arrive(self, asked: Asked, fate: Fate, answer: asyncio.Future[Response]) -> None:
        if not self.up:
            _fail(answer, Unknown("the connection was reset"))
            return
        response = fate.refused or NO_ANSWER
        if fate.executed:
            done = self.server.handle(
                asked.method,
                asked.path,
                asked.body,
                content_type=asked.content_type,
                writer=asked.process,
            )
            response = fate.refused or done
        if not fate.lost:
            loop = asyncio.get_running_loop()
            loop.call_later(self.latency(), _answer, answer, response, context=self.context)

    def open(self, process: str, path: str) -> Watch:
        """A watch of a process; raises Refused."""
        watch = Watch(self.server, path, self.context)
        self.watches = [(who, one) for who, one in self.watches if one.is_open]
        self.watches.append((process, watch))
        return watch


class FakeTransport:
    """`Transport` of one process."""

    def __init__(
        self, network: Network, process: str, *, gate: Callable[[], bool] | None = None
    ) -> None:
        self._network = network
        self._process = process
        self._gate = gate

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> Response:
        """See `Transport.request`."""
        network = self._network
        fate = network.fate(method, path)
        await asyncio.sleep(network.latency())  # for a connection
        if fate.unreached or not network.up:
            raise Unreached(f"{method} {path}: no connection")
        if self._gate is not None and not self._gate():
            raise Unreached("not sent: this process may not write now")
        asked = Asked(self._process, method, path, body, content_type)
        network.witness(asked, None)
        try:
            async with asyncio.timeout(timeout):
                response = await network.send(asked, fate)
        except TimeoutError as err:
            unknown = Unknown(f"{method} {path}: no answer in time")
            network.witness(asked, unknown)
            raise unknown from err
        except Unknown as err:
            network.witness(asked, err)
            raise
        network.witness(asked, response)
        return response

    async def burst(self, requests: Sequence[Request], *, timeout: float = 10.0) -> list[Ending]:
        """See `Transport.burst`."""
        return await all_at_once(self, requests, timeout=timeout)

    @asynccontextmanager
    async def stream(
        self, path: str, *, idle_timeout: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """See `Transport.stream`."""
        network = self._network
        fate = network.fate("GET", path)
        await asyncio.sleep(network.latency())
        if fate.unreached or not network.up:
            raise Unreached(f"watch {path}: no connection")
        if fate.refused is not None:
            raise refusal(fate.refused, f"watch {path}")
        try:
            watch = network.open(self._process, path)
        except Refused as err:
            raise refusal(err.response(), f"watch {path}") from err
        try:
            yield self._lines(watch, idle_timeout)
        finally:
            watch.close()

    async def _lines(self, watch: Watch, idle_timeout: float) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(idle_timeout):
                    line = await watch.lines.get()
            except TimeoutError as err:
                raise Unknown("nothing came") from err
            if line is None:
                return
            if isinstance(line, Exception):
                raise Unknown(str(line)) from line
            yield line

    async def close(self) -> None:
        """Nothing is kept open."""


def refusing(code: int, reason: str, *, retry_after: int = 0) -> Response:
    """What a server says that does not want a request now."""
    status = Refused(code, reason, reason).status()
    headers = {"retry-after": str(retry_after)} if retry_after else {}
    return Response(code, msgspec.json.encode(status), headers)


def _answer(answer: asyncio.Future[Response], response: Response) -> None:
    if not answer.done():
        answer.set_result(response)


def _fail(answer: asyncio.Future[Response], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
