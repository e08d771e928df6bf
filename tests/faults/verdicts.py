# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true after a move, however it came to its end."""

from __future__ import annotations

from typing import Any

from tests.cluster.kube import Kube, Object, is_ready
from tests.faults.referee import History, alive

DOMAIN = "podplacement.io/"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
MOVED_FROM_UID = DOMAIN + "moved-from-uid"
# What idempotence needs, and what a bind or a change of scheduler is asked to record.
STAYING = {MOVED_FROM_UID, DOMAIN + "moved-from-name", DOMAIN + "scheduled-at"}
OPT_OUT = DOMAIN + "do-not-move"  # a user's own
CONTROLLERS = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet")
KINDS = ("Lease", "Secret", *CONTROLLERS, "PodDisruptionBudget", "Service", "ResourceQuota")


def leftovers(kube: Kube, namespace: str) -> list[str]:
    """Everything in the namespace that a finished or undone move may not leave behind."""
    found = [
        f"{kind} {item['metadata']['name']}"
        for kind in ("Lease", "Secret")
        for item in kube.list(kind, namespace)
    ]
    holders = kube.list("ReplicaSet", namespace, selector=DOMAIN + "move-id")
    found += [f"ReplicaSet {item['metadata']['name']}" for item in holders]
    for pod in kube.list("Pod", namespace):
        metadata = pod["metadata"]
        keys = {*metadata.get("labels", {}), *metadata.get("annotations", {})}
        marks = [key for key in keys if key.startswith(DOMAIN) and key not in {*STAYING, OPT_OUT}]
        marks += keys & {DELETION_COST}
        marks += [
            ref["kind"] for ref in metadata.get("ownerReferences", []) if ref["kind"] == "Lease"
        ]
        marks += [] if alive(pod) else ["terminating"]
        found += [f"Pod {metadata['name']}: {mark}" for mark in marks]
    return found


def substance(item: Object) -> Object:
    """What a user gave: an object without what the server counts and notes."""
    metadata = item["metadata"]
    kept = {k: metadata.get(k) for k in ("name", "labels", "annotations", "uid", "generation")}
    return {"metadata": kept, "spec": item.get("spec")}


def controllers(kube: Kube, namespace: str) -> dict[tuple[str, str], Object]:
    """The substance of all controllers and their companions."""
    return {
        (kind, item["metadata"]["name"]): substance(item)
        for kind in KINDS
        for item in kube.list(kind, namespace)
    }


def identity(pod: Object) -> Object:
    """A bare pod's own: what must be the same after it was recreated."""
    metadata, spec = pod["metadata"], dict(pod["spec"])
    spec["volumes"] = [v for v in spec.get("volumes", []) if "kube-api-access-" not in v["name"]]
    for key in {"containers", "initContainers"} & spec.keys():
        spec[key] = [_without_token(container) for container in spec[key]]
    for key in ("nodeName", "affinity", "schedulerName"):
        spec.pop(key, None)
    return {
        "labels": _own(metadata.get("labels", {})),
        "annotations": _own(metadata.get("annotations", {})),
        "spec": spec,
    }


def _without_token(container: Object) -> Object:
    mounts = container.get("volumeMounts", [])
    return {**container, "volumeMounts": [m for m in mounts if "kube-api-access-" not in m["name"]]}


def _own(marks: dict[str, Any]) -> dict[str, Any]:
    """Without what this collection and the server (topology, from the node) put there."""
    return {
        k: v
        for k, v in marks.items()
        if not k.startswith((DOMAIN, "topology.kubernetes.io/")) or k.startswith("test.")
    }


def assert_moved_once(before: list[Object], after: list[Object], victim: Object, node: str) -> None:
    """One pod more of ours on the node, the victim gone, and all others untouched."""
    old, new = {_uid(pod): pod for pod in before}, {_uid(pod): pod for pod in after}
    gone, came = old.keys() - new.keys(), new.keys() - old.keys()
    assert gone == {_uid(victim)}, f"went: {[_name(old[uid]) for uid in gone]}"
    assert len(came) == 1, f"came: {[_name(new[uid]) for uid in came]}"
    heir = new[came.pop()]
    assert heir["spec"]["nodeName"] == node
    assert heir["metadata"]["labels"][MOVED_FROM_UID] == _uid(victim)
    assert is_ready(heir)
    assert _controller(heir) == _controller(victim)


def assert_never_short(history: History, app: str, desired: int, *, owned: bool = False) -> None:
    """At no moment fewer Ready pods than desired; with `owned`, only the controller's own count."""
    fewest = history.fewest_ready(app, owned=owned)
    assert fewest >= desired, f"only {fewest} of {desired} pods were Ready"


def assert_untouched_spec(history: History, before: dict[tuple[str, str], Object]) -> None:
    """No controller came, went or had another generation, at any moment."""
    for kind in CONTROLLERS:
        known = {
            (name, item["metadata"]["generation"])
            for (found, name), item in before.items()
            if found == kind
        }
        assert history.generations(kind) == known, kind


def _uid(pod: Object) -> str:
    return str(pod["metadata"]["uid"])


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def _controller(pod: Object) -> list[Any]:
    return [(ref["kind"], ref["name"]) for ref in pod["metadata"].get("ownerReferences", [])]
