# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scheduler believes of the cluster: every pod that has a node counts, whoever placed it.

A pod that was decided on counts from that moment (`assume`), until a watch says where it is or
the binder says that it failed (`forget`). What events of a watch tell wins over what was assumed;
an event that is older than what is known is left out, for a replay says nothing new. A list
(`replace`) is the whole truth of its moment and wins over both.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from ..api.kinds import (
    ATTACHMENTS,
    CLAIMS,
    CSI_NODES,
    NAMESPACES,
    NODES,
    PODS,
    STORAGE_CLASSES,
    VOLUMES,
    Kind,
)
from ..clock import Clock
from ..framework.interface import Event
from .anti_affinity import AntiAffinity
from .nodes import Node, NodeReader
from .objects import Pod
from .podclass import Interner
from .sinks import NodeSink, PodSink, Sink
from .table import NodeTable
from .views import NodeView, NodeViews
from .volumes import Shelf, Volumes
from .wire import newer

_LOG = logging.getLogger(__name__)


class Listener(Protocol):
    """Who is told what may be placed (the queue)."""

    def pod_pending(self, pod: Pod) -> None:
        """A pod of ours without a node is new or has changed; gated ones too, assumed ones not."""

    def pod_gone(self, pod: Pod) -> None:
        """It is no longer to be placed: deleted, being deleted, ended, or bound."""

    def event(self, event: Event) -> None:
        """Something happened that may make other pods fit."""


class Assumed(NamedTuple):
    """A pod that was decided on; `since` is in monotonic seconds."""

    pod: Pod
    node_name: str
    since: float


