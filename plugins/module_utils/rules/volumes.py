# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A volume that exists somewhere pulls its pod there: node affinity and zone of bound volumes.

VolumeBinding and VolumeZone in pkg/scheduler/framework/plugins. A claim that is not bound yet is
a rejection here whatever its storage class: only kube-scheduler can have a volume made for a
node, so a pod with such a claim must not be bound past it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Optional

from .model import Field, Object, labels_of, name_of, node_field, pod_field
from .rejection import Rejection, reject
from .selectors import matches_node_selector

ClaimAndVolume = tuple[Object, Optional[Object]]
Volumes = Mapping[str, Optional[ClaimAndVolume]]

_ZONE = "topology.kubernetes.io/zone"
_REGION = "topology.kubernetes.io/region"
# The names before 1.17, still found on old volumes -> the names of today.
_LEGACY = {
    "failure-domain.beta.kubernetes.io/zone": _ZONE,
    "failure-domain.beta.kubernetes.io/region": _REGION,
}
_TOPOLOGY_LABELS = (*_LEGACY, _ZONE, _REGION)
_BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
_SET_DELIMITER = "__"  # a regional volume lists its zones as "a__b"


def claim_names(pod: Object) -> list[str]:
    """The claims that the pod mounts, in the order of its volumes, ephemeral ones included."""
    return [name for name, dummy in _claims(pod_field(pod))]


def _claims(pod: Field) -> Iterator[tuple[str, bool]]:
    for volume in pod["spec"]["volumes"].elements():
        if volume["persistentVolumeClaim"].exists:
            yield volume["persistentVolumeClaim"]["claimName"].text(), False
        elif volume["ephemeral"].exists:
            # The name that the ephemeral volume controller gives.
            yield f"{name_of(pod)}-{volume['name'].text()}", True


def volume_labels_read(volume: Object) -> frozenset[str]:
    """The node labels that the affinity of a PersistentVolume asks for."""
    required = Field(volume, "PersistentVolume")["spec"]["nodeAffinity"]["required"]
    return frozenset(
        expression["key"].text()
        for term in required["nodeSelectorTerms"].elements()
        for expression in term["matchExpressions"].elements()
    )


def volume_conflicts(pod: Object, node: Object, volumes: Volumes) -> list[Rejection]:
    """VolumeBinding: every claim is bound, and its volume can be reached from the node."""
    labels = labels_of(node_field(node))
    found = (_claim_conflict(name, volumes.get(name), labels) for name in claim_names(pod))
    return [rejection for rejection in found if rejection is not None]


def _claim_conflict(
    name: str, known: ClaimAndVolume | None, labels: Mapping[str, str]
) -> Rejection | None:
    if known is None:
        return reject("VolumeClaimNotFound", f"claim {name} does not exist", claim=name)
    claim, volume = Field(known[0], "PersistentVolumeClaim"), known[1]
    volume_name = claim["spec"]["volumeName"].text()
    if claim["status"]["phase"].text() == "Lost":
        detail = f"volume {volume_name} of claim {name} is lost"
        return reject("VolumeClaimLost", detail, claim=name, volume=volume_name)
    if claim["metadata"]["deletionTimestamp"].exists:
        return reject("VolumeClaimDeleting", f"claim {name} is being deleted", claim=name)
    # The name alone is not enough: the volume controller says when the two are bound.
    if not volume_name or not claim["metadata"]["annotations"][_BIND_COMPLETED].exists:
        return reject("VolumeUnbound", f"claim {name} is not bound to a volume")
    if volume is None:
        return reject("VolumeNotFound", f"volume {volume_name} of claim {name} does not exist")
    required = Field(volume, "PersistentVolume")["spec"]["nodeAffinity"]["required"]
    # Like kube-scheduler, which compares volumes with the labels of a node, not with its name.
    if required.exists and not matches_node_selector(required, labels, name=None):
        detail = f"volume {volume_name} of claim {name} cannot be reached from the node"
        return reject("VolumeNodeAffinityConflict", detail)
    return None


def zone_conflicts(pod: Object, node: Object, volumes: Volumes) -> list[Rejection]:
    """VolumeZone: zone and region labels of bound volumes, where the node has any such label."""
    labels = labels_of(node_field(node))
    if not any(key in labels for key in _TOPOLOGY_LABELS):
        return []
    rejections = []
    for name, is_ephemeral in _claims(pod_field(pod)):
        known = volumes.get(name)
        if is_ephemeral or known is None or known[1] is None:
            continue
        rejections += _zone_conflict(Field(known[1], "PersistentVolume"), labels)
    return rejections


def _zone_conflict(volume: Field, labels: Mapping[str, str]) -> list[Rejection]:
    volume_labels = labels_of(volume)
    for key in _TOPOLOGY_LABELS:
        zones = [zone.strip() for zone in volume_labels.get(key, "").split(_SET_DELIMITER)]
        # A label that is absent, or that no cloud would write, does not bind the volume.
        if not all(zones):
            continue
        actual = labels.get(key, labels.get(_LEGACY.get(key, key)))
        if actual not in zones:
            detail = f"volume {name_of(volume)} is in {key}={volume_labels[key]}, node: {actual}"
            return [reject("VolumeZoneConflict", detail)]
    return []
