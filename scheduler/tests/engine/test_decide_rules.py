# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules say of a pod and a node, a decision and an explanation say too."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from podplacement_scheduler._rules import View, check_fit
from podplacement_scheduler.framework.interface import (
    FitError,
)

from ..cache.objects import node, pod
from .seat import TAINT, TOLERATES, Seat

SPECS = st.sampled_from(
    [
        {},
        {"cpu": "1", "pods": "1"},
        {"memory": "1Gi"},
        {"unschedulable": True},
        {"taints": [TAINT]},
        {"labels": {"disk": "ssd", "rack": "7"}},
        {"labels": {"disk": "ssd"}, "taints": [TAINT]},
    ]
)
EXPRESSION = {"key": "rack", "operator": "Gt", "values": ["5"]}
TERMS = {"nodeSelectorTerms": [{"matchExpressions": [EXPRESSION]}]}
NEEDS = st.fixed_dictionaries(
    {"cpu": st.sampled_from(["100m", "1", "2"]), "memory": st.sampled_from(["0", "2Gi"])},
    optional={
        "tolerations": st.just(TOLERATES),
        "nodeSelector": st.just({"disk": "ssd"}),
        "affinity": st.just(
            {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": TERMS}}
        ),
        "ports": st.just([8080]),
    },
)


@given(
    specs=st.lists(SPECS, min_size=1, max_size=5),
    there=st.lists(st.tuples(st.integers(0, 4), NEEDS), max_size=6),
    needs=st.lists(NEEDS, min_size=1, max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_a_decision_is_what_the_rules_say(
    specs: list[Any], there: list[tuple[int, Any]], needs: list[Any]
) -> None:
    nodes = [node(f"node-{i}", **spec) for i, spec in enumerate(specs)]
    seat = Seat(*nodes)
    held: dict[str, list[Any]] = {each["metadata"]["name"]: [] for each in nodes}
    for number, (place, spec) in enumerate(there):
        name = f"node-{place % len(nodes)}"
        held[name].append(pod(f"there-{number}", node=name, phase="Running", **spec))
        seat.pods("ADDED", held[name][-1])
    for need in needs:
        wanted = pod("new", **need)
        fitting = {
            each["metadata"]["name"]
            for each in nodes
            if not check_fit(wanted, View(each, held[each["metadata"]["name"]]))
        }
        found = seat.decide(**need)
        assert set(seat.decider.standing(seat.pod(**need))) == fitting
        told = seat.explained(**need)
        assert {each.name for each in told.fitting} == fitting
        if isinstance(found, FitError):
            assert not fitting
            assert found.nodes == len(nodes)
        else:
            assert found.node in fitting
            best = told.fitting[0].total
            assert found.score == best
            assert found.node in {each.name for each in told.fitting if each.total == best}
