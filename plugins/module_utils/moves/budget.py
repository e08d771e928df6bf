# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a budget would say if it did not count the temporary ReplicaSets of moves.

A PodDisruptionBudget in percent, or with maxUnavailable, asks each controller of its pods for its
scale. While a temporary ReplicaSet holds a replacement, it expects one pod more than the workload
has, so the replacement frees no disruption: with ``maxUnavailable: 0`` an eviction is never allowed
(pkg/controller/disruption/disruption.go, getExpectedScale). The sum here is the budget's own, less
these ReplicaSets; the replacements still count as healthy, which they are.
"""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Set

from ..api import Api, Object
from ..resources import PDB, POD, REPLICA_SET, meta, uid
from ..rules.pod_state import is_ready, is_terminal, is_terminating
from ..rules.selectors import matches_labels
from ..workloads import controller_ref, selector_string
from .gates import closed_budget
from .journal import Entry
from .names import MOVE_ID
from .scene import Scene, Step


def budget_beside_holders(api: Api, namespace: str, entry: Entry, scene: Scene) -> Optional[Step]:
    """The dry-run eviction decides; where it says no, the sum without temporary ReplicaSets."""
    closed = closed_budget(api, namespace, entry, scene)
    if closed is None or closed.code != "PdbBlocked":
        return closed
    labels = meta(scene.old or {}).get("labels") or {}
    budgets = [
        b
        for b in api.list(PDB, namespace)[0]
        if matches_labels((b.get("spec") or {}).get("selector"), labels)
    ]
    holders = {uid(h) for h in api.list(REPLICA_SET, namespace, label_selector=MOVE_ID)[0]}
    for budget in budgets:
        wanted = selector_string((budget.get("spec") or {}).get("selector") or {})
        pods = api.list(POD, namespace, label_selector=wanted)[0]
        if spare(budget, pods, holders) < 1:
            return closed
    return None


def spare(budget: Mapping[str, Any], pods: List[Object], holders: Set[str]) -> int:
    """How many of these pods may go, temporary ReplicaSets not expected and their pods counted."""
    status = budget.get("status") or {}
    disrupted = status.get("disruptedPods") or {}
    healthy = sum(
        is_ready(p) and not is_terminating(p) and meta(p)["name"] not in disrupted for p in pods
    )
    active = [p for p in pods if not is_terminal(p) and not is_terminating(p)]
    guests = [p for p in active if _owner(p) in holders]
    # The budget's own sum may be older than the temporary ReplicaSets: never below what is there.
    residents = sum(_owner(p) not in holders for p in active if _owner(p))
    expected = max(int(status.get("expectedPods") or 0) - len(guests), residents)
    return healthy - _needed(budget.get("spec") or {}, expected, healthy)


def _owner(pod: Object) -> str:
    ref = controller_ref(pod)
    return str(ref["uid"]) if ref is not None else ""


def _needed(spec: Mapping[str, Any], expected: int, healthy: int) -> int:
    """How many must stay; percentages are rounded up, as the server does. A number of pods that
    must be available does not depend on what is expected: the server's answer stands.
    """
    if spec.get("maxUnavailable") is not None:
        return max(0, expected - _scaled(spec["maxUnavailable"], expected))
    minimum = spec.get("minAvailable")
    return _scaled(minimum, expected) if isinstance(minimum, str) else healthy


def _scaled(value: Any, total: int) -> int:
    text = str(value)
    return -(-int(text[:-1]) * total // 100) if text.endswith("%") else int(text)
