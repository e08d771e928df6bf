# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A decision takes the best node that fits, and says why there is none."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from podplacement_scheduler.api.kinds import PODS
from podplacement_scheduler.engine.decide import Decision

from ..cache.objects import node, pod, raw
from .seat import TAINT, TOLERATES, Seat
from .test_decide_plugins import Grouped


def test_the_emptier_node_is_chosen_and_equals_are_drawn() -> None:
    seat = Seat(node("node-1"), node("node-2"), node("node-3"))
    seat.pods("ADDED", pod("there", node="node-1", cpu="3"))
    drawn = Counter(seat.chosen() for dummy in range(200))
    assert set(drawn) == {"node-2", "node-3"}
    assert min(drawn.values()) > 50


def test_what_was_assumed_a_moment_ago_counts() -> None:
    seat = Seat(node("node-1", cpu="1"), node("node-2", cpu="1"))
    places = []
    for number in range(2):
        found = seat.pod(f"pod-{number}", cpu="600m")
        seat.cluster.sink(PODS).apply("ADDED", raw(pod(f"pod-{number}", cpu="600m")))
        decision = seat.decider.decide(found)
        assert isinstance(decision, Decision)
        seat.cluster.assume(found, decision.node)
        places.append(decision.node)
    assert sorted(places) == ["node-1", "node-2"]
    assert seat.refused(cpu="600m").message() == "0/2 nodes are available: 2 Insufficient cpu."
    seat.cluster.forget("pod-0")
    assert seat.chosen(cpu="600m") == places[0]


def test_reasons_are_counted_once_a_node_by_the_first_plugin_that_refuses() -> None:
    seat = Seat(
        node("cordoned", unschedulable=True, taints=[TAINT]),
        node("tainted", taints=[TAINT]),
        node("tainted-2", taints=[TAINT], labels={"disk": "ssd"}),
        node("small", cpu="1", memory="1Gi", labels={"disk": "ssd"}),
        node("other"),
    )
    found = seat.refused(cpu="2", memory="2Gi", nodeSelector={"disk": "ssd"})
    assert found.message() == (
        "0/5 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) didn't "
        "match Pod's node affinity/selector, 1 node(s) were unschedulable, 2 node(s) had "
        "untolerated taint(s)."
    )
    assert found.plugins == {
        "NodeUnschedulable",
        "TaintToleration",
        "NodeAffinity",
        "NodeResourcesFit",
    }
    assert found.resolvable


def test_post_filter_can_ask_what_was_said_of_each_node() -> None:
    seat = Seat(node("cordoned", unschedulable=True), node("small", cpu="1"))
    statuses = seat.refused(cpu="2").statuses
    assert set(statuses) == {"cordoned", "small"}
    assert statuses["cordoned"].plugin == "NodeUnschedulable"
    assert statuses["small"].reasons == ("Insufficient cpu",)
    assert "other" not in statuses
    whole = seat.refused(resourceClaims=[{"name": "gpu"}]).statuses
    assert {status.plugin for status in whole.values()} == {"UnsupportedFeatures"}


def test_no_node_at_all() -> None:
    seat = Seat(node("other"), selector={"pool": "ours"})
    assert seat.refused().message() == "0/0 nodes are available."


def test_nodes_out_of_scope_are_not_even_counted() -> None:
    seat = Seat(
        node("mine", cpu="50m", labels={"pool": "ours"}), node("other"), selector={"pool": "ours"}
    )
    assert seat.refused(cpu="99").message() == "0/1 nodes are available: 1 Insufficient cpu."


def test_what_is_not_supported_refuses_the_pod_as_such() -> None:
    seat = Seat(node("node-1"))
    found = seat.refused(resourceClaims=[{"name": "gpu"}])
    assert found.plugins == {"UnsupportedFeatures"}
    assert found.whole_pod
    assert found.message() == f"0/1 nodes are available: {found.whole_pod}."


