# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Pods that must be near others, or apart from them, and others that must be apart from them.

InterPodAffinity: PreFilter and Filter in
pkg/scheduler/framework/plugins/interpodaffinity/filtering.go. Only required terms are judged:
preferred ones are a matter of scores. A pod that is being deleted still counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from typing import Optional

from .cluster import Cluster, PodSelector
from .model import Field, Object, labels_of, node_field, pod_field
from .rejection import Rejection, reject
from .selectors import matches_labels

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
Pair = tuple[str, Optional[str]]  # topology key and value


def required_terms(pod: Object, kind: str) -> list[Field]:
    """The required terms of `podAffinity` or `podAntiAffinity`."""
    return list(pod_field(pod)["spec"]["affinity"][kind][_REQUIRED].elements())


class Term:
    """One term: which pods it is about, and in which domain."""

    def __init__(self, field: Field, namespace: str, labels: Mapping[str, str]) -> None:
        self.key = field["topologyKey"].text()
        self._names = set(field["namespaces"].texts())
        self._selector = field["namespaceSelector"].value
        if not self._names and self._selector is None:
            self._names = {namespace}
        self._pods = PodSelector(field, labels)

    def matches(
        self, labels: Mapping[str, str], namespace: str, of_namespace: Mapping[str, str]
    ) -> bool:
        """Whether the term is about a pod with these labels, in that namespace."""
        if namespace not in self._names and not matches_labels(self._selector, of_namespace):
            return False
        return self._pods.matches(labels)


def _terms(pod: Object, kind: str) -> list[Term]:
    found = required_terms(pod, kind)
    if not found:
        return []
    field = pod_field(pod)
    namespace, labels = field["metadata"]["namespace"].text(), labels_of(field)
    return [Term(term, namespace, labels) for term in found]


class PodAffinity:
    """The verdict about one pod, or about all that are like it, for any node."""

    def __init__(self, pod: Object, cluster: Cluster, *, without: Set[str] = frozenset()) -> None:
        field = pod_field(pod)
        self._labels = labels_of(field)
        self._namespace = field["metadata"]["namespace"].text()
        self._of_namespaces = cluster.namespaces
        self._near, self._apart = _terms(pod, "podAffinity"), _terms(pod, "podAntiAffinity")
        self._first = bool(self._near) and self._all_match(self._labels, self._namespace)
        self._near_counts: Counter[Pair] = Counter()
        self._apart_counts: Counter[Pair] = Counter()
        self._others_counts: Counter[Pair] = Counter()  # of those that want to be apart from it
        for other, node in cluster.placed(without):
            self.count(other, node, 1)

    def count(self, other: Object, node: Object, by: int) -> None:
        """A pod came to the node (1) or left it (-1)."""
        theirs = _terms(other, "podAntiAffinity")
        if not (theirs or self._near or self._apart):
            return
        field = pod_field(other)
        labels, namespace = labels_of(field), field["metadata"]["namespace"].text()
        at = labels_of(node_field(node))
        if self._near and self._all_match(labels, namespace):
            _add(self._near_counts, self._near, at, by)
        around = self._of_namespaces.get(namespace, {})
        about = [t for t in self._apart if t.matches(labels, namespace, around)]
        _add(self._apart_counts, about, at, by)
        mine = self._of_namespaces.get(self._namespace, {})
        against = [t for t in theirs if t.matches(self._labels, self._namespace, mine)]
        _add(self._others_counts, against, at, by)

    def verdict(self, node: Object) -> Rejection | None:
        """Near first, then apart, then those that are there: as kube-scheduler asks."""
        at = labels_of(node_field(node))
        far = self._far(at)
        if far:
            return reject("PodAffinityMismatch", far)
        for term in self._apart:
            if self._apart_counts[term.key, at.get(term.key)] > 0:
                told = f"a pod that it must be apart from has {term.key}={at[term.key]}"
                return reject("PodAntiAffinityMismatch", told)
        for (key, value), count in self._others_counts.items():
            if count > 0 and at.get(key) == value:
                told = f"a pod that must be apart from it has {key}={value}"
                return reject("ExistingPodAntiAffinity", told)
        return None

    def _far(self, at: Mapping[str, str]) -> str:
        """Why the pod would not be near enough; "" where it would be, or needs not."""
        missing = [term.key for term in self._near if term.key not in at]
        if missing:
            return f"the node has no label {missing[0]}"
        lonely = [t for t in self._near if self._near_counts[t.key, at[t.key]] <= 0]
        if not lonely or (self._first and not any(n > 0 for n in self._near_counts.values())):
            return ""  # the first of pods that want to be near each other may be anywhere
        return f"no pod that it must be near has {lonely[0].key}={at[lonely[0].key]}"

    def _all_match(self, labels: Mapping[str, str], namespace: str) -> bool:
        around = self._of_namespaces.get(namespace, {})
        return all(term.matches(labels, namespace, around) for term in self._near)


def _add(counts: Counter[Pair], terms: Iterable[Term], at: Mapping[str, str], by: int) -> None:
    for term in terms:
        if term.key in at:
            counts[term.key, at[term.key]] += by
