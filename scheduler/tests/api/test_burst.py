# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a burst each request has its own outcome, whatever becomes of their connection."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from podplacement_scheduler.api.credentials import Credentials
from podplacement_scheduler.api.reading import Reading
from podplacement_scheduler.api.transport import Ending, Request, Response
from podplacement_scheduler.errors import Unknown, Unreached

from ..misbehaving import Exchange, Server, served

ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\n"


def burst(size: int) -> list[Request]:
    return [Request("POST", f"/events/{number}", b"%d" % number) for number in range(size)]


def told(endings: list[Ending]) -> list[str]:
    """The body of each answer, or the kind of error."""
    return [
        one.body.decode() if isinstance(one, Response) else type(one).__name__ for one in endings
    ]


async def echo(exchange: Exchange) -> None:
    await exchange.reply(exchange.body)


@served
async def test_all_leave_before_the_first_is_answered(server: Server) -> None:
    async def all_there(exchange: Exchange) -> None:
        """The others wait in the socket already, one behind the other."""
        rest = await exchange.read(2)
        assert [body for _first, body in rest] == [b"1", b"2"]
        for body in (exchange.body, b"1", b"2"):
            await exchange.send(ANSWER + body)

    server.script = [all_there]
    async with server.pool() as pool:
        assert told(await pool.burst(burst(3))) == ["0", "1", "2"]


@served
async def test_a_connection_goes_on_after_a_burst(server: Server) -> None:
    server.otherwise = echo
    async with server.pool() as pool:
        for _turn in range(2):
            assert told(await pool.burst(burst(5))) == ["0", "1", "2", "3", "4"]
        assert (await pool.request("POST", "/binding", b"b")).body == b"b"
        assert server.connections == 1


@pytest.mark.parametrize("size", [1, 3, 50, 10_000])
def test_answers_may_come_in_whatever_pieces(size: int) -> None:
    @served
    async def test(server: Server) -> None:
        async def in_pieces(exchange: Exchange) -> None:
            await exchange.read(2)
            answers = b"".join(ANSWER + b"%d" % number for number in range(3))
            for begin in range(0, len(answers), size):
                await exchange.send(answers[begin : begin + size])
                await asyncio.sleep(0)

        server.script = [in_pieces]
        async with server.pool() as pool:
            assert told(await pool.burst(burst(3))) == ["0", "1", "2"]
            await pool.request("POST", "/binding")
            assert server.connections == 1

    test()


@served
async def test_what_was_answered_before_the_connection_broke_is_known(server: Server) -> None:
    async def drop(exchange: Exchange) -> None:
        exchange.drop()

    server.script = [echo, echo, drop]
    async with server.pool() as pool:
        endings = await pool.burst(burst(4))
        assert told(endings) == ["0", "1", "Unknown", "Unknown"]
        assert "/events/2: the connection was closed" in str(endings[2])
        assert len(server.requests) == 3
        assert (await pool.request("POST", "/binding")).status == 200
        assert server.connections == 2


@served
async def test_a_server_that_closes_leaves_the_rest_unknown(server: Server) -> None:
    async def last(exchange: Exchange) -> None:
        await exchange.reply(b"0", Connection="close")

    server.script = [last, Exchange.hang]
    async with server.pool() as pool:
        endings = await pool.burst(burst(3))
        assert told(endings) == ["0", "Unknown", "Unknown"]
        assert "the server closes" in str(endings[1])


@served
async def test_the_time_is_for_all_together(server: Server) -> None:
    server.script = [echo, Exchange.hang]
    async with server.pool() as pool:
        endings = await pool.burst(burst(2), timeout=0.1)
        assert told(endings) == ["0", "Unknown"]
        assert "no answer in time" in str(endings[1])
        await server.until(lambda: server.open == 0)


@served
async def test_an_answer_too_many_ends_the_connection(server: Server) -> None:
    async def too_many(exchange: Exchange) -> None:
        await exchange.read(1)
        await exchange.send(b"".join(ANSWER + b"%d" % number for number in range(3)))

    server.script = [too_many]
    async with server.pool(1) as pool:
        assert told(await pool.burst(burst(2))) == ["0", "1"]
        assert (await pool.request("POST", "/binding")).body == b"{}"
        assert server.connections == 2


@served
async def test_what_cannot_be_sent_is_unreached(server: Server) -> None:
    async with server.pool(gate=lambda: False) as pool:
        assert told(await pool.burst(burst(2))) == ["Unreached", "Unreached"]
        assert server.requests == []
    async with server.pool() as pool:
        server.port, port = 1, server.port
        pool.credentials = server.credentials()
        endings = await pool.burst(burst(2))
        assert all(isinstance(one, Unreached) for one in endings)
        server.port = port


@served
async def test_a_cancelled_burst_closes_its_connection(server: Server) -> None:
    server.script = [echo, Exchange.hang]
    async with server.pool(1) as pool:
        task = asyncio.create_task(pool.burst(burst(2)))
        await server.until(lambda: len(server.requests) == 2)
        task.cancel()
        await server.until(lambda: server.open == 0)
        assert (await pool.request("POST", "/binding")).status == 200
        assert task.cancelled()


@served
async def test_only_what_an_old_identity_was_refused_is_sent_again(server: Server) -> None:
    tokens = count()

    def read() -> Reading:
        url = f"http://127.0.0.1:{server.port}"
        return Reading(server=url, authorization=f"Bearer {next(tokens)}")

    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(401, "Unauthorized")

    server.otherwise = echo
    server.script = [echo, refuse, echo, refuse]
    async with server.pool() as pool:
        pool.credentials = Credentials(read)
        assert told(await pool.burst(burst(4))) == ["0", "1", "2", "3"]
    sent = [(seen.body, seen.headers["authorization"]) for seen in server.requests]
    old, new = "Bearer 0", "Bearer 1"
    assert sent[:4] == [(b"%d" % number, old) for number in range(4)]
    assert sent[4:] == [(b"1", new), (b"3", new)]


@served
async def test_a_request_fails_with_the_error_of_its_own(server: Server) -> None:
    async with server.http() as transport:
        server.otherwise = echo
        server.script = [echo, Exchange.hang]
        endings = await transport.burst(burst(3), timeout=0.2)
        assert told(endings) == ["0", "Unknown", "2"]
        assert isinstance(endings[1], Unknown)
