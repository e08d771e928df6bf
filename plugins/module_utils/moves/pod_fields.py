# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every field of a pod, and what becomes of it when a bare pod is made again from itself.

A bare pod has no template, so its own manifest is one: without what the server, the scheduler and
admission fill in. docs/bare-pods.md shows these tables to users; a test compares them with the
fields that a live API server has. A field that is not here yet is kept: users write most of them.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Tuple

KEPT = "kept"
DROPPED = "dropped"
REFUSED = "refused"
Fate = Tuple[str, str]  # what becomes of it, and why, or what to know about it

SPEC: Dict[str, Fate] = {
    "activeDeadlineSeconds": (KEPT, "counts anew from the new start"),
    "affinity": (KEPT, "without the pin of an earlier move, and without merged matchLabelKeys"),
    "automountServiceAccountToken": (KEPT, ""),
    "containers": (KEPT, "without the mounts of the token; resized resources as they are now"),
    "dnsConfig": (KEPT, ""),
    "dnsPolicy": (KEPT, ""),
    "enableServiceLinks": (KEPT, ""),
    "ephemeralContainers": (DROPPED, "cannot be created; refused while one runs: DebugSession"),
    "evictionResponders": (KEPT, ""),
    "hostAliases": (KEPT, ""),
    "hostIPC": (KEPT, ""),
    "hostNetwork": (KEPT, ""),
    "hostPID": (KEPT, ""),
    "hostUsers": (KEPT, ""),
    "hostname": (KEPT, "with strategy surge refused: NameMatters"),
    "hostnameOverride": (KEPT, ""),
    "imagePullSecrets": (KEPT, "also those that the service account gave it"),
    "initContainers": (KEPT, "as containers; they run again"),
    "nodeName": (DROPPED, "the new node takes its place"),
    "nodeSelector": (KEPT, "the target must match it"),
    "os": (KEPT, "the target must match it"),
    "overhead": (DROPPED, "filled in from the RuntimeClass"),
    "preemptionPolicy": (DROPPED, "filled in from the priority class"),
    "priority": (DROPPED, "filled in from the priority class"),
    "priorityClassName": (KEPT, ""),
    "readinessGates": (KEPT, "their controllers must say yes again"),
    "resourceClaims": (REFUSED, "ResourceClaims: allocated devices cannot be in two places"),
    "resources": (KEPT, ""),
    "restartPolicy": (KEPT, ""),
    "runtimeClassName": (KEPT, ""),
    "schedulerName": (KEPT, "unless another one is asked for"),
    "schedulingGates": (DROPPED, "a pod that runs has none"),
    "schedulingGroup": (REFUSED, "SchedulingGroup: one pod of a gang does not move alone"),
    "securityContext": (KEPT, ""),
    "serviceAccount": (KEPT, "the old name of serviceAccountName"),
    "serviceAccountName": (KEPT, ""),
    "setHostnameAsFQDN": (KEPT, ""),
    "shareProcessNamespace": (KEPT, ""),
    "subdomain": (KEPT, "with strategy surge refused: NameMatters"),
    "terminationGracePeriodSeconds": (KEPT, ""),
    "tolerations": (KEPT, "also those that admission added"),
    "topologySpreadConstraints": (KEPT, "without merged matchLabelKeys"),
    "volumes": (KEPT, "without the token of the service account"),
    "workloadRef": (REFUSED, "SchedulingGroup: the name of that field in Kubernetes 1.35"),
}
METADATA: Dict[str, Fate] = {
    "annotations": (KEPT, "without what CNI, admission and evictors wrote about the old pod"),
    "creationTimestamp": (DROPPED, ""),
    "deletionGracePeriodSeconds": (DROPPED, ""),
    "deletionTimestamp": (DROPPED, ""),
    "finalizers": (DROPPED, "whoever set one on the old pod lets that go first"),
    "generateName": (DROPPED, "the name is known"),
    "generation": (DROPPED, ""),
    "labels": (KEPT, "without the topology of the old node"),
    "managedFields": (DROPPED, "the fields belong to the one who moves the pod"),
    "name": (KEPT, "with strategy surge a new one"),
    "namespace": (KEPT, ""),
    "ownerReferences": (KEPT, "a bare pod has no controller; what else owns it still does"),
    "resourceVersion": (DROPPED, ""),
    "selfLink": (DROPPED, ""),
    "uid": (DROPPED, ""),
}
_OTHER_NODES = "reached from any node"
_ONE_NODE = "attaches to one node: strategy recreate"
_STAYS = "LocalData: unless delete_emptydir_data"
_SPEAKS_FOR_ITSELF = "made anew on the new node"
VOLUMES: Dict[str, Fate] = {
    "awsElasticBlockStore": (KEPT, _ONE_NODE),
    "azureDisk": (KEPT, _ONE_NODE),
    "azureFile": (KEPT, _OTHER_NODES),
    "cephfs": (KEPT, _OTHER_NODES),
    "cinder": (KEPT, _ONE_NODE),
    "configMap": (KEPT, _SPEAKS_FOR_ITSELF),
    "csi": (KEPT, _SPEAKS_FOR_ITSELF),
    "downwardAPI": (KEPT, _SPEAKS_FOR_ITSELF),
    "emptyDir": (REFUSED, _STAYS),
    "ephemeral": (REFUSED, _STAYS),
    "fc": (KEPT, _ONE_NODE),
    "flexVolume": (KEPT, _OTHER_NODES),
    "flocker": (KEPT, _OTHER_NODES),
    "gcePersistentDisk": (KEPT, _ONE_NODE),
    "gitRepo": (KEPT, _SPEAKS_FOR_ITSELF),
    "glusterfs": (KEPT, _OTHER_NODES),
    "hostPath": (KEPT, "the path of the new node"),
    "image": (KEPT, _SPEAKS_FOR_ITSELF),
    "iscsi": (KEPT, _ONE_NODE),
    "nfs": (KEPT, _OTHER_NODES),
    "persistentVolumeClaim": (KEPT, "by its access modes and the volume's nodes"),
    "photonPersistentDisk": (KEPT, _OTHER_NODES),
    "portworxVolume": (KEPT, _OTHER_NODES),
    "projected": (KEPT, "tokens too, but not the one that admission adds"),
    "quobyte": (KEPT, _OTHER_NODES),
    "rbd": (KEPT, _ONE_NODE),
    "scaleIO": (KEPT, _OTHER_NODES),
    "secret": (KEPT, _SPEAKS_FOR_ITSELF),
    "storageos": (KEPT, _OTHER_NODES),
    "vsphereVolume": (KEPT, _ONE_NODE),
}

