# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which strategy moves a pod, from its owner, its volumes, and what the user allows.

owner                                  volumes shared or none      on one node, or of one pod
nobody                                 recreate (surge by wish)    recreate
ReplicaSet, ReplicationController      adopt (shadow by need)      replace
StatefulSet                            steer                       steer
Job                                    jobs: evict -> evict        the same
anything else                          fallback: evict -> evict    the same
DaemonSet, static pod                  refused                     refused
"""

from __future__ import annotations

from typing import Callable, List, Mapping, Optional, Sequence

from ..api import Object
from ..errors import PlacementError
from ..resources import annotation
from ..rules.pod_state import is_mirror
from ..workloads import Owner
from .order import Order
from .refusals import ONE_POD, SHARED, refuse

REPLICATED = ("ReplicaSet", "ReplicationController")
# An admission controller of OpenShift picks it by who creates the pod, so a controller must do it.
CREATOR_MATTERS = "openshift.io/scc"
_ALLOWED: Mapping[str, Sequence[str]] = {
    "bare": ("recreate", "surge"),
    "replicated": ("adopt", "shadow", "replace"),
    "stateful": ("steer",),
}
_OF_WHOM = {
    "bare": "a bare pod",
    "replicated": "a pod of a ReplicaSet",
    "stateful": "a pod of a StatefulSet",
}
# What keeps a workload from a lossless move, and not from an eviction.
EVICTABLE_INSTEAD = (
    "NoDetachKey",
    "ReplacementDiffers",
    "SelectorOverlap",
    "SteerUnavailable",
    "VolumeInUse",
    "VolumeOnePod",
    "VolumeSingleNode",
)


def choose_strategy(
    order: Order, pod: Object, chain: List[Owner], volumes: Callable[[], str]
) -> str:
    """The strategy for this pod, or ``OwnerUnsupported``, ``OwnerGone``, ``JobRunning``,
    ``StrategyUnavailable``. ``volumes`` is asked how they attach when the owner allows a move at
    all (``refusals.check_volumes``).
    """
    _refuse_fixed(pod, chain)
    if not chain:
        return _known(order, "bare", pod, "recreate", volumes())
    owner = chain[0]
    _refuse_orphans(pod, chain)
    if owner.kind == "Job" and owner.resource is not None:
        _check_job(order, pod)
        volumes()
        return "evict"
    if owner.kind == "StatefulSet" and owner.resource is not None:
        return _known(order, "stateful", pod, "steer", volumes())
    foreign = _foreign(chain)
    if foreign is not None:
        if "evict" not in (order.fallback, order.strategy):
            raise _unsupported(pod, foreign, chain)
        volumes()
        return "evict"
    attachment = volumes()
    usual = "adopt" if annotation(pod, CREATOR_MATTERS) is None else "shadow"
    return _known(
        order, "replicated", pod, usual if attachment == SHARED else "replace", attachment
    )


def _refuse_fixed(pod: Object, chain: List[Owner]) -> None:
    if is_mirror(pod):
        raise refuse(
            "OwnerUnsupported: Node",
            pod,
            "a static pod belongs to its node",
            "Move its manifest file.",
        )
    if chain and chain[0].kind == "DaemonSet" and chain[0].resource is not None:
        raise refuse(
            "OwnerUnsupported: DaemonSet",
            pod,
            "a DaemonSet's pod belongs to its node",
            "Change the DaemonSet's node selector or tolerations.",
        )


def _refuse_orphans(pod: Object, chain: List[Owner]) -> None:
    for owner in chain:
        if owner.resource is not None and owner.obj is None:
            raise refuse(
                "OwnerGone",
                pod,
                "%s %s is gone" % (owner.kind, owner.name),
                "The garbage collector deletes this pod.",
            )


def _foreign(chain: List[Owner]) -> Optional[Owner]:
    """The owner that no strategy here knows: of the pod, or of its ReplicaSet."""
    if chain[0].kind not in REPLICATED or chain[0].resource is None:
        return chain[0]
    if len(chain) > 1 and (chain[1].kind != "Deployment" or chain[1].resource is None):
        return chain[1]
    return None


def _unsupported(pod: Object, owner: Owner, chain: List[Owner]) -> PlacementError:
    text = "controllers of kind %s are not known here" % owner.kind
    if owner is not chain[0]:
        text = "its %s belongs to %s %s, which may route by labels" % (
            chain[0].kind,
            owner.kind,
            owner.name,
        )
    return refuse(
        "OwnerUnsupported: %s" % owner.kind,
        pod,
        text,
        "Use that operator's own way of moving pods, or fallback: evict.",
    )


def _check_job(order: Order, pod: Object) -> None:
    if "evict" in (order.jobs, order.strategy):
        return
    code, hint = {
        "wait": ("JobRunning", "Wait until the Job has finished."),
        "leave": ("OwnerUnsupported: Job", "Let the Job finish, or evict its pods: jobs: evict."),
    }[order.jobs]
    raise refuse(code, pod, "a Job counts its pods, and the work of this one would be lost", hint)


def _known(order: Order, family: str, pod: Object, usual: str, attachment: str) -> str:
    if order.strategy == "auto":
        return usual
    if order.strategy == "evict" and family != "bare":
        return "evict"
    allowed = _ALLOWED[family]
    if order.strategy not in allowed:
        raise _misfit(order, pod, _OF_WHOM[family], allowed)
    needs_both = order.strategy in ("adopt", "shadow", "surge")
    if needs_both and attachment != SHARED:
        text = "strategy %s runs two pods at once, and a volume of this one attaches to one %s" % (
            order.strategy,
            "pod" if attachment == ONE_POD else "node",
        )
        raise refuse("VolumeSingleNode", pod, text, "Use strategy: %s, or auto." % usual)
    return order.strategy


def _misfit(order: Order, pod: Object, whom: str, allowed: Sequence[str]) -> PlacementError:
    text = "strategy %s does not fit %s" % (order.strategy, whom)
    hint = "Use one of %s, or auto." % ", ".join(allowed)
    return refuse("StrategyUnavailable", pod, text, hint)
