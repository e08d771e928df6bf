# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that must not be moved, or not like this: each refusal has a code and says what to do
instead.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

from ..api import Api, Object
from ..errors import NotFound, PlacementError
from ..resources import PVC, annotation, describe, meta
from ..rules.pod_state import (
    has_resource_claims,
    is_mirror,
    is_running,
    is_system_critical,
    is_terminal,
    is_terminating,
)
from ..workloads import Owner
from .names import DO_NOT_MOVE
from .order import Order, Settings

MOVABLE_OWNERS = ("ReplicaSet", "ReplicationController")
STRATEGIES: Mapping[str, Sequence[str]] = {"bare": ("recreate", "surge"), "owned": ("adopt",)}
LATER_STRATEGIES = ("shadow", "replace", "steer")
# Volume types that attach to one node at a time, used without a claim.
_ONE_NODE_VOLUMES = (
    "awsElasticBlockStore",
    "gcePersistentDisk",
    "azureDisk",
    "cinder",
    "vsphereVolume",
    "iscsi",
    "fc",
    "rbd",
)
_SHARED_MODES = {"ReadWriteMany", "ReadOnlyMany"}


def refuse(code: str, pod: Object, message: str, hint: str) -> PlacementError:
    """A preflight refusal about a pod."""
    return PlacementError(code, message, object=describe("Pod", pod), step="preflight", hint=hint)


def check_state(pod: Object) -> None:
    """Only a running pod moves: ``PodTerminating``, ``PodFinished``, ``PodNotRunning``."""
    if is_terminating(pod):
        raise refuse(
            "PodTerminating",
            pod,
            "the pod is being deleted",
            "Wait until it is gone; its controller replaces it.",
        )
    if is_terminal(pod):
        raise refuse("PodFinished", pod, "the pod has ended", "There is nothing to move.")
    if not is_running(pod):
        hint = "Bind a pending pod with podplacement.core.k8s_pod_bind, or delete it."
        raise refuse("PodNotRunning", pod, "the pod does not run yet", hint)


def check_opt_out(pod: Object, chain: List[Owner], settings: Settings) -> None:
    """``OptedOut``, ``SystemPod``, ``OwnPod``: people said no, or the cluster or this very task
    would suffer.
    """
    if settings.own_pod == (meta(pod)["namespace"], meta(pod)["name"]):
        raise refuse("OwnPod", pod, "this task runs in that pod", "Run it from somewhere else.")
    if is_system_critical(pod) and not settings.system_pods:
        raise refuse(
            "SystemPod",
            pod,
            "the cluster may need this pod to work",
            "Set system_pods: true when you mean it.",
        )
    if settings.force:
        return
    objects: List[Mapping[str, Any]] = [pod, *(o.obj for o in chain if o.obj is not None)]
    for obj in objects:
        for key, stop in _opt_outs().items():
            if annotation(obj, key) == stop:
                text = "annotation %s: %s forbids it" % (key, stop)
                raise refuse("OptedOut", pod, text, "Remove the annotation, or set force: true.")


def _opt_outs() -> Dict[str, str]:
    return {
        DO_NOT_MOVE: "true",
        "karpenter.sh/do-not-disrupt": "true",
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    }


