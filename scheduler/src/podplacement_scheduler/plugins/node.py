# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node says about itself: cordon, name, taints, labels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from .._rules import CODES
from .._rules.affinity import labels_read, named_nodes, node_affinity_mismatch, node_name_mismatch
from .._rules.scores import intolerable_preferences, normalized, preferred_affinity
from .._rules.taints import unschedulable, untolerated_taint
from ..framework.interface import (
    LABEL,
    NAME,
    SUCCESS,
    TAINTS,
    UNSCHEDULABLE,
    Code,
    CycleState,
    Event,
    Handle,
    NodeInfo,
    Object,
    Plugin,
    PodView,
    Status,
    unresolvable,
)
from .base import Args, PerClass, judged, parse

_NODE_EVENTS = frozenset({Event.NODE_ADDED, Event.NODE_CHANGED, Event.POD_CHANGED})


class _Static(Plugin):
    """A verdict on a node that the pods on it do not change, the same for a whole class of pods."""

    events: ClassVar[frozenset[Event]] = _NODE_EVENTS

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        parse(self.name, args, Args)
        super().__init__(args, handle)

    def sign(self, pod: PodView) -> Hashable:
        """The class of the pod says it all."""
        return ()


class NodeUnschedulable(_Static):
    """A cordoned node takes only pods that tolerate the cordon."""

    name = "NodeUnschedulable"

    def facets(self, pod: PodView) -> frozenset[str]:
        return frozenset({UNSCHEDULABLE})

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        return judged(unschedulable(pod.object, node.object))


class NodeName(_Static):
    """A pod that names its node in its spec fits no other."""

    name = "NodeName"
    events: ClassVar[frozenset[Event]] = frozenset({Event.NODE_ADDED})

    def facets(self, pod: PodView) -> frozenset[str]:
        return frozenset({NAME}) if pod.node_name else frozenset()

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        return judged(node_name_mismatch(pod.object, node.object))


class TaintToleration(_Static):
    """Taints keep pods away, or (PreferNoSchedule) are avoided."""

    name = "TaintToleration"
    weight: ClassVar[int] = 3

    def facets(self, pod: PodView) -> frozenset[str]:
        return frozenset({TAINTS})

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        return judged(untolerated_taint(pod.object, node.object))

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        return intolerable_preferences(pod.object, node.object)

    def normalize_score(
        self, state: CycleState, pod: PodView, scores: dict[str, int]
    ) -> dict[str, int]:
        """The fewer such taints, the better."""
        return _normalized(scores, reverse=True)


class AddedAffinity(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """As NodeAffinity of a pod."""

    required_during_scheduling_ignored_during_execution: dict[str, Any] | None = None
    preferred_during_scheduling_ignored_during_execution: tuple[dict[str, Any], ...] = ()


class NodeAffinityArgs(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """`addedAffinity` holds for every pod of the profile, beside the pod's own."""

    added_affinity: AddedAffinity | None = None


class NodeAffinity(Plugin):
    """nodeSelector and node affinity, required and preferred."""

    name = "NodeAffinity"
    weight: ClassVar[int] = 2
    events: ClassVar[frozenset[Event]] = _NODE_EVENTS

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        super().__init__(args, handle)
        parse(self.name, args, NodeAffinityArgs)
        added = args.get("addedAffinity") or {}
        # A pod that asks for what the profile adds, and for nothing else.
        self._added: Object = {"spec": {"affinity": {"nodeAffinity": added}}}
        self._facets = PerClass(self._facets_of)
        self._prefers = PerClass(_has_preferences)
        self._names = PerClass(named_nodes)
        self._adds_preferences = _has_preferences(self._added)

    def sign(self, pod: PodView) -> Hashable:
        return ()

    def facets(self, pod: PodView) -> frozenset[str]:
        """The labels that the selectors read."""
        return self._facets.of(pod)

    def _facets_of(self, pod: Object) -> frozenset[str]:
        found: set[str] = set()
        for asked in (pod, self._added):
            labels, asks_name = labels_read(asked)
            found |= {LABEL + label for label in labels}
            found |= {NAME} if asks_name else set()
        return frozenset(found)

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        """Terms that no node can meet are said once."""
        names = self._names.of(pod)
        if names is not None and not names:
            return unresolvable(CODES["NodeAffinityConflict"].text)
        return SUCCESS if self._facets.of(pod) else Status(Code.SKIP)

    def pre_filter_nodes(self, state: CycleState, pod: PodView) -> set[str] | None:
        """The nodes that the affinity names, where each of its terms names some: as the pods of a
        DaemonSet do."""
        names = self._names.of(pod)
        return set(names) if names else None

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        if node_affinity_mismatch(self._added, node.object) is not None:
            return unresolvable("node(s) didn't match scheduler-enforced node affinity")
        return judged(node_affinity_mismatch(pod.object, node.object))

    def pre_score(self, state: CycleState, pod: PodView) -> Status:
        """Without preferences there is nothing to score."""
        wanted = self._adds_preferences or self._prefers.of(pod)
        return SUCCESS if wanted else Status(Code.SKIP)

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        added = preferred_affinity(self._added, node.object)
        return added + preferred_affinity(pod.object, node.object)

    def normalize_score(
        self, state: CycleState, pod: PodView, scores: dict[str, int]
    ) -> dict[str, int]:
        """The most preferred node gets 100."""
        return _normalized(scores)


def _has_preferences(pod: Object) -> bool:
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    return bool(affinity.get("preferredDuringSchedulingIgnoredDuringExecution"))


def _normalized(scores: dict[str, int], *, reverse: bool = False) -> dict[str, int]:
    highest = max(scores.values(), default=0)
    return {name: normalized(score, highest, reverse=reverse) for name, score in scores.items()}
