# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last net: now and then everything is counted, and whatever was lost comes back.

No pod of ours that waits may be missing in the queue, none may stay in it that no longer waits, and
none that is said to be bound may stay unconfirmed for long. None of this should ever be found; what
is found is an error in the log, a count in the metrics, and put right.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from .entry import Entry, Place

if TYPE_CHECKING:
    from ..cache.cluster import Cluster
    from ..cache.objects import Pod
    from ..clock import Clock
    from .binder import Binder
    from .queue import Queue

log = logging.getLogger(__name__)
EVERY = 60.0
# A watch that lives shows a binding within moments; this is longer than any that does not.
CONFIRMED_WITHIN = 120.0


class Metrics(Protocol):
    """What the audit tells."""

    def inconsistency(self, kind: str, n: int = 1) -> None: ...


class Audit:
    """Compares the queue with the cluster."""

    def __init__(
        self,
        queue: Queue,
        cluster: Cluster,
        binder: Binder,
        *,
        scheduler_names: frozenset[str],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._cluster = cluster
        self._binder = binder
        self._names = scheduler_names
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EVERY)
            for wrong in self.repair():
                log.error("the queue was wrong, and is put right: %s", wrong)
                self._metrics.inconsistency("queue")
            for entry in self.unconfirmed():
                await self._confirm(entry)

    def repair(self) -> list[str]:
        """What is wrong; the pods that it is about are in their places afterwards."""
        wrong = self._queue.check()
        for pod in list(self._cluster.pods.values()):
            if self._waits(pod) and pod.uid not in self._queue:
                wrong.append(f"{pod.namespace}/{pod.name} waits and was not in the queue")
                self._queue.pod_pending(pod)
        for entry in list(self._queue):
            pod = self._cluster.pods.get(entry.pod.uid, entry.pod)
            if entry.pod.uid not in self._cluster.pods or not self._waits(pod):
                wrong.append(f"{pod.namespace}/{pod.name} was in the queue and does not wait")
                self._queue.pod_gone(pod)
        return wrong

    def unconfirmed(self) -> list[Entry]:
        """Pods that somebody said he had bound, long ago, and that no watch has shown bound."""
        limit = self._clock.monotonic() - CONFIRMED_WITHIN
        return [
            entry
            for entry in self._queue
            if entry.place is Place.IN_FLIGHT and entry.bound_at is not None
            if entry.bound_at <= limit
        ]

    async def _confirm(self, entry: Entry) -> None:
        """Ask the API server. What is free is decided about anew; the rest the watch must bring."""
        if not await self._binder.is_free(entry.pod) or entry.place is not Place.IN_FLIGHT:
            return
        pod = entry.pod
        log.error("%s/%s was said to be bound and is free", pod.namespace, pod.name)
        self._metrics.inconsistency("binding")
        self._cluster.forget(pod.uid)
        self._queue.retry(entry)

    def _waits(self, pod: Pod) -> bool:
        return not pod.node_name and not pod.terminating and pod.scheduler_name in self._names