class Cluster:
    """Nodes, pods and volumes as last heard of, and the placements under way."""

    def __init__(
        self,
        *,
        scheduler_names: frozenset[str],
        node_selector: Mapping[str, str],
        clock: Clock | None = None,
    ) -> None:
        self.table = NodeTable()
        self.volumes = Volumes(lambda: self._tell(Event.VOLUME_CHANGED))
        self.namespaces = Shelf(lambda: None)
        self.pods: dict[str, Pod] = {}
        self.anti_affinity = AntiAffinity()
        self.listener: Listener | None = None
        self.interner = Interner()
        self._scheduler_names = scheduler_names
        self._node_selector = dict(node_selector)
        self._clock = clock
        self._assumed: dict[str, Assumed] = {}
        self._reader = NodeReader()
        self._sinks: dict[Kind, Sink] = {
            PODS: PodSink(self),
            NODES: NodeSink(self),
            CLAIMS: self.volumes.claims,
            VOLUMES: self.volumes.volumes,
            CSI_NODES: self.volumes.csi_nodes,
            ATTACHMENTS: self.volumes.attachments,
            STORAGE_CLASSES: self.volumes.classes,
            NAMESPACES: self.namespaces,
        }

    def sink(self, kind: Kind) -> Sink:
        """Where a reflector of that kind puts what it sees."""
        return self._sinks[kind]

    # What others ask. Plugins ask it too, through their handle.

    @property
    def storage(self) -> Volumes:
        """Claims and volumes."""
        return self.volumes

    @property
    def epoch(self) -> tuple[int, int, int]:
        """Another one after each change of a node, of volumes, or of a pod with anti-affinity."""
        return self.table.nodes_version, self.volumes.version, self.anti_affinity.version

    @property
    def node_count(self) -> int:
        """How many nodes this scheduler may use."""
        return self.table.count

    def nodes_with_image(self, image: str) -> int:
        """How many usable nodes have the image, under this very name."""
        return self.table.image_counts[image]

    @property
    def nodes(self) -> NodeViews:
        """The nodes that this scheduler may use, now."""
        return NodeViews(self.table)

    def node(self, name: str) -> NodeView | None:
        """A node that this scheduler may use, None where there is none of that name."""
        row = self.table.index.get(name)
        return None if row is None or not self.table.usable[row] else self.table.info(row)

    def node_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a node, in scope or not; none where there is none of that name."""
        row = self.table.index.get(name)
        known = None if row is None else self.table.nodes[row]
        return {} if known is None else known.labels

    def node_uid(self, name: str) -> str:
        """The uid of a node, in scope or not; "" where there is none of that name."""
        row = self.table.index.get(name)
        known = None if row is None else self.table.nodes[row]
        return "" if known is None else known.uid

    def node_of(self, uid: str) -> str:
        """Where a pod counts: the node it has or is assumed to get; "" for none."""
        assumed = self._assumed.get(uid)
        if assumed is not None:
            return assumed.node_name
        pod = self.pods.get(uid)
        return "" if pod is None else pod.node_name

    def assumed(self) -> Mapping[str, Assumed]:
        """The placements that no watch has confirmed yet, by uid."""
        return self._assumed

    def fingerprint(self, kind: Kind) -> Mapping[str, str]:
        """uid -> resource version, as believed; pods that are terminal are not in it."""
        if kind == PODS:
            return {pod.uid: pod.resource_version for pod in self.pods.values()}
        if kind == NODES:
            known = (node for node in self.table.nodes if node is not None)
            return {node.uid: node.resource_version for node in known}
        shelf = self._sinks[kind]
        return shelf.fingerprint() if isinstance(shelf, Shelf) else {}

    # What the binder says.

    def assume(self, pod: Pod, node_name: str) -> None:
        """Count the pod on a node from now on."""
        self.forget(pod.uid)
        known = self.pods.get(pod.uid, pod)
        if known.node_name:
            # A watch was faster: it says where the pod is.
            return
        since = self._clock.monotonic() if self._clock is not None else 0.0
        self._assumed[pod.uid] = Assumed(pod, node_name, since)
        self._place(known, node_name)

    def forget(self, uid: str) -> None:
        """The placement failed. A pod that a watch has shown elsewhere stays where it is."""
        assumed = self._assumed.pop(uid, None)
        if assumed is not None:
            self._displace(uid, assumed.node_name)
            self._tell(Event.POD_REMOVED)

    # What watches say of pods.

    def put_pod(self, pod: Pod, *, certain: bool = False) -> None:
        """A pod as it is now; `certain` for one of a list, which may also be older."""
        if pod.terminal:
            self.drop_pod(pod)
            return
        old = self.pods.get(pod.uid)
        if old is not None and not newer(pod.resource_version, old.resource_version):
            if not certain or pod.resource_version == old.resource_version:
                return
        before = self.node_of(pod.uid)
        self.pods[pod.uid] = pod
        if pod.node_name:
            self._assumed.pop(pod.uid, None)
        now = self.node_of(pod.uid)
        self._move(pod, before, now)
        if before and (before != now or _takes_less(old, pod)):
            self._tell(Event.POD_REMOVED)
        self._notify(old, pod)

    def drop_pod(self, pod: Pod) -> None:
        """A pod is gone, or has ended."""
        node_name = self.node_of(pod.uid)
        self._assumed.pop(pod.uid, None)
        known = self.pods.pop(pod.uid, None)
        if node_name:
            self._displace(pod.uid, node_name)
            self._tell(Event.POD_REMOVED)
        if known is not None and self._waits(known) and self.listener is not None:
            self.listener.pod_gone(pod)

    def slim(self, pod: Pod) -> None:
        """Only a pod that we may place keeps its JSON."""
        if pod.raw is not None and pod.scheduler_name not in self._scheduler_names:
            pod.raw = None

    def _waits(self, pod: Pod) -> bool:
        return (
            not pod.node_name
            and not pod.terminating
            and pod.scheduler_name in self._scheduler_names
        )

    def _notify(self, old: Pod | None, pod: Pod) -> None:
        listener = self.listener
        if listener is None:
            return
        if self._waits(pod):
            if pod.uid in self._assumed:
                return
            listener.pod_pending(pod)
            if old is not None and (old.pod_class is not pod.pod_class or old.gates != pod.gates):
                listener.event(Event.POD_CHANGED)
        elif old is not None and self._waits(old):
            listener.pod_gone(pod)

    def _move(self, pod: Pod, before: str, now: str) -> None:
        if before == now:
            if now:
                self.table.replace(pod, now)
                self._count_terms(pod)
            return
        if before:
            self._displace(pod.uid, before)
        if now:
            self._place(pod, now)

    def _place(self, pod: Pod, node_name: str) -> None:
        self.table.add(pod, node_name)
        self._count_terms(pod)

    def _count_terms(self, pod: Pod) -> None:
        if pod.pod_class.claims:
            self.volumes.add_user(pod)
        if pod.pod_class.anti_affinity:
            self.anti_affinity.add(pod)

    def _displace(self, uid: str, node_name: str) -> None:
        pod = self.table.remove(uid, node_name)
        if pod is None:
            return
        if pod.pod_class.claims:
            self.volumes.remove_user(pod)
        self.anti_affinity.remove(uid)

    # What watches say of nodes.

    def read_node(self, raw: bytes) -> Node:
        """Decode a Node; raises msgspec.DecodeError."""
        return self._reader.read(raw)

    def put_node(self, node: Node, *, certain: bool = False) -> None:
        """A node as it is now."""
        row = self.table.index.get(node.name)
        known = None if row is None else self.table.nodes[row]
        if known is not None and known.uid == node.uid:
            same = node.resource_version == known.resource_version
            if same or not (certain or newer(node.resource_version, known.resource_version)):
                return
        if node.error:
            _LOG.error("node %s is not used, because it cannot be read: %s", node.name, node.error)
        usable = not node.error and self._in_scope(node)
        if known is not None and node.as_before(known) and node.images == known.images:
            self.table.touch_node(node)
            return
        self.table.set_node(node, self._reader.allocatable(node), usable=usable)
        self.anti_affinity.nodes_changed()
        if known is None:
            self._tell(Event.NODE_ADDED)
        elif not node.as_before(known):
            self._tell(Event.NODE_CHANGED)

    def drop_node(self, name: str) -> None:
        """A node is gone; what is on it counts until it is gone too."""
        self.table.remove_node(name)
        self.anti_affinity.nodes_changed()

    def _in_scope(self, node: Node) -> bool:
        return all(node.labels.get(key) == text for key, text in self._node_selector.items())

    def _tell(self, event: Event) -> None:
        if self.listener is not None:
            self.listener.event(event)


def _takes_less(old: Pod | None, new: Pod) -> bool:
    """Whether a pod leaves room that it took (a resize downwards)."""
    if old is None or old.share is new.share:
        return False
    return any(
        new.share.requests.get(name, 0) < units for name, units in old.share.requests.items()
    )
