# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies that stop the old pod first, killed before or after any write: no worse than an
eviction. The workload is short by one pod at most, whole in the end, and nothing is left.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.run import carry_out, recover
from ansible_collections.podplacement.core.plugins.module_utils.rules.pod_state import is_ready
from tests.unit.moves.objects import (
    NS,
    Object,
    budget,
    controller,
    deployment,
    holder,
    node,
    pod,
    settings,
)
from tests.unit.moves.world import KilledError, World, leftovers

WRITES = {"replace": 6, "evict": 5}
POINTS = [
    pytest.param(s, n, when, idle, id=f"{s}-{when}-{n}-{idle}")
    for s, count in WRITES.items()
    for n in range(1, count + 1)
    for when in ("before", "after")
    for idle in ("idle", "busy")
]


class Dated(World):
    """A world in which younger objects look younger."""

    def put(self, obj: Object) -> Object:
        obj.setdefault("metadata", {}).setdefault("creationTimestamp", f"2026-02-{self._version}")
        return super().put(obj)


def scene() -> World:
    """A Deployment of two pods on one node; a budget that lets one of them go."""
    above = deployment()
    owner = controller(above=above)
    mine = [pod(name, owner=owner) for name in ("old", "other")]
    return Dated(node("a"), node("b"), above, owner, *mine, budget(minimum=1))


def move(world: World, folder: Path, strategy: str, *, started: int, **more: Any) -> Any:
    """One run, as a process of its own."""
    target = "b" if strategy == "replace" else None
    who = settings(world.clock, holder(folder, started=started), **more)
    return carry_out(world, Order(NS, "old", target, strategy), who)


def kill(world: World, folder: Path, strategy: str, n: int, when: str, idle: str) -> None:
    """A first run that dies there; then the cluster acts on its own, or not yet."""
    world.kill = (n, when)
    with pytest.raises(KilledError):
        move(world, folder, strategy, started=1)
    if idle == "busy":
        world.settle()


def check(world: World) -> None:
    world.settle()
    assert [is_ready(p) for p in world.pods()] == [True, True]
    assert leftovers(world) == []
    assert world.lowest >= 1


@pytest.mark.parametrize("strategy", WRITES)
def test_an_undisturbed_move_makes_so_many_writes(strategy: str, tmp_path: Path) -> None:
    world = scene()
    report = move(world, tmp_path, strategy, started=1)
    assert report.changed
    assert report.moved["downtime"] > 0
    assert len(world.writes()) == WRITES[strategy]
    check(world)
    assert "old" not in [p["metadata"]["name"] for p in world.pods()]
    assert move(world, tmp_path, strategy, started=2).changed is False


@pytest.mark.parametrize(("strategy", "n", "when", "idle"), POINTS)
def test_the_same_task_again_finishes_it(
    strategy: str, n: int, when: str, idle: str, tmp_path: Path
) -> None:
    world = scene()
    kill(world, tmp_path, strategy, n, when, idle)
    move(world, tmp_path, strategy, started=2)
    check(world)
    assert "old" not in [p["metadata"]["name"] for p in world.pods()]
    if strategy == "replace":
        assert sorted(p["spec"]["nodeName"] for p in world.pods()) == ["a", "b"]


@pytest.mark.parametrize(("strategy", "n", "when", "idle"), POINTS)
def test_a_recovery_leaves_nothing(
    strategy: str, n: int, when: str, idle: str, tmp_path: Path
) -> None:
    world = scene()
    kill(world, tmp_path, strategy, n, when, idle)
    recover(world, settings(world.clock, holder(tmp_path, started=2)), None)
    check(world)


@pytest.mark.parametrize("trouble", ["refused", "unready"])
def test_a_target_that_fails_costs_no_more_than_an_eviction_wherever_the_run_is_killed(
    trouble: str, tmp_path: Path
) -> None:
    """Found out before the eviction, it costs nothing; after it, the controller helps itself."""
    for n, when in [(n, when) for n in range(1, 30) for when in ("before", "after")]:
        world = scene()
        world.refuses = {"b": "OutOfcpu"} if trouble == "refused" else {}
        world.holds = {"b"} if trouble == "unready" else set()
        world.kill = (n, when)
        outcome = ended(world, tmp_path)
        world.settle()
        assert leftovers(world) == [], f"killed {when} write {n}"
        assert world.lowest >= 1
        assert len(world.pods()) == 2
        if outcome:
            assert outcome in ("KubeletRefused: OutOfcpu", "NotReady")
            return
    pytest.fail("the run never came to its end")


def ended(world: World, folder: Path) -> str:
    """The code with which the run failed; "" if it was killed and another one recovered."""
    try:
        move(world, folder, "replace", started=1, seconds=60)
    except KilledError:
        recover(world, settings(world.clock, holder(folder, started=2)), None)
    except PlacementError as err:
        return err.code
    return ""


@pytest.mark.parametrize("strategy", WRITES)
def test_a_budget_that_never_opens_is_named_and_nothing_is_done(
    strategy: str, tmp_path: Path
) -> None:
    above = deployment()
    owner = controller(above=above)
    mine = [pod(name, owner=owner) for name in ("old", "other")]
    world = Dated(node("a"), node("b"), above, owner, *mine, budget(minimum=2))
    with pytest.raises(PlacementError) as caught:
        move(world, tmp_path, strategy, started=1, seconds=20)
    assert caught.value.code == "PdbBlocked"
    assert "budget" in caught.value.message
    assert caught.value.changed is False
    assert {p["metadata"]["name"] for p in world.pods()} == {"old", "other"}
    check(world)
