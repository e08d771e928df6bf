# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that are there already may keep a new one away: required anti-affinity is symmetric."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, ClassVar

from .._rules import CODES
from .._rules.model import Field, labels_of, pod_field
from .._rules.pod_affinity import Term, required_terms
from ..framework.interface import (
    LABEL,
    SUCCESS,
    Code,
    CycleState,
    Event,
    Handle,
    NodeInfo,
    Plugin,
    PodView,
    Status,
    unschedulable,
)
from .base import Args, parse

Domain = tuple[str, str]  # topology key and value
_REMEMBERED = 4096


class ExistingAntiAffinity(Plugin):
    """The half of InterPodAffinity that concerns pods without any affinity of their own.

    The labels of namespaces are not known here: a term with a namespace selector is taken to be
    about all namespaces, which may keep a pod from a node and never puts it where it must not be.
    """

    name = "ExistingAntiAffinity"
    events: ClassVar[frozenset[Event]] = frozenset(
        {Event.NODE_ADDED, Event.NODE_CHANGED, Event.POD_REMOVED, Event.POD_CHANGED}
    )

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        parse(self.name, args, Args)
        super().__init__(args, handle)
        self._version = -1
        self._domains: dict[Hashable, tuple[Term, set[Domain]]] = {}
        self._forbidden: dict[int, frozenset[Domain]] = {}

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        return SUCCESS if self.sign(pod) else Status(Code.SKIP)

    def facets(self, pod: PodView) -> frozenset[str]:
        return frozenset(LABEL + key for key, value in self.sign(pod))

    def sign(self, pod: PodView) -> frozenset[Domain]:
        """Where the pod must not go: it changes as the others come and go."""
        if self._version != self.handle.anti_affinity.version:
            self._read()
        if not self._domains:
            return frozenset()
        known = self._forbidden.get(pod.pod_class.id)
        if known is None:
            if len(self._forbidden) >= _REMEMBERED:
                self._forbidden.clear()
            known = self._forbidden[pod.pod_class.id] = self._forbidden_to(pod)
        return known

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        labels = node.labels
        if any(labels.get(key) == value for key, value in self.sign(pod)):
            return unschedulable(CODES["ExistingPodAntiAffinity"].text)
        return SUCCESS

    def _forbidden_to(self, pod: PodView) -> frozenset[Domain]:
        return frozenset(
            domain
            for term, domains in self._domains.values()
            if term.matches(pod.labels, pod.namespace, {})
            for domain in domains
        )

    def _read(self) -> None:
        """Pods of one class say the same, wherever they are."""
        self._version = self.handle.anti_affinity.version
        self._forbidden.clear()
        self._domains.clear()
        for pod in self.handle.anti_affinity.pods:
            labels = self.handle.node_labels(pod.node_name)
            for number, term in enumerate(_terms(pod)):
                value = labels.get(term.key)
                if value is not None:
                    key = (pod.pod_class.id, number)
                    self._domains.setdefault(key, (term, set()))[1].add((term.key, value))


def _terms(pod: PodView) -> Iterator[Term]:
    example = pod.pod_class.example
    field = pod_field(example)
    namespace, labels = field["metadata"]["namespace"].text(), labels_of(field)
    for term in required_terms(example, "podAntiAffinity"):
        value = dict(term.value)
        if value.get("namespaceSelector"):
            value["namespaceSelector"] = {}
        yield Term(Field(value, "podAntiAffinity", term), namespace, labels)
