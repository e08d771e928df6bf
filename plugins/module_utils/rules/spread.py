# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Pods are kept evenly spread where they ask: no domain has `maxSkew` more than the emptiest has.

PodTopologySpread: PreFilter and Filter in
pkg/scheduler/framework/plugins/podtopologyspread/filtering.go. Constraints with ScheduleAnyway are
a matter of scores. A pod that is pinned to its node must be judged without that pin: the scheduler
takes it for the only node there is, and finds no skew.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from .affinity import node_affinity_mismatch
from .cluster import Cluster, PodSelector
from .model import Field, Object, labels_of, name_of, node_field, pod_field
from .pod_state import is_terminating
from .rejection import Rejection, reject
from .taints import untolerated_taint


def hard_constraints(pod: Object) -> list[Field]:
    """The constraints that forbid, as against those that only wish."""
    constraints = pod_field(pod)["spec"]["topologySpreadConstraints"].elements()
    return [c for c in constraints if c["whenUnsatisfiable"].text() != "ScheduleAnyway"]


class Constraint:
    """One of them, and how many pods each domain has that counts."""

    def __init__(self, field: Field, labels: Mapping[str, str]) -> None:
        self.key = field["topologyKey"].text()
        self.max_skew = field["maxSkew"].number(1)
        self.min_domains = field["minDomains"].number(1)
        self.honors_affinity = field["nodeAffinityPolicy"].text("Honor") == "Honor"
        self.honors_taints = field["nodeTaintsPolicy"].text("Ignore") == "Honor"
        self.selector = PodSelector(field, labels)
        self.itself = int(self.selector.matches(labels))
        self.counts: dict[str, int] = {}
        self._fewest: int | None = None

    def counted(self, pod: Object, node: Object) -> bool:
        """Whether the pods of this node count at all."""
        if self.honors_affinity and node_affinity_mismatch(pod, node) is not None:
            return False
        return not self.honors_taints or untolerated_taint(pod, node) is None

    def fewest(self) -> int:
        """In the emptiest domain; there may be more domains than those that are known."""
        if self._fewest is None:
            few = len(self.counts) < self.min_domains
            self._fewest = 0 if few else min(self.counts.values(), default=0)
        return self._fewest

    def add(self, domain: str, by: int) -> None:
        """So many pods more in a domain."""
        self.counts[domain] = self.counts.get(domain, 0) + by
        self._fewest = None


class Spread:
    """The verdict about one pod, or about all that are like it, for any node."""

    def __init__(self, pod: Object, cluster: Cluster, *, without: Set[str] = frozenset()) -> None:
        field = pod_field(pod)
        labels = labels_of(field)
        self._pod = pod
        self._namespace = field["metadata"]["namespace"].text()
        self.constraints = [Constraint(c, labels) for c in hard_constraints(pod)]
        self._domains: dict[str, list[str | None]] = {}
        if not self.constraints:
            return
        for node in cluster.nodes.values():
            for constraint, domain in zip(self.constraints, self._domains_of(node)):
                if domain is not None:
                    constraint.add(domain, 0)
        for other, node in cluster.placed(without):
            self.count(other, node, 1)

    def count(self, other: Object, node: Object, by: int) -> None:
        """A pod came to the node (1) or left it (-1); one that is being deleted does not count."""
        field = pod_field(other)
        if is_terminating(other) or field["metadata"]["namespace"].text() != self._namespace:
            return
        labels = labels_of(field)
        for constraint, domain in zip(self.constraints, self._domains_of(node)):
            # Upstream counts nobody for a selector that asks for nothing.
            selector = constraint.selector
            if domain is not None and not selector.everything and selector.matches(labels):
                constraint.add(domain, by)

    def verdict(self, node: Object) -> Rejection | None:
        """The first constraint that the pod would break there."""
        labels = labels_of(node_field(node))
        for constraint in self.constraints:
            domain = labels.get(constraint.key)
            if domain is None:
                return reject("SpreadLabelMissing", f"the node has no label {constraint.key}")
            there = constraint.counts.get(domain, 0) + constraint.itself
            fewest = constraint.fewest()
            if there - fewest > constraint.max_skew:
                return reject(
                    "SpreadViolated",
                    f"{constraint.key}={domain} would have {there}, the emptiest domain has"
                    f" {fewest}, and maxSkew is {constraint.max_skew}",
                )
        return None

    def _domains_of(self, node: Object) -> list[str | None]:
        """The domain of each constraint that the node's pods count in."""
        field = node_field(node)
        name = name_of(field)
        if name not in self._domains:
            labels = labels_of(field)
            whole = all(constraint.key in labels for constraint in self.constraints)
            self._domains[name] = [
                labels[c.key] if whole and c.counted(self._pod, node) else None
                for c in self.constraints
            ]
        return self._domains[name]
