# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real cache, filled with objects as the API server writes them: what plugins are tried on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from podplacement_scheduler.api.kinds import (
    ATTACHMENTS,
    CLAIMS,
    CSI_NODES,
    NODES,
    PODS,
    STORAGE_CLASSES,
    VOLUMES,
    Kind,
)
from podplacement_scheduler.cache.cluster import Cluster
from podplacement_scheduler.cache.objects import Pod
from podplacement_scheduler.framework.interface import CycleState, Object, Plugin, Status
from podplacement_scheduler.framework.registry import BUILT_IN

BOUND = {"pv.kubernetes.io/bind-completed": "yes"}
AMPLE = {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "100Gi", "pods": "110"}


class Here(Cluster):
    """The cache and what else a plugin may ask for (Handle)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(scheduler_names=frozenset({"ours"}), node_selector={}, **options)
        self.activated: list[str] = []
        self._versions = count(1)

    def allow(self, uid: str) -> None:
        """Nobody waits here."""

    def reject(self, uid: str, reason: str) -> None:
        """Nobody waits here."""

    def activate(self, uid: str) -> None:
        self.activated.append(uid)

    def put(self, kind: Kind, name: str, body: Mapping[str, Any], namespace: str = "") -> None:
        """An object appears, or is another one now."""
        metadata = {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "resourceVersion": str(next(self._versions)),
            **body.get("metadata", {}),
        }
        self.sink(kind).apply("ADDED", msgspec.json.encode({**body, "metadata": metadata}))

    def add_node(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        allocatable: Mapping[str, str] | None = None,
        images: Mapping[str, int] | None = None,
        **spec: Any,
    ) -> None:
        status = {
            "allocatable": AMPLE if allocatable is None else allocatable,
            "images": [{"names": [n], "sizeBytes": size} for n, size in (images or {}).items()],
        }
        body = {"metadata": {"labels": dict(labels or {})}, "spec": spec, "status": status}
        self.put(NODES, name, body)

    def add_pod(self, name: str, node: str = "", **changes: Any) -> Pod:
        """A pod, on a node if one is named; `changes` as for `pod_body`."""
        body = pod_body(**changes)
        if node:
            body["spec"]["nodeName"] = node
        self.put(PODS, name, body, "ns")
        return self.pods[f"uid-{name}"]

    def add_claim(
        self,
        name: str,
        volume: Mapping[str, Any] | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> None:
        """A claim; bound to a volume of that spec where there is one."""
        if volume is not None:
            self.put(
                VOLUMES,
                f"volume-of-{name}",
                {"metadata": {"labels": dict(labels or {})}, "spec": volume},
            )
            spec = {"volumeName": f"volume-of-{name}", **spec}
        bound = {"annotations": BOUND} if volume is not None else {}
        phase = "Bound" if volume is not None else "Pending"
        body = {"metadata": bound, "spec": spec, "status": {"phase": phase}}
        self.put(CLAIMS, name, body, "ns")

    def add_csi_node(self, name: str, **limits: int) -> None:
        drivers = [{"name": n, "allocatable": {"count": limit}} for n, limit in limits.items()]
        self.put(CSI_NODES, name, {"spec": {"drivers": drivers}})

    def add_attachment(self, name: str, node: str, volume: str) -> None:
        source = {"persistentVolumeName": volume}
        spec = {"nodeName": node, "attacher": "disks", "source": source}
        self.put(ATTACHMENTS, name, {"spec": spec})

    def add_class(self, name: str, mode: str) -> None:
        self.put(STORAGE_CLASSES, name, {"provisioner": "disks", "volumeBindingMode": mode})


def pod_body(
    *,
    requests: Mapping[str, str] | None = None,
    ports: tuple[int, ...] = (),
    claims: tuple[str, ...] = (),
    image: str = "app:1",
    labels: Mapping[str, str] | None = None,
    volumes: tuple[Mapping[str, Any], ...] = (),
    **spec: Any,
) -> dict[str, Any]:
    container = {
        "name": "c",
        "image": image,
        "resources": {"requests": dict(requests or {})},
        "ports": [{"containerPort": port, "hostPort": port} for port in ports],
    }
    mounts = [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims]
    return {
        "metadata": {"labels": dict(labels or {})},
        "spec": {
            "schedulerName": "ours",
            "containers": [container],
            "volumes": [*mounts, *volumes],
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def plugin(name: str, here: Here, **args: Any) -> Any:
    """A built-in plugin, as a profile makes it."""
    return BUILT_IN[name](args, here)


def judge(judging: Any, pod: Pod, here: Here, node: str) -> Status:
    """What the scalar Filter says."""
    found = here.node(node)
    if found is None:
        raise LookupError(node)
    status: Status = judging.filter(CycleState(), pod, found)
    return status


def rows_of(here: Here) -> NDArray[np.intp]:
    """All usable nodes, in the order of their rows."""
    return np.flatnonzero(here.table.usable)


def groups_agree(judging: Plugin, pod: Pod, here: Here) -> bool:
    """Whether nodes that agree in the plugin's facets get the same verdict and score: what the
    engine takes for granted."""
    facets = judging.facets(pod)
    if facets is None:
        raise LookupError(f"{judging.name} has no facets")
    verdicts: dict[int, Any] = {}
    for row in rows_of(here).tolist():
        group = int(here.table.grouping(facets).of_row[row])
        node = here.table.info(row)
        said = tuple(
            getattr(judging, point)(CycleState(), pod, node)
            for point in ("filter", "score")
            if hasattr(judging, point)
        )
        if verdicts.setdefault(group, said) != said:
            return False
    return True


def affinity(**kinds: Object) -> dict[str, Any]:
    return {"affinity": kinds}