def choose_strategy(order: Order, pod: Object, chain: List[Owner]) -> str:
    """The strategy for this kind of pod, or ``OwnerUnsupported``, ``OwnerGone``,
    ``StrategyUnavailable``.
    """
    if is_mirror(pod):
        raise refuse(
            "OwnerUnsupported: Node",
            pod,
            "a static pod belongs to its node",
            "Move its manifest file.",
        )
    if order.strategy in LATER_STRATEGIES:
        text = "strategy %s is not available in this version" % order.strategy
        raise refuse("StrategyUnavailable", pod, text, "Use strategy: auto.")
    if not chain:
        chosen = "recreate" if order.strategy == "auto" else order.strategy
        return _known(chosen, "bare", pod)
    for owner in chain:
        if owner.resource is not None and owner.obj is None:
            raise refuse(
                "OwnerGone",
                pod,
                "%s %s is gone" % (owner.kind, owner.name),
                "The garbage collector deletes this pod.",
            )
    owner = chain[0]
    if owner.kind not in MOVABLE_OWNERS or owner.resource is None:
        raise refuse(
            "OwnerUnsupported: %s" % owner.kind, pod, _why_not(owner.kind), _instead(owner.kind)
        )
    if len(chain) > 1 and (chain[1].kind != "Deployment" or chain[1].resource is None):
        text = "its ReplicaSet belongs to %s %s, which may route by labels" % (
            chain[1].kind,
            chain[1].name,
        )
        raise refuse(
            "OwnerUnsupported: %s" % chain[1].kind,
            pod,
            text,
            "Use that operator's own way of moving pods.",
        )
    return _known("adopt" if order.strategy == "auto" else order.strategy, "owned", pod)


def _known(strategy: str, family: str, pod: Object) -> str:
    if strategy not in STRATEGIES[family]:
        text = "strategy %s does not fit %s pod" % (
            strategy,
            "a bare" if family == "bare" else "a controller's",
        )
        raise refuse(
            "StrategyUnavailable",
            pod,
            text,
            "Use one of %s, or auto." % ", ".join(STRATEGIES[family]),
        )
    return strategy


def _why_not(kind: str) -> str:
    reasons = {
        "StatefulSet": "a StatefulSet's pod keeps its name, so it cannot run twice",
        "DaemonSet": "a DaemonSet's pod belongs to its node",
        "Job": "a Job counts its pods",
    }
    return reasons.get(kind, "controllers of kind %s are not known here" % kind)


def _instead(kind: str) -> str:
    hints = {
        "StatefulSet": "Cordon its node and delete the pod to have it placed anew.",
        "DaemonSet": "Change the DaemonSet's node selector or tolerations.",
        "Job": "Let the Job finish.",
    }
    return hints.get(kind, "Use the operator's own way of moving pods.")


def check_volumes(api: Api, pod: Object, settings: Settings, placement: str) -> None:
    """``LocalData``, ``VolumeSingleNode``, ``ClaimNotFound``, ``ResourceClaims``: what cannot be in
    two places.
    """
    if has_resource_claims(pod):
        raise refuse(
            "ResourceClaims",
            pod,
            "allocated devices cannot be in two places",
            "Delete the pod to have it placed anew.",
        )
    namespace = str(meta(pod)["namespace"])
    for volume in pod["spec"].get("volumes") or []:
        name = volume.get("name")
        if ("emptyDir" in volume or "ephemeral" in volume) and not settings.delete_emptydir_data:
            text = "volume %s would lose its data" % name
            raise refuse(
                "LocalData", pod, text, "Set delete_emptydir_data: true when the data may go."
            )
        if any(kind in volume for kind in _ONE_NODE_VOLUMES):
            raise _single_node(pod, "volume %s" % name)
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim:
            _check_claim(api, pod, namespace, claim)


def _check_claim(api: Api, pod: Object, namespace: str, claim: str) -> None:
    try:
        found = api.get(PVC, claim, namespace)
    except NotFound:
        raise refuse(
            "ClaimNotFound", pod, "claim %s does not exist" % claim, "Create the claim first."
        ) from None
    modes = set(
        (found.get("status") or {}).get("accessModes") or found["spec"].get("accessModes") or []
    )
    if not modes & _SHARED_MODES:
        raise _single_node(pod, "claim %s (%s)" % (claim, ", ".join(sorted(modes))))


def _single_node(pod: Object, what: str) -> PlacementError:
    text = "%s attaches to one node at a time" % what
    return refuse(
        "VolumeSingleNode",
        pod,
        text,
        "Only pods without such volumes can be moved; delete the pod to have it placed anew.",
    )
