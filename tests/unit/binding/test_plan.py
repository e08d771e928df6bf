# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node, and why none: the decisions of k8s_pod_bind as a pure function."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.binding.plan import (
    Board,
    Decision,
    decide,
    in_order,
)
from tests.unit.binding.objects import Object, claim, mounts, node, pod, volume

THREE = [node("a"), node("b"), node("c")]


def place(
    board: Board, *pods: Object, policy: str = "spread", validate: str = "strict"
) -> list[Decision]:
    return [decide(board, p, {}, policy=policy, validate=validate) for p in pods]


def nodes_of(decisions: list[Decision]) -> list[str]:
    return [d.node for d in decisions]


def test_spread_gives_every_node_one_before_any_gets_two() -> None:
    pods = [pod(f"p{i}") for i in range(6)]
    assert nodes_of(place(Board(THREE, []), *pods)) == ["a", "b", "c", "a", "b", "c"]


def test_spread_counts_the_running_replicas_of_the_same_controller() -> None:
    running = [pod("web-0", on="a", owner="web"), *[pod(f"x{i}", on="b") for i in range(3)]]
    board = Board(THREE[:2], running)
    assert nodes_of(place(board, pod("web-1", owner="web"))) == ["b"]


def test_spread_takes_the_emptier_node_when_peers_are_level() -> None:
    running = [pod("x", on="a"), pod("y", on="b"), pod("z", on="b")]
    assert nodes_of(place(Board(THREE, running), pod("p"), pod("q"), pod("r"))) == ["c", "a", "b"]


def test_a_terminal_pod_takes_no_room() -> None:
    ended = pod("ended", cpu="4", on="a", phase="Succeeded")
    assert nodes_of(place(Board([node("a")], [ended]), pod("p", cpu="4"))) == ["a"]


def test_least_allocated_fills_the_emptiest_node_first() -> None:
    board = Board(THREE, [pod("x", cpu="2", on="a"), pod("y", cpu="1", on="b")])
    chosen = place(board, *[pod(f"p{i}") for i in range(4)], policy="least_allocated")
    assert nodes_of(chosen) == ["c", "b", "c", "a"]


def test_random_gives_each_fitting_node_the_same_chance() -> None:
    nodes = [node(name, cpu="4k") for name in "abc"] + [node("full", cpu="0")]
    pods = [pod(f"p{i}", cpu="1m") for i in range(3000)]
    counts = Counter(nodes_of(place(Board([*nodes], []), *pods[:300], policy="random")))
    assert set(counts) == {"a", "b", "c"}
    assert all(70 < n < 130 for n in counts.values()), counts


def test_random_is_the_same_for_the_same_pod_over_the_same_nodes() -> None:
    pods = [pod(f"p{i}", cpu="10m") for i in range(20)]
    first = nodes_of(place(Board(THREE, []), *pods, policy="random"))
    again = nodes_of(place(Board(THREE, []), *reversed(pods), policy="random"))
    assert first == again[::-1]
    assert len(set(first)) > 1


def test_capacity_is_reserved_as_it_is_planned() -> None:
    board = Board([node("a", cpu="2"), node("b", cpu="1")], [])
    decisions = place(board, *[pod(f"p{i}") for i in range(4)])
    assert nodes_of(decisions) == ["a", "b", "a", ""]
    assert decisions[3].code == "Unschedulable"
    assert decisions[3].reason == "0/2 nodes are available: 2 Insufficient cpu."


def test_host_ports_are_reserved_too() -> None:
    ports = [{"name": "app", "ports": [{"containerPort": 80, "hostPort": 80}]}]
    one, two = pod("one", containers=ports), pod("two", containers=ports)
    decisions = place(Board([node("a")], []), one, two)
    assert decisions[1].reason == (
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    )


def test_the_reasons_of_all_nodes_are_counted_in_the_words_of_kube_scheduler() -> None:
    nodes = [
        node("cordoned", unschedulable=True),
        node("tainted", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]),
        node("down", ready=False),
        node("small", cpu="1"),
        node("tiny", cpu="500m"),
    ]
    (decision,) = place(Board(nodes, []), pod("big", cpu="2"))
    assert decision.node == ""
    assert decision.reason == (
        "0/5 nodes are available: 1 node(s) had untolerated taint(s), "
        "1 node(s) were not ready, 1 node(s) were unschedulable, 2 Insufficient cpu."
    )


def test_higher_priority_goes_first_then_the_older() -> None:
    pods = [
        pod("young", created="2026-01-02T00:00:00Z"),
        pod("old", created="2026-01-01T00:00:00Z"),
        pod("urgent", created="2026-01-03T00:00:00Z", priority=10),
    ]
    assert [p["metadata"]["name"] for p in in_order(pods)] == ["urgent", "old", "young"]


@pytest.mark.parametrize("policy", ["spread", "random", "least_allocated"])
def test_every_policy_chooses_only_among_fitting_nodes(policy: str) -> None:
    nodes = [node("full", cpu="0"), node("fits"), node("cordoned", unschedulable=True)]
    assert nodes_of(place(Board(nodes, []), pod("p"), policy=policy)) == ["fits"]


def test_warn_prefers_a_node_that_fits_and_else_takes_one_with_all_its_reasons() -> None:
    nodes = [node("a", cpu="1", unschedulable=True), node("b", cpu="1")]
    first, second = place(Board(nodes, []), pod("p"), pod("q"), validate="warn")
    assert (first.node, first.warnings) == ("b", [])
    assert second.node == "a"
    assert "unschedulable" in second.warnings[0]
    assert "Insufficient cpu" not in second.warnings[0]


def test_none_does_not_look_at_the_nodes() -> None:
    (decision,) = place(Board([node("full", cpu="0")], []), pod("p"), validate="none")
    assert (decision.node, decision.warnings) == ("full", [])


@pytest.mark.parametrize("validate", ["strict", "warn", "none"])
@pytest.mark.parametrize(
    ("code", "spec"),
    [
        ("SchedulingGated", {"schedulingGates": [{"name": "wait"}]}),
        ("ResourceClaims", {"resourceClaims": [{"name": "gpu"}]}),
        ("VolumeClaimNotFound", {"volumes": mounts("data")}),
    ],
)
def test_some_pods_are_bound_to_no_node_whatever_validate_says(
    code: str, spec: Object, validate: str
) -> None:
    (decision,) = place(Board(THREE, []), pod("p", **spec), validate=validate)
    assert (decision.node, decision.code) == ("", code)


def test_a_volume_for_one_pod_is_given_to_one_pod_of_the_batch() -> None:
    data = {"data": (claim("data", volume="pv", mode="ReadWriteOncePod"), volume("pv"))}
    board = Board(THREE, [])
    one, two = (
        decide(board, pod(n, volumes=mounts("data")), data, policy="spread", validate="strict")
        for n in ("one", "two")
    )
    assert one.node == "a"
    assert (two.node, two.code) == ("", "VolumeInUse")
    assert "Pod shop/one" in two.reason


def test_what_is_not_judged_is_told() -> None:
    terms = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "x"}]}
    (decision,) = place(Board(THREE, []), pod("p", affinity={"podAntiAffinity": terms}))
    assert decision.warnings == [
        "Pod shop/p demands pod anti-affinity, which the preflight does not check"
    ]
