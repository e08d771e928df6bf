# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is brought up to date for many classes at once is what each finds for itself."""

from __future__ import annotations

from collections.abc import Hashable
from random import Random
from typing import Any

import pytest

from podplacement_scheduler.engine.abreast import Company, RowCache
from podplacement_scheduler.engine.decide import Decision
from podplacement_scheduler.framework.interface import (
    SUCCESS,
    CycleState,
    NodeInfo,
    Plugin,
    PodView,
    Status,
    unschedulable,
)
from podplacement_scheduler.plugins.resources import NodeResourcesFit

from ..cache.objects import node, pod
from .seat import TAINT, Seat

GPU = "example.com/gpu"
CLASSES: tuple[dict[str, Any], ...] = (
    *({"cpu": f"{100 + 150 * n}m", "memory": f"{64 << n % 5}Mi"} for n in range(9)),
    {"cpu": "0", "memory": "0"},
    {"cpu": "1", "memory": "0"},
    {"cpu": "1", "memory": "1Gi", "overhead": {GPU: "1"}},
    {"cpu": "100m", "ports": [80]},
    {"cpu": "200m", "nodeSelector": {"disk": "ssd"}},
    {"cpu": "300m", "tolerations": [{"operator": "Exists"}]},
)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many classes were judged each time that several were."""
    found: list[int] = []
    ours = NodeResourcesFit.filter_classes

    def counted(self: NodeResourcesFit, classes: Any, table: Any, rows: Any) -> Any:
        found.append(len(classes.wants))
        return ours(self, classes, table, rows)

    monkeypatch.setattr(NodeResourcesFit, "filter_classes", counted)
    return found


def mixed_nodes(rng: Random) -> list[dict[str, Any]]:
    kinds: list[dict[str, Any]] = [
        {"labels": {"disk": "ssd"}},
        {"taints": [TAINT]},
        {"taints": [{**TAINT, "effect": "PreferNoSchedule"}]},
        {"cpu": "2", "pods": "2"},
        {},
    ]
    return [node(f"node-{i:02}", **rng.choice(kinds)) for i in range(40)]


@pytest.mark.parametrize("seed", range(6))
def test_classes_in_turn_are_scored_as_if_each_were_alone(seed: int, together: list[int]) -> None:
    rng = Random(seed)
    seat = Seat(*mixed_nodes(rng))
    placed: list[dict[str, Any]] = []
    for turn in range(160):
        needs = CLASSES[turn % len(CLASSES)] if rng.random() < 0.9 else rng.choice(CLASSES)
        probe = seat.pod("probe", **needs)
        assert seat.decider.standing(probe) == seat.another().standing(probe)
        found = seat.decide(**needs)
        if isinstance(found, Decision):
            placed.append(pod(f"pod-{turn}", node=found.node, **needs))
            seat.pods("ADDED", placed[-1])
        if placed and rng.random() < 0.15:
            seat.pods("DELETED", placed.pop(rng.randrange(len(placed))))
        if rng.random() < 0.03:
            changed = node(f"node-{rng.randrange(45):02}", version=turn + 2, cpu="8")
            seat.nodes("MODIFIED", changed)
    assert max(together) > 5


class NoBigPods(Plugin):
    """A user's plugin, which may look at whatever it wants in the class of the pod."""

    name = "NoBigPods"

    def facets(self, pod: PodView) -> frozenset[str]:
        return frozenset({"label:disk"})

    def sign(self, pod: PodView) -> Hashable:
        return ()

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        big = pod.requests["cpu"] > 300 and node.labels.get("disk") == "ssd"
        return unschedulable("too big") if big else SUCCESS


def test_what_a_users_plugin_looks_at_nobody_knows() -> None:
    nodes = [node(f"node-{i}", labels={"disk": ("hdd", "ssd")[i % 2]}) for i in range(4)]
    seat = Seat(*nodes, plugins={"NoBigPods": NoBigPods})
    fitting = [len(seat.decider.standing(seat.pod("p", cpu=cpu))) for cpu in ("100m", "1", "200m")]
    assert fitting == [4, 2, 4]


def test_who_is_not_asked_for_falls_behind_and_is_right_when_it_is(together: list[int]) -> None:
    seat = Seat(*[node(f"node-{i:03}") for i in range(400)])
    busy, quiet = CLASSES[:7], seat.pod("quiet", **CLASSES[8])
    seat.decider.decide(quiet)
    for turn in range(1200):
        needs = busy[turn % len(busy)]
        seat.pods("ADDED", pod(f"pod-{turn}", node=seat.chosen(**needs), **needs))
    assert (together[0], together[-1]) == (8, 7)
    assert seat.decider.standing(quiet) == seat.another().standing(quiet)


def test_lines_are_written_to_anew_when_rows_go(monkeypatch: pytest.MonkeyPatch) -> None:
    given = RowCache.__init__
    monkeypatch.setattr(RowCache, "__init__", lambda self: given(self, capacity=6))
    seat = Seat(*[node(f"node-{i:02}", cpu="64", memory="128Gi", pods="100") for i in range(20)])
    for turn in range(90):
        needs = CLASSES[turn % 5 if turn % 30 < 20 else turn % 9]
        probe = seat.pod("probe", **needs)
        assert seat.decider.standing(probe) == seat.another().standing(probe)
        seat.pods("ADDED", pod(f"pod-{turn}", node=seat.chosen(**needs), **needs))
    assert seat.decider.rows_kept == 6


def test_those_that_cannot_be_asked_at_once_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node without memory is no matter of the fast formulas."""
    seat = Seat(*[node(f"node-{i:02}", memory="0" if i % 2 else "8Gi") for i in range(20)])
    left: list[int] = []
    leave = Company.leave

    def counted(self: Company, line: int) -> None:
        left.append(line)
        leave(self, line)

    monkeypatch.setattr(Company, "leave", counted)
    for turn in range(60):
        probe = seat.pod("probe", **CLASSES[10] if turn % 7 == 6 else CLASSES[turn % 7])
        assert seat.decider.standing(probe) == seat.another().standing(probe)
        seat.pods("ADDED", pod(f"p-{turn}", node=f"node-{turn % 20:02}", memory="0", cpu="100m"))
    assert left
