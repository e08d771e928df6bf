# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server says how fast it may be written to; there is no rate limit of our own.

How many bindings are under way at a time grows by one with each full round of answers, and halves
when the server refuses one for load (429, or 503 and the like). A Retry-After stops new ones for
that time. This is what API priority and fairness expects of a client that has much to write.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clock import Clock

# Refusals of one round are one message: the window is halved once for them.
ROUND = 1.0


class Window:
    """At most `limit` of the `maximum` lanes are open: those with the lowest numbers."""

    def __init__(self, maximum: int, *, clock: Clock) -> None:
        self.maximum = maximum
        self.limit = maximum
        self.writing = 0  # bindings under way
        self._clock = clock
        self._answers = 0
        self._halved_at = float("-inf")
        self._closed_until = 0.0
        self._changed = asyncio.Event()

    def is_open(self, lane: int) -> bool:
        """Whether this lane may write now."""
        if lane >= self.limit:
            return False
        return not self._closed_until or self._closed_until <= self._clock.monotonic()

    async def opening(self, lane: int) -> None:
        """Return when the lane is open."""
        while not self.is_open(lane):
            if lane < self.limit:
                await asyncio.sleep(max(0.0, self._closed_until - self._clock.monotonic()))
            else:
                self._changed.clear()
                await self._changed.wait()

    def answered(self) -> None:
        """The server took one."""
        if self.limit == self.maximum:
            return
        self._answers += 1
        if self._answers >= self.limit:
            self._answers = 0
            self.limit += 1
            self._changed.set()

    def refused(self, retry_after: float | None) -> None:
        """The server has too much to do."""
        now = self._clock.monotonic()
        if retry_after:
            self._closed_until = max(self._closed_until, now + retry_after)
        if now - self._halved_at >= ROUND:
            self._halved_at = now
            self._answers = 0
            self.limit = max(1, self.limit // 2)
