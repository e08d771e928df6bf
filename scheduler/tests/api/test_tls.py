# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS of the writer, against a server's end in memory: what comes in pieces, and all bad ends."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from podplacement_scheduler.api.tls import Secured

from .authority import Authority

NAME = "kubernetes.default"
WHOLE = 1 << 20  # no message here is longer


class Wire(asyncio.Transport):
    """TCP: what is written goes to the server's end; `abort` is remembered."""

    def __init__(self, sink: ssl.MemoryBIO) -> None:
        super().__init__()
        self._sink = sink
        self.aborted = False

    def write(self, data: Any) -> None:
        self._sink.write(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Above(asyncio.Protocol):
    """Takes note of all it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.data = b""
        self.enough = 1 << 30  # it aborts when so many bytes have come
        self.line: Any = None

    def connection_made(self, transport: Any) -> None:
        self.line = transport
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        if len(self.data) >= self.enough:
            self.line.abort()

    def eof_received(self) -> None:
        self.told.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")


class Ends:
    """Both ends of a connection; `deliver` carries what the server has to say, in pieces."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext, piece: int = WHOLE) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = server.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._piece = piece
        self.wire = Wire(self._incoming)
        self.above = Above()
        self.secured = Secured(self.above, client, NAME)

    def deliver(self) -> None:
        data = self._outgoing.read()
        for begin in range(0, len(data), self._piece):
            self.secured.data_received(data[begin : begin + self._piece])

    def say(self, data: bytes) -> None:
        self.server.write(data)
        self.deliver()

    async def shake(self) -> None:
        self.secured.connection_made(self.wire)
        for _turn in range(3):  # TLS 1.2 needs two turns, TLS 1.3 one
            with suppress(ssl.SSLWantReadError):
                self.server.do_handshake()
            self.deliver()
        await asyncio.wait_for(self.secured.handshake(), 1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def client(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it demands a certificate for the name
    context.load_verify_locations(authority.file)
    return context


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await test()

    asyncio.run(within())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("piece", [1, 700, WHOLE])
def test_what_is_said_arrives_whole(
    authority: Authority, client: ssl.SSLContext, version: ssl.TLSVersion, piece: int
) -> None:
    server = authority.server(NAME)
    server.maximum_version = version

    async def test() -> None:
        both = Ends(server, client, piece)
        await both.shake()
        said = bytes(range(256)) * 200  # more than three records
        both.say(said)
        assert both.above.data == said
        both.secured.write(b"question")
        assert both.server.read(100) == b"question"
        both.say(b"answer")
        assert both.above.data == said + b"answer"
        assert both.above.told == ["made"]
        assert not both.secured.is_closing()

    run(test)


def test_a_close_as_tls_has_it_is_an_end(authority: Authority, client: ssl.SSLContext) -> None:
    async def test() -> None:
        both = Ends(authority.server(NAME), client)
        await both.shake()
        both.server.write(b"the last")
        with suppress(ssl.SSLWantReadError):
            both.server.unwrap()
        both.deliver()
        assert (both.above.data, both.above.told) == (b"the last", ["made", "eof"])
        assert both.wire.aborted

    run(test)


def test_a_record_that_was_changed_on_its_way_is_not_handed_on(
    authority: Authority, client: ssl.SSLContext
) -> None:
    async def test() -> None:
        both = Ends(authority.server(NAME), client)
        await both.shake()
        both.secured.data_received(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        assert (both.above.data, both.above.told) == (b"", ["made"])
        assert both.wire.aborted

    run(test)


def test_after_an_abort_nothing_is_handed_on(authority: Authority, client: ssl.SSLContext) -> None:
    async def test() -> None:
        both = Ends(authority.server(NAME), client)
        await both.shake()
        both.above.enough = 1
        both.server.write(b"one")
        both.say(b"two")
        assert both.above.data == b"one"
        both.secured.connection_lost(None)
        assert both.secured.is_closing()
        assert both.above.told == ["made", "lost"]

    run(test)


def test_a_server_that_leaves_in_the_handshake(
    authority: Authority, client: ssl.SSLContext
) -> None:
    async def test() -> None:
        both = Ends(authority.server(NAME), client)
        both.secured.connection_made(both.wire)
        both.secured.eof_received()
        both.secured.connection_lost(None)
        with pytest.raises(ConnectionResetError):
            await both.secured.handshake()
        assert both.above.told == []

    run(test)


def test_a_server_that_is_not_the_one_is_told_so(tmp_path: Path, client: ssl.SSLContext) -> None:
    async def test() -> None:
        both = Ends(Authority(tmp_path, "another").server(NAME), client)
        with pytest.raises(ssl.SSLError, match=r"(?i)alert unknown ca"):
            await both.shake()  # the server reads that it was refused
        with pytest.raises(ssl.SSLCertVerificationError):
            await both.secured.handshake()
        assert both.above.told == []
        assert both.wire.aborted

    run(test)


def test_nobody_waits_for_the_handshake_any_more(
    authority: Authority, client: ssl.SSLContext
) -> None:
    async def test() -> None:
        both = Ends(authority.server(NAME), client)
        both.secured.connection_made(both.wire)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await both.secured.handshake()
        assert both.wire.aborted

    run(test)
