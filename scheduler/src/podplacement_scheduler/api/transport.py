# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two calls are all that the daemon asks of HTTP: a request with an answer, and a stream of lines.

Reflectors, binder and leader are written against `Transport`; the real ones are in `http.py`
(aiohttp, for all that is not hot) and `writer.py` (our own, for bindings and events), the
simulated one in `testing/`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..errors import Unknown, Unreached

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Response:
    """What the server answered; header names are in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Request(NamedTuple):
    """What is asked of the server; `path` begins with `/` and holds the query."""

    method: str
    path: str
    body: bytes | None = None
    content_type: str = JSON


# What became of a request: see `Transport.request`.
Ending = Response | Unreached | Unknown


class Transport(Protocol):
    """How requests reach the API server."""

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> Response:
        """Send one request; for its parts see `Request`.

        Any answer is a Response, whatever its status. Raises Unreached where no byte left, Unknown
        where the request was sent and no answer came within `timeout` seconds.
        """

    async def burst(self, requests: Sequence[Request], *, timeout: float = 10.0) -> list[Ending]:
        """Send requests of which each may fail for itself; what became of each, in their order.

        They may share a connection, on which each waits for the one before it: for what is in no
        hurry. `timeout` is for all together.
        """

    def stream(
        self, path: str, *, idle_timeout: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """GET `path` and yield whole lines as they come, without their newline.

        Raises ApiError (Gone for 410) where the status is not 200, Unreached where the server
        cannot be reached, Unknown where nothing came for `idle_timeout` seconds or the connection
        broke. A stream that the server ends by itself just ends.
        """

    async def close(self) -> None:
        """Close all connections."""


async def all_at_once(
    transport: Transport, requests: Sequence[Request], *, timeout: float
) -> list[Ending]:
    """`Transport.burst` of a transport to which it is nothing special."""

    async def ending(method: str, path: str, body: bytes | None, content_type: str) -> Ending:
        try:
            return await transport.request(
                method, path, body, content_type=content_type, timeout=timeout
            )
        except (Unreached, Unknown) as err:
            return err

    return await asyncio.gather(*(ending(*request) for request in requests))
