# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer knows of each request whether it was answered, certainly not sent, or neither."""

from __future__ import annotations

import asyncio

import pytest

from podplacement_scheduler.api import writer
from podplacement_scheduler.errors import Unknown, Unreached

from ..misbehaving import Exchange, Server, served

PATH = "/api/v1/namespaces/n/pods/p/binding"


@served
async def test_a_connection_is_kept_for_the_next_request(server: Server) -> None:
    async with server.pool() as pool:
        for number in range(3):
            await pool.request("POST", PATH, b"{%d}" % number)
        assert [seen.body for seen in server.requests] == [b"{0}", b"{1}", b"{2}"]
        assert server.requests[0].headers["authorization"] == "Bearer secret-token"
        assert server.requests[0].headers["content-type"] == "application/json"
        assert server.connections == 1


@served
async def test_a_server_that_wants_to_close_gets_a_new_connection(server: Server) -> None:
    async def last(exchange: Exchange) -> None:
        await exchange.reply(b"one", Connection="close")

    server.script = [last]
    async with server.pool() as pool:
        assert (await pool.request("POST", PATH)).body == b"one"
        assert (await pool.request("POST", PATH)).body == b"{}"
        assert server.connections == 2


@served
async def test_a_connection_that_the_server_closed_while_idle_is_not_used(server: Server) -> None:
    async with server.pool() as pool:
        await pool.request("POST", PATH)
        server.requests[0].close()
        await server.until(lambda: server.open == 0)
        assert (await pool.request("POST", PATH)).status == 200
        assert server.connections == 2


@served
async def test_a_connection_that_was_idle_for_long_is_not_used(server: Server) -> None:
    with pytest.MonkeyPatch.context() as patch:
        async with server.pool() as pool:
            await pool.request("POST", PATH)
            await pool.request("POST", PATH)
            assert server.connections == 1
            patch.setattr(writer, "IDLE_SECONDS", -1.0)
            await pool.request("POST", PATH)
            await server.until(lambda: server.connections == 2 and server.open == 1)


@served
async def test_a_close_right_after_the_request_is_unknown_and_not_sent_twice(
    server: Server,
) -> None:
    async def drop(exchange: Exchange) -> None:
        exchange.drop()

    async with server.pool() as pool:
        await pool.request("POST", PATH)
        server.script = [drop]
        with pytest.raises(Unknown, match="closed before the answer"):
            await pool.request("POST", PATH)
        assert len(server.requests) == 2
        assert (await pool.request("POST", PATH)).status == 200


@served
async def test_half_an_answer_is_unknown(server: Server) -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n12345")
        exchange.close()

    server.script = [half]
    async with server.pool() as pool:
        with pytest.raises(Unknown):
            await pool.request("POST", PATH)


@served
async def test_what_is_not_http_is_unknown(server: Server) -> None:
    async def mumble(exchange: Exchange) -> None:
        await exchange.send(b"220 mail.example.org ESMTP\r\n\r\n")

    server.script = [mumble]
    async with server.pool() as pool:
        with pytest.raises(Unknown, match="not HTTP"):
            await pool.request("POST", PATH)


@served
async def test_no_server_is_unreached(server: Server) -> None:
    async with server.pool() as pool:
        server.port, port = 1, server.port
        pool.credentials = server.credentials()
        with pytest.raises(Unreached, match="POST /api") as caught:
            await pool.request("POST", PATH)
        assert "secret" not in str(caught.value)
        server.port = port


@served
async def test_silence_is_unknown_and_its_connection_is_closed(server: Server) -> None:
    server.script = [Exchange.hang]
    async with server.pool() as pool:
        with pytest.raises(Unknown, match="no answer in time"):
            await pool.request("POST", PATH, timeout=0.1)
        await server.until(lambda: server.open == 0)


@served
async def test_a_cancelled_request_closes_its_connection(server: Server) -> None:
    server.script = [Exchange.hang]
    async with server.pool(1) as pool:
        task = asyncio.create_task(pool.request("POST", PATH))
        await server.until(lambda: len(server.requests) == 1)
        task.cancel()
        await server.until(lambda: server.open == 0)
        assert (await pool.request("POST", PATH)).status == 200
        assert task.cancelled()


@served
async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one(
    server: Server,
) -> None:
    async def twice(exchange: Exchange) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        await exchange.send(answer + b"first" + answer + b"stray")

    server.script = [twice]
    async with server.pool(1) as pool:
        assert (await pool.request("POST", PATH)).body == b"first"
        assert (await pool.request("POST", PATH)).body == b"{}"


@served
async def test_who_comes_when_all_are_busy_waits_in_line(server: Server) -> None:
    async with server.pool(2) as pool:
        both = asyncio.Event()

        async def slow(exchange: Exchange) -> None:
            if len(server.requests) == 2:
                both.set()
            await both.wait()
            await exchange.reply()

        server.script = [slow, slow]
        tasks = [
            asyncio.create_task(pool.request("POST", PATH, b"%d" % number)) for number in range(9)
        ]
        await asyncio.gather(*tasks)
        assert server.most_open == 2
        assert sorted(seen.body for seen in server.requests[:2]) == [b"0", b"1"]
        assert sorted(seen.body for seen in server.requests) == [b"%d" % n for n in range(9)]


@served
async def test_one_connection_serves_in_the_order_of_the_calls(server: Server) -> None:
    async with server.pool(1) as pool:
        calls = [pool.request("POST", PATH, b"%d" % number) for number in range(9)]
        await asyncio.gather(*calls)
        assert [seen.body for seen in server.requests] == [b"%d" % n for n in range(9)]


@served
async def test_the_line_has_an_end(server: Server) -> None:
    server.script = [Exchange.hang]
    async with server.pool(1, waiting=1) as pool:
        first = asyncio.create_task(pool.request("POST", PATH))
        await server.until(lambda: len(server.requests) == 1)
        second = asyncio.create_task(pool.request("POST", PATH))
        await asyncio.sleep(0)
        with pytest.raises(Unreached, match="wait already"):
            await pool.request("POST", PATH)
        first.cancel()
        assert (await second).status == 200


@served
async def test_who_waits_too_long_was_not_sent(server: Server) -> None:
    server.script = [Exchange.hang]
    async with server.pool(1) as pool:
        first = asyncio.create_task(pool.request("POST", PATH))
        await server.until(lambda: len(server.requests) == 1)
        with pytest.raises(Unreached, match="no connection was free"):
            await pool.request("POST", PATH, timeout=0.05)
        first.cancel()
        assert len(server.requests) == 1


@served
async def test_a_closed_gate_holds_back_even_who_waited_in_line(server: Server) -> None:
    leading = True
    async with server.pool(1, gate=lambda: leading) as pool:

        async def lose(exchange: Exchange) -> None:
            nonlocal leading
            leading = False
            await exchange.reply()

        server.script = [lose]
        first = asyncio.create_task(pool.request("POST", PATH))
        second = asyncio.create_task(pool.request("POST", PATH))
        assert (await first).status == 200
        with pytest.raises(Unreached, match="may not write"):
            await second
        assert len(server.requests) == 1
        leading = True
        assert (await pool.request("POST", PATH)).status == 200
        assert server.connections == 1


@served
async def test_after_close_nothing_is_sent(server: Server) -> None:
    server.script = [Exchange.hang]
    async with server.pool(1) as pool:
        first = asyncio.create_task(pool.request("POST", PATH))
        second = asyncio.create_task(pool.request("POST", PATH))
        await server.until(lambda: len(server.requests) == 1)
        await pool.close()
        with pytest.raises(Unknown):
            await first
        with pytest.raises(Unreached):
            await second
