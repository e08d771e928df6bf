# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes, and what their pods ask of them.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..api import Api, Object
from ..neighbours import keeps_others_away
from ..preflight import NOT_TERMINAL
from ..resources import POD, label, meta
from ..rules.fit import View, node_free
from ..rules.node_state import node_not_ready
from ..rules.quantity import format_units
from ..rules.resources import allocatable
from ..rules.usage import NodeUsage

ZONE = "topology.kubernetes.io/zone"


class Usages:
    """What the pods of each node hold; only sums are kept. ``complete``: every pod is counted."""

    def __init__(self) -> None:
        self.complete = False
        self._nodes: Dict[str, NodeUsage] = {}
        self.guards: List[Mapping[str, Any]] = []  # pods that others must be apart from

    def add(self, pod: Mapping[str, Any]) -> None:
        """Count a pod, if it has a node."""
        name = str((pod.get("spec") or {}).get("nodeName") or "")
        if name:
            self._nodes.setdefault(name, NodeUsage()).add(pod)
            if keeps_others_away(pod):
                self.guards.append(pod)

    def of(self, node: Object) -> NodeUsage:
        """What is held on that node."""
        return self._nodes.get(str(meta(node)["name"]), NodeUsage())

    def read(self, api: Api, names: Optional[Sequence[str]]) -> None:
        """Count the pods of these nodes, or of all, unless that is done."""
        if self.complete:
            return
        if names is None:
            api.scan(POD, self.add, field_selector="spec.nodeName!=," + NOT_TERMINAL)
            self.complete = True
        for name in names or ():
            selector = "spec.nodeName=%s,%s" % (name, NOT_TERMINAL)
            for pod in api.list(POD, field_selector=selector)[0]:
                self.add(pod)


def describe_node(node: Object, usage: NodeUsage) -> Dict[str, Any]:
    """The ``nodes`` item of a result. Amounts are written as Kubernetes writes them."""
    spec = node.get("spec") or {}
    offered = allocatable(node)
    free = node_free(View(node=node, usage=usage))
    held = {name: units - free[name] for name, units in offered.items()}
    return {
        "name": meta(node)["name"],
        "ready": node_not_ready(node) is None,
        "cordoned": bool(spec.get("unschedulable")),
        "zone": label(node, ZONE) or "",
        "taints": [
            {key: taint.get(key) or "" for key in ("key", "value", "effect")}
            for taint in spec.get("taints") or []
        ],
        "pods": usage.pod_count,
        "allocatable": _written(offered),
        "requested": _written(held),
        "free": _written(free),
        "requested_percent": {
            name: round(100.0 * held[name] / units, 1) for name, units in offered.items() if units
        },
    }


def _written(amounts: Mapping[str, int]) -> Dict[str, str]:
    return {name: format_units(name, units) for name, units in sorted(amounts.items())}
