# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins of users are asked as they say they may be asked, and what they do wrong is theirs."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from podplacement_scheduler.engine.decide import Decision
from podplacement_scheduler.engine.live import enough
from podplacement_scheduler.framework.guard import PluginFailed
from podplacement_scheduler.framework.interface import (
    SUCCESS,
    Code,
    CycleState,
    NodeInfo,
    Plugin,
    PodView,
    Status,
    unresolvable,
    unschedulable,
)

from ..cache.objects import node
from .seat import Seat


class Named(Plugin):
    """Refuses nodes by their names, and is asked for each pod and node."""

    name = "Named"
    asked: ClassVar[list[str]] = []

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        self.asked.append(node.name)
        wanted = pod.object["metadata"]["labels"].get("place", node.name)
        return SUCCESS if wanted == node.name else unschedulable("not the place")


def test_a_plain_plugin_is_asked_for_each_pod() -> None:
    seat = Seat(*[node(f"node-{i}") for i in range(5)], plugins={"Named": Named})
    assert seat.chosen(labels={"place": "node-2"}) == "node-2"
    found = seat.refused(labels={"place": "nowhere"})
    assert found.message() == "0/5 nodes are available: 5 not the place."
    assert found.plugins == {"Named"}
    taken = seat.refused(labels={"place": "nowhere"}, cpu="9")
    assert taken.reasons == {"Insufficient cpu": 5}, "only nodes that are left are asked about"


def test_only_so_many_nodes_are_looked_for_and_not_always_the_same() -> None:
    seat = Seat(*[node(f"node-{i}") for i in range(250)], plugins={"Named": Named}, percentage=1)
    asked: list[set[str]] = []
    while len(asked) < 3:
        Named.asked.clear()
        found = seat.decide()
        assert isinstance(found, Decision)
        assert len(Named.asked) == 100
        asked.append(set(Named.asked))
    assert len(asked[0] | asked[1] | asked[2]) == 250


@pytest.mark.parametrize(
    ("nodes", "percentage", "wanted"),
    [(99, 0, 99), (100, 0, 100), (1000, 0, 420), (5000, 0, 500), (6000, 0, 300), (5000, 2, 100)],
)
def test_how_many_nodes_are_enough(nodes: int, percentage: int, wanted: int) -> None:
    assert enough(nodes, percentage) == wanted


class Grouped(Plugin):
    """Says what it depends on: it is asked once a group of nodes, and once a class."""

    name = "Grouped"
    weight: ClassVar[int] = 1000
    asked: ClassVar[list[str]] = []

    def facets(self, pod: PodView) -> frozenset[str]:
        return frozenset({"label:zone"})

    def sign(self, pod: PodView) -> int:
        return pod.priority

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        self.asked.append(node.labels["zone"])
        return unresolvable("closed") if node.labels["zone"] == "c" else SUCCESS

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        return 100 if node.labels["zone"] == "b" else 0


def test_a_plugin_with_facets_is_asked_once_a_group() -> None:
    Grouped.asked.clear()
    nodes = [node(f"node-{i}", labels={"zone": "abc"[i % 3]}) for i in range(30)]
    seat = Seat(*nodes, plugins={"Grouped": Grouped})
    in_b = {each["metadata"]["name"] for each in nodes[1::3]}
    assert {seat.chosen() for dummy in range(10)} <= in_b
    assert sorted(Grouped.asked) == ["a", "b", "c"]
    seat.nodes("MODIFIED", node("node-0", version=2, labels={"zone": "d"}))
    assert isinstance(seat.decide(), Decision)
    assert sorted(Grouped.asked) == ["a", "b", "c", "d"]
    assert seat.refused(nodeSelector={"zone": "c"}).reasons["closed"] == 10


class Failing(Plugin):
    """Does what its pod's label says."""

    name = "Failing"

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        how = pod.labels.get("how")
        if how == "raise":
            raise RuntimeError("broken")
        return Status(Code.ERROR, ("says so",)) if how == "error" else SUCCESS

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        return 101 if pod.labels.get("how") == "score" else 0


@pytest.mark.parametrize("how", ["raise", "error", "score"])
def test_a_plugin_that_fails_is_named_and_the_next_pod_is_placed(how: str) -> None:
    seat = Seat(node("node-1"), plugins={"Failing": Failing})
    with pytest.raises(PluginFailed, match="Failing"):
        seat.decide(labels={"how": how})
    assert seat.chosen() == "node-1"


@pytest.mark.parametrize("plugin", [Failing, Grouped])
def test_pods_are_not_placed_without_a_filter_that_is_switched_off(plugin: type[Plugin]) -> None:
    seat = Seat(node("node-1", labels={"zone": "a"}), plugins={plugin.name: plugin})
    assert seat.chosen() == "node-1"
    seat.guard.switch_off(plugin.name, "too slow")
    with pytest.raises(PluginFailed, match="switched off"):
        seat.decide()


def test_a_score_that_is_switched_off_is_left_out() -> None:
    class Favourite(Plugin):
        name = "Favourite"
        weight: ClassVar[int] = 1000

        def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
            return 100 * (node.name == "node-1")

    seat = Seat(node("node-1"), node("node-2"), plugins={"Favourite": Favourite})
    assert {seat.chosen() for dummy in range(20)} == {"node-1"}
    seat.guard.switch_off("Favourite", "too slow")
    assert {seat.chosen() for dummy in range(40)} == {"node-1", "node-2"}


def test_with_no_plugin_at_all_every_node_will_do() -> None:
    seat = Seat(node("node-1"), node("node-2"), only=True)
    assert {seat.chosen(cpu="99") for dummy in range(40)} == {"node-1", "node-2"}


class Wrong(Plugin):
    """Answers what it was not asked for."""

    name = "Wrong"

    def sign(self, pod: PodView) -> str:
        return ""


class WrongFacets(Wrong):
    def facets(self, pod: PodView) -> frozenset[str]:
        return frozenset({"colour"})

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        return SUCCESS


class TooFew(Wrong):
    def filter_rows(self, state: CycleState, pod: PodView, table: Any, rows: Any) -> Any:
        return [True]


class NoBools(Wrong):
    def filter_rows(self, state: CycleState, pod: PodView, table: Any, rows: Any) -> Any:
        return rows


class TooMuch(Wrong):
    def score_rows(self, state: CycleState, pod: PodView, table: Any, rows: Any) -> Any:
        return rows + 1000


class Halves(Wrong):
    def score_rows(self, state: CycleState, pod: PodView, table: Any, rows: Any) -> Any:
        return rows / 2


class Forgets(Wrong):
    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        return 1

    def normalize_score(
        self, state: CycleState, pod: PodView, scores: dict[str, int]
    ) -> dict[str, int]:
        return {}


@pytest.mark.parametrize("plugin", [WrongFacets, TooFew, NoBools, TooMuch, Halves, Forgets])
def test_a_wrong_answer_is_the_plugins_failure(plugin: type[Plugin]) -> None:
    seat = Seat(node("node-1"), node("node-2"), plugins={"Wrong": plugin})
    with pytest.raises(PluginFailed, match="plugin Wrong failed"):
        seat.decide()
