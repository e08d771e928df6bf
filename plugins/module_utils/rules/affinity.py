# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A pod goes only where its node selector *and* its required node affinity allow.

NodeAffinity: GetRequiredNodeAffinity in k8s.io/component-helpers/scheduling/corev1/nodeaffinity,
and PreFilter in pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go, which settles
affinities that name their nodes before any node is looked at.
"""

from __future__ import annotations

from .model import Field, Object, labels_of, name_of, node_field, pod_field
from .rejection import Rejection, reject
from .selectors import matches_node_selector, node_names_of_term

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def node_name_mismatch(pod: Object, node: Object) -> Rejection | None:
    """NodeName: a pod whose spec names its node fits that one alone."""
    wanted = pod_field(pod)["spec"]["nodeName"].text()
    actual = name_of(node_field(node))
    if wanted in ("", actual):
        return None
    return reject("NodeNameMismatch", f"spec.nodeName is {wanted}")


def node_affinity_mismatch(pod: Object, node: Object) -> Rejection | None:
    """NodeAffinity: nodeSelector and requiredDuringSchedulingIgnoredDuringExecution, ANDed."""
    spec, field = pod_field(pod)["spec"], node_field(node)
    required = spec["affinity"]["nodeAffinity"][_REQUIRED]
    labels, name = labels_of(field), name_of(field)
    return (
        _names_mismatch(required, name)
        or _selector_mismatch(spec["nodeSelector"].text_map(), labels)
        or _terms_mismatch(required, labels, name)
    )


def named_nodes(pod: Object) -> frozenset[str] | None:
    """The nodes that the required affinity names, where each of its terms names some; else None."""
    return _named_nodes(pod_field(pod)["spec"]["affinity"]["nodeAffinity"][_REQUIRED])


def labels_read(pod: Object) -> tuple[frozenset[str], bool]:
    """The node labels that selector, required and preferred affinity ask for; whether they ask for
    the name of the node too."""
    spec = pod_field(pod)["spec"]
    affinity = spec["affinity"]["nodeAffinity"]
    terms = [
        *affinity[_REQUIRED]["nodeSelectorTerms"].elements(),
        *(term["preference"] for term in affinity[_PREFERRED].elements()),
    ]
    keys = {e["key"].text() for term in terms for e in term["matchExpressions"].elements()}
    asks_name = any(True for term in terms for dummy in term["matchFields"].elements())
    return frozenset(keys | set(spec["nodeSelector"].text_map())), asks_name


def _named_nodes(required: Field) -> frozenset[str] | None:
    by_term = [node_names_of_term(term) for term in required["nodeSelectorTerms"].elements()]
    if not by_term or None in by_term:
        return None
    return frozenset().union(*[names for names in by_term if names is not None])


def _names_mismatch(required: Field, name: str) -> Rejection | None:
    """Judges only an affinity whose every term names nodes; others are left to the terms."""
    named = _named_nodes(required)
    if named is None or name in named:
        return None
    if not named:
        return reject("NodeAffinityConflict", "no node has all the names the affinity asks for")
    return reject("NodeNotNamedByAffinity", f"the affinity names {', '.join(sorted(named))}")


def _selector_mismatch(selector: dict[str, str], labels: dict[str, str]) -> Rejection | None:
    wrong = sorted(key for key, value in selector.items() if labels.get(key) != value)
    if not wrong:
        return None
    facts = [f"{key}={selector[key]} (node: {labels.get(key, 'no such label')})" for key in wrong]
    return reject("NodeSelectorMismatch", f"nodeSelector asks for {', '.join(facts)}")


def _terms_mismatch(required: Field, labels: dict[str, str], name: str) -> Rejection | None:
    if not required.exists or matches_node_selector(required, labels, name=name):
        return None
    return reject("NodeAffinityMismatch", "no term of the required node affinity matches")
