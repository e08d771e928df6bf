# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Some rules judge a pod by others, wherever in the cluster they are: this is what those rules see.

A judge is made once for a class of pods (`Spread`, `PodAffinity`): it counts what it needs of the
cluster, answers for one node after the other, and is told of every pod that comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from .model import Field, Object, identity_of, pod_field
from .pod_state import is_terminal
from .selectors import matches_labels


@dataclass(frozen=True)
class Cluster:
    """Nodes by name, pods that have a node, and the labels of namespaces by name.

    Terminal pods, and those of nodes that are not here, do not count.
    """

    nodes: Mapping[str, Object]
    pods: Sequence[Object] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def placed(self, without: Set[str] = frozenset()) -> Iterator[tuple[Object, Object]]:
        """Each pod with its node, but those whose identity is in `without`."""
        for pod in self.pods:
            found = pod_field(pod)
            node = self.nodes.get(found["spec"]["nodeName"].text())
            if node is None or is_terminal(pod) or identity_of(found) in without:
                continue
            yield pod, node


class PodSelector:
    """A label selector, and what the pod's own labels add to it.

    An API server since 1.34 has added that already; to add it again changes nothing.
    """

    def __init__(self, term: Field, labels: Mapping[str, str]) -> None:
        selector = term["labelSelector"]
        self._selector = selector.value
        self._same = _own(term["matchLabelKeys"], labels)
        self._other = _own(term["mismatchLabelKeys"], labels)
        asks = [*selector["matchLabels"].members(), *selector["matchExpressions"].elements()]
        self.everything = selector.exists and not (asks or self._same or self._other)

    def matches(self, labels: Mapping[str, str]) -> bool:
        if any(labels.get(key) != value for key, value in self._same.items()):
            return False
        if any(labels.get(key) == value for key, value in self._other.items()):
            return False
        if self._selector is None:
            return bool(self._same or self._other)
        return matches_labels(self._selector, labels)


def _own(keys: Field, labels: Mapping[str, str]) -> dict[str, str]:
    return {key: labels[key] for key in keys.texts() if key in labels}
