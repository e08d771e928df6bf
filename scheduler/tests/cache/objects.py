# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as the API server writes them, with only what a test is about said."""

from __future__ import annotations

import json
from typing import Any

from podplacement_scheduler.api.kinds import NODES, PODS
from podplacement_scheduler.cache.cluster import Cluster
from podplacement_scheduler.cache.objects import Pod
from podplacement_scheduler.cache.sinks import fill
from podplacement_scheduler.framework.interface import Event

OURS = "ours"
OTHERS = "default-scheduler"


def pod(
    uid: str,
    *,
    version: int = 1,
    cpu: str = "100m",
    memory: str = "64Mi",
    node: str = "",
    scheduler: str = OURS,
    phase: str = "Pending",
    deleted: bool = False,
    labels: dict[str, str] | None = None,
    status: dict[str, Any] | None = None,
    ports: list[int] | None = None,
    managed: bool = False,
    generation: int = 0,
    **spec: Any,
) -> dict[str, Any]:
    """A Pod; its name is its uid without what follows a slash."""
    container = {
        "name": "main",
        "image": "registry.example/app:1",
        "resources": {"requests": {"cpu": cpu, "memory": memory}},
        "ports": [{"containerPort": port, "hostPort": port} for port in ports or []],
    }
    metadata: dict[str, Any] = {
        "name": uid.split("/")[0],
        "namespace": "shop",
        "uid": uid,
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-22T10:00:00Z",
        "labels": labels or {},
    }
    if generation:
        metadata["generation"] = generation
    if managed:
        metadata["managedFields"] = [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-22T11:00:00Z"
    found: dict[str, Any] = {"schedulerName": scheduler, "containers": [container], **spec}
    if node:
        found["nodeName"] = node
    return {"metadata": metadata, "spec": found, "status": {"phase": phase, **(status or {})}}


def node(
    name: str,
    *,
    version: int = 1,
    uid: str = "",
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "10",
    labels: dict[str, str] | None = None,
    heartbeat: int = 0,
    images: dict[str, int] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A Node; `heartbeat` changes what a kubelet writes each minute."""
    return {
        "metadata": {
            "name": name,
            "uid": uid or f"uid-of-{name}",
            "resourceVersion": str(version),
            "labels": {"kubernetes.io/hostname": name, **(labels or {})},
        },
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods},
            "images": [{"names": [n], "sizeBytes": size} for n, size in (images or {}).items()],
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": heartbeat}],
        },
    }


def raw(thing: dict[str, Any]) -> bytes:
    """The text of an object, as the API server writes it."""
    return json.dumps(thing, separators=(",", ":")).encode()


class Told:
    """A Listener that keeps what it is told."""

    def __init__(self) -> None:
        self.pending: list[Pod] = []
        self.gone: list[Pod] = []
        self.events: list[Event] = []

    def pod_pending(self, pod: Pod) -> None:
        self.pending.append(pod)

    def pod_gone(self, pod: Pod) -> None:
        self.gone.append(pod)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def clear(self) -> None:
        """Forget what was told so far."""
        for told in (self.pending, self.gone, self.events):
            del told[:]


class World:
    """A cluster with nodes, and short ways to tell it something."""

    def __init__(self, *nodes: dict[str, Any], selector: dict[str, str] | None = None) -> None:
        self.cluster = Cluster(scheduler_names=frozenset({OURS}), node_selector=selector or {})
        self.told = Told()
        self.cluster.listener = self.told
        self.nodes("ADDED", *nodes)

    def nodes(self, event: str, *nodes: dict[str, Any]) -> None:
        """A watch event for each of the nodes."""
        for each in nodes:
            self.cluster.sink(NODES).apply(event, raw(each))

    def pods(self, event: str, *pods: dict[str, Any]) -> None:
        """A watch event for each of the pods."""
        for each in pods:
            self.cluster.sink(PODS).apply(event, raw(each))

    def list_pods(self, *pods: dict[str, Any]) -> None:
        """A list, as after a gap in the watch."""
        fill(self.cluster.sink(PODS), map(raw, pods))

    def list_nodes(self, *nodes: dict[str, Any]) -> None:
        """The same of nodes."""
        fill(self.cluster.sink(NODES), map(raw, nodes))

    def cpu(self, name: str) -> int:
        """Millicores that are taken of a node."""
        table = self.cluster.table
        return int(table.requested[table.index[name], table.columns["cpu"]])
