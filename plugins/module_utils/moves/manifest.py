# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests that a move creates: from a controller's template, or from a bare pod that has
nothing else.

A template is taken as it is and admission runs again, because a live pod carries what admission,
the CNI and autoscalers added to it (moves.md, trap 7). A bare pod is its own only template and is
cleaned of what the server, the scheduler and admission wrote.
"""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Mapping, Optional

from ..api import Object
from ..resources import LEASE, POD, meta, uid
from ..workloads import template
from .journal import Entry
from .names import (
    DELETION_COST,
    EPOCH,
    MOVE_ID,
    MOVED_FROM_NAME,
    MOVED_FROM_UID,
    SCHEDULED_AT,
    former_names,
    names_after,
)
from .pod_fields import ANNOTATIONS_OF_THE_OLD_POD, LABELS_OF_THE_OLD_NODE, dropped

Spec = Dict[str, Any]

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_TOKEN_VOLUME = "kube-api-access-"
# Ours, about the old pod. What a user wrote with our prefix (do-not-move) stays.
_OWN_MARKS = (EPOCH, SCHEDULED_AT)


def from_template(owner: Object, entry: Entry, old: Object, name: str) -> Object:
    """The replacement of a controller's pod: the owner's template, less the detach key, pinned to
    the target.
    """
    source = template(entry.owner_kind, owner)
    labels = dict(meta(source).get("labels") or {})
    if entry.detach_key == "pod-template-hash":
        labels.update(
            {k: v for k, v in (meta(owner).get("labels") or {}).items() if k == entry.detach_key}
        )
    labels.pop(entry.detach_key, None)
    labels.update({MOVE_ID: entry.id, MOVED_FROM_UID: uid(old)})
    annotations = dict(meta(source).get("annotations") or {})
    annotations[MOVED_FROM_NAME] = names_after(old)
    spec = copy.deepcopy(dict(source.get("spec") or {}))
    return _pod(entry, old, name, labels=labels, annotations=annotations, spec=spec)


def from_pod(old: Object, entry: Entry, name: str) -> Object:
    """The replacement of a bare pod: all that a user wrote, on the target, under ``name``."""
    body = sanitized(old)
    found = meta(body)
    labels = dict(found.get("labels") or {}, **{MOVE_ID: entry.id, MOVED_FROM_UID: uid(old)})
    annotations = dict(found.get("annotations") or {})
    if name != meta(old)["name"]:
        annotations[MOVED_FROM_NAME] = names_after(old)
    if entry.scheduler:
        body["spec"]["schedulerName"] = entry.scheduler
    made = _pod(entry, old, name, labels=labels, annotations=annotations, spec=body["spec"])
    made["metadata"].update(_owners(body))
    return made


def _pod(
    entry: Entry,
    old: Object,
    name: str,
    *,
    labels: Dict[str, str],
    annotations: Dict[str, str],
    spec: Spec,
) -> Object:
    place(spec, entry.node, entry.placement)
    return {
        "apiVersion": POD.api_version,
        "kind": POD.kind,
        "metadata": {
            "name": name,
            "namespace": meta(old)["namespace"],
            "labels": labels,
            "annotations": annotations,
        },
        "spec": spec,
    }


def place(spec: Spec, node: str, placement: str) -> None:
    """Say where the pod goes: pinned (the scheduler must agree), preferred, or straight to the
    kubelet.
    """
    if not node:
        return
    term = {"matchFields": [_pin(node)]}
    if placement == "bind":
        spec["nodeName"] = node
        return
    affinity = spec.setdefault("affinity", {}) or {}
    spec["affinity"] = affinity
    node_affinity = affinity.setdefault("nodeAffinity", {}) or {}
    affinity["nodeAffinity"] = node_affinity
    if placement == "prefer":
        wishes = list(node_affinity.get(_PREFERRED) or [])
        node_affinity[_PREFERRED] = [*wishes, _wish(node)]
        return
    # Terms are ORed: the pin goes into every one of them, beside what else it demands.
    required = dict(node_affinity.get(_REQUIRED) or {})
    terms: List[Mapping[str, Any]] = list(required.get("nodeSelectorTerms") or [])
    pinned = [dict(t, matchFields=[_pin(node), *(t.get("matchFields") or [])]) for t in terms]
    required["nodeSelectorTerms"] = pinned or [term]
    node_affinity[_REQUIRED] = required


def _pin(node: str) -> Dict[str, Any]:
    return {"key": "metadata.name", "operator": "In", "values": [node]}


def _wish(node: str) -> Dict[str, Any]:
    return {"weight": 100, "preference": {"matchFields": [_pin(node)]}}


def sanitized(pod: Object) -> Object:
    """The pod as a user could have written it: see pod_fields."""
    found = meta(pod)
    labels = {
        k: v
        for k, v in (found.get("labels") or {}).items()
        if k not in LABELS_OF_THE_OLD_NODE and k not in (MOVE_ID, MOVED_FROM_UID)
    }
    annotations = {
        k: v
        for k, v in (found.get("annotations") or {}).items()
        if k not in ANNOTATIONS_OF_THE_OLD_POD and k not in _OWN_MARKS
    }
    if not former_names(pod):
        annotations.pop(MOVED_FROM_NAME, None)
    spec = {k: copy.deepcopy(v) for k, v in pod["spec"].items() if not dropped(k)}
    _drop_token_volumes(spec)
    drop_pin(spec, str(pod["spec"].get("nodeName") or ""))
    _drop_merged_keys(spec)
    return {
        "apiVersion": POD.api_version,
        "kind": POD.kind,
        "metadata": {
            "name": found["name"],
            "namespace": found["namespace"],
            "labels": labels,
            "annotations": annotations,
            **_owners(pod),
        },
        "spec": spec,
    }


def lasting_owners(pod: Object) -> List[Mapping[str, Any]]:
    """Whose deletion also is this pod's: all but a controller, and the Lease of a move."""
    refs = meta(pod).get("ownerReferences") or []
    return [r for r in refs if not r.get("controller") and r.get("kind") != LEASE.kind]


