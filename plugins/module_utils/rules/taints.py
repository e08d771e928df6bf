# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A taint keeps a pod off its node unless some toleration of the pod accepts it.

`ToleratesTaint` in k8s.io/api/core/v1/toleration.go. Only NoSchedule and NoExecute are judged:
PreferNoSchedule is a matter of scores, never of fitting.
"""

from __future__ import annotations

from typing import NamedTuple

from .model import Field, Object, node_field, parse_int64, pod_field
from .rejection import Rejection, reject

UNSCHEDULABLE_TAINT_KEY = "node.kubernetes.io/unschedulable"


class Taint(NamedTuple):
    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        value = f"={self.value}" if self.value else ""
        return f"{self.key}{value}:{self.effect}"


def taints_of(node: Object) -> list[Taint]:
    return [
        Taint(taint["key"].text(), taint["value"].text(), taint["effect"].text())
        for taint in node_field(node)["spec"]["taints"].elements()
    ]


def untolerated_taint(pod: Object, node: Object) -> Rejection | None:
    """TaintToleration: every NoSchedule and NoExecute taint must be tolerated."""
    untolerated = [
        taint
        for taint in taints_of(node)
        if taint.effect in ("NoSchedule", "NoExecute") and not tolerates(pod, taint)
    ]
    if not untolerated:
        return None
    return reject("UntoleratedTaint", f"does not tolerate {', '.join(map(str, untolerated))}")


def unschedulable(pod: Object, node: Object) -> Rejection | None:
    """NodeUnschedulable: a cordoned node takes only pods that tolerate the cordon's taint."""
    if not node_field(node)["spec"]["unschedulable"].flag():
        return None
    if tolerates(pod, Taint(UNSCHEDULABLE_TAINT_KEY, "", "NoSchedule")):
        return None
    return reject("NodeUnschedulable", "the node is cordoned")


def tolerates(pod: Object, taint: Taint) -> bool:
    """Whether some toleration of the pod accepts the taint."""
    tolerations = pod_field(pod)["spec"]["tolerations"].elements()
    return any(_accepts(toleration, taint) for toleration in tolerations)


def _accepts(toleration: Field, taint: Taint) -> bool:
    key = toleration["key"].text()
    value = toleration["value"].text()
    effect = toleration["effect"].text()
    operator = toleration["operator"].text()
    # An empty effect means all effects, an empty key (with Exists) all keys.
    if (effect and effect != taint.effect) or (key and key != taint.key):
        return False
    if operator == "Exists":
        return True
    if operator in ("", "Equal"):
        return value == taint.value
    if operator in ("Gt", "Lt"):
        return _compares(operator, tolerated=value, tainted=taint.value)
    return False


def _compares(operator: str, *, tolerated: str, tainted: str) -> bool:
    """Numeric tolerations: alpha since 1.35 (TaintTolerationComparisonOperators).

    An API server without that feature refuses them, so a pod that has one runs where it is on.
    """
    bound, actual = parse_int64(tolerated), parse_int64(tainted)
    if bound is None or actual is None:
        return False
    return actual > bound if operator == "Gt" else actual < bound
