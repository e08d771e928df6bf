# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection of the writer: requests leave in one write, and their answers come in that order."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from ..errors import Unreached
from .answer import Answer, BadAnswer
from .transport import Response


class Connection(asyncio.Protocol):
    """One connection; `_answer` is the next one to come while requests are in flight."""

    def __init__(
        self,
        open_: set[Connection],
        tls: ssl.SSLContext | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._open = open_
        self._tls = tls
        self._loop = loop
        self._used = loop.time()
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._future: asyncio.Future[list[Response]] | None = None
        self._responses: list[Response] = []
        self._expected = 0
        self._deadline = self._used
        self._timer: asyncio.TimerHandle | None = None
        self.why = ""  # there were fewer answers than requests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._open.add(self)

    def may_be_used(self, tls: ssl.SSLContext | None, since: float) -> bool:
        """Open, used not long ago, and made with the present certificates."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        return self._used >= since and self._tls is tls

    def send(
        self, data: bytes, expected: int, told: str, deadline: float
    ) -> asyncio.Future[list[Response]]:
        """Write `expected` requests, none of them HEAD; the future ends with their answers.

        Where there are fewer, `why` says what cut them off.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise Unreached(f"{told}: not sent: the connection was closed")
        self._answer = Answer()
        self._future = self._loop.create_future()
        self._responses = []
        self._expected = expected
        self._deadline = deadline
        # One timer runs behind the deadlines of many requests: most of them never need one.
        if self._timer is None or self._timer.when() > deadline:
            self._arm()
        transport.write(data)
        return self._future

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        """The deadline that the timer was set to is over; the present one may not be."""
        self._timer = None
        if self._future is None:
            return
        if self._loop.time() < self._deadline:
            self._arm()
        else:
            self._fail("no answer in time")

    def data_received(self, data: bytes) -> None:
        answer, future = self._answer, self._future
        if answer is None or future is None or future.done():
            self.abort()  # nobody asked: the connection is out of step
            return
        try:
            response = answer.feed(data)
            while response is not None and not self._take(response, answer, future):
                self._answer, rest = Answer(), answer.rest
                answer = self._answer
                response = answer.feed(rest) if rest else None
        except BadAnswer as err:
            self._fail(str(err))

    def _take(
        self, response: Response, answer: Answer, future: asyncio.Future[list[Response]]
    ) -> bool:
        """Whether no more answers are to come."""
        self._responses.append(response)
        if len(self._responses) == self._expected:
            future.set_result(self._responses)
        elif not answer.keeps_alive:
            self._fail("the server closes the connection")
        return future.done()

    def settle(self, now: float) -> bool:
        """The one who asked is done; whether the next request may use this connection."""
        answer, self._answer, self._future = self._answer, None, None
        self._used = now
        if answer is None or not answer.keeps_alive or answer.rest:
            self.abort()
        return self._transport is not None and not self._transport.is_closing()

    def eof_received(self) -> None:
        answer, future = self._answer, self._future
        if answer is not None and future is not None and not future.done():
            response = answer.end()
            if response is not None:
                self._take(response, answer, future)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._fail("the connection was closed before the answer")

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, why: str) -> None:
        if self._future is not None and not self._future.done():
            self.why = why
            self._future.set_result(self._responses)
        self.abort()
