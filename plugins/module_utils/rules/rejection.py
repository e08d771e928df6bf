# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A verdict is a value: a stable code, kube-scheduler's own words, and our sentence with the facts.

`CODES` is the only table of codes and texts. Where kube-scheduler has a text for the case, it is
that text, as of Kubernetes 1.36, so that a preflight, an event and `kubectl describe` agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rejection:
    """Why a pod does not fit a node."""

    code: str
    reason: str
    detail: str
    # Whether removing pods from the node can help: kube-scheduler's `Unschedulable` as against
    # `UnschedulableAndUnresolvable`.
    resolvable: bool


@dataclass(frozen=True)
class Code:
    rule: str
    text: str
    source: str  # below pkg/scheduler/framework/plugins of kubernetes, where not said otherwise
    resolvable: bool = False


CODES: Mapping[str, Code] = {
    "NodeUnschedulable": Code(
        "NodeUnschedulable",
        "node(s) were unschedulable",
        "nodeunschedulable/node_unschedulable.go: Filter",
    ),
    "NodeNameMismatch": Code(
        "NodeName",
        "node(s) didn't match the requested node name",
        "nodename/node_name.go: Filter",
    ),
    # Before 1.35 (and the last 1.34 patches) the text named the taint:
    # "node(s) had untolerated taint {key: value}" (kubernetes pull request 134740).
    "UntoleratedTaint": Code(
        "TaintToleration",
        "node(s) had untolerated taint(s)",
        "tainttoleration/taint_toleration.go: Filter",
    ),
    "NodeSelectorMismatch": Code(
        "NodeAffinity",
        "node(s) didn't match Pod's node affinity/selector",
        "nodeaffinity/node_affinity.go: Filter",
    ),
    "NodeAffinityMismatch": Code(
        "NodeAffinity",
        "node(s) didn't match Pod's node affinity/selector",
        "nodeaffinity/node_affinity.go: Filter",
    ),
    "NodeNotNamedByAffinity": Code(
        "NodeAffinity",
        "node(s) didn't satisfy plugin(s) [NodeAffinity]",
        "nodeaffinity/node_affinity.go: PreFilter; text: pkg/scheduler/schedule_one.go",
    ),
    "NodeAffinityConflict": Code(
        "NodeAffinity",
        "pod affinity terms conflict",
        "nodeaffinity/node_affinity.go: PreFilter",
    ),
    "HostPortConflict": Code(
        "NodePorts",
        "node(s) didn't have free ports for the requested pod ports",
        "nodeports/node_ports.go: Filter",
        resolvable=True,
    ),
    "TooManyPods": Code(
        "NodeResourcesFit",
        "Too many pods",
        "noderesources/fit.go: fitsRequest",
        resolvable=True,
    ),
    "InsufficientCpu": Code(
        "NodeResourcesFit",
        "Insufficient cpu",
        "noderesources/fit.go: fitsRequest",
        resolvable=True,
    ),
    "InsufficientMemory": Code(
        "NodeResourcesFit",
        "Insufficient memory",
        "noderesources/fit.go: fitsRequest",
        resolvable=True,
    ),
    "InsufficientEphemeralStorage": Code(
        "NodeResourcesFit",
        "Insufficient ephemeral-storage",
        "noderesources/fit.go: fitsRequest",
        resolvable=True,
    ),
    "InsufficientResource": Code(
        "NodeResourcesFit",
        "Insufficient {resource}",
        "noderesources/fit.go: fitsRequest",
        resolvable=True,
    ),
    "VolumeClaimNotFound": Code(
        "VolumeBinding",
        'persistentvolumeclaim "{claim}" not found',
        "volumebinding/volume_binding.go: podHasPVCs",
    ),
    "VolumeClaimLost": Code(
        "VolumeBinding",
        'persistentvolumeclaim "{claim}" bound to non-existent persistentvolume "{volume}"',
        "volumebinding/volume_binding.go: podHasPVCs",
    ),
    "VolumeClaimDeleting": Code(
        "VolumeBinding",
        'persistentvolumeclaim "{claim}" is being deleted',
        "volumebinding/volume_binding.go: podHasPVCs",
    ),
    "VolumeUnbound": Code(
        "VolumeBinding",
        "pod has unbound immediate PersistentVolumeClaims",
        "volumebinding/volume_binding.go: PreFilter",
    ),
    "VolumeNotFound": Code(
        "VolumeBinding",
        "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
        "volumebinding/binder.go: checkBoundClaims",
    ),
    "VolumeNodeAffinityConflict": Code(
        "VolumeBinding",
        "node(s) didn't match PersistentVolume's node affinity",
        "volumebinding/binder.go: checkBoundClaims",
    ),
    "VolumeZoneConflict": Code(
        "VolumeZone", "node(s) had no available volume zone", "volumezone/volume_zone.go: Filter"
    ),
    "TooManyVolumes": Code(
        "NodeVolumeLimits",
        "node(s) exceed max volume count",
        "nodevolumelimits/csi.go: Filter",
        resolvable=True,
    ),
    "ClaimInUse": Code(
        "VolumeRestrictions",
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already"
        " in-use by another pod",
        "volumerestrictions/volume_restrictions.go: Filter",
        resolvable=True,
    ),
    "DiskConflict": Code(
        "VolumeRestrictions",
        "node(s) had no available disk",
        "volumerestrictions/volume_restrictions.go: Filter",
        resolvable=True,
    ),
    "SpreadViolated": Code(
        "PodTopologySpread",
        "node(s) didn't match pod topology spread constraints",
        "podtopologyspread/filtering.go: Filter",
        resolvable=True,
    ),
    "SpreadLabelMissing": Code(
        "PodTopologySpread",
        "node(s) didn't match pod topology spread constraints (missing required label)",
        "podtopologyspread/filtering.go: Filter",
    ),
    "PodAffinityMismatch": Code(
        "InterPodAffinity",
        "node(s) didn't match pod affinity rules",
        "interpodaffinity/filtering.go: satisfyPodAffinity",
    ),
    "PodAntiAffinityMismatch": Code(
        "InterPodAffinity",
        "node(s) didn't match pod anti-affinity rules",
        "interpodaffinity/filtering.go: satisfyPodAntiAffinity",
        resolvable=True,
    ),
    "ExistingPodAntiAffinity": Code(
        "InterPodAffinity",
        "node(s) didn't satisfy existing pods anti-affinity rules",
        "interpodaffinity/filtering.go: satisfyExistingPodsAntiAffinity",
        resolvable=True,
    ),
    # No filter of kube-scheduler: it sees the taint that the node controller sets a moment later.
    "NodeNotReady": Code("NodeReady", "node(s) were not ready", "none: the preflight's own"),
}


def reject(code: str, detail: str, *, resolvable: bool | None = None, **names: str) -> Rejection:
    """A rejection with the table's text; `names` fill the text's placeholders."""
    entry = CODES[code]
    return Rejection(
        code=code,
        reason=entry.text.format(**names),
        detail=detail,
        resolvable=entry.resolvable if resolvable is None else resolvable,
    )
