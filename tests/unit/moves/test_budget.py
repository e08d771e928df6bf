# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sum of a budget while a temporary ReplicaSet holds a replacement."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import TooManyRequests
from ansible_collections.podplacement.core.plugins.module_utils.moves.budget import (
    budget_beside_holders,
    spare,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import Scene
from tests.unit.fake_api import FakeApi
from tests.unit.moves.adopt_stage import OWNER, old, other
from tests.unit.moves.objects import NS, Object, pod
from tests.unit.moves.shadow_stage import new, shadow_entry, temporary

HELD = {"uid-holder"}


def budget(expected: int | None = 3, disrupted: list[str] | None = None, **spec: Any) -> Object:
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": NS},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
        "status": {"expectedPods": expected, "disruptedPods": dict.fromkeys(disrupted or [], "t")},
    }


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        ({"maxUnavailable": 0}, 1),
        ({"maxUnavailable": "0%"}, 1),
        ({"maxUnavailable": 1}, 2),
        ({"maxUnavailable": "1%"}, 2),
        ({"maxUnavailable": "50%"}, 2),
        ({"maxUnavailable": 9}, 3),
        ({"minAvailable": "100%"}, 1),
        ({"minAvailable": "99%"}, 1),
        ({"minAvailable": "50%"}, 2),
        ({"minAvailable": 2}, 0),
        ({}, 0),
    ],
)
def test_the_replacement_counts_and_its_holder_does_not(spec: Object, allowed: int) -> None:
    """Of a number that must be available, the server's answer stands: nothing is spare."""
    assert spare(budget(**spec), [old(), other(), new()], HELD) == allowed


@pytest.mark.parametrize(
    ("pods", "found", "allowed"),
    [
        pytest.param([old(), other()], budget(3, maxUnavailable=0), -1, id="no replacement yet"),
        pytest.param([old(), other(), new()], budget(2, maxUnavailable=0), 1, id="an old sum"),
        pytest.param([old(), other(), new()], budget(None, maxUnavailable=0), 1, id="no sum yet"),
        pytest.param(
            [old(), other(), new()], budget(5, maxUnavailable=0), -1, id="others are missing"
        ),
        pytest.param(
            [old(), other(ready=False), new()], budget(maxUnavailable=0), 0, id="one is not Ready"
        ),
        pytest.param(
            [old(), other(terminating=True), new()], budget(maxUnavailable=0), 0, id="one goes"
        ),
        pytest.param(
            [old(), other(), new()],
            budget(maxUnavailable=0, disrupted=["other"]),
            0,
            id="one is about to be evicted",
        ),
        pytest.param(
            [old(), other(), new(), pod("bare")], budget(maxUnavailable=0), 2, id="a bare pod"
        ),
        pytest.param(
            [old(), other(), new(), new(name="second")],
            budget(4, maxUnavailable=0),
            2,
            id="two moves at once",
        ),
    ],
)
def test_what_is_there_counts(pods: list[Object], found: Object, allowed: int) -> None:
    assert spare(found, pods, HELD) == allowed


def gate(*objects: Object, refuse: bool = True) -> str:
    api = FakeApi(OWNER, temporary(), *objects)
    if refuse:
        api.before("create", "pods/eviction", TooManyRequests(429, "TooManyRequests", "no"))
    step = budget_beside_holders(api, NS, shadow_entry(), Scene(old=old()))
    return step.code if step is not None else "open"


def test_the_servers_yes_is_enough() -> None:
    assert gate(old(), refuse=False) == "open"


def test_its_no_is_looked_into() -> None:
    pods = [old(), other(), new()]
    assert gate(*pods, budget(maxUnavailable=0)) == "open"
    assert gate(*pods[:2], budget(maxUnavailable=0)) == "PdbBlocked"
    assert gate(*pods, budget(minAvailable=3)) == "PdbBlocked"


def test_other_peoples_budgets_do_not_matter() -> None:
    foreign = budget(maxUnavailable=0)
    foreign["metadata"]["name"] = "db"
    foreign["spec"]["selector"] = {"matchLabels": {"app": "db"}}
    pods = [old(), other(), new()]
    assert gate(*pods, foreign, budget(maxUnavailable=0)) == "open"
    assert gate(*pods, foreign) == "open"
