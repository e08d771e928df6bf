# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS between a protocol and its TCP connection, for short messages: the loop's own costs more."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

_RECORD = 1 << 14


class Secured(asyncio.Protocol):
    """The standard library's TLS over a plain transport; to the protocol `above` it is one.

    The handshake checks what the context demands of the server's certificate; only then `above`
    is told of the connection. Writes are not held back where the server does not read: they must
    be short.
    """

    def __init__(self, above: asyncio.Protocol, context: ssl.SSLContext, server_name: str) -> None:
        self._above = above
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._transport: asyncio.Transport | None = None
        # Ends with the handshake: what went wrong, or None. `above` knows of the connection then.
        self._shaken: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._told = False

    async def handshake(self) -> None:
        """Wait for it; raises OSError, of which ssl.SSLError is a kind."""
        try:
            problem = await self._shaken
        except asyncio.CancelledError:
            self.abort()
            raise
        if problem is not None:
            raise problem

    def write(self, data: bytes) -> None:
        """As of a transport."""
        try:
            self._tls.write(data)
        except ssl.SSLError:
            self.abort()
        else:
            self._flush()

    def is_closing(self) -> bool:
        """As of a transport."""
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        """As of a transport."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._advance()

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        self._advance()

    def eof_received(self) -> None:
        if self._told:
            self._above.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end_handshake(exc or ConnectionResetError("closed in the TLS handshake"))
        if self._told:
            self._above.connection_lost(exc)

    def _advance(self) -> None:
        """Hand on what can be read; what TLS itself has to say to the server goes out."""
        try:
            if not self._told:
                self._tls.do_handshake()
                self._told = True
                self._above.connection_made(cast(asyncio.Transport, self))
                self._end_handshake(None)
            while not self.is_closing() and (self._incoming.pending or self._tls.pending()):
                data = self._tls.read(_RECORD)
                if not data:
                    self.eof_received()  # the server closes as TLS has it
                    self.abort()
                    break
                self._above.data_received(data)
        except ssl.SSLWantReadError:
            pass  # the rest is to come
        except ssl.SSLError as err:
            self._end_handshake(err)
            self._flush()  # the alert that tells the server why
            self.abort()
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and not self.is_closing() and self._transport is not None:
            self._transport.write(self._outgoing.read())

    def _end_handshake(self, problem: Exception | None) -> None:
        if not self._shaken.done():
            self._shaken.set_result(problem)
