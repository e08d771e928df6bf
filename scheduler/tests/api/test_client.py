# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs ask for the right thing, and say what became of it."""

from __future__ import annotations

from typing import Any

import pytest

from podplacement_scheduler.api.kinds import EVENTS, LEASES, NODES, PODS
from podplacement_scheduler.errors import ApiError, Gone, Unknown

from ..misbehaving import Exchange, Script, Server, served, status


def page(*names: str, version: str = "7", more: str = "") -> Script:
    async def answer(exchange: Exchange) -> None:
        items = [{"metadata": {"name": name}} for name in names]
        meta = {"resourceVersion": version, "continue": more}
        await exchange.reply({"kind": "PodList", "metadata": meta, "items": items})

    return answer


def refuse(code: int, *, body: Any = None, **headers: str) -> Script:
    async def answer(exchange: Exchange) -> None:
        await exchange.reply(body if body is not None else status(code), code, **headers)

    return answer


@served
async def test_pages_follow_the_servers_token(server: Server) -> None:
    server.script = [page("a", "b", more="token/="), page("c", version="8")]
    async with server.client() as client:
        found = [
            item async for item in client.pages(PODS, version="0", limit=2, label_selector="a=b")
        ]
    assert [one.items for one in found] == [
        [b'{"metadata": {"name": "a"}}', b'{"metadata": {"name": "b"}}'],
        [b'{"metadata": {"name": "c"}}'],
    ]
    assert [one.version for one in found] == ["7", "8"]
    first, second = (seen.query for seen in server.requests)
    assert first == {"labelSelector": "a=b", "limit": "2", "resourceVersion": "0"}
    assert second == {"labelSelector": "a=b", "limit": "2", "continue": "token/="}


@served
async def test_a_list_that_grew_too_old_is_gone(server: Server) -> None:
    server.script = [page("a", more="t"), refuse(410)]
    async with server.client() as client:
        with pytest.raises(Gone):
            [item async for item in client.pages(PODS)]


@served
async def test_an_answer_that_is_no_list_is_unknown(server: Server) -> None:
    server.script = [refuse(200, body=b"<html>proxy</html>")]
    async with server.client() as client:
        with pytest.raises(Unknown, match="not a list"):
            [item async for item in client.pages(PODS)]


@served
async def test_a_watch_yields_its_events(server: Server) -> None:
    async def changes(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.event("ADDED", {"metadata": {"name": "a"}})
        await exchange.event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
        await exchange.chunk(b"")

    server.script = [changes]
    async with (
        server.client() as client,
        client.watch(PODS, version="7", seconds=30, field_selector="a!=b") as events,
    ):
        found = [event async for event in events]
    assert found == [
        ("ADDED", b'{"metadata": {"name": "a"}}'),
        ("BOOKMARK", b'{"metadata": {"resourceVersion": "9"}}'),
    ]
    assert server.requests[0].query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "30",
        "resourceVersion": "7",
        "fieldSelector": "a!=b",
    }


@served
async def test_a_watch_may_begin_with_the_state(server: Server) -> None:
    async with (
        server.client() as client,
        client.watch(PODS, version="", initial=True) as events,
    ):
        assert [event async for event in events] == []
    asked = server.requests[0].query
    assert asked["sendInitialEvents"] == "true"
    assert asked["resourceVersionMatch"] == "NotOlderThan"
    assert "resourceVersion" not in asked


@served
async def test_an_error_in_a_watch_is_raised(server: Server) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.event("ERROR", status(410, "Expired", "too old resource version"))
        await exchange.hang()

    async def break_(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.event("ERROR", status(500, "InternalError", "etcd went away"))
        await exchange.hang()

    server.script = [fail, break_]
    async with server.client() as client:
        with pytest.raises(Gone):
            async with client.watch(PODS, version="7") as events:
                [event async for event in events]
        with pytest.raises(ApiError, match="etcd went away") as caught:
            async with client.watch(PODS, version="7") as events:
                [event async for event in events]
    assert caught.value.status == 500


@served
async def test_a_refusal_says_what_and_when_to_come_back(server: Server) -> None:
    date = "Sun, 22 Nov 2026 10:00:00 GMT"
    server.script = [
        refuse(409, body=status(409, "Conflict", "already assigned to node")),
        refuse(429, Retry_After="4"),
        refuse(503, Retry_After="Sun, 22 Nov 2026 10:00:30 GMT", Date=date),
        refuse(500, body=status(500, details={"retryAfterSeconds": 2})),
        refuse(502, body=b"<html>bad gateway</html>"),
    ]
    told = []
    async with server.client() as client:
        for _call in range(5):
            with pytest.raises(ApiError) as caught:
                await client.bind("n", "p", b"{}")
            told.append(caught.value)
    assert str(told[0]) == (
        "POST /api/v1/namespaces/n/pods/p/binding: 409 Conflict: already assigned to node"
    )
    assert [error.status for error in told] == [409, 429, 503, 500, 502]
    assert [error.retry_after for error in told] == [None, 4.0, 30.0, 2.0, None]
    assert "bad gateway" in told[4].message


@served
async def test_every_verb_has_its_path(server: Server) -> None:
    async with server.client() as client:
        await client.get(NODES, "n1")
        await client.create(LEASES, {"a": 1}, "kube-system")
        await client.update(LEASES, b"{}", "kube-system", "l")
        await client.patch(PODS, {}, "n", "p", "status")
        await client.delete(EVENTS, "e", "n")
        await client.create(EVENTS, b"{}", "n")
    assert [f"{seen.method} {seen.path}" for seen in server.requests] == [
        "GET /api/v1/nodes/n1",
        "POST /apis/coordination.k8s.io/v1/namespaces/kube-system/leases",
        "PUT /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/l",
        "PATCH /api/v1/namespaces/n/pods/p/status",
        "DELETE /apis/events.k8s.io/v1/namespaces/n/events/e",
        "POST /apis/events.k8s.io/v1/namespaces/n/events",
    ]
    assert server.requests[1].body == b'{"a":1}'
    assert server.requests[3].headers["content-type"] == "application/merge-patch+json"
