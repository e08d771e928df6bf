# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workloads that the tests of moving talk about: what a test does not say is ordinary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.clock import Deadline
from ansible_collections.podplacement.core.plugins.module_utils.moves.holder import Holder
from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import Entry, encode
from ansible_collections.podplacement.core.plugins.module_utils.moves.lock import Lock
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    JOURNAL,
    MOVE,
    lease_name,
    move_id,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Settings
from tests.unit.fake_api import FakeApi, VirtualClock

Object = dict[str, Any]
NS = "shop"
HASH = "pod-template-hash"
IMAGE = "registry.example/app:1"


def node(name: str, *, ready: bool = True, **spec: Any) -> Object:
    """A node with room."""
    return {
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": "8", "memory": "8Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def status(*, ready: bool = True, phase: str = "Running", **more: Any) -> Object:
    """The status of a pod that runs."""
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {"phase": phase, "conditions": [condition], **more}


def pod(
    name: str,
    *,
    on: str = "a",
    owner: Object | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    ready: bool = True,
    phase: str = "",
    terminating: bool = False,
    **spec: Any,
) -> Object:
    """A pod that runs on a node and is Ready; without a node it is pending."""
    found: Object = {
        "name": name,
        "namespace": NS,
        "uid": f"uid-{name}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": labels if labels is not None else {"app": "web"},
        "annotations": annotations or {},
    }
    if owner is not None:
        found["ownerReferences"] = [reference(owner)]
        found["labels"] = labels or dict(owner["spec"]["template"]["metadata"]["labels"])
    if terminating:
        found["deletionTimestamp"] = "2026-01-01T00:01:00Z"
    if on:
        spec["nodeName"] = on
    phase = phase or ("Running" if on else "Pending")
    container = {"name": "app", "image": IMAGE, "resources": {"requests": {"cpu": "1"}}}
    return {
        "kind": "Pod",
        "metadata": found,
        "spec": {"schedulerName": "default-scheduler", "containers": [container], **spec},
        "status": status(ready=ready and phase == "Running", phase=phase),
    }


def reference(owner: Object) -> Object:
    """The ownerReference of a controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }


def controller(
    kind: str = "ReplicaSet",
    name: str = "web-5d4f",
    *,
    replicas: int = 2,
    above: Object | None = None,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A ReplicaSet, or another kind, of pods labelled app=web and tier=front; of a Deployment when
    one is `above`.
    """
    labels = labels or {"app": "web", "tier": "front"}
    found: Object = {"name": name, "namespace": NS, "uid": f"uid-{name}", "generation": 1}
    if above is not None:
        labels = {**labels, HASH: "5d4f"}
        found["ownerReferences"] = [reference(above)]
    found["labels"] = labels
    container = {"name": "app", "image": IMAGE, "resources": {"requests": {"cpu": "1"}}}
    plain = kind == "ReplicationController"
    return {
        "apiVersion": "v1" if plain else "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": found,
        "spec": {
            "replicas": replicas,
            "selector": labels if plain else {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"schedulerName": "default-scheduler", "containers": [container]},
            },
            **spec,
        },
        "status": {"replicas": replicas, "observedGeneration": 1},
    }


def deployment(name: str = "web", *, replicas: int = 2, **changes: Any) -> Object:
    """A Deployment whose rollout is complete; `changes` go into its status."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": NS,
            "uid": f"uid-{name}",
            "generation": 1,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        },
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "updatedReplicas": replicas,
            **changes,
        },
    }


def budget(name: str = "web", *, minimum: int = 1, **labels: str) -> Object:
    """A PodDisruptionBudget."""
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": NS},
        "spec": {"minAvailable": minimum, "selector": {"matchLabels": labels or {"app": "web"}}},
    }


def service(name: str = "web", **labels: str) -> Object:
    """A Service."""
    found = {"name": name, "namespace": NS}
    return {"kind": "Service", "metadata": found, "spec": {"selector": labels or {"app": "web"}}}


def endpoints(name: str, **ready: bool | None) -> Object:
    """An EndpointSlice of that Service: pod name, and whether it is ready (None: unset)."""
    return {
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": NS,
            "labels": {"kubernetes.io/service-name": name},
        },
        "endpoints": [
            {"targetRef": {"uid": f"uid-{who}"}, "conditions": {"ready": state}}
            for who, state in ready.items()
        ],
    }


def entry(strategy: str = "adopt", *, target: str = "b", **more: Any) -> Entry:
    """A move of pod `old` from node a to node b."""
    values: dict[str, Any] = {
        "id": move_id("uid-old", target),
        "strategy": strategy,
        "pod": "old",
        "pod_uid": "uid-old",
        "from_node": "a",
        "node": target,
        "placement": "schedule",
    }
    if strategy == "adopt":
        values |= {
            "owner_kind": "ReplicaSet",
            "owner_name": "web-5d4f",
            "owner_uid": "uid-web-5d4f",
            "detach_key": "tier",
            "detach_value": "front",
        }
    return Entry(**(values | more))


def lease(
    *entries: Entry, name: str = "", holder: str = "someone", seconds: int = 30, **spec: Any
) -> Object:
    """A Lease that somebody holds for these moves."""
    workload = (entries[0].owner_uid or entries[0].pod_uid) if entries else "uid-old"
    return {
        "kind": "Lease",
        "metadata": {
            "name": name or lease_name(workload),
            "namespace": NS,
            "labels": {MOVE: "true"},
            "annotations": {JOURNAL: encode(list(entries))},
        },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "leaseTransitions": 0,
            **spec,
        },
    }


def holder(folder: Path, *, started: int = 100, boot: str = "b00t", space: str = "1") -> Holder:
    """This process as a /proc in `folder` shows it; a later call ends the one before it."""
    me = folder / str(os.getpid())
    me.mkdir(parents=True, exist_ok=True)
    (me / "stat").write_text(stat(started), encoding="ascii")
    (folder / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (folder / "sys/kernel/random/boot_id").write_text(f"{boot}\n", encoding="ascii")
    (folder / "self/ns").mkdir(parents=True, exist_ok=True)
    link = folder / "self/ns/pid"
    link.unlink(missing_ok=True)
    link.symlink_to(f"pid:[{space}]")
    return Holder(proc=str(folder))


def stat(started: int, *, state: str = "S") -> str:
    """The line of /proc/<pid>/stat of a process with an awkward name."""
    return f"7 (a ) name) {state} " + "0 " * 18 + f"{started} 0 0\n"


def settings(clock: VirtualClock, who: Holder, *, seconds: float = 300, **more: Any) -> Settings:
    """Settings of a run that begins now."""
    return Settings(clock, Deadline(clock, seconds), who, **more)


def held_lock(api: FakeApi, who: Holder, *entries: Entry) -> Lock:
    """The lock of these moves, held."""
    found = entries[0].owner_uid or entries[0].pod_uid
    lock = Lock(api, api.clock, who, NS, lease_name(found), 30.0)
    assert lock.acquire(list(entries), Deadline(api.clock, 10))
    return lock
