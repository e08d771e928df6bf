# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that exist before their claims: the volume controller binds them, nobody mounts them."""

from __future__ import annotations

from typing import Any

from tests.cluster.kube import Kube, Object
from tests.integration.manifests import controller

CLAIM = "data"
SIZE = {"storage": "1Gi"}
HOST_PATH = {"hostPath": {"path": "/data"}}


def volume(namespace: Object, mode: str, **spec: Any) -> Object:
    """A volume for the claim of that namespace, named after it; by default of type hostPath. The
    garbage collector takes it when the namespace goes.
    """
    name = namespace["metadata"]["name"]
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": name}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "ownerReferences": [{**owner, "uid": namespace["metadata"]["uid"]}],
        },
        "spec": {
            "capacity": SIZE,
            "accessModes": [mode],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "claimRef": {"namespace": name, "name": CLAIM},
            **(spec or HOST_PATH),
        },
    }


def claim(namespace: str, mode: str) -> Object:
    """The claim of that volume."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM},
        "spec": {
            "accessModes": [mode],
            "storageClassName": "",
            "volumeName": namespace,
            "resources": {"requests": SIZE},
        },
    }


CSI: dict[str, Any] = {"csi": {"driver": "csi.test.podplacement.io", "volumeHandle": "data"}}


def attachment(namespace: str, node: str) -> Object:
    """That volume, if it is of type CSI, attached to a node; its driver would take it away."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "VolumeAttachment",
        "metadata": {"name": namespace},
        "spec": {
            "attacher": CSI["csi"]["driver"],
            "nodeName": node,
            "source": {"persistentVolumeName": namespace},
        },
    }


def local(node: str) -> Object:
    """The spec of a volume that is a folder of one node."""
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "local": {"path": "/data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}},
    }


def bound_claim(kube: Kube, namespace: str, mode: str, **spec: Any) -> None:
    """The claim `data` of the namespace, bound to such a volume."""
    kube.create(volume(kube.get("Namespace", namespace), mode, **spec))
    kube.create(claim(namespace, mode), namespace)
    kube.wait("PersistentVolumeClaim", CLAIM, _is_bound, namespace)


def mounted(found: Object) -> Object:
    """The controller, with the claim in its pods."""
    spec = found["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}}]
    spec["containers"][0]["volumeMounts"] = [{"name": CLAIM, "mountPath": "/data"}]
    return found


def with_claim(kind: str = "Deployment", replicas: int = 1, **more: Any) -> Object:
    """A controller whose pods mount the claim; they stop within a second."""
    return mounted(controller(kind, replicas=replicas, **more))


def _is_bound(found: Object) -> bool:
    return bool(found.get("status", {}).get("phase") == "Bound")
