# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugins may ask the scheduler for (Handle of framework/interface.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..cache.anti_affinity import AntiAffinity
    from ..cache.cluster import Cluster
    from ..cache.views import NodeView
    from ..cache.volumes import Volumes
    from .queue import Queue
    from .waiting import Waiting


class SchedulerHandle:
    """The cluster at once; the queue once it is there, for it is made of what plugins say."""

    def __init__(self, cluster: Cluster, waiting: Waiting) -> None:
        self._cluster = cluster
        self._waiting = waiting
        self.queue: Queue | None = None

    @property
    def nodes(self) -> Sequence[NodeView]:
        """All nodes that this scheduler may use, now."""
        return self._cluster.nodes

    def node(self, name: str) -> NodeView | None:
        """One of them."""
        return self._cluster.node(name)

    def node_labels(self, name: str) -> Mapping[str, str]:
        """Those of any node, also of one that this scheduler may not use."""
        return self._cluster.node_labels(name)

    @property
    def node_count(self) -> int:
        """How many there are."""
        return self._cluster.table.count

    def nodes_with_image(self, image: str) -> int:
        """How many of them have it."""
        return self._cluster.nodes_with_image(image)

    @property
    def storage(self) -> Volumes:
        """Claims, volumes and what belongs to them."""
        return self._cluster.volumes

    @property
    def anti_affinity(self) -> AntiAffinity:
        """The pods that keep others away."""
        return self._cluster.anti_affinity

    def allow(self, uid: str) -> None:
        """Let a pod go on that waits in Permit."""
        self._waiting.allow(uid)

    def reject(self, uid: str, reason: str) -> None:
        """Refuse a pod that waits in Permit."""
        self._waiting.reject(uid, reason)

    def activate(self, uid: str) -> None:
        """Try an unschedulable pod again now."""
        if self.queue is not None:
            self.queue.activate(uid)
