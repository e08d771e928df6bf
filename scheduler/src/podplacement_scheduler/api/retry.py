# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits, waits longer each time and never in step with the others."""

from __future__ import annotations

from random import Random


class Backoff:
    """Delays in seconds: doubled with each failure, with jitter, and back to the first on success.

    A time that the server named (`Retry-After`) is a lower bound, whatever the maximum.
    """

    def __init__(self, initial: float, maximum: float, rng: Random) -> None:
        self._initial = initial
        self._maximum = maximum
        self._rng = rng
        self.failures = 0

    def next(self, retry_after: float | None = None) -> float:
        """Count one more failure; how long to wait now."""
        # The exponent is bounded so that a night of failures does not overflow.
        base = min(self._maximum, self._initial * 2.0 ** min(self.failures, 30))
        self.failures += 1
        spread = 0.5 + self._rng.random()
        if retry_after is not None:
            return max(base * spread, retry_after * (1 + 0.25 * self._rng.random()))
        return min(self._maximum, base * spread)

    def reset(self) -> None:
        """It worked."""
        self.failures = 0
