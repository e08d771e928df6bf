# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PreFilter and the signatures say of a pod, which is the same for the next pod of its class.

A built-in plugin that signs a pod reads nothing for that but the pod's class, the nodes, volumes,
and pods with anti-affinity: as long as none of these changes, its answers are remembered.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..framework.interface import Code, FitError, PodClass
from .plan import Plan
from .refusal import refused_as_such
from .rows import Asking

if TYPE_CHECKING:
    from ..cache.cluster import Cluster

_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """`nodes` are all that come into question, None for every one; `named_by` says who chose them.

    `key` is what two pods have in common that get the same verdicts.
    """

    skipped: frozenset[str]
    nodes: set[str] | None
    named_by: str
    signatures: tuple[Hashable | None, ...]
    key: Hashable


class Preparation:
    """Asks the plugins of one profile once a class, where it may."""

    def __init__(self, plan: Plan, cluster: Cluster) -> None:
        self._plan = plan
        self._cluster = cluster
        self._remembers = all(step.built_in for step in (*plan.pre_filters, *plan.judges))
        self._epoch: Hashable = None
        # Keeps the class alive: the next pod of the kind is of the same one.
        self._known: dict[PodClass, Prepared] = {}

    def of(self, asking: Asking) -> Prepared | FitError:
        """What is known of the pod, or why no node can take it."""
        pod_class = asking.pod.pod_class
        # Who uses a claim is no matter of the class.
        if not self._remembers or pod_class.claims:
            return self.ask(asking)
        epoch = self._cluster.epoch
        if epoch != self._epoch or len(self._known) >= _REMEMBERED:
            self._known.clear()
            self._epoch = epoch
        known = self._known.get(pod_class)
        if known is not None:
            return known
        found = self.ask(asking)
        if isinstance(found, Prepared) and None not in found.signatures:
            self._known[pod_class] = found
        return found

    def ask(self, asking: Asking) -> Prepared | FitError:
        """The same, asked now."""
        state, pod = asking.state, asking.pod
        skipped = []
        for step in self._plan.pre_filters:
            status = step.pre_filter(state, pod)
            if status.code is Code.SKIP:
                skipped.append(step.name)
            elif not step.checked(status, "pre_filter").ok:
                return refused_as_such(step, status, asking)
        nodes: set[str] | None = None
        named_by = []
        for step in self._plan.narrowing:
            if step.name in skipped:
                continue
            named = step.pre_filter_nodes(state, pod)
            if named is not None:
                nodes = set(named) if nodes is None else nodes & named
                named_by.append(step.name)
        return self._prepared(asking, frozenset(skipped), nodes, " ".join(named_by))

    def _prepared(
        self, asking: Asking, skipped: frozenset[str], nodes: set[str] | None, named_by: str
    ) -> Prepared:
        plan, pod_class = self._plan, asking.pod.pod_class
        signatures = plan.signatures(asking.pod)
        # A Filter that is off refuses whatever row is made anew: its guard does.
        switched_off = tuple([step.is_off for step in plan.foreign])
        # What a user's plugin looks at nobody knows. The key keeps its owner alive, so that the
        # next pod of the kind is of the same one and finds its row.
        owner = pod_class if plan.foreign else pod_class.needs
        key = (owner, signatures, skipped, switched_off)
        return Prepared(skipped, nodes, named_by, signatures, key)
