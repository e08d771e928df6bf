# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before the first write: would the pod run on that node, and may this user make it so?

The API server checks nothing of this for a Binding, and a kubelet that refuses a pod ends it for
good. The verdicts come from ``rules``; here is what has to be read for them, and how a verdict
becomes a refusal or a warning.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import AbstractSet, FrozenSet, Iterable, List, Optional, Sequence, Tuple

from .api import Api, Object
from .errors import Forbidden, NotFound, PlacementError
from .resources import NODE, POD, PV, PVC, Kind, describe, meta, uid
from .rules.fit import View, check_fit
from .rules.node_state import node_not_ready
from .rules.pod_state import (
    has_resource_claims,
    has_scheduling_gates,
    is_terminal,
    is_terminating,
    phase,
)
from .rules.rejection import Rejection
from .rules.volumes import ClaimAndVolume, Volumes, claim_names, volume_conflicts

Right = Tuple[str, Kind, str, Optional[str]]  # verb, kind, subresource, namespace

NOT_TERMINAL = "status.phase!=Succeeded,status.phase!=Failed"
EXCLUSIVE = "ReadWriteOncePod"
GATED = "Scheduling is blocked due to non-empty scheduling gates"
IN_USE = (
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
)

HINTS = {
    "NodeNotReady": "Choose another node, or wait until its kubelet reports again.",
    "NodeUnschedulable": "Choose another node, or uncordon this one.",
    "UntoleratedTaint": "Choose another node, or give the pod a toleration.",
}
OTHER_NODE = "Choose another node, or make this one fit; validate=warn tries it all the same."


# ---- what has to be read


def target_view(api: Api, node_name: str, pod: Optional[Object] = None) -> View:
    """The node, the pods that hold something of it, and the volumes of ``pod``.

    Raises PlacementError ``NodeNotFound``: a Binding to a node that does not exist gets a 201.
    """
    node = find_node(api, node_name)
    on_node = "spec.nodeName=%s,%s" % (node_name, NOT_TERMINAL)
    pods, _version = api.list(POD, field_selector=on_node)
    return View(node=node, pods_on_node=pods, volumes={} if pod is None else volumes_of(api, pod))


def find_node(api: Api, name: str) -> Object:
    """The node of that name, or PlacementError ``NodeNotFound``."""
    try:
        return api.get(NODE, name)
    except NotFound:
        raise PlacementError(
            "NodeNotFound",
            "there is no node %s in this cluster" % name,
            object="Node %s" % name,
            step="preflight",
            hint="Check the name with: kubectl get nodes",
        ) from None


def volumes_of(api: Api, pod: Object) -> Volumes:
    """The claim and its volume for each claim that the pod mounts; None where there is none."""
    namespace = meta(pod)["namespace"]
    return {name: _claim_and_volume(api, name, namespace) for name in claim_names(pod)}


def _claim_and_volume(api: Api, name: str, namespace: str) -> Optional[ClaimAndVolume]:
    try:
        claim = api.get(PVC, name, namespace)
    except NotFound:
        return None
    volume_name = (claim.get("spec") or {}).get("volumeName")
    if not volume_name:
        return claim, None
    try:
        return claim, api.get(PV, volume_name)
    except NotFound:
        return claim, None


# ---- verdicts


def judge(
    pod: Object,
    view: View,
    *,
    skip: FrozenSet[str] = frozenset(),
    already_there: AbstractSet[str] = frozenset(),
    stop_at_first: bool = False,
) -> List[Rejection]:
    """Every reason why the node does not fit; pods with a uid in ``already_there`` do not count."""
    not_ready = node_not_ready(view.node)
    rejections = [] if not_ready is None else [not_ready]
    if rejections and stop_at_first:
        return rejections
    if already_there:
        others = [p for p in view.pods_on_node if uid(p) not in already_there]
        view = replace(view, pods_on_node=others)
    return rejections + check_fit(pod, view, skip=skip, stop_at_first=stop_at_first)


def unbindable(pod: Object, volumes: Volumes) -> List[Rejection]:
    """Why a pod that has no node must not be bound to any: no ``validate`` can overrule these."""
    return not_ready_to_bind(pod) + unbound_claims(pod, volumes)


def not_ready_to_bind(pod: Object) -> List[Rejection]:
    """The part of ``unbindable`` that the pod itself tells."""
    found: List[Rejection] = []
    if is_terminating(pod):
        found.append(_reject("PodTerminating", "pod is being deleted"))
    if is_terminal(pod):
        found.append(_reject("PodNotPending", "pod has ended", "phase %s" % phase(pod)))
    if has_scheduling_gates(pod):
        gates = ", ".join(gate["name"] for gate in pod["spec"]["schedulingGates"])
        found.append(_reject("SchedulingGated", GATED, gates))
    if has_resource_claims(pod):
        claims = ", ".join(claim["name"] for claim in pod["spec"]["resourceClaims"])
        found.append(_reject("ResourceClaims", "only a scheduler can allocate devices", claims))
    return found


