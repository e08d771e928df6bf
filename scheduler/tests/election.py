# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Lease, two replicas that compete for it, and a record of who wrote when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from podplacement_scheduler.errors import ApiError
from podplacement_scheduler.leader import Leader
from podplacement_scheduler.testing.loop import VirtualClock, VirtualLoop, process_context

PATH = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"


class LeaseServer:
    """One Lease, with optimistic locking; `fault` is asked before and after each request."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.history: list[tuple[float, str]] = []
        self.fault: Callable[[str, str], BaseException | float | None] = lambda _when, _who: None

    def seen_by(self, who: str) -> Seat:
        return Seat(self, who)

    def carry_out(self, method: str, path: str, body: bytes | None) -> bytes:
        if method == "GET":
            if self.lease is None:
                raise ApiError(404, "NotFound")
            return msgspec.json.encode(self.lease)
        sent = msgspec.json.decode(body or b"")
        if method == "POST":
            assert path == PATH
            if self.lease is not None:
                raise ApiError(409, "AlreadyExists")
        else:
            assert path == f"{PATH}/it"
            if self.lease is None:
                raise ApiError(404, "NotFound")
            if sent["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
                raise ApiError(409, "Conflict")
        self.version += 1
        sent["metadata"]["resourceVersion"] = str(self.version)
        self.lease = sent
        self.history.append((asyncio.get_running_loop().time(), sent["spec"]["holderIdentity"]))
        return msgspec.json.encode(sent)

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        found: dict[str, Any] = self.lease["spec"]
        return found


class Seat:
    """One replica's connection to the server; an answer takes 10 ms."""

    def __init__(self, server: LeaseServer, who: str) -> None:
        self.server = server
        self.who = who

    async def call(
        self, method: str, path: str, body: Any = None, *, timeout: float = 10.0
    ) -> bytes:
        await self._fail("before")
        await asyncio.sleep(0.005)
        answer = self.server.carry_out(method, path, body)
        await self._fail("after")
        await asyncio.sleep(0.005)
        return answer

    async def _fail(self, when: str) -> None:
        fault = self.server.fault(when, self.who)
        if isinstance(fault, BaseException):
            raise fault
        if fault is not None:
            await asyncio.sleep(fault)


class Replica:
    """Acquires, keeps and writes as long as it may."""

    def __init__(self, server: LeaseServer, name: str, writes: list[tuple[float, str]]) -> None:
        self.name = name
        self.writes = writes
        self.clock = VirtualClock()
        self.leader = Leader(
            server.seen_by(name), self.clock, Random(name), namespace="ns", name="it", identity=name
        )
        loop = asyncio.get_running_loop()
        context = process_context(name)
        self.task = loop.create_task(self.live(), context=context)
        self.writer = loop.create_task(self.write(), context=context)

    async def live(self) -> None:
        await self.leader.acquire()
        await self.leader.keep()

    async def write(self) -> None:
        while True:
            if self.leader.may_write():
                self.writes.append((self.clock.monotonic(), self.name))
            await asyncio.sleep(0.25)

    def kill(self) -> None:
        self.task.cancel()
        self.writer.cancel()


class Pair:
    """Two replicas of which `a` leads."""

    def __init__(self) -> None:
        self.server = LeaseServer()
        self.writes: list[tuple[float, str]] = []

    async def start(self) -> None:
        self.a = Replica(self.server, "a", self.writes)
        await asyncio.sleep(1)
        self.b = Replica(self.server, "b", self.writes)
        await asyncio.sleep(30)
        assert self.writers() == {"a"}

    def writers(self, since: float = 0.0) -> set[str]:
        return {who for at, who in self.writes if at >= since}

    def turns(self) -> list[str]:
        """Who wrote, in order, without repetition."""
        order: list[str] = []
        for _at, who in self.writes:
            if order[-1:] != [who]:
                order.append(who)
        return order

    def end(self) -> None:
        self.a.kill()
        self.b.kill()


def loop() -> VirtualLoop:
    found = asyncio.get_running_loop()
    assert isinstance(found, VirtualLoop)
    return found
