# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that must not be moved, or not like this: each refusal has a code and says what to do
instead.
"""

from __future__ import annotations

from typing import Iterator, List, Mapping, Tuple

from ..api import Api, Object
from ..errors import NotFound, PlacementError
from ..resources import PVC, annotation, describe, meta
from ..rules.pod_state import (
    has_resource_claims,
    is_running,
    is_system_critical,
    is_terminal,
    is_terminating,
)
from ..workloads import Owner
from .names import DO_NOT_MOVE
from .order import Settings

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
_OPT_OUTS: Mapping[str, str] = {
    DO_NOT_MOVE: "true",
    "karpenter.sh/do-not-disrupt": "true",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}
SHARED, ONE_NODE, ONE_POD = "shared", "one_node", "one_pod"
_ORDER = (SHARED, ONE_NODE, ONE_POD)
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
    for _where, key, stop in opt_outs(pod, chain):
        text = "annotation %s: %s forbids it" % (key, stop)
        raise refuse("OptedOut", pod, text, "Remove the annotation, or set force: true.")


def opt_outs(pod: Object, chain: List[Owner]) -> Iterator[Tuple[str, str, str]]:
    """Object, key and value of each annotation, of the pod or an owner, that forbids a move."""
    objects = [("Pod", pod), *((o.kind, o.obj) for o in chain if o.obj is not None)]
    for kind, obj in objects:
        for key, stop in _OPT_OUTS.items():
            if annotation(obj, key) == stop:
                yield describe(kind, obj), key, stop


def check_volumes(api: Api, pod: Object, settings: Settings) -> str:
    """How the pod's volumes attach: ``shared``, ``one_node`` or ``one_pod``.

    Raises ``LocalData`` for data that stays behind, ``ClaimNotFound``, and ``ResourceClaims`` for
    devices.
    """
    if has_resource_claims(pod):
        raise refuse(
            "ResourceClaims",
            pod,
            "allocated devices cannot be in two places",
            "Delete the pod to have it placed anew.",
        )
    namespace = str(meta(pod)["namespace"])
    found = SHARED
    for volume in pod["spec"].get("volumes") or []:
        if ("emptyDir" in volume or "ephemeral" in volume) and not settings.delete_emptydir_data:
            text = "volume %s would lose its data" % volume.get("name")
            raise refuse(
                "LocalData", pod, text, "Set delete_emptydir_data: true when the data may go."
            )
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim:
            found = max(found, attachment(api, pod, namespace, claim), key=_ORDER.index)
        elif any(kind in volume for kind in _ONE_NODE_VOLUMES):
            found = max(found, ONE_NODE, key=_ORDER.index)
    return found


def attachment(api: Api, pod: Object, namespace: str, claim: str) -> str:
    """How one claim of the pod attaches."""
    try:
        found = api.get(PVC, claim, namespace)
    except NotFound:
        raise refuse(
            "ClaimNotFound", pod, "claim %s does not exist" % claim, "Create the claim first."
        ) from None
    modes = set(
        (found.get("status") or {}).get("accessModes") or found["spec"].get("accessModes") or []
    )
    if modes & _SHARED_MODES:
        return SHARED
    return ONE_POD if modes == {"ReadWriteOncePod"} else ONE_NODE
