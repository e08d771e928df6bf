# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time comes from one object, so that a simulation can turn it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that only goes forward, and the one that people read."""

    def monotonic(self) -> float:
        """Seconds; for every deadline and every duration."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970; only for what people and the API server read."""


class LoopClock:
    """The clocks of a running event loop: a loop with virtual time turns the first one."""

    def monotonic(self) -> float:
        """The loop's own time."""
        return asyncio.get_running_loop().time()

    def wall_ns(self) -> int:
        """The time of the machine."""
        return time.time_ns()


def rfc3339(wall_ns: int) -> str:
    """`2026-11-22T10:00:00.123456Z`, as the API server writes a MicroTime."""
    seconds, rest = divmod(wall_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"
