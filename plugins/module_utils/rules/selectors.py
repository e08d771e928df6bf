# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Selectors match as the API server and kube-scheduler match them, nil and empty told apart.

- a label selector that is absent matches nothing, an empty one matches everything
  (LabelSelectorAsSelector in k8s.io/apimachinery/pkg/apis/meta/v1/helpers.go);
- node selector terms are ORed, the expressions of a term ANDed, and an empty term matches nothing
  (k8s.io/component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go).
"""

from __future__ import annotations

from collections.abc import Mapping

from .model import Field, Object, parse_int64

NODE_NAME_FIELD = "metadata.name"


def matches_labels(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector (matchLabels and matchExpressions, all ANDed) matches the labels."""
    if selector is None:
        return False
    field = Field(selector, "labelSelector")
    equal = [labels.get(key) == value for key, value in field["matchLabels"].text_map().items()]
    # Every expression is judged, so that a malformed one is found whatever stands before it.
    verdicts = [_label_expression(e, labels) for e in field["matchExpressions"].elements()]
    return all(equal + verdicts)


def _label_expression(expression: Field, labels: Mapping[str, str]) -> bool:
    operator = expression["operator"].text()
    verdict = None
    if operator in ("In", "NotIn", "Exists", "DoesNotExist"):
        verdict = _expression(
            expression["key"].text(), operator, expression["values"].texts(), labels
        )
    if verdict is None:
        raise expression.malformed("a label selector requirement")
    return verdict


def matches_node_selector(selector: Field, labels: Mapping[str, str], *, name: str | None) -> bool:
    """Whether a NodeSelector matches a node; `name` None leaves matchFields out of it.

    A term that cannot be read (unknown operator, wrong number of values) matches nothing, which
    is how kube-scheduler treats it; the API server refuses such terms in new objects.
    """
    return any(
        matches_node_selector_term(term, labels, name=name)
        for term in selector["nodeSelectorTerms"].elements()
    )


def matches_node_selector_term(term: Field, labels: Mapping[str, str], *, name: str | None) -> bool:
    """One term; its expressions and fields are ANDed."""
    expressions = list(term["matchExpressions"].elements())
    fields = list(term["matchFields"].elements())
    if not expressions and not fields:
        return False
    label_verdicts = [
        _expression(e["key"].text(), e["operator"].text(), e["values"].texts(), labels)
        for e in expressions
    ]
    field_verdicts = [_field_expression(e, name=name) for e in fields]
    return all(verdict is True for verdict in label_verdicts + field_verdicts)


def node_names_of_term(term: Field) -> frozenset[str] | None:
    """The nodes a term names by `metadata.name In`, None where it names none."""
    names: frozenset[str] | None = None
    for expression in term["matchFields"].elements():
        if expression["key"].text() != NODE_NAME_FIELD or expression["operator"].text() != "In":
            continue
        values = frozenset(expression["values"].texts())
        names = values if names is None else names & values
    return names


def _field_expression(expression: Field, *, name: str | None) -> bool | None:
    values = expression["values"].texts()
    operator = expression["operator"].text()
    if operator not in ("In", "NotIn") or len(values) != 1:
        return None
    if name is None:
        return True
    actual = name if expression["key"].text() == NODE_NAME_FIELD else ""
    return (actual == values[0]) == (operator == "In")


def _expression(
    key: str, operator: str, values: list[str], labels: Mapping[str, str]
) -> bool | None:
    """The verdict of one requirement; None where the requirement itself is invalid."""
    if operator in ("In", "NotIn"):
        if not values:
            return None
        return (key in labels and labels[key] in values) == (operator == "In")
    if operator in ("Exists", "DoesNotExist"):
        if values:
            return None
        return (key in labels) == (operator == "Exists")
    if operator in ("Gt", "Lt"):
        bound = parse_int64(values[0]) if len(values) == 1 else None
        if bound is None:
            return None
        actual = parse_int64(labels[key]) if key in labels else None
        if actual is None:
            return False
        return actual > bound if operator == "Gt" else actual < bound
    return None