def _owners(pod: Object) -> Dict[str, Any]:
    refs = lasting_owners(pod)
    return {"ownerReferences": refs} if refs else {}


def _drop_token_volumes(spec: Spec) -> None:
    """The service account's token volume is admission's; a new pod gets its own."""
    volumes = spec.get("volumes") or []
    tokens = {v["name"] for v in volumes if _is_token(v)}
    spec["volumes"] = [v for v in volumes if v["name"] not in tokens]
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or []:
            mounts = container.get("volumeMounts") or []
            container["volumeMounts"] = [m for m in mounts if m["name"] not in tokens]


def _is_token(volume: Mapping[str, Any]) -> bool:
    return "projected" in volume and str(volume["name"]).startswith(_TOKEN_VOLUME)


def _drop_merged_keys(spec: Spec) -> None:
    """Since 1.34 the server merges matchLabelKeys into the selector beside them, and refuses a pod
    that has the same key in both: a live pod's own manifest.
    """
    affinity = spec.get("affinity") or {}
    terms = list(spec.get("topologySpreadConstraints") or [])
    for group in ("podAffinity", "podAntiAffinity"):
        found = affinity.get(group) or {}
        terms += found.get(_REQUIRED) or []
        terms += [wish["podAffinityTerm"] for wish in found.get(_PREFERRED) or []]
    for term in terms:
        merged = {("In", key) for key in term.get("matchLabelKeys") or []}
        merged |= {("NotIn", key) for key in term.get("mismatchLabelKeys") or []}
        selector = term.get("labelSelector") or {}
        own = [
            e
            for e in selector.get("matchExpressions") or []
            if (e["operator"], e["key"]) not in merged
        ]
        if own:
            selector["matchExpressions"] = own
        else:
            selector.pop("matchExpressions", None)


def drop_pin(spec: Spec, node: str) -> None:
    """Take out what an earlier move wrote: terms and wishes that name the very node the pod sits
    on.
    """
    affinity = spec.get("affinity") or {}
    node_affinity = affinity.get("nodeAffinity") or {}
    required = node_affinity.get(_REQUIRED) or {}
    terms = required.get("nodeSelectorTerms") or []
    if terms and all(_pin(node) in (t.get("matchFields") or []) for t in terms):
        freed = [_without_pin(t, node) for t in terms]
        required["nodeSelectorTerms"] = freed
        if not all(freed):
            node_affinity.pop(_REQUIRED)
    wishes = node_affinity.get(_PREFERRED) or []
    if _wish(node) in wishes:
        node_affinity[_PREFERRED] = [w for w in wishes if w != _wish(node)]
        if not node_affinity[_PREFERRED]:
            node_affinity.pop(_PREFERRED)
    if "nodeAffinity" in affinity and not node_affinity:
        affinity.pop("nodeAffinity")
    if "affinity" in spec and not affinity:
        spec.pop("affinity")


def _without_pin(term: Mapping[str, Any], node: str) -> Dict[str, Any]:
    freed = dict(term, matchFields=[f for f in term["matchFields"] if f != _pin(node)])
    return {k: v for k, v in freed.items() if v}


def differences(old: Object, new: Object) -> List[str]:
    """What the replacement would run that the old pod does not, or differently (corrections, item
    13).

    Names, images and resources of all containers; and image digests where both pods have started
    them.
    """
    found: List[str] = []
    for group in ("initContainers", "containers"):
        before = {c["name"]: c for c in old["spec"].get(group) or []}
        after = {c["name"]: c for c in new["spec"].get(group) or []}
        found += ["container %s is missing" % n for n in sorted(set(before) - set(after))]
        found += ["container %s is new" % n for n in sorted(set(after) - set(before))]
        for name in sorted(set(before) & set(after)):
            found += _container_differences(name, before[name], after[name])
    return found + _digest_differences(old, new)


def _container_differences(
    name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> List[str]:
    found = []
    if before.get("image") != after.get("image"):
        found.append(
            "container %s: image %s becomes %s" % (name, before.get("image"), after.get("image"))
        )
    for group in ("requests", "limits"):
        old = (before.get("resources") or {}).get(group) or {}
        new = (after.get("resources") or {}).get(group) or {}
        if old != new:
            found.append("container %s: %s %s become %s" % (name, group, old, new))
    return found


def _digest_differences(old: Object, new: Object) -> List[str]:
    before, after = _digests(old), _digests(new)
    same_image = {c["name"] for c in old["spec"].get("containers") or []}
    return [
        "container %s runs another image of the same tag" % name
        for name in sorted(same_image & set(before) & set(after))
        if before[name] != after[name]
    ]


def _digests(pod: Object) -> Dict[str, str]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return {s["name"]: str(s["imageID"]).rpartition("@")[2] for s in statuses if s.get("imageID")}


def own_cost(pod: Object) -> Optional[str]:
    """The pod's deletion cost as its user set it."""
    return (meta(pod).get("annotations") or {}).get(DELETION_COST)
