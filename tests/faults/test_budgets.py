# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Budgets of every form: a replacement that is Ready first satisfies them, an eviction waits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.kube import Object
from tests.faults import verdicts
from tests.faults.case import Case
from tests.faults.cases import CASES
from tests.faults.workloads import budget, deployment
from tests.faults.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

CLOSED = [
    {"minAvailable": 2},
    {"minAvailable": "100%"},
    {"maxUnavailable": 0},
    {"maxUnavailable": "0%"},
]
NAMES = ["min-all", "min-percent", "max-none", "max-percent"]


def closed(spec: dict[str, Any], name: str = "strict") -> Object:
    """A budget that allows no disruption of two pods."""
    found = budget()
    found["metadata"]["name"] = name
    found["spec"] = {"selector": found["spec"]["selector"], **spec}
    return found


def closes(world: World, found: Object) -> None:
    """Create it, and wait until the controller has counted."""
    world.create(found)
    world.kube.wait(
        "PodDisruptionBudget",
        found["metadata"]["name"],
        lambda now: now.get("status", {}).get("disruptionsAllowed") == 0,
        world.namespace,
    )


@pytest.mark.parametrize("spec", CLOSED, ids=NAMES)
def test_adoption_satisfies_a_budget_that_allows_nothing(
    spec: dict[str, Any], world: World
) -> None:
    """Its gate is a dry-run eviction, which counts the replacement."""
    world.create(deployment())
    pods = world.ready(2)
    closes(world, closed(spec))
    result = world.move(pods[0]["metadata"]["name"], world.elsewhere(*pods)).start().finish()
    assert result["moved"][0]["strategy"] == "adopt", result
    assert result["moved"][0]["downtime"] == 0.0
    verdicts.assert_moved_once(pods, world.wait_idle(2), pods[0], result["moved"][0]["to_node"])


def blocked(strategy: str, world: World, spec: dict[str, Any]) -> Case:
    """A case of an evicting strategy, behind one budget, which is closed."""
    case = CASES[strategy](world)
    world.kube.delete_all("PodDisruptionBudget", world.namespace)
    closes(world, closed(spec))
    return case


@pytest.mark.parametrize("strategy", ["replace-deployment", "evict-unknown-owner"])
@pytest.mark.parametrize("spec", CLOSED[1:3], ids=NAMES[1:3])
def test_an_eviction_waits_until_the_budget_opens(
    strategy: str, spec: dict[str, Any], world: World
) -> None:
    """Meanwhile nothing has happened: neither is the old pod gone, nor does another one run."""
    case = blocked(strategy, world, spec)
    run = case.run().start()
    run.waits()
    assert [p["metadata"]["uid"] for p in world.pods()] == [p["metadata"]["uid"] for p in case.pods]
    (key,) = spec
    change = {"spec": {key: 0 if key == "minAvailable" else 1}}
    world.kube.patch("PodDisruptionBudget", "strict", change, world.namespace)
    result = run.finish()
    assert result["changed"], f"{result}\n{run}"
    after = world.wait_idle(len(case.pods))
    verdicts.assert_moved_once(case.pods, after, case.pods[0], case.args["node"])


@pytest.mark.parametrize("strategy", ["replace-deployment", "evict-unknown-owner"])
def test_a_budget_that_stays_closed_is_named_and_nothing_is_left(
    strategy: str, world: World
) -> None:
    """At the deadline, not before, and no other pod has suffered."""
    case = blocked(strategy, world, {"maxUnavailable": 0})
    case.args["wait_timeout"] = 10  # long enough that a busy machine has tried it by then
    result = case.again()
    assert result["error"]["code"] == "PdbBlocked", result
    assert "strict" in result["msg"]
    assert result["changed"] is False
    world.assert_as_before(case.pods)
