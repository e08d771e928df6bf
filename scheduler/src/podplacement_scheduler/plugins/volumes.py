# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What volumes bind a pod to: a place, a zone, a number of slots, or itself alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._rules import CODES
from .._rules.attach import attach_limits, attachable, attachable_volume, too_many_volumes
from .._rules.exclusive import claim_in_use, disk_conflict, has_exclusive_disks
from .._rules.volumes import volume_conflicts, volume_labels_read, zone_conflicts
from ..framework.interface import (
    LABEL,
    SUCCESS,
    TOPOLOGY,
    Code,
    CycleState,
    Event,
    Handle,
    NodeInfo,
    Object,
    Plugin,
    PodView,
    Status,
)
from .base import Args, PerClass, judged, parse, verdict

if TYPE_CHECKING:
    from ..cache.table import NodeTable

_SKIP = Status(Code.SKIP)
# What is wrong with a claim whatever the node.
_OF_THE_CLAIM = frozenset(
    {"VolumeClaimNotFound", "VolumeClaimLost", "VolumeClaimDeleting", "VolumeUnbound"}
)


class _OfClaims(Plugin):
    """A verdict that depends on the claims of the pod; without any there is none."""

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        parse(self.name, args, Args)
        super().__init__(args, handle)

    def sign(self, pod: PodView) -> Hashable:
        return self.handle.storage.stamp(pod)

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        return SUCCESS if pod.pod_class.claims else _SKIP


class VolumeBinding(_OfClaims):
    """Every claim is bound, and its volume can be reached from the node. Nothing is bound here:
    UnsupportedFeatures refuses claims that wait for that."""

    name = "VolumeBinding"
    events: ClassVar[frozenset[Event]] = frozenset(
        {Event.NODE_ADDED, Event.NODE_CHANGED, Event.VOLUME_CHANGED}
    )

    def facets(self, pod: PodView) -> frozenset[str]:
        """The labels that the volumes ask for."""
        if not pod.pod_class.claims:
            return frozenset()
        known = self.handle.storage.of(pod).values()
        volumes = [found[1] for found in known if found is not None and found[1] is not None]
        return frozenset(LABEL + key for volume in volumes for key in volume_labels_read(volume))

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        """What is wrong with a claim as such is said once, not once for each node."""
        if not pod.pod_class.claims:
            return _SKIP
        found = volume_conflicts(pod.object, {}, self.handle.storage.of(pod))
        return verdict([rejection for rejection in found if rejection.code in _OF_THE_CLAIM])

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        return verdict(volume_conflicts(pod.object, node.object, self.handle.storage.of(pod)))


class VolumeZone(_OfClaims):
    """A volume with a zone or region label is used there only."""

    name = "VolumeZone"
    events: ClassVar[frozenset[Event]] = VolumeBinding.events

    def facets(self, pod: PodView) -> frozenset[str]:
        return frozenset({TOPOLOGY}) if pod.pod_class.claims else frozenset()

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        return verdict(zone_conflicts(pod.object, node.object, self.handle.storage.of(pod)))


class VolumeRestrictions(_OfClaims):
    """ReadWriteOncePod claims, and disks that pods name themselves."""

    name = "VolumeRestrictions"
    events: ClassVar[frozenset[Event]] = frozenset(
        {Event.NODE_ADDED, Event.POD_REMOVED, Event.VOLUME_CHANGED}
    )

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        super().__init__(args, handle)
        self._names_disks = PerClass(has_exclusive_disks)

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        return SUCCESS if pod.pod_class.claims or self._names_disks.of(pod) else _SKIP

    def facets(self, pod: PodView) -> frozenset[str] | None:
        """Who uses a claim is the same seen from all nodes; who uses a disk is not."""
        return None if self._names_disks.of(pod) else frozenset()

    def sign(self, pod: PodView) -> Hashable | None:
        if self._names_disks.of(pod):
            return None
        return self._claims(pod).code if pod.pod_class.claims else Code.SUCCESS

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        if self._names_disks.of(pod):
            found = disk_conflict(pod.object, (other.object for other in node.pods))
            if found is not None:
                return judged(found)
        return self._claims(pod)

    def _claims(self, pod: PodView) -> Status:
        storage = self.handle.storage

        def users(claim: str) -> list[str]:
            return [user.uid for user in storage.users(claim, pod.namespace)]

        return judged(claim_in_use(pod.object, storage.of(pod), users))


class NodeVolumeLimits(_OfClaims):
    """A node attaches only so many volumes of a driver."""

    name = "NodeVolumeLimits"
    events: ClassVar[frozenset[Event]] = VolumeRestrictions.events

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        super().__init__(args, handle)
        self._attachments: tuple[Hashable, dict[str, dict[str, str]]] = ((), {})
        self._inline = PerClass(lambda pod: bool(attachable(pod, {})))

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        """Only pods that have something attached are counted."""
        needs = self._inline.of(pod) or self._volumes_of(pod)
        return SUCCESS if needs else _SKIP

    def sign(self, pod: PodView) -> Hashable:
        """Attachments and limits change beside the usage that the table of nodes counts."""
        needs = self._inline.of(pod) or self._volumes_of(pod)
        return self.handle.storage.version if needs else ()

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        storage = self.handle.storage
        csi_node = storage.csi_nodes.get(node.name)
        if not attach_limits(csi_node):
            return SUCCESS
        found = too_many_volumes(pod.object, storage.of(pod), csi_node, self._attached(node))
        return judged(found)

    def filter_rows(
        self, state: CycleState, pod: PodView, table: NodeTable, rows: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """Only nodes with a limit are looked at."""
        fits = np.ones(len(rows), np.bool_)
        for csi_node in self.handle.storage.csi_nodes.values():
            row = table.index.get(csi_node["metadata"]["name"], -1)
            for position in np.flatnonzero(rows == row):
                fits[position] = self.filter(state, pod, table.info(row)).ok
        return fits

    def reasons_rows(
        self, state: CycleState, pod: PodView, table: NodeTable, rows: NDArray[np.intp]
    ) -> Counter[str]:
        refused = int(len(rows) - self.filter_rows(state, pod, table, rows).sum())
        return Counter({CODES["TooManyVolumes"].text: refused} if refused else {})

    def _volumes_of(self, pod: PodView) -> dict[str, str]:
        if not pod.pod_class.claims:
            return {}
        return attachable(pod.object, self.handle.storage.of(pod))

    def _attached(self, node: NodeInfo) -> dict[str, str]:
        """What the node's pods mount, and what is attached to it beside that."""
        storage = self.handle.storage
        found = dict(self._attachments_of(node.name))
        for other in node.pods:
            if other.pod_class.claims or self._inline.of(other):
                found.update(attachable(other.object, storage.of(other)))
        return found

    def _attachments_of(self, node_name: str) -> dict[str, str]:
        storage = self.handle.storage
        version = (storage.attachments.version, storage.volumes.version)
        if self._attachments[0] != version:
            by_node: dict[str, dict[str, str]] = {}
            for attachment in storage.attachments.values():
                spec = attachment.get("spec") or {}
                volume = _attached_volume(spec, storage.volumes.get)
                if volume is not None:
                    on_node = by_node.setdefault(spec.get("nodeName", ""), {})
                    on_node.update(attachable_volume(volume))
            self._attachments = (version, by_node)
        return self._attachments[1].get(node_name, {})


def _attached_volume(spec: Object, volume: Any) -> Object | None:
    name = (spec.get("source") or {}).get("persistentVolumeName")
    found: Object | None = volume(name) if name else None
    return found
