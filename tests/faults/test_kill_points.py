# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed before or after any single write, a move is finished by the next run of the same task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cases import CASES, ledger
from tests.faults.conftest import PROPERTY
from tests.faults.proxy import When
from tests.faults.referee import watching
from tests.faults.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

POINTS = [
    pytest.param(strategy, n, when, id=f"{strategy}-{when}-{n}")
    for strategy, counted in ledger().items()
    for n in range(1, counted["writes"] + 1)
    for when in ("before", "after")
]


@pytest.mark.parametrize("strategy", CASES)
def test_the_number_of_kill_points_is_the_committed_one(
    strategy: str, world: World, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A run that nobody disturbs makes as many writes as kill_points.yml says."""
    case = CASES[strategy](world)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = case.run().start()
        result = run.finish()
        assert result["changed"], f"{result}\n{run}"
        assert not case.again()["changed"]
        case.check(referee.history())
    writes = len(run.proxy.writes)
    record_property(PROPERTY, f"{strategy}: {writes} writes, {2 * writes} kill points")
    counted = {"writes": writes, "points": 2 * writes}
    assert ledger()[strategy] == counted, f"update kill_points.yml knowingly: {counted}\n{run}"


@pytest.mark.parametrize(("strategy", "n", "when"), POINTS)
def test_a_killed_run_is_finished_by_the_next(
    strategy: str, n: int, when: When, world: World, tmp_path: Path
) -> None:
    """Kill, run again at once, and a third time: never short, nothing lost, nothing left."""
    case = CASES[strategy](world)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        killed = case.run()
        killed.proxy.at(n, when, killed.kill)
        killed.start().died()
        second = case.again()
        assert not second.get("failed"), f"{second}\n{killed}"
        third = case.again()
        assert third["changed"] is False, f"{third}\n{killed}"
        case.check(referee.history())
