# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of cases cannot say: the pod itself on the node, free room, scores."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules import (
    NodeUsage,
    View,
    check_fit,
    least_allocated_score,
    node_free,
)

GI = 2**30


def pod(name: str, **requests: str) -> dict[str, Any]:
    containers = [{"resources": {"requests": requests}}]
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": {"containers": containers}}


def node(**allocatable: str) -> dict[str, Any]:
    return {"metadata": {"name": "node"}, "status": {"allocatable": {"pods": "10", **allocatable}}}


def test_a_pod_does_not_compete_with_itself() -> None:
    alone = pod("a", cpu="1")
    alone["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    assert check_fit(alone, View(node(cpu="1", pods="1"), [alone])) == []


def test_a_pod_of_the_same_name_and_another_uid_is_another_pod() -> None:
    old = pod("a", cpu="1")
    new = {**old, "metadata": {"name": "a", "uid": "uid-later"}}
    assert [r.code for r in check_fit(new, View(node(cpu="1"), [old]))] == ["InsufficientCpu"]


def test_a_usage_that_is_given_counts_in_place_of_the_pods() -> None:
    usage = NodeUsage([pod("a", cpu="1")])
    view = View(node(cpu="2"), usage=usage)
    assert check_fit(pod("b", cpu="1"), view) == []
    usage.add(pod("b", cpu="1"))
    assert [r.code for r in check_fit(pod("c", cpu="1"), view)] == ["InsufficientCpu"]


def test_a_rule_that_does_not_exist_cannot_be_skipped() -> None:
    with pytest.raises(ValueError, match="no such rule: TaintTolerations"):
        check_fit(pod("a"), View(node()), skip=frozenset({"TaintTolerations"}))


def test_free_is_allocatable_less_what_is_requested() -> None:
    view = View(
        node(cpu="4", memory="8Gi", **{"example.com/gpu": "2"}),
        [pod("a", cpu="500m", memory="1Gi"), pod("b", cpu="1", **{"example.com/gpu": "1"})],
    )
    assert node_free(view) == {"pods": 8, "cpu": 2500, "memory": 7 * GI, "example.com/gpu": 1}


def test_a_node_that_says_nothing_about_pods_takes_none() -> None:
    silent = View({"metadata": {"name": "node"}})
    assert node_free(silent) == {"pods": 0}
    assert [r.code for r in check_fit(pod("a"), silent)] == ["TooManyPods"]


def test_free_is_negative_on_an_overcommitted_node() -> None:
    assert node_free(View(node(cpu="1"), [pod("a", cpu="1500m")]))["cpu"] == -500


@pytest.mark.parametrize(
    ("cpu", "memory", "score"),
    [
        # (4000-1000)*100/4000 = 75; (8-2)*100/8 = 75.
        ("1", "2Gi", 75.0),
        # 50 and 75: the mean is cut off, as in 62.5.
        ("2", "2Gi", 62.0),
        # Full, and more than full, are both worth nothing.
        ("4", "8Gi", 0.0),
        ("5", "9Gi", 0.0),
        # A resource in excess drags the mean down, no further.
        ("5", "4Gi", 25.0),
    ],
)
def test_the_score_is_that_of_least_allocated(cpu: str, memory: str, score: float) -> None:
    view = View(node(cpu="4", memory="8Gi"))
    assert least_allocated_score(pod("a", cpu=cpu, memory=memory), view) == score


def test_neighbours_without_requests_make_a_node_score_less() -> None:
    # 100m and 200Mi for the neighbour and as much for the pod: 80 and 60.
    view = View(node(cpu="1", memory="1000Mi"), [pod("b")])
    assert least_allocated_score(pod("a"), view) == 70.0


def test_a_node_that_offers_nothing_scores_nothing() -> None:
    assert least_allocated_score(pod("a"), View(node())) == 0.0


def test_a_resource_that_the_node_does_not_offer_is_left_out_of_the_mean() -> None:
    assert least_allocated_score(pod("a", cpu="1"), View(node(cpu="4"))) == 75.0
