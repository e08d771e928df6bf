# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reflectors see goes into the cluster object by object; a list is held against what is known.

What cannot be read is logged and left out: one bad object must not stop a scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from .nodes import Node
from .objects import Pod, decode_change, decode_pod

if TYPE_CHECKING:
    from .cluster import Cluster

T = TypeVar("T")
_LOG = logging.getLogger(__name__)


class Sink(Protocol):
    """Where a reflector puts what it sees."""

    def read(self, raw: bytes) -> Any:
        """What is kept of an object of a list; None where it cannot be read."""

    def replace(self, items: Iterable[Any]) -> None:
        """What was read is the whole state now."""

    def apply(self, event: str, raw: bytes) -> None:
        """ADDED, MODIFIED or DELETED."""


class PodSink:
    """Puts pods into the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def read(self, raw: bytes) -> Pod | None:
        """The pod; its text is kept only where we may place it."""
        cluster = self._cluster
        pod = _read(raw, lambda text: decode_pod(text, cluster.interner))
        if pod is None:
            return None
        known = cluster.pods.get(pod.uid)
        if known is not None and known.resource_version == pod.resource_version:
            return known  # a list of what is known needs no room
        cluster.slim(pod)
        return pod

    def replace(self, items: Iterable[Pod | None]) -> None:
        """Take a list for the truth: what it does not hold is gone, assumed or not."""
        cluster = self._cluster
        seen = set()
        for pod in items:
            if pod is not None:
                seen.add(pod.uid)
                cluster.put_pod(pod, certain=True)
        for uid in [uid for uid in cluster.pods if uid not in seen]:
            cluster.drop_pod(cluster.pods[uid])

    def apply(self, event: str, raw: bytes) -> None:
        """ADDED, MODIFIED or DELETED."""
        cluster = self._cluster
        if event == "ADDED":
            pod = self.read(raw)
        else:
            pod = _read(raw, lambda text: decode_change(text, cluster.interner, cluster.pods))
        if pod is None:
            return
        if event == "DELETED":
            cluster.drop_pod(pod)
        else:
            cluster.slim(pod)
            cluster.put_pod(pod)


class NodeSink:
    """Puts nodes into the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def read(self, raw: bytes) -> Node | None:
        """The node."""
        return _read(raw, self._cluster.read_node)

    def replace(self, items: Iterable[Node | None]) -> None:
        """Take a list for the truth."""
        cluster = self._cluster
        nodes = [node for node in items if node is not None]
        cluster.table.reserve(sum(node.name not in cluster.table.index for node in nodes))
        for node in nodes:
            cluster.put_node(node, certain=True)
        names = {node.name for node in nodes}
        for known in list(cluster.table.nodes):
            if known is not None and known.name not in names:
                cluster.drop_node(known.name)

    def apply(self, event: str, raw: bytes) -> None:
        """ADDED, MODIFIED or DELETED."""
        node = self.read(raw)
        if node is None:
            return
        if event != "DELETED":
            self._cluster.put_node(node)
        elif node.uid == self._cluster.node_uid(node.name):
            self._cluster.drop_node(node.name)


def fill(sink: Sink, objects: Iterable[bytes]) -> None:
    """Give a sink a list as it came from the API server."""
    sink.replace(map(sink.read, objects))


def _read(raw: bytes, decode: Callable[[bytes], T]) -> T | None:
    try:
        return decode(raw)
    except msgspec.DecodeError as err:
        _LOG.error("left out, because it cannot be read: %s", err)
        return None
