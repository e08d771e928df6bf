# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and streams over aiohttp end in an answer, Unreached or Unknown, and nothing else."""

from __future__ import annotations

import pytest

from podplacement_scheduler.errors import ApiError, Gone, Unknown, Unreached

from ..misbehaving import Exchange, Server, served

PATH = "/api/v1/pods?watch=true"


async def collect(server: Server, idle_timeout: float = 5.0) -> list[bytes]:
    async with server.http() as http, http.stream(PATH, idle_timeout=idle_timeout) as lines:
        return [line async for line in lines]


@served
async def test_any_answer_is_a_response(server: Server) -> None:
    async def busy(exchange: Exchange) -> None:
        await exchange.reply(b"later", 429, Retry_After="3")

    server.script = [busy]
    async with server.http() as http:
        response = await http.request("PUT", "/x?a=%2Fb", b"{}", content_type="application/merge")
    assert (response.status, response.body) == (429, b"later")
    assert response.headers["retry-after"] == "3"
    [seen] = server.requests
    assert (seen.method, seen.path, seen.query) == ("PUT", "/x", {"a": "/b"})
    assert seen.headers["content-type"] == "application/merge"
    assert seen.headers["authorization"] == "Bearer secret-token"


@served
async def test_redirects_are_not_followed(server: Server) -> None:
    async def elsewhere(exchange: Exchange) -> None:
        await exchange.reply(b"", 302, Location="/other")

    server.script = [elsewhere]
    async with server.http() as http:
        assert (await http.request("GET", "/x")).status == 302


@served
async def test_a_lost_answer_is_unknown_and_not_sent_twice(server: Server) -> None:
    async def drop(exchange: Exchange) -> None:
        exchange.drop()

    async with server.http() as http:
        await http.request("POST", "/x", b"{}")
        server.script = [drop]
        with pytest.raises(Unknown):
            await http.request("POST", "/x", b"{}")
        assert len(server.requests) == 2


@served
async def test_silence_is_unknown(server: Server) -> None:
    server.script = [Exchange.hang]
    async with server.http() as http:
        with pytest.raises(Unknown, match="no answer in time"):
            await http.request("POST", "/x", b"{}", timeout=0.1)


@served
async def test_no_server_is_unreached(server: Server) -> None:
    server.port = 1
    with pytest.raises(Unreached):
        await collect(server)
    async with server.http() as http:
        with pytest.raises(Unreached) as caught:
            await http.request("POST", "/x", b"{}")
    assert "secret" not in str(caught.value)


@served
async def test_a_closed_gate_holds_back(server: Server) -> None:
    async with server.http(gate=lambda: False) as http:
        with pytest.raises(Unreached, match="may not write"):
            await http.request("POST", "/x", b"{}")
    assert not server.requests


@served
async def test_lines_are_whole_in_whatever_pieces_they_come(server: Server) -> None:
    async def pieces(exchange: Exchange) -> None:
        await exchange.begin()
        for part in (b"on", b"e\ntwo\n\nthr", b"ee", b"\n", b"cut"):
            await exchange.chunk(part)
        await exchange.chunk(b"")

    server.script = [pieces]
    assert await collect(server) == [b"one", b"two", b"three"]


@served
async def test_a_line_may_be_long(server: Server) -> None:
    async def long(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(b"x" * 3_000_000 + b"\n")
        await exchange.chunk(b"")

    server.script = [long]
    assert [len(line) for line in await collect(server)] == [3_000_000]


@served
async def test_a_stream_that_breaks_is_unknown(server: Server) -> None:
    async def cut(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(b"one\n")
        exchange.close()

    server.script = [cut]
    with pytest.raises(Unknown):
        await collect(server)


@served
async def test_a_silent_stream_is_given_up(server: Server) -> None:
    async def stall(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(b"one\n")
        await exchange.hang()

    server.script = [stall]
    with pytest.raises(Unknown, match="no answer in time"):
        await collect(server, idle_timeout=0.1)
    await server.until(lambda: server.open == 0)


@served
async def test_a_stream_without_a_head_is_given_up(server: Server) -> None:
    server.script = [Exchange.hang]
    with pytest.raises(Unknown):
        await collect(server, idle_timeout=0.1)


@served
async def test_a_refused_stream_is_an_api_error(server: Server) -> None:
    async def gone(exchange: Exchange) -> None:
        await exchange.refuse(410, "Expired", "too old resource version: 1 (2)")

    async def busy(exchange: Exchange) -> None:
        await exchange.refuse(429, "TooManyRequests", details={"retryAfterSeconds": 9})

    server.script = [gone, busy]
    with pytest.raises(Gone, match="too old"):
        await collect(server)
    with pytest.raises(ApiError) as caught:
        await collect(server)
    assert caught.value.is_transient
    assert caught.value.retry_after == 9
