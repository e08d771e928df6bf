# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Does this pod fit this node, and if not, why: one ordered table of rules answers.

The rules are named after the plugins of kube-scheduler whose filters they repeat, in the order in
which those run. Those of NOT_REPEATED are not repeated here: they need more of the cluster than a
View has. Those that judge a pod by others need a judge that has counted these (see cluster.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Callable

from . import resources
from .affinity import node_affinity_mismatch, node_name_mismatch
from .model import Object
from .pod_affinity import PodAffinity
from .ports import port_conflict
from .rejection import Rejection
from .requests import nonzero_requests
from .scores import Demand, least_allocated
from .spread import Spread
from .taints import unschedulable, untolerated_taint
from .usage import NodeUsage
from .volumes import Volumes, volume_conflicts, zone_conflicts


@dataclass(frozen=True)
class View:
    """What is known beyond the pod.

    `pods_on_node` may hold terminal pods and the pod itself; neither counts. `usage` may be given
    in its place by a caller that keeps count over many decisions. `volumes` maps the name of each
    claim to the claim and its volume, None where there is no such claim. `spread` and `affinity`
    are the judges of this pod, or of its class, over the whole cluster; without them their rules
    have nothing to say.
    """

    node: Object
    pods_on_node: Sequence[Object] = ()
    volumes: Volumes = field(default_factory=dict)
    usage: NodeUsage | None = None
    spread: Spread | None = None
    affinity: PodAffinity | None = None

    def usage_without(self, pod: Object) -> NodeUsage:
        usage = NodeUsage(self.pods_on_node) if self.usage is None else self.usage
        return usage.without(pod)


Rule = Callable[[Object, View], "list[Rejection]"]


def _one(rejection: Rejection | None) -> list[Rejection]:
    return [] if rejection is None else [rejection]


def _of_judge(judge: Spread | PodAffinity | None, node: Object) -> list[Rejection]:
    return [] if judge is None else _one(judge.verdict(node))


RULES: tuple[tuple[str, Rule], ...] = (
    ("NodeUnschedulable", lambda pod, view: _one(unschedulable(pod, view.node))),
    ("NodeName", lambda pod, view: _one(node_name_mismatch(pod, view.node))),
    ("TaintToleration", lambda pod, view: _one(untolerated_taint(pod, view.node))),
    ("NodeAffinity", lambda pod, view: _one(node_affinity_mismatch(pod, view.node))),
    (
        "NodePorts",
        lambda pod, view: _one(port_conflict(pod, view.usage_without(pod).host_ports)),
    ),
    (
        "NodeResourcesFit",
        lambda pod, view: resources.insufficient_resources(pod, view.node, view.usage_without(pod)),
    ),
    ("VolumeBinding", lambda pod, view: volume_conflicts(pod, view.node, view.volumes)),
    ("VolumeZone", lambda pod, view: zone_conflicts(pod, view.node, view.volumes)),
    ("PodTopologySpread", lambda _pod, view: _of_judge(view.spread, view.node)),
    ("InterPodAffinity", lambda _pod, view: _of_judge(view.affinity, view.node)),
)

NOT_REPEATED = (
    "NodeVolumeLimits",
    "VolumeRestrictions",
    "DynamicResources",
    "NodeDeclaredFeatures",
)


def check_fit(
    pod: Object, view: View, *, stop_at_first: bool = False, skip: frozenset[str] = frozenset()
) -> list[Rejection]:
    """Every reason why the pod does not fit the node; none means it fits.

    `stop_at_first` stops after the first rule that rejects and returns all that this rule found,
    as kube-scheduler does. `skip` leaves rules out by name. Raises MalformedObject on an object
    that no API server would store.
    """
    unknown = skip - {name for name, dummy in RULES}
    if unknown:
        raise ValueError(f"no such rule: {', '.join(sorted(unknown))}")
    # Counted once here, not once by each rule that asks.
    view = replace(view, usage=view.usage_without(pod))
    rejections: list[Rejection] = []
    for name, rule in RULES:
        if name in skip:
            continue
        rejections += rule(pod, view)
        if rejections and stop_at_first:
            break
    return rejections


def node_free(view: View) -> dict[str, int]:
    """What is left on the node: millicores of cpu, whole units of all else, and "pods"."""
    usage = NodeUsage(view.pods_on_node) if view.usage is None else view.usage
    return resources.free(view.node, usage)


def least_allocated_score(pod: Object, view: View) -> float:
    """How empty the node would be with the pod on it, 0 (full) to 100, cpu and memory alike.

    leastResourceScorer in pkg/scheduler/framework/plugins/noderesources/least_allocated.go with
    its default weights and its integer division. One difference: requests at the level of a pod
    count for the pod to be placed too, where 1.36 counts them only for pods already placed.
    """
    usage = view.usage_without(pod)
    offered = resources.allocatable(view.node)
    before = {"cpu": usage.nonzero_cpu, "memory": usage.nonzero_memory}
    wanted = dict(zip(before, nonzero_requests(pod)))
    demands = [
        Demand(before[name] + wanted[name], before[name], offered.get(name, 0)) for name in before
    ]
    return float(least_allocated(demands))