# About the old pod's own network, admission or eviction. What users write with the same prefixes
# (static addresses, networks, opt-outs) stays, and so do the marks of injectors (vault, linkerd)
# whose containers stay too.
ANNOTATIONS_OF_THE_OLD_POD: FrozenSet[str] = frozenset(
    (
        "cni.projectcalico.org/containerID",
        "cni.projectcalico.org/podIP",
        "cni.projectcalico.org/podIPs",
        "descheduler.alpha.kubernetes.io/eviction-in-progress",
        "k8s.ovn.org/dpu.connection-details",
        "k8s.ovn.org/dpu.connection-status",
        "k8s.ovn.org/pod-networks",
        "k8s.v1.cni.cncf.io/network-status",
        "k8s.v1.cni.cncf.io/networks-status",
        "kubernetes.io/limit-ranger",
        "openshift.io/scc",
        "ovn.kubernetes.io/allocated",
        "ovn.kubernetes.io/routed",
        "security.openshift.io/validated-scc-subject-type",
        "sidecar.istio.io/status",
        "vpc.amazonaws.com/pod-eni",
        "vpc.amazonaws.com/pod-ips",
    )
)
# Written by the Binding from the node's labels since 1.35 (KEP-4742): they would be the old node's.
LABELS_OF_THE_OLD_NODE: FrozenSet[str] = frozenset(
    ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
)


def dropped(field: str) -> bool:
    """The field of a spec is left out of the new pod's."""
    return SPEC.get(field, (KEPT, ""))[0] == DROPPED
