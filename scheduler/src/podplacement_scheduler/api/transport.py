# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two calls are all that the daemon asks of HTTP: a request with an answer, and a stream of lines.

Reflectors, binder and leader are written against `Transport`; the real ones are in `http.py`
(aiohttp, for all that is not hot) and `writer.py` (our own, for bindings and events), the
simulated one in `testing/`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Response:
    """What the server answered; header names are in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


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
        """Send one request; `path` begins with `/` and holds the query.

        Any answer is a Response, whatever its status. Raises Unreached where no byte left, Unknown
        where the request was sent and no answer came within `timeout` seconds.
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
