# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token bucket keeps a run from flooding the API server: so many requests a second, twice that
in a burst.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import threading

from .clock import Clock


class TokenBucket:
    """For any number of threads. A token is reserved at once and waited for afterwards, so that
    nobody waits for longer than his place in the queue.
    """

    def __init__(self, clock: Clock, rate: float, burst: float = 0.0) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst or 2.0 * rate
        self._tokens = self._burst
        self._filled = clock.monotonic()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Block until a request may be sent."""
        with self._lock:
            now = self._clock.monotonic()
            grown = self._tokens + (now - self._filled) * self._rate
            self._tokens = min(self._burst, grown) - 1.0
            self._filled = now
            debt = -self._tokens / self._rate
        if debt > 0:
            self._clock.sleep(debt)
