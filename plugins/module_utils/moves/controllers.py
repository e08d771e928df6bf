# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller has so many pods on a node: from that wish to the moves that fulfil it.

Only Ready pods that nobody deletes count as being there. Which pods are moved is a function of what
is seen: from where most of them are, of a StatefulSet the highest ordinal first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..api import Api, Object
from ..errors import NotFound, PlacementError
from ..resources import (
    CONTROLLERS,
    DEPLOYMENT,
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
    meta,
    uid,
)
from ..rules.pod_state import is_ready, is_terminal, is_terminating
from ..workloads import Owner, controller_ref, desired, owned_by, selector, selector_string
from .journal import decode
from .names import lease_name
from .order import Order, Settings
from .recovery import INTERRUPTED, describe_recovery, settle, unfinished

COUNTED = tuple(k.kind for k in (DEPLOYMENT, REPLICA_SET, REPLICATION_CONTROLLER, STATEFUL_SET))


@dataclass(frozen=True)
class Controller:
    """A controller by name; ``kind`` is one of ``COUNTED``."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return "%s %s/%s" % (self.kind, self.namespace, self.name)


def top_controller(chain: Sequence[Owner]) -> Optional[Owner]:
    """The controller that people know: the Deployment above a ReplicaSet, else the owner itself;
    None where an owner is of an unknown kind.
    """
    if not chain or any(owner.resource is None for owner in chain):
        return None
    return chain[-1]


def orders_for(api: Api, controller: Controller, node: str, count: int, like: Order) -> List[Order]:
    """The moves after which ``count`` pods of the controller are Ready on ``node``; none when they
    are. ``like`` has the options of the orders.

    Raises PlacementError ``ControllerNotFound``, ``TooFewReplicas`` when the controller has not so
    many, ``WorkloadNotReady`` when too few of the others are Ready to be moved.
    """
    found = find_controller(api, controller)
    if desired(found) < count:
        raise _refuse(
            "TooFewReplicas",
            controller,
            "it has %d replicas, and %d are wanted on node %s" % (desired(found), count, node),
            "Ask for fewer, or scale it up.",
        )
    pods = pods_of(api, controller, found)
    ready = [p for p in pods if is_ready(p)]
    missing = count - sum(_node(p) == node for p in ready)
    if missing <= 0:
        return []
    candidates = _in_order(controller, ready, node)
    if len(candidates) < missing:
        raise _refuse(
            "WorkloadNotReady",
            controller,
            "%d more of its pods are wanted on node %s, and %d of the others are Ready"
            % (missing, node, len(candidates)),
            "Wait until its pods are Ready, and run the task again.",
        )
    return [
        replace(like, namespace=controller.namespace, name=str(meta(p)["name"]), node=node)
        for p in candidates[:missing]
    ]


def find_controller(api: Api, controller: Controller) -> Object:
    """The controller as it is; PlacementError ``ControllerNotFound``."""
    try:
        return api.get(CONTROLLERS[controller.kind], controller.name, controller.namespace)
    except NotFound:
        raise _refuse(
            "ControllerNotFound",
            controller,
            "there is no such controller",
            "Check kind, namespace and name.",
        ) from None


def pods_of(api: Api, controller: Controller, found: Object) -> List[Object]:
    """Its pods that run or will; of a Deployment those of all its ReplicaSets."""
    label_selector = selector_string(selector(controller.kind, found))
    owners = {uid(found)}
    if controller.kind == DEPLOYMENT.kind:
        sets, _version = api.list(REPLICA_SET, controller.namespace, label_selector=label_selector)
        owners = {uid(s) for s in sets if owned_by(s, uid(found))}
    pods, _version = api.list(POD, controller.namespace, label_selector=label_selector)
    return [
        p
        for p in pods
        if (controller_ref(p) or {}).get("uid") in owners
        and not is_terminal(p)
        and not is_terminating(p)
    ]


def settle_controller(api: Api, settings: Settings, controller: Controller) -> List[Dict[str, Any]]:
    """Finish or undo what a killed run left of this controller's moves: only then can its pods be
    counted. The ``recovered`` items; in check mode they are only named.
    """
    try:
        found = api.get(CONTROLLERS[controller.kind], controller.name, controller.namespace)
    except NotFound:
        return []  # who counts its pods says so
    pods = pods_of(api, controller, found)
    locks = {lease_name((controller_ref(p) or {}).get("uid") or uid(p)) for p in pods}
    recovered: List[Dict[str, Any]] = []
    for lease in unfinished(api, controller.namespace):
        if meta(lease)["name"] not in locks:
            continue
        if settings.check:
            entries = decode(lease)
            recovered += [describe_recovery(controller.namespace, e, INTERRUPTED) for e in entries]
        else:
            recovered += settle(api, lease, settings)
    return recovered


def _node(pod: Object) -> str:
    return str(pod["spec"].get("nodeName") or "")


def _in_order(controller: Controller, pods: Sequence[Object], node: str) -> List[Object]:
    """Those that are elsewhere: from the fullest node first, then by name; of a StatefulSet the
    highest ordinal first.
    """
    crowd = Counter(_node(p) for p in pods)

    def rank(pod: Object) -> Tuple[int, str]:
        name = str(meta(pod)["name"])
        ordinal = name.rpartition("-")[2]
        if controller.kind == STATEFUL_SET.kind and ordinal.isdigit():
            return -int(ordinal), name
        return -crowd[_node(pod)], name

    return sorted((p for p in pods if _node(p) != node), key=rank)


def _refuse(code: str, controller: Controller, message: str, hint: str) -> PlacementError:
    return PlacementError(code, message, object=str(controller), step="preflight", hint=hint)
