# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A malformed object ends in MalformedObject, whatever is wrong with it and wherever."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.podplacement.core.plugins.module_utils.rules import (
    MalformedObject,
    QuantityError,
    View,
    check_fit,
    least_allocated_score,
    node_free,
    node_not_ready,
    pod_state,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.cluster import Cluster
from ansible_collections.podplacement.core.plugins.module_utils.rules.pod_affinity import (
    PodAffinity,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.spread import Spread
from tests.rules.table import NODE_NAME, Case, load

TABLE = list(load())
GARBAGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=3),
    st.sampled_from(
        ["", "1e999999", "-1", "9" * 5000, "\x00", "{0}", "{code}", [], {}, [None], {1: 2}]
    ),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
PREDICATES = [
    getattr(pod_state, name)
    for name in vars(pod_state)
    if name.startswith(("is_", "has_", "ready_", "phase", "failure"))
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every spot in a nested structure, as its container and the key or index there."""
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    else:
        keys = list(range(len(value))) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from places(value[key])


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_mutation_raises_anything_but_malformed_object(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(TABLE))
    bound = [obj for known in case.claims.values() if known for obj in known if obj]
    # The lists are the caller's; the objects in them come from a server and may be anything.
    mine = [[case.pod], [case.node], list(case.neighbours), bound]
    theirs = copy.deepcopy(mine)
    for _dummy in range(data.draw(st.integers(1, 3))):
        spots = [spot for spot in places(theirs) if spot[0] is not theirs]
        container, key = data.draw(st.sampled_from(spots))
        container[key] = copy.deepcopy(data.draw(GARBAGE))  # or the next one may change it
    [pod], [node], neighbours, bound = theirs
    volumes = dict.fromkeys(case.claims, (bound[0], bound[-1])) if bound else {}
    view = View(node=node, pods_on_node=neighbours, volumes=volumes)
    questions: list[Callable[[], object]] = [
        partial(check_fit, pod, view),
        *[partial(judge_by_others, kind, pod, node, neighbours) for kind in (Spread, PodAffinity)],
        partial(least_allocated_score, pod, view),
        partial(node_free, view),
        partial(node_not_ready, node),
        *[partial(predicate, pod) for predicate in PREDICATES],
    ]
    for question in questions:
        with suppress(MalformedObject):
            question()


def judge_by_others(
    judge: type[Spread | PodAffinity], pod: Any, node: Any, neighbours: list[Any]
) -> None:
    """The rules for which all pods and nodes are counted."""
    others = Cluster({NODE_NAME: node}, neighbours, {"default": {"team": "x"}})
    found = judge(pod, others)
    for neighbour in neighbours:
        found.count(neighbour, node, 1)
    found.verdict(node)


def a_case(name: str) -> Case:
    return next(case for case in TABLE if case.name == name)


def test_the_error_names_object_field_and_value() -> None:
    case = a_case("a pod that asks for exactly what is left fits")
    pod = copy.deepcopy(case.pod)
    pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "half"
    with pytest.raises(QuantityError) as caught:
        check_fit(pod, View(case.node))
    assert str(caught.value) == (
        "Pod default/pod: spec.containers[0].resources.requests.cpu: "
        "expected a quantity such as 500m or 1Gi, got 'half'"
    )


def test_a_malformed_neighbour_is_named_too() -> None:
    case = a_case("a pod that asks for more cpu than is left does not fit")
    neighbour = copy.deepcopy(case.neighbours[0])
    neighbour["spec"]["containers"] = {"name": "app"}
    with pytest.raises(MalformedObject, match=r"^Pod default/neighbour-0: spec\.containers: "):
        check_fit(case.pod, View(case.node, [neighbour]))


def test_a_long_value_is_cut_in_the_message() -> None:
    case = a_case("a cordoned node takes no pod")
    pod = {"metadata": {"name": "pod"}, "spec": "x" * 1000}
    with pytest.raises(MalformedObject) as caught:
        check_fit(pod, View(case.node))
    assert len(str(caught.value)) < 150
