# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cordon says whose it is: an annotation, written together with it, tells a later run that the
node may be uncordoned, and that it was schedulable before.

A node that somebody else has cordoned is left as it is, before and after.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Tuple

from ..api import Api, Object
from ..clock import Clock, Deadline
from ..errors import Conflict, OutcomeUnknown, PlacementError
from ..moves.names import DOMAIN
from ..preflight import find_node
from ..resources import NODE, annotation, meta
from ..rules.node_state import node_not_ready
from ..watching import named

CORDON = DOMAIN + "/cordon"
_CORDON_TAINT = "node.kubernetes.io/unschedulable"
# Taken off the node some time after its kubelet is back, or it is uncordoned.
_PASSING_TAINTS = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    _CORDON_TAINT,
)


def is_cordoned(node: Mapping[str, Any]) -> bool:
    """No scheduler puts anything there."""
    return bool((node.get("spec") or {}).get("unschedulable"))


def is_ours(node: Mapping[str, Any]) -> bool:
    """An evacuation cordoned it."""
    return annotation(node, CORDON) is not None


def cordon(api: Api, name: str, clock: Clock) -> Tuple[Object, bool]:
    """Cordon a node that is not; the node, and whether this call did it."""
    while True:
        node = find_node(api, name)
        if is_cordoned(node):
            return node, False
        state = {"began": clock.wall(), "was_unschedulable": False}
        change = {
            "metadata": {"annotations": {CORDON: json.dumps(state, sort_keys=True)}},
            "spec": {"unschedulable": True},
        }
        try:
            return _patch(api, node, change), True
        except (Conflict, OutcomeUnknown):
            continue  # its kubelet wrote; or the next look shows whether we did


def uncordon(api: Api, name: str) -> bool:
    """Take our own cordon back; whether there was one."""
    while True:
        node = find_node(api, name)
        if not is_ours(node):
            return False
        change = {
            "metadata": {"annotations": {CORDON: None}},
            "spec": {"unschedulable": None},
        }
        try:
            _patch(api, node, change)
        except (Conflict, OutcomeUnknown):
            continue
        return True


def uncordoned(node: Object) -> Object:
    """The node as it will be without a cordon of ours; for show."""
    if not is_ours(node):
        return node
    taints = [t for t in node["spec"].get("taints") or [] if t.get("key") != _CORDON_TAINT]
    return dict(node, spec=dict(node["spec"], unschedulable=False, taints=taints))


def await_ready(api: Api, name: str, deadline: Deadline) -> Object:
    """The node, when its kubelet reports and the taints of its absence are gone; PlacementError
    ``NodeNotReady`` when it does not come back, ``NodeUnschedulable`` when it is cordoned.
    """
    while True:
        node = find_node(api, name)
        if is_cordoned(node):
            raise PlacementError(
                "NodeUnschedulable",
                "node %s is cordoned, and not by an evacuation" % name,
                object="Node %s" % name,
                step="return",
                hint="Uncordon it and run the task again.",
            )
        absent = node_not_ready(node)
        taints = {t.get("key") for t in node["spec"].get("taints") or []}
        if absent is None and not taints.intersection(_PASSING_TAINTS):
            return node
        if deadline.passed():
            raise PlacementError(
                "NodeNotReady",
                "node %s is not ready: %s" % (name, absent.detail if absent else "tainted"),
                object="Node %s" % name,
                step="return",
                hint="Wait until its kubelet reports again, and run the task again.",
            )
        api.wait_change(
            NODE,
            resource_version=str(meta(node)["resourceVersion"]),
            field_selector=named(name),
            timeout=max(0.05, min(5.0, deadline.left())),
        )


def _patch(api: Api, node: Mapping[str, Any], change: Dict[str, Any]) -> Object:
    found = meta(node)
    guard = {"uid": found["uid"], "resourceVersion": found["resourceVersion"]}
    body = dict(change, metadata=dict(change["metadata"], **guard))
    return api.patch(NODE, str(found["name"]), body)
