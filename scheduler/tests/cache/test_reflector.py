# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever breaks a watch, the sink gets what the server has, and lists are the exception."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec

from podplacement_scheduler.api.kinds import PODS
from podplacement_scheduler.cache.reflector import INITIAL_END, Reflector
from podplacement_scheduler.clock import LoopClock

from ..misbehaving import LIMIT, Exchange, Script, Server, served, serving, status


class Shelf:
    """A sink: name -> version, and how often everything was replaced."""

    def __init__(self) -> None:
        self.objects: dict[str, str] = {}
        self.replaced = 0
        self.reasons: list[str] = []
        self._changed = asyncio.Event()

    def replace(self, items: Iterable[tuple[str, str]]) -> None:
        self.objects = dict(items)
        self.replaced += 1
        self._changed.set()

    def apply(self, event: str, raw: bytes) -> None:
        name, version = self.read(raw)
        if event == "DELETED":
            del self.objects[name]
        else:
            self.objects[name] = version
        self._changed.set()

    def relist(self, _kind: str, reason: str) -> None:
        self.reasons.append(reason)

    def read(self, raw: bytes) -> tuple[str, str]:
        meta = msgspec.json.decode(raw)["metadata"]
        return meta["uid"], meta["resourceVersion"]

    async def until(self, **objects: str) -> None:
        """Wait until it holds just these."""
        while self.objects != objects:
            self._changed.clear()
            await self._changed.wait()


def pod(name: str, version: int | str) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": str(version)}}


def bookmark(version: int, *, end: bool = False) -> tuple[str, dict[str, Any]]:
    content = pod("", version)
    if end:
        content["metadata"]["annotations"] = {INITIAL_END: "true"}
    return "BOOKMARK", content


def added(name: str, version: int) -> tuple[str, dict[str, Any]]:
    return "ADDED", pod(name, version)


def modified(name: str, version: int) -> tuple[str, dict[str, Any]]:
    return "MODIFIED", pod(name, version)


def deleted(name: str, version: int) -> tuple[str, dict[str, Any]]:
    return "DELETED", pod(name, version)


def gone() -> tuple[str, dict[str, Any]]:
    return "ERROR", status(410, "Expired", "too old resource version: 1 (9)")


def stream(*events: tuple[str, Any], end: str = "hang") -> Script:
    """A watch, or a streaming list, and how it ends."""

    async def answer(exchange: Exchange) -> None:
        await exchange.begin()
        for event in events:
            await exchange.event(*event)
        if end == "hang":
            await exchange.hang()
        elif end == "drop":
            exchange.drop()
        else:
            await exchange.chunk(b"")

    return answer


def listed(version: int, *pods: tuple[str, int]) -> Script:
    """A whole streaming list."""
    return stream(*(added(*each) for each in pods), bookmark(version, end=True))


def refused(code: int, message: str = "") -> Script:
    async def answer(exchange: Exchange) -> None:
        await exchange.refuse(code, message=message)

    return answer


def page(version: int, *pods: tuple[str, int], more: str = "") -> Script:
    async def answer(exchange: Exchange) -> None:
        items = [pod(*each) for each in pods]
        meta = {"resourceVersion": str(version), "continue": more}
        await exchange.reply({"metadata": meta, "items": items})

    return answer


async def drop(exchange: Exchange) -> None:
    exchange.drop()


def asked(server: Server) -> list[str]:
    """The requests in short."""
    return [_short(seen.query) for seen in server.requests]


def _short(query: dict[str, str]) -> str:
    if "sendInitialEvents" in query:
        return "stream"
    if "watch" in query:
        return f"watch {query['resourceVersion']}"
    return f"page {query['continue']}" if "continue" in query else f"list {query.get('limit', '')}"


@asynccontextmanager
async def reflecting(
    server: Server, idle_timeout: float = 0.5
) -> AsyncIterator[tuple[Reflector, Shelf]]:
    """A reflector at work; what is not scripted hangs."""
    server.otherwise = stream()
    shelf = Shelf()
    async with server.client(idle_timeout=idle_timeout) as client:
        reflector = Reflector(
            client,
            PODS,
            shelf,
            clock=LoopClock(),
            rng=Random(1),
            field_selector="a!=b",
            metrics=shelf,
        )
        work = asyncio.create_task(reflector.run())
        try:
            yield reflector, shelf
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


