# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pods and nodes for the tests of binding: what a test does not say is ordinary."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
SCHEDULER = "by-hand"


def node(name: str, *, cpu: str = "4", ready: bool = True, **spec: Any) -> Object:
    """A node with room for `cpu`."""
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def pod(
    name: str,
    *,
    cpu: str = "1",
    on: str = "",
    owner: str = "",
    created: str = "2026-01-01T00:00:00Z",
    namespace: str = "shop",
    phase: str = "",
    **spec: Any,
) -> Object:
    """A pod that waits for `by-hand`, or runs on a node."""
    found: Object = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "creationTimestamp": created,
    }
    if owner:
        found["ownerReferences"] = [
            {"kind": "ReplicaSet", "name": owner, "uid": f"uid-{owner}", "controller": True}
        ]
    if on:
        spec["nodeName"] = on
    container = {"name": "app", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}
    return {
        "kind": "Pod",
        "metadata": found,
        "spec": {"schedulerName": SCHEDULER, "containers": [container], **spec},
        "status": {"phase": phase or ("Running" if on else "Pending")},
    }


def claim(name: str, *, volume: str = "", mode: str = "ReadWriteOnce") -> Object:
    """A volume claim, bound if it has a volume."""
    bound = {"pv.kubernetes.io/bind-completed": "yes"} if volume else {}
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "shop", "annotations": bound},
        "spec": {"accessModes": [mode], **({"volumeName": volume} if volume else {})},
        "status": {"phase": "Bound" if volume else "Pending"},
    }


def volume(name: str) -> Object:
    """A volume that can be reached from everywhere."""
    return {"kind": "PersistentVolume", "metadata": {"name": name}, "spec": {}}


def mounts(*claims: str) -> list[Object]:
    """The `volumes` of a pod that mounts these claims."""
    return [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
