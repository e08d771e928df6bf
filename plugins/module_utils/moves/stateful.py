# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a StatefulSet's controller does when one of its pods goes, and when it would not replace it.

Upstream: ``processReplica`` and ``newVersionedStatefulSetPod``
(pkg/controller/statefulset/stateful_set_control.go, stateful_set_utils.go).
"""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..api import Object
from ..resources import POD, label, meta, uid
from ..rules.pod_state import is_ready, is_terminating
from ..workloads import desired, owned_by
from .journal import Entry
from .manifest import place
from .names import MOVE_ID

REVISION_LABEL = "controller-revision-hash"
NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"

Obstacle = Tuple[str, str]  # code, why


def ordinal(name: str) -> int:
    """The number at the end of the pod's name."""
    return int(name.rpartition("-")[2])


def revision_of(pod: Mapping[str, Any]) -> str:
    """The revision that a pod was made of."""
    return label(pod, REVISION_LABEL) or ""


def revision_for(owner: Mapping[str, Any], number: int) -> str:
    """The revision that the controller would make the next pod of this ordinal of."""
    status, spec = owner.get("status") or {}, owner.get("spec") or {}
    strategy = spec.get("updateStrategy") or {}
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if number < _start(owner) + partition:
        return str(status.get("currentRevision") or "")
    return str(status.get("updateRevision") or "")


def obstacle(
    owner: Optional[Object], pods: List[Object], name: str, revision: str
) -> Optional[Obstacle]:
    """Why the controller would not make this pod again as it is, or None. ``pods`` are those of the
    StatefulSet, ``revision`` is what the next pod shall be made of.
    """
    if owner is None or is_terminating(owner):
        return "OwnerGone", "the StatefulSet is gone"
    number, mine = ordinal(name), [p for p in pods if owned_by(p, uid(owner))]
    if not _start(owner) <= number < _start(owner) + desired(owner):
        return "PodGone", "the StatefulSet is scaled down below this pod"
    seen = int((owner.get("status") or {}).get("observedGeneration") or 0)
    if seen < int(meta(owner).get("generation") or 0):
        return "RolloutInProgress", "the controller has not seen the newest template"
    if revision_for(owner, number) != revision:
        why = "its next pod would be of revision %s, not of %s"
        return "RolloutInProgress", why % (revision_for(owner, number), revision)
    if (owner["spec"].get("updateStrategy") or {}).get("type") != "OnDelete":
        old = [p for p in mine if revision_of(p) != revision_for(owner, ordinal(meta(p)["name"]))]
        if old and [p for p in old if meta(p)["name"] != name]:
            return "RolloutInProgress", "a rollout is in progress"
    return _unready_before(owner, mine, number)


def _unready_before(owner: Object, mine: List[Object], number: int) -> Optional[Obstacle]:
    """OrderedReady: the controller comes to an ordinal only when all lower ones are Ready."""
    if owner["spec"].get("podManagementPolicy") == "Parallel":
        return None
    ready = {ordinal(meta(p)["name"]) for p in mine if is_ready(p) and not is_terminating(p)}
    missing = [n for n in range(_start(owner), number) if n not in ready]
    if not missing:
        return None
    why = "pod %s-%d is not Ready, and the controller makes no later one before it is"
    return "WorkloadNotReady", why % (meta(owner)["name"], missing[0])


def _start(owner: Mapping[str, Any]) -> int:
    return int(((owner.get("spec") or {}).get("ordinals") or {}).get("start") or 0)


def next_pod(owner: Object, template: Mapping[str, Any], entry: Entry) -> Object:
    """The pod as the controller makes it, on the target; without an owner, so that it is adopted
    (``newStatefulSetPod``).
    """
    found = meta(template)
    labels = dict(found.get("labels") or {})
    labels.update(
        {
            NAME_LABEL: entry.pod,
            INDEX_LABEL: str(ordinal(entry.pod)),
            REVISION_LABEL: entry.revision,
            MOVE_ID: entry.id,
        }
    )
    spec: Dict[str, Any] = copy.deepcopy(dict(template.get("spec") or {}))
    spec["hostname"] = entry.pod
    if owner["spec"].get("serviceName"):
        spec["subdomain"] = owner["spec"]["serviceName"]
    spec["volumes"] = _volumes(owner, spec, entry.pod)
    place(spec, entry.node, entry.placement)
    return {
        "apiVersion": POD.api_version,
        "kind": POD.kind,
        "metadata": {
            "name": entry.pod,
            "namespace": meta(owner)["namespace"],
            "labels": labels,
            "annotations": dict(found.get("annotations") or {}),
        },
        "spec": spec,
    }


def _volumes(owner: Object, spec: Mapping[str, Any], name: str) -> List[Dict[str, Any]]:
    """Its own claims take the place of template volumes of the same name."""
    claims = [meta(c)["name"] for c in owner["spec"].get("volumeClaimTemplates") or []]
    others = [v for v in spec.get("volumes") or [] if v.get("name") not in claims]
    mine = [
        {"name": c, "persistentVolumeClaim": {"claimName": "%s-%s" % (c, name)}} for c in claims
    ]
    return mine + others