@served
async def test_it_lists_and_then_watches_from_there(server: Server) -> None:
    server.script = [listed(5, ("a", 3), ("b", 4)), stream(modified("a", 6), deleted("b", 7))]
    async with reflecting(server) as (reflector, shelf):
        await reflector.synced.wait()
        await shelf.until(a="6")
        assert asked(server) == ["stream", "watch 5"]
        assert shelf.reasons == ["start"]
        assert reflector.version == "7"
    assert {seen.query["fieldSelector"] for seen in server.requests} == {"a!=b"}


@served
async def test_what_changes_during_the_list_is_not_lost(server: Server) -> None:
    state = added("a", 3), added("b", 4)
    changes = modified("a", 6), deleted("b", 7)
    server.script = [stream(*state, *changes, bookmark(2), bookmark(7, end=True))]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(a="6")
        await server.until(lambda: len(server.requests) == 2)
        assert asked(server) == ["stream", "watch 7"]
        assert shelf.replaced == 1


@served
async def test_a_server_without_streaming_lists_is_asked_for_pages(server: Server) -> None:
    server.script = [
        refused(422, "sendInitialEvents is forbidden"),
        page(5, ("a", 3), more="t"),
        page(5, ("b", 4)),
        stream(gone()),
        page(9, ("c", 9)),
    ]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(c="9")
    assert asked(server)[:5] == ["stream", "list 500", "page t", "watch 5", "list 500"]


@served
async def test_a_streaming_list_that_breaks_is_followed_by_pages(server: Server) -> None:
    server.script = [stream(added("a", 3), end="close"), page(5, ("b", 4)), stream(gone())]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(b="4")
        await server.until(lambda: len(server.requests) == 4)
    assert asked(server)[:4] == ["stream", "list 500", "watch 5", "stream"]


@served
async def test_a_streaming_list_that_stalls_is_followed_by_pages(server: Server) -> None:
    server.script = [stream(added("a", 3)), page(5, ("b", 4))]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(b="4")


@served
async def test_a_list_that_is_compacted_away_between_pages_is_taken_at_once(
    server: Server,
) -> None:
    server.script = [
        refused(400),
        page(5, ("a", 3), more="t"),
        refused(410),
        page(8, ("a", 3), ("b", 8)),
    ]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(a="3", b="8")
    assert asked(server)[:4] == ["stream", "list 500", "page t", "list "]


@served
async def test_a_watch_that_ends_is_followed_by_one_from_the_last_version(server: Server) -> None:
    server.script = [
        listed(5),
        stream(added("a", 6), end="close"),
        stream(bookmark(20), end="close"),
        stream(added("b", 21), end="drop"),
        stream(added("c", 22)),
    ]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(a="6", b="21", c="22")
        assert asked(server) == ["stream", "watch 5", "watch 6", "watch 20", "watch 21"]
        assert shelf.replaced == 1


@served
async def test_a_version_that_is_gone_is_followed_by_a_list(server: Server) -> None:
    server.script = [
        listed(5, ("a", 3), ("b", 4)),
        stream(added("c", 6), gone()),
        listed(9, ("a", 8)),
        refused(410),
        listed(12, ("a", 8), ("d", 11)),
        stream(added("e", 13)),
    ]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(a="8", d="11", e="13")
        assert asked(server) == ["stream", "watch 5", "stream", "watch 9", "stream", "watch 12"]
        assert shelf.reasons == ["start", "gone", "gone"]


@served
async def test_watches_that_bring_nothing_are_followed_by_a_list(server: Server) -> None:
    silent = [stream(end="close")] * 3
    server.script = [listed(5, ("a", 3)), *silent, listed(9, ("b", 8))]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(b="8")
        assert asked(server)[:5] == ["stream", "watch 5", "watch 5", "watch 5", "stream"]
        assert shelf.reasons == ["start", "silent"]