@pytest.mark.parametrize(
    "needs",
    [
        {"cpu": "much"},
        {"tolerations": [{"key": 7}]},
        {"nodeSelector": {"disk": 7}},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": 7}}},
        {"affinity": 7},
        {"containers": 7},
    ],
)
def test_a_malformed_pod_is_refused_and_the_next_one_is_not(needs: dict[str, Any]) -> None:
    seat = Seat(node("node-1", taints=[{**TAINT, "effect": "PreferNoSchedule"}]))
    message = seat.refused(**needs).message()
    assert "expected" in message.lower()
    assert seat.chosen() == "node-1"


def test_a_malformed_node_is_refused_alone() -> None:
    seat = Seat(node("node-1", taints="none"), node("node-2"))
    assert {seat.chosen() for dummy in range(20)} == {"node-2"}
    assert "Node node-1" in seat.refused(cpu="99").message()


def test_an_affinity_that_names_its_nodes_is_about_these() -> None:
    def named(*names: str) -> dict[str, Any]:
        fields = [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}
            for name in names
        ]
        required = {"nodeSelectorTerms": fields}
        return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}

    seat = Seat(*[node(f"node-{i}", cpu="1") for i in range(5)])
    assert seat.chosen(affinity=named("node-3")) == "node-3"
    seat.nodes("MODIFIED", node("node-3", version=2, unschedulable=True))
    found = seat.refused(affinity=named("node-3", "gone"))
    assert found.reasons == {
        "node(s) didn't satisfy plugin(s) [NodeAffinity]": 4,
        "node(s) were unschedulable": 1,
    }


# A row that is remembered follows its nodes.


def test_nodes_that_come_change_and_go() -> None:
    seat = Seat(node("node-1"))
    assert seat.chosen() == "node-1"
    seat.nodes("ADDED", *[node(f"more-{i}") for i in range(40)])
    assert len({seat.chosen() for dummy in range(200)}) > 20
    seat.nodes("DELETED", *[node(f"more-{i}") for i in range(39)])
    seat.nodes("MODIFIED", node("node-1", version=2, taints=[TAINT]))
    assert {seat.chosen() for dummy in range(20)} == {"more-39"}
    assert {seat.chosen(tolerations=TOLERATES) for dummy in range(40)} == {"node-1", "more-39"}
    seat.nodes("MODIFIED", node("node-1", version=3))
    assert {seat.chosen() for dummy in range(40)} == {"node-1", "more-39"}


def test_a_preferred_node_wins_as_long_as_it_is_preferred() -> None:
    avoid = [{**TAINT, "effect": "PreferNoSchedule"}]
    seat = Seat(node("node-1", taints=avoid), node("node-2", taints=avoid), node("node-3"))
    assert {seat.chosen() for dummy in range(20)} == {"node-3"}
    seat.nodes("DELETED", node("node-3"))
    assert {seat.chosen() for dummy in range(40)} == {"node-1", "node-2"}


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        ({"labels": {"job": "2"}}, True),
        ({"cpu": "1"}, False),
        ({"volumes": [{"name": "disk", "gcePersistentDisk": {"pdName": "d"}}]}, False),
    ],
)
def test_pods_that_differ_only_in_labels_share_a_row(other: dict[str, Any], shared: bool) -> None:
    seat = Seat(node("node-1"))
    assert seat.chosen(labels={"job": "1"}) == seat.chosen(**other) == "node-1"
    assert seat.decider.rows_kept == (1 if shared else 2)


def test_of_a_users_plugin_nobody_knows_what_it_looks_at() -> None:
    seat = Seat(node("node-1", labels={"zone": "a"}), plugins={"Grouped": Grouped})
    assert seat.chosen(labels={"job": "1"}) == seat.chosen(labels={"job": "2"}) == "node-1"
    assert seat.decider.rows_kept == 2


@pytest.mark.parametrize("many", [1, 4, 5, 30, 80])
def test_however_much_has_changed_since_the_last_decision_counts(many: int) -> None:
    seat = Seat(*[node(f"node-{i:02}") for i in range(81)])
    seat.chosen()
    for number in range(many):
        seat.pods("ADDED", pod(f"there-{number}", node=f"node-{number:02}", cpu="1"))
    expected = {f"node-{i:02}" for i in range(many, 81)}
    assert {seat.chosen() for dummy in range(60)} <= expected
