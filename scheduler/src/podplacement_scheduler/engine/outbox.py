# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes that are in no hurry wait in a queue of bounded length, behind the bindings.

They gather for a moment and leave together: a burst costs this process hardly more than one of
them would. What finds no room is dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Protocol

from ..api.retry import Backoff
from ..api.transport import Request
from ..errors import ApiError, Unknown, Unreached

if TYPE_CHECKING:
    from ..api.client import Client
    from .window import Window

# The first to come waits so long for others, and so many of them share a connection.
GATHER_SECONDS = 0.01
BURST = 16
TRIES = 8
# A request, or what makes it when its turn comes.
Write = Request | Callable[[], Request]


class Metrics(Protocol):
    """What the outbox tells: written, dropped or failed."""

    def event(self, result: str, n: int = 1) -> None: ...


class _Failed:
    """A write that was tried and is not done."""

    __slots__ = ("error", "request", "tries")

    def __init__(self, request: Request, error: ApiError | Unreached | Unknown | None) -> None:
        self.request = request
        self.error = error
        self.tries = 0


class Outbox:
    """Sends on the connections of bindings, where leadership is looked at before each burst."""

    def __init__(
        self, client: Client, window: Window, *, rng: Random, metrics: Metrics, length: int
    ) -> None:
        self._client = client
        self._window = window
        self._rng = rng
        self._metrics = metrics
        self._length = length
        self._waiting: deque[Write] = deque()
        self._gathering = False
        self._writing = 0  # lanes
        self._under_way = 0  # writes
        self._resting: deque[asyncio.Future[None]] = deque()

    def put(self, write: Write) -> None:
        """Send it when its turn comes, if there is room."""
        if len(self._waiting) >= self._length:
            self._metrics.event("dropped")
            return
        self._waiting.append(write)
        self._wake_one()

    @property
    def backlog(self) -> float:
        """How full the queue is, 0 to 1."""
        return len(self._waiting) / self._length

    async def run(self) -> None:
        """Write, in as many lanes as bindings have at most; forever."""
        async with asyncio.TaskGroup() as lanes:
            for _lane in range(self._window.maximum):
                lanes.create_task(self._lane())

    async def drain(self) -> None:
        """Return when nothing waits any more."""
        while self._waiting or self._writing:
            await asyncio.sleep(0.02)

    def abandon(self) -> None:
        """Count what will not be written any more."""
        self._metrics.event("dropped", len(self._waiting) + self._under_way)
        self._waiting.clear()

    def _share(self) -> int:
        """How many lanes may write: what bindings leave, at least a quarter, and the more the
        longer the queue is."""
        limit = self._window.limit
        pressed = int(limit * min(1.0, 2 * self.backlog))
        return max(1, limit // 4, limit - self._window.writing, pressed)

    def _is_due(self) -> bool:
        """A lane is wanted."""
        return bool(self._waiting) and not self._gathering and self._writing < self._share()

    async def _lane(self) -> None:
        while True:
            while self._is_due():
                self._writing += 1
                try:
                    await self._write(await self._gather())
                finally:
                    self._writing -= 1
            rest = asyncio.get_running_loop().create_future()
            self._resting.append(rest)
            await rest

    def _wake_one(self) -> None:
        if self._is_due():
            while self._resting:
                rest = self._resting.popleft()
                if not rest.done():
                    rest.set_result(None)
                    return

    async def _gather(self) -> list[Request]:
        """The next burst."""
        if len(self._waiting) < BURST:
            self._gathering = True
            try:
                await asyncio.sleep(GATHER_SECONDS)
            finally:
                self._gathering = False
        taken = [self._waiting.popleft() for _one in range(min(BURST, len(self._waiting)))]
        self._under_way += len(taken)
        self._wake_one()  # one wakes the next, as long as there is work and room
        return [one if isinstance(one, Request) else one() for one in taken]

    async def _write(self, requests: list[Request]) -> None:
        """Until each is written, refused for good, or tried often enough."""
        errors = await self._client.burst(requests)
        self._end("written", errors.count(None))
        failed = [
            _Failed(*both) for both in zip(requests, errors, strict=True) if both[1] is not None
        ]
        backoff = Backoff(0.2, 5.0, self._rng)
        while failed := [one for one in failed if not self._has_ended(one)]:
            named = [getattr(one.error, "retry_after", None) or 0.0 for one in failed]
            await asyncio.sleep(backoff.next(max(named) or None))
            for one in failed:  # by itself: what becomes of another one is not its fate any more
                [one.error] = await self._client.burst([one.request])

    def _has_ended(self, write: _Failed) -> bool:
        """Whether it is not to be tried again."""
        error = write.error
        if isinstance(error, Unreached):
            return False  # nobody is there: that is no fault of the write
        if error is None:
            return self._end("written")
        if isinstance(error, ApiError):
            if error.status == 409 and write.tries and write.request.method == "POST":
                return self._end("written")  # by the try before, whose answer was lost
            if not error.is_transient:
                return self._end("failed")
            self._window.refused(error.retry_after)
        write.tries += 1
        return write.tries >= TRIES and self._end("failed")

    def _end(self, result: str, count: int = 1) -> bool:
        self._under_way -= count
        if count:
            self._metrics.event(result, count)
        return True
