# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run killed before or after any of its writes: the next one makes it good, and nobody noticed.

What tests/faults proves with real processes on a real API server, here for every strategy, owner
and way back within a second. The controllers act between the two runs, or they do not.
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
    budget,
    controller,
    deployment,
    holder,
    node,
    pod,
    service,
    settings,
)
from tests.unit.moves.world import KilledError, World, leftovers

OWNERS = ("Deployment", "ReplicaSet", "ReplicationController")
SWAPS = ("adopt", "shadow")
WRITES = {"adopt": 6, "shadow": 6, "recreate": 7, "surge": 6}


def scene(strategy: str, kind: str = "Deployment") -> World:
    """Two nodes, and a workload of two pods behind a budget of two; or one bare pod."""
    nodes = [node("a"), node("b")]
    if strategy not in SWAPS:
        return World(*nodes, pod("old", labels={"app": "web"}))
    above = deployment() if kind == "Deployment" else None
    owner = controller("ReplicaSet" if above else kind, above=above)
    mine = [pod(name, owner=owner) for name in ("old", "other")]
    extra = [above] if above else []
    return World(*nodes, owner, *extra, *mine, budget(minimum=2), service())


def move(world: World, folder: Path, strategy: str, *, started: int, **more: Any) -> Any:
    """One run, as a process of its own."""
    who = settings(world.clock, holder(folder, started=started), **more)
    return carry_out(world, Order(NS, "old", "b", strategy), who)


def spec_of(world: World) -> list[tuple[Any, Any]]:
    return [
        (o["metadata"].get("generation"), o["spec"])
        for key, o in sorted(world._objects.items())
        if key[0] in OWNERS
    ]


def kill_points() -> list[Any]:
    cases = [(strategy, kind) for strategy in SWAPS for kind in OWNERS] + [
        ("recreate", ""),
        ("surge", ""),
    ]
    return [
        pytest.param(s, kind, n, when, idle, id=f"{s}-{kind or 'Pod'}-{when}-{n}-{idle}")
        for s, kind in cases
        for n in range(1, WRITES[s] + 1)
        for when in ("before", "after")
        for idle in ("idle", "busy")
    ]


def kill(world: World, folder: Path, strategy: str, n: int, when: str, idle: str) -> None:
    """A first run that dies there; then the cluster acts on its own, or not yet."""
    world.kill = (n, when)
    with pytest.raises(KilledError):
        move(world, folder, strategy, started=1)
    if idle == "busy":
        world.settle()


def check_moved(world: World, strategy: str, before: Any) -> None:
    world.settle()
    count = 2 if strategy in SWAPS else 1
    assert [is_ready(p) for p in world.pods()] == [True] * count
    assert "b" in [p["spec"]["nodeName"] for p in world.pods()]
    assert leftovers(world) == []
    assert spec_of(world) == before
    if strategy != "recreate":
        assert world.lowest >= count


@pytest.mark.parametrize("strategy", sorted(WRITES))
def test_an_undisturbed_move_makes_so_many_writes(strategy: str, tmp_path: Path) -> None:
    world = scene(strategy)
    report = move(world, tmp_path, strategy, started=1)
    assert report.changed
    assert report.moved["to_node"] == "b"
    assert len(world.writes()) == WRITES[strategy]
    check_moved(world, strategy, spec_of(world))
    assert move(world, tmp_path, strategy, started=2).changed is False


@pytest.mark.parametrize(("strategy", "kind", "n", "when", "idle"), kill_points())
def test_the_same_task_again_finishes_it(
    strategy: str, kind: str, n: int, when: str, idle: str, tmp_path: Path
) -> None:
    world = scene(strategy, kind)
    before = spec_of(world)
    kill(world, tmp_path, strategy, n, when, idle)
    move(world, tmp_path, strategy, started=2)
    check_moved(world, strategy, before)


@pytest.mark.parametrize(("strategy", "kind", "n", "when", "idle"), kill_points())
def test_a_recovery_leaves_nothing(
    strategy: str, kind: str, n: int, when: str, idle: str, tmp_path: Path
) -> None:
    world = scene(strategy, kind)
    before = spec_of(world)
    kill(world, tmp_path, strategy, n, when, idle)
    recover(world, settings(world.clock, holder(tmp_path, started=2)), None)
    world.settle()
    assert leftovers(world) == []
    assert spec_of(world) == before
    count = 2 if strategy in SWAPS else 1
    assert [is_ready(p) for p in world.pods()] == [True] * count
    if strategy != "recreate":
        assert world.lowest >= count


@pytest.mark.parametrize("strategy", sorted(WRITES))
@pytest.mark.parametrize("trouble", ["refused", "unready"])
def test_a_target_that_fails_costs_nothing_wherever_the_run_is_killed(
    strategy: str, trouble: str, tmp_path: Path
) -> None:
    """As many kill points as the way there and back has."""
    points = [(n, when) for n in range(1, 30) for when in ("before", "after")]
    for n, when in points:
        world = scene(strategy)
        world.refuses = {"b": "OutOfcpu"} if trouble == "refused" else {}
        world.holds = {"b"} if trouble == "unready" else set()
        world.kill = (n, when)
        outcome = ended(world, tmp_path, strategy)
        world.settle()
        assert leftovers(world) == [], f"killed {when} write {n}"
        at_home = [is_ready(p) for p in world.pods() if p["spec"]["nodeName"] == "a"]
        assert at_home == [True] * (2 if strategy in SWAPS else 1)
        if strategy != "recreate":
            assert world.lowest >= len(at_home)
        if outcome:
            assert outcome in ("KubeletRefused: OutOfcpu", "NotReady")
            assert n > 4, "lock, create, delete, release"
            return
    pytest.fail("the run never came to its end")


def ended(world: World, folder: Path, strategy: str) -> str:
    """The code with which the run failed; "" if it was killed and another one recovered."""
    try:
        move(world, folder, strategy, started=1, seconds=60)
    except KilledError:
        recover(world, settings(world.clock, holder(folder, started=2)), None)
    except PlacementError as err:
        return err.code
    return ""