@served
async def test_bookmarks_are_not_nothing(server: Server) -> None:
    silent = stream(end="close")
    quiet = [silent, silent, stream(bookmark(6), end="close"), silent, silent]
    server.script = [listed(5, ("a", 3)), *quiet, stream(added("b", 10))]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(a="3", b="10")
        assert shelf.replaced == 1


@served
async def test_a_half_open_connection_is_given_up_and_nothing_is_lost(server: Server) -> None:
    server.script = [listed(5, ("a", 3)), stream(added("b", 6)), stream(added("c", 7))]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(a="3", b="6", c="7")
        assert asked(server)[:3] == ["stream", "watch 5", "watch 6"]
        assert shelf.replaced == 1


@served
async def test_a_server_in_trouble_is_asked_again(server: Server) -> None:
    trouble = [drop, refused(500), refused(429)]
    server.script = [*trouble, listed(5), refused(503), drop, stream(added("a", 6))]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(a="6")
        assert shelf.replaced == 1
        assert asked(server)[-3:] == ["watch 5", "watch 5", "watch 5"]


@served
async def test_a_watch_that_is_refused_for_good_is_followed_by_a_list(server: Server) -> None:
    server.script = [listed(5), *[refused(500, "cacher is broken")] * 3, listed(9, ("a", 8))]
    async with reflecting(server) as (_reflector, shelf):
        await shelf.until(a="8")
        assert shelf.reasons == ["start", "refused"]


@served
async def test_a_version_that_the_server_never_had_is_followed_by_a_list(server: Server) -> None:
    server.script = [
        listed(5000, ("a", 3)),
        refused(504, "Timeout: Too large resource version: 5000, current: 90"),
        listed(90, ("a", 3)),
    ]
    async with reflecting(server) as (_reflector, shelf):
        await server.until(lambda: len(server.requests) == 4)
        assert asked(server) == ["stream", "watch 5000", "stream", "watch 90"]
        assert shelf.reasons == ["start", "refused"]


@served
async def test_a_server_that_restarts_is_found_again(server: Server) -> None:
    server.script = [listed(5, ("a", 3))]
    async with reflecting(server) as (_reflector, shelf):
        await server.until(lambda: len(server.requests) == 2)
        await server.stop()
        server.script = [stream(added("b", 6))]
        async with serving(server):
            await shelf.until(a="3", b="6")
    assert set(asked(server)[1:]) == {"watch 5"}


@served
async def test_a_refresh_lists_now(server: Server) -> None:
    server.script = [listed(5, ("a", 3)), stream(added("b", 6))]
    server.script += [listed(9, ("c", 8)), stream(added("d", 10))]
    async with reflecting(server, idle_timeout=LIMIT) as (reflector, shelf):
        await shelf.until(a="3", b="6")
        await reflector.refresh()
        assert shelf.objects == {"c": "8"}
        await shelf.until(c="8", d="10")
        assert asked(server) == ["stream", "watch 5", "stream", "watch 9"]
        assert shelf.reasons == ["start", "refresh"]


@served
async def test_a_refresh_that_fails_is_tried_again(server: Server) -> None:
    server.script = [listed(5), stream(), refused(500), stream(end="drop"), page(9, ("a", 8))]
    async with reflecting(server) as (reflector, shelf):
        await server.until(lambda: len(server.requests) == 2)
        await reflector.refresh()
        assert shelf.objects == {"a": "8"}


@served
async def test_a_refresh_during_a_list_asks_for_another_one(server: Server) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        begun.set()
        await go_on.wait()
        await listed(5, ("a", 3))(exchange)

    server.script = [slow, listed(9, ("a", 8))]
    async with reflecting(server) as (reflector, shelf):
        await begun.wait()
        refresh = asyncio.create_task(reflector.refresh())
        await asyncio.sleep(0)
        go_on.set()
        await refresh
        assert shelf.objects == {"a": "8"}
        assert shelf.replaced == 2


@served
async def test_a_refresh_ends_with_its_reflector(server: Server) -> None:
    server.script = [Exchange.hang]
    async with reflecting(server) as (reflector, _shelf):
        await server.until(lambda: len(server.requests) == 1)
        refresh = asyncio.create_task(reflector.refresh())
        await asyncio.sleep(0)
    await asyncio.wait([refresh])
    assert refresh.cancelled()
