# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The random policy does what the random-scheduler did, and forgets no pod."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from podplacement_scheduler.framework.interface import CycleState

from .here import Here, judge, plugin


@pytest.fixture
def here() -> Here:
    found = Here()
    for number in range(40):
        found.add_node(f"n{number}")
    return found


def test_about_half_of_the_nodes_are_in_the_draw(here: Here) -> None:
    policy, pod = plugin("RandomScore", here, seed=7), here.add_pod("mine")
    passed = [node.name for node in here.nodes if judge(policy, pod, here, node.name).ok]
    assert 10 < len(passed) < 30
    again = plugin("RandomScore", here, seed=7)
    assert passed == [node.name for node in here.nodes if judge(again, pod, here, node.name).ok]
    every = plugin("RandomScore", here, predicate=1)
    assert all(judge(every, pod, here, node.name).ok for node in here.nodes)


def test_every_node_draws_from_0_to_99(here: Here) -> None:
    policy, pod = plugin("RandomScore", here, seed=7), here.add_pod("mine")
    drawn = {policy.score(CycleState(), pod, node) for node in list(here.nodes) * 100}
    assert drawn == set(range(100))


async def said(policy: Any, here: Here, caplog: pytest.LogCaptureFixture) -> list[str]:
    state, pod = CycleState(), here.add_pod("mine")
    with caplog.at_level(logging.INFO):
        policy.pre_filter(state, pod)
        scores = {"n2": 19, "n1": 76}
        assert policy.normalize_score(state, pod, scores) == scores
        await policy.post_bind(state, pod, "n1")
    return [record.getMessage() for record in caplog.records]


def test_the_log_has_the_priorities_of_every_node(
    here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    assert asyncio.run(said(plugin("RandomScore", here), here, caplog)) == [
        "found a pod to schedule: ns / mine",
        "calculated priorities: map[n1:76 n2:19]",
        "Placed pod [ns/mine] on n1",
    ]


def test_a_pod_that_no_node_passes_is_tried_again(here: Here) -> None:
    policy, pod = plugin("RandomScore", here), here.add_pod("mine")
    assert not policy.post_filter(CycleState(), pod, {}).ok
    assert here.activated == ["uid-mine"]
