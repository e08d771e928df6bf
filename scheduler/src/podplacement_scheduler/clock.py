# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time comes from one object, so that a simulation can turn it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

_BOOTTIME: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Two kinds of time: what only goes forward, and what people read."""

    def monotonic(self) -> float:
        """Seconds; for every deadline and every duration."""

    def boottime(self) -> float:
        """Seconds that also pass while the machine sleeps; for what others measure as well."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970; only for what people and the API server read."""


class LoopClock:
    """The clocks of one event loop: a loop with virtual time turns the first one."""

    def __init__(self) -> None:
        # Asking for the running loop is a system call, too much for thousands of times a second.
        self._loop: asyncio.AbstractEventLoop | None = None

    def monotonic(self) -> float:
        """The time of the loop that ran when this was asked first."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def boottime(self) -> float:
        """CLOCK_BOOTTIME where there is one: no change of the wall clock touches it."""
        return time.clock_gettime(_BOOTTIME)

    def wall_ns(self) -> int:
        """The time of the machine."""
        return time.time_ns()


def rfc3339(wall_ns: int) -> str:
    """`2026-11-22T10:00:00.123456Z`, as the API server writes a MicroTime."""
    seconds, rest = divmod(wall_ns, 10**9)
    return f"{_to_the_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=8)
def _to_the_second(seconds: int) -> str:
    """Remembered: thousands of pods are bound in one second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
