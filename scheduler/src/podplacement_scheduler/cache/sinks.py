# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reflectors see goes into the cluster object by object; a list is held against what is known.

What cannot be read is logged and left out: one bad object must not stop a scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from .nodes import Node
from .objects import Pod, decode_pod

if TYPE_CHECKING:
    from .cluster import Cluster

T = TypeVar("T")
_LOG = logging.getLogger(__name__)


class Sink(Protocol):
    """Where a reflector puts what it sees."""

    def replace(self, items: Iterable[bytes]) -> None:
        """The whole state now."""

    def apply(self, event: str, raw: bytes) -> None:
        """ADDED, MODIFIED or DELETED."""


class PodSink:
    """Puts pods into the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def replace(self, items: Iterable[bytes]) -> None:
        """Take a list for the truth: what it does not hold is gone, assumed or not."""
        cluster = self._cluster
        seen = set()
        for raw in items:
            pod = self._read(raw)
            if pod is not None:
                seen.add(pod.uid)
                cluster.put_pod(pod, certain=True)
        for uid in [uid for uid in cluster.pods if uid not in seen]:
            cluster.drop_pod(cluster.pods[uid])

    def apply(self, event: str, raw: bytes) -> None:
        """ADDED, MODIFIED or DELETED."""
        pod = self._read(raw)
        if pod is None:
            return
        if event == "DELETED":
            self._cluster.drop_pod(pod)
        else:
            self._cluster.put_pod(pod)

    def _read(self, raw: bytes) -> Pod | None:
        return _read(raw, lambda text: decode_pod(text, self._cluster.interner))


class NodeSink:
    """Puts nodes into the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def replace(self, items: Iterable[bytes]) -> None:
        """Take a list for the truth."""
        cluster = self._cluster
        nodes = [node for node in map(self._read, items) if node is not None]
        cluster.table.reserve(sum(node.name not in cluster.table.index for node in nodes))
        for node in nodes:
            cluster.put_node(node, certain=True)
        names = {node.name for node in nodes}
        for known in list(cluster.table.nodes):
            if known is not None and known.name not in names:
                cluster.drop_node(known.name)

    def apply(self, event: str, raw: bytes) -> None:
        """ADDED, MODIFIED or DELETED."""
        node = self._read(raw)
        if node is None:
            return
        if event != "DELETED":
            self._cluster.put_node(node)
        elif node.uid == self._cluster.node_uid(node.name):
            self._cluster.drop_node(node.name)

    def _read(self, raw: bytes) -> Node | None:
        return _read(raw, self._cluster.read_node)


def _read(raw: bytes, decode: Callable[[bytes], T]) -> T | None:
    try:
        return decode(raw)
    except msgspec.DecodeError as err:
        _LOG.error("left out, because it cannot be read: %s", err)
        return None
