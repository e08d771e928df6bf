# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated nodes are Node objects whose kubelet is KWOK: what they have is what a test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from tests.cluster.kube import Kube, Object

NODE_INFO = (
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "kubeletVersion",
    "machineID",
    "operatingSystem",
    "osImage",
    "systemUUID",
)
ZONES = ("zone-a", "zone-b", "zone-c")


def node(
    name: str,
    *,
    cpu: str = "8",
    memory: str = "16Gi",
    pods: str = "110",
    zone: str = ZONES[0],
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    annotations: Mapping[str, str] | None = None,
    unschedulable: bool = False,
) -> Object:
    """The manifest of a simulated node."""
    own = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": "test",
    }
    resources = {"cpu": cpu, "memory": memory, "pods": pods, "ephemeral-storage": "100Gi"}
    spec: dict[str, Any] = {"taints": [dict(taint) for taint in taints]}
    if unschedulable:
        spec["unschedulable"] = True
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**own, **(labels or {})},
            "annotations": dict(annotations or {}),
        },
        "spec": spec,
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "addresses": [
                {"type": "Hostname", "address": name},
                {
                    "type": "InternalIP",
                    "address": "10.64.{}.{}".format(*divmod(crc32(name.encode()) % 65536, 256)),
                },
            ],
            "nodeInfo": dict.fromkeys(NODE_INFO, "")
            | {
                "kubeletVersion": "kwok",
                "containerRuntimeVersion": "kwok",
                "architecture": "amd64",
                "operatingSystem": "linux",
                "osImage": "simulated",
            },
        },
    }


def create_nodes(kube: Kube, manifests: Sequence[Object], *, timeout: float = 30.0) -> None:
    """Create nodes and wait until each is Ready and free of the taints of a node that is not."""
    names = {manifest["metadata"]["name"] for manifest in manifests}
    for manifest in manifests:
        kube.create(manifest)
    kube.wait_list(
        "Node",
        lambda found: names <= {item["metadata"]["name"] for item in found if usable(item)},
        timeout=timeout,
        what=f"Ready nodes {sorted(names)}",
    )


def usable(item: Object) -> bool:
    """Ready, and the node lifecycle controller has seen it."""
    conditions = item.get("status", {}).get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    wanted_down = (
        item["metadata"].get("annotations", {}).get("test.podplacement.io/not-ready") == "true"
    )
    tainted = any(
        taint["key"].startswith(("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"))
        for taint in item["spec"].get("taints", [])
    )
    return (not ready and tainted) if wanted_down else (ready and not tainted)
