# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An explanation names everything that refuses a node, and adds up to the decision."""

from __future__ import annotations

import io
import json

import msgspec
import pytest

from podplacement_scheduler.commands.explain import write_text
from podplacement_scheduler.engine.decide import Decision
from podplacement_scheduler.engine.explain import Refusal

from ..cache.objects import node, pod
from .seat import TAINT, Seat
from .test_decide_plugins import Named


@pytest.fixture
def seat() -> Seat:
    avoid = [{**TAINT, "effect": "PreferNoSchedule"}]
    seat = Seat(
        node("full", cpu="1", taints=[TAINT], unschedulable=True),
        node("good"),
        node("avoided", taints=avoid),
        node("other", labels={"disk": "hdd"}),
    )
    seat.pods("ADDED", pod("there", node="full", cpu="800m"))
    return seat


def test_all_that_refuses_a_node_is_told(seat: Seat) -> None:
    found = seat.explained(cpu="500m", nodeSelector={"disk": "ssd"})
    told = {each.name: [refusal.plugin for refusal in each.refusals] for each in found.nodes}
    assert told == {
        "full": ["NodeUnschedulable", "TaintToleration", "NodeAffinity", "NodeResourcesFit"],
        "good": ["NodeAffinity"],
        "avoided": ["NodeAffinity"],
        "other": ["NodeAffinity"],
    }
    assert found.nodes[0].refusals[-1] == Refusal("NodeResourcesFit", "Insufficient cpu")
    assert found.fitting == []


def test_scores_add_up_to_the_decision(seat: Seat) -> None:
    found = seat.explained(cpu="500m")
    best = found.fitting[0]
    decision = seat.decide(cpu="500m")
    assert isinstance(decision, Decision)
    assert decision.score == best.total
    assert {each.name for each in found.fitting} == {"good", "avoided", "other"}
    taints = {
        each.name: (score.normalized, score.weight)
        for each in found.fitting
        for score in each.scores
        if score.plugin == "TaintToleration"
    }
    assert taints == {"good": (100, 3), "other": (100, 3), "avoided": (0, 3)}


def test_a_pod_that_is_refused_as_such_fits_nowhere(seat: Seat) -> None:
    found = seat.explained(resourceClaims=[{"name": "gpu"}])
    assert [refusal.plugin for refusal in found.refusals] == ["UnsupportedFeatures"]
    assert found.fitting == []
    assert len(found.nodes) == 4
    broken = seat.explained(cpu="much")
    assert "much" in broken.refusals[0].reason


def test_plugins_of_users_have_their_say() -> None:
    seat = Seat(node("node-1"), node("node-2"), plugins={"Named": Named})
    found = seat.explained(labels={"place": "node-2"})
    assert found.nodes[0].refusals == [Refusal("Named", "not the place")]
    assert [each.name for each in found.fitting] == ["node-2"]


def test_the_text_has_a_line_for_each_node_best_first(seat: Seat) -> None:
    out = io.StringIO()
    write_text(seat.explained(cpu="500m"), out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "shop/new, placed by ours: 3 of 4 nodes fit"
    assert lines[1].split() == ["NODE", "SCORE", "WHY"]
    assert [line.split()[0] for line in lines[2:]] in (
        ["good", "other", "avoided", "full"],
        ["other", "good", "avoided", "full"],
    )
    assert "TaintToleration 100x3" in lines[2]
    assert "NodeUnschedulable: node(s) were unschedulable; TaintToleration: " in lines[5]


def test_the_json_says_the_same(seat: Seat) -> None:
    found = json.loads(msgspec.json.encode(seat.explained(cpu="500m").as_object()))
    by_name = {each["name"]: each for each in found["nodes"]}
    assert (found["namespace"], found["pod"], found["scheduler_name"]) == ("shop", "new", "ours")
    assert by_name["full"]["fits"] is False
    assert by_name["full"]["total"] is None
    assert by_name["good"]["total"] == sum(
        score["normalized"] * score["weight"] for score in by_name["good"]["scores"]
    )
