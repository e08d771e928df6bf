# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a pod that only takes room, no more is kept than what the rules read."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping

from ..api import Object
from ..workloads import controller_ref

_METADATA = ("name", "namespace", "uid", "deletionTimestamp")
_SPEC = ("nodeName", "overhead", "resources")
_CONTAINER = ("name", "restartPolicy")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_STATUS = ("phase", "resources", "allocatedResources")
_CONTAINER_STATUS = ("name", "resources", "allocatedResources")


def outline(pod: Mapping[str, Any]) -> Object:
    """The pod's share of its node, its claims, who owns it, and from whom it must be apart; a
    twentieth of its size.
    """
    spec, status = pod["spec"], pod.get("status") or {}
    metadata = _pick(pod["metadata"], _METADATA)
    owner = controller_ref(pod)
    if owner is not None:
        metadata["ownerReferences"] = [_pick(owner, ("kind", "uid", "controller"))]
    brief_spec = _pick(spec, _SPEC)
    for group in ("containers", "initContainers"):
        if spec.get(group):
            brief_spec[group] = [_container(c) for c in spec[group]]
    apart = ((spec.get("affinity") or {}).get("podAntiAffinity") or {}).get(_REQUIRED)
    if apart:
        brief_spec["affinity"] = {"podAntiAffinity": {_REQUIRED: apart}}
    claims = [v for v in spec.get("volumes") or [] if _is_claim(v)]
    if claims:
        brief_spec["volumes"] = [_pick(v, ("name", "persistentVolumeClaim")) for v in claims]
    return {"metadata": metadata, "spec": brief_spec, "status": _status(status)}


def _container(container: Mapping[str, Any]) -> Dict[str, Any]:
    brief = _pick(container, _CONTAINER)
    requests = (container.get("resources") or {}).get("requests")
    if requests:
        brief["resources"] = {"requests": requests}
    ports = [p for p in container.get("ports") or [] if p.get("hostPort")]
    if ports:
        brief["ports"] = ports
    return brief


def _status(status: Mapping[str, Any]) -> Dict[str, Any]:
    brief = _pick(status, _STATUS)
    for group in ("containerStatuses", "initContainerStatuses"):
        resized = [s for s in status.get(group) or [] if s.get("resources")]
        if resized:
            brief[group] = [_pick(s, _CONTAINER_STATUS) for s in resized]
    pending: List[Any] = [
        c for c in status.get("conditions") or [] if c.get("type") == "PodResizePending"
    ]
    if pending:
        brief["conditions"] = pending
    return brief


def _is_claim(volume: Mapping[str, Any]) -> bool:
    return "persistentVolumeClaim" in volume


def _pick(found: Mapping[str, Any], keys: Iterable[str]) -> Dict[str, Any]:
    return {k: found[k] for k in keys if k in found}
