# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A queue in which a key is worked on by one worker at a time, and never forgotten.

As the work queues of Kubernetes' controllers: a key that is added while it is worked on is given
out once more afterwards, one that is added twice before that only once.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from typing import Callable, Deque, Dict, Hashable, List, Optional, Set, Tuple

from ..clock import Clock


class WorkQueue:
    """Keys that are due, and keys that will be. ``pause`` blocks until it is given a new key or the
    seconds have passed; the tests' own lets a virtual world go on.
    """

    def __init__(
        self, clock: Clock, pause: Optional[Callable[[Optional[float]], None]] = None
    ) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._pause = pause or self._wait
        self._due: Deque[Hashable] = deque()
        self._dirty: Set[Hashable] = set()
        self._busy: Set[Hashable] = set()
        self._later: List[Tuple[float, int, Hashable]] = []
        self._when: Dict[Hashable, float] = {}
        self._count = 0
        self._closed = False

    def add(self, key: Hashable) -> None:
        """Give it out, now or when its worker is done with it."""
        with self._changed:
            self._add(key)

    def add_after(self, key: Hashable, seconds: float) -> None:
        """Give it out in ``seconds``, unless it is added earlier or with a shorter time."""
        with self._changed:
            when = self._clock.monotonic() + seconds
            if when < self._when.get(key, float("inf")):
                self._count += 1
                self._when[key] = when
                heapq.heappush(self._later, (when, self._count, key))
                self._changed.notify()

    def take(self) -> Optional[Hashable]:
        """The next key, which nobody else gets before ``done``; None when the queue is closed."""
        with self._changed:
            while not self._closed:
                left = self._ripen()
                if self._due:
                    key = self._due.popleft()
                    self._dirty.discard(key)
                    self._busy.add(key)
                    self._when.pop(key, None)
                    return key
                self._pause(left)
            return None

    def done(self, key: Hashable) -> None:
        """Its worker has finished with it for now."""
        with self._changed:
            self._busy.discard(key)
            if key in self._dirty:
                self._due.append(key)
                self._changed.notify()

    def close(self) -> None:
        """Let every worker go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _add(self, key: Hashable) -> None:
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._busy:
            self._due.append(key)
            self._changed.notify()

    def _ripen(self) -> Optional[float]:
        """Move what is due by now; the seconds until the next is."""
        now = self._clock.monotonic()
        while self._later and self._later[0][0] <= now:
            when, _count, key = heapq.heappop(self._later)
            if self._when.get(key) == when:
                del self._when[key]
                self._add(key)
        return self._later[0][0] - now if self._later else None

    def _wait(self, seconds: Optional[float]) -> None:
        self._changed.wait(seconds)