def unbound_claims(pod: Object, volumes: Volumes) -> List[Rejection]:
    """Claims that are missing, lost, or have no volume: a Binding would not get one made."""
    conflicts = volume_conflicts(pod, {}, volumes)
    return [c for c in conflicts if c.code != "VolumeNodeAffinityConflict"]


def claims_in_use(pod: Object, volumes: Volumes, others: Iterable[Object]) -> List[Rejection]:
    """ReadWriteOncePod claims of the pod that one of ``others`` holds.

    As VolumeRestrictions in pkg/scheduler/framework/plugins/volumerestrictions.
    """
    exclusive = exclusive_claims(volumes)
    found: List[Rejection] = []
    for other in others if exclusive else ():
        same_namespace = meta(other).get("namespace") == meta(pod).get("namespace")
        if not same_namespace or uid(other) == uid(pod) or is_terminal(other):
            continue
        for name in sorted(exclusive.intersection(claim_names(other))):
            holder = "claim %s is held by %s" % (name, describe("Pod", other))
            found.append(_reject("VolumeInUse", IN_USE, holder))
    return found


def exclusive_claims(volumes: Volumes) -> FrozenSet[str]:
    """The claims that only one pod of the cluster may use."""
    return frozenset(
        name
        for name, known in volumes.items()
        if known is not None
        and EXCLUSIVE in ((known[0].get("spec") or {}).get("accessModes") or [])
    )


def not_judged(pod: Object) -> List[str]:
    """Warnings about what the pod demands and no rule here looks at."""
    spec = pod.get("spec") or {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    demands = [
        name
        for name, key in (("pod affinity", "podAffinity"), ("pod anti-affinity", "podAntiAffinity"))
        if ((spec.get("affinity") or {}).get(key) or {}).get(required)
    ]
    spreads = spec.get("topologySpreadConstraints") or []
    if any(s.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule" for s in spreads):
        demands.append("topology spread")
    who = describe("Pod", pod)
    return ["%s demands %s, which the preflight does not check" % (who, d) for d in demands]


def _reject(code: str, reason: str, detail: str = "") -> Rejection:
    return Rejection(code=code, reason=reason, detail=detail, resolvable=False)


# ---- from verdict to refusal


def explain(rejections: Sequence[Rejection]) -> str:
    """All reasons in kube-scheduler's words, each with its facts."""
    return "; ".join("%s (%s)" % (r.reason, r.detail) if r.detail else r.reason for r in rejections)


def refusal(
    pod: Object, rejections: Sequence[Rejection], message: str, *, step: str, hint: str = ""
) -> PlacementError:
    """The error for a pod that may not go on: the first code, all reasons."""
    code = rejections[0].code
    return PlacementError(
        code,
        "%s: %s" % (message, explain(rejections)),
        object=describe("Pod", pod),
        step=step,
        hint=hint or HINTS.get(code, OTHER_NODE),
    )


def refuse_or_warn(
    validate: str, pod: Object, node: str, rejections: Sequence[Rejection], *, step: str
) -> List[str]:
    """``strict`` raises with all reasons, ``warn`` returns them as warnings, ``none`` lets pass."""
    if not rejections or validate == "none":
        return []
    message = "node %s does not fit %s" % (node, describe("Pod", pod))
    if validate == "strict":
        raise refusal(pod, rejections, message, step=step)
    return ["%s: %s" % (message, explain(rejections))]


# ---- rights


def require_rights(api: Api, rights: Iterable[Right]) -> None:
    """Refuse ``RbacDenied`` before the first write when this user may not do one of these."""
    missing = [right for right in rights if not allowed(api, right)]
    if missing:
        told = [
            "%s in namespace %s" % (right_name(r), r[3]) if r[3] else right_name(r) for r in missing
        ]
        raise PlacementError(
            "RbacDenied: %s" % right_name(missing[0]),
            "the user of this task may not: %s" % ", ".join(told),
            step="preflight",
            hint="Grant these rights to the user of the task; see the module's documentation.",
        )


def allowed(api: Api, right: Right) -> bool:
    """Ask the API server; where asking itself is forbidden the answer comes with the request."""
    verb, kind, subresource, namespace = right
    try:
        return api.may(verb, kind, namespace, subresource)
    except Forbidden:
        return True


def right_name(right: Right) -> str:
    """``resource verb``, as reason codes have it."""
    verb, kind, subresource, _namespace = right
    return "%s %s" % ("%s/%s" % (kind.plural, subresource) if subresource else kind.plural, verb)
