# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time comes in as a parameter: waits count on a monotonic clock, wall time is only written into
objects.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone


class Clock:
    """The real clock. Tests hand in a virtual one with the same three methods."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; they pass while this process is stopped, too."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block for ``seconds``: only where no watch can serve (a server's Retry-After)."""
        time.sleep(max(0.0, seconds))

    def wall(self) -> str:
        """Now, as RFC 3339 in UTC with microseconds: the form of a Lease's MicroTime."""
        return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Deadline:
    """One total limit for all waits of a task, in seconds from its making."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self.end = clock.monotonic() + seconds

    def left(self) -> float:
        """Seconds that remain, never negative."""
        return max(0.0, self.end - self.clock.monotonic())

    def passed(self) -> bool:
        """True once nothing remains."""
        return self.left() <= 0.0
