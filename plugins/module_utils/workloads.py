# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns a pod, what its template and selector are, and whether a rollout is under way.

One vocabulary for all controller kinds: a ReplicationController is a ReplicaSet with a plainer
selector (the controller manager runs both with the same code), a CronJob keeps its pod template one
level deeper.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Tuple

from .api import Api, Object
from .errors import NotFound
from .resources import (
    CONTROLLERS,
    DEPLOYMENT,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    Kind,
    label,
    meta,
    uid,
)
from .rules.pod_state import is_ready, is_terminal, is_terminating

TEMPLATE_HASH = "pod-template-hash"
TEMPLATE_PATHS: Mapping[str, Tuple[str, ...]] = {
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True)
class Owner:
    """One link of an owner chain. ``obj`` is None when the kind is unknown here or the object is
    gone.
    """

    kind: str
    api_version: str
    name: str
    uid: str
    obj: Optional[Object] = None

    @property
    def resource(self) -> Optional[Kind]:
        """The REST resource, for kinds this collection knows in their own API group."""
        return known_kind(self.kind, self.api_version)


def known_kind(kind: str, api_version: str) -> Optional[Kind]:
    """The controller kind of that name and API group, or None (an operator may have a
    ``Deployment`` of its own).
    """
    found = CONTROLLERS.get(kind)
    return found if found is not None and found.group == api_version.rpartition("/")[0] else None


def controller_ref(obj: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    """The ownerReference with ``controller: true``, or None (metav1.GetControllerOf)."""
    for ref in meta(obj).get("ownerReferences") or []:
        if ref.get("controller"):
            found: Mapping[str, Any] = ref
            return found
    return None


def owner_chain(api: Api, obj: Mapping[str, Any]) -> List[Owner]:
    """The controllers above an object, nearest first; it ends at an unknown kind or at one that is
    gone.
    """
    chain: List[Owner] = []
    namespace = meta(obj).get("namespace")
    ref = controller_ref(obj)
    while ref is not None:
        kind = known_kind(ref["kind"], ref.get("apiVersion", ""))
        found: Optional[Object] = None
        if kind is not None:
            try:
                found = api.get(kind, ref["name"], namespace)
            except NotFound:
                found = None
            if found is not None and uid(found) != ref["uid"]:
                found = None
        chain.append(Owner(ref["kind"], ref.get("apiVersion", ""), ref["name"], ref["uid"], found))
        ref = controller_ref(found) if found is not None else None
    return chain


def template_path(kind: str) -> Tuple[str, ...]:
    """Where the pod template lies in a controller of this kind."""
    return TEMPLATE_PATHS.get(kind, ("spec", "template"))


def template(kind: str, obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The controller's pod template."""
    node: Any = obj
    for step in template_path(kind):
        node = node.get(step) or {}
    found: Mapping[str, Any] = node
    return found


def selector(kind: str, obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The controller's LabelSelector; a ReplicationController's plain map in the same shape."""
    found: Mapping[str, Any] = (obj.get("spec") or {}).get("selector") or {}
    return {"matchLabels": dict(found)} if kind == REPLICATION_CONTROLLER.kind else found


def selector_string(label_selector: Mapping[str, Any], *, without: str = "") -> str:
    """The selector as a query string; requirements on the key ``without`` are left out (a wider
    selection).
    """
    parts = [
        "%s=%s" % (k, v)
        for k, v in sorted((label_selector.get("matchLabels") or {}).items())
        if k != without
    ]
    for expression in label_selector.get("matchExpressions") or []:
        key, operator = expression["key"], expression["operator"]
        if key == without:
            continue
        values = "(%s)" % ",".join(expression.get("values") or [])
        parts.append(
            {"In": "%s in %s", "NotIn": "%s notin %s"}[operator] % (key, values)
            if operator in ("In", "NotIn")
            else {"Exists": "%s", "DoesNotExist": "!%s"}[operator] % key
        )
    return ",".join(parts)


def desired(obj: Mapping[str, Any]) -> int:
    """``spec.replicas``, 1 when unset."""
    replicas = (obj.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def min_ready_seconds(obj: Mapping[str, Any]) -> int:
    """``spec.minReadySeconds``, 0 when unset."""
    return int((obj.get("spec") or {}).get("minReadySeconds") or 0)


def owned_by(pod: Mapping[str, Any], owner_uid: str) -> bool:
    """True when the pod's controller is that object."""
    ref = controller_ref(pod)
    return ref is not None and ref["uid"] == owner_uid


def active_pods(pods: List[Object], owner_uid: str) -> List[Object]:
    """The owner's pods that count: not terminal, not terminating (controller.FilterActivePods)."""
    return [
        p for p in pods if owned_by(p, owner_uid) and not is_terminal(p) and not is_terminating(p)
    ]


def ready_pods(pods: List[Object], owner_uid: str) -> List[Object]:
    """The owner's active pods that are Ready."""
    return [p for p in active_pods(pods, owner_uid) if is_ready(p)]


def is_paused(deployment: Mapping[str, Any]) -> bool:
    """``spec.paused``."""
    return bool((deployment.get("spec") or {}).get("paused"))


def rollout_in_progress(deployment: Mapping[str, Any]) -> bool:
    """True while a Deployment replaces pods of one template by pods of another.

    The first two tests of kubectl's ``rollout status`` (polymorphichelpers/rollout_status.go): the
    controller has not seen the newest spec, or not all replicas are of the newest template, or old
    ones remain. A paused Deployment is not in progress. Pods that are merely unready do not count:
    readiness has guards of its own.
    """
    if is_paused(deployment):
        return False
    status = deployment.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int(meta(deployment).get("generation") or 0):
        return True
    updated = int(status.get("updatedReplicas") or 0)
    return updated < desired(deployment) or int(status.get("replicas") or 0) > updated


def template_hash(obj: Mapping[str, Any]) -> str:
    """A ReplicaSet's ``pod-template-hash``; empty for a bare one."""
    return label(obj, TEMPLATE_HASH) or ""


def deployment_of(chain: List[Owner]) -> Optional[Owner]:
    """The Deployment at the second link of a chain, if there is one."""
    if len(chain) > 1 and chain[0].kind == REPLICA_SET.kind and chain[1].resource is DEPLOYMENT:
        return chain[1]
    return None
