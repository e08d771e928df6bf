# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`state: recovered` alone ends an interrupted move, forward or back, whoever began it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import verdicts
from tests.faults.cases import CASES, ledger
from tests.faults.referee import watching
from tests.faults.world import World
from tests.integration.steering import left_of_moves

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

STRATEGIES = (
    "adopt-deployment",
    "shadow-replicaset",
    "replace-deployment",
    "evict-unknown-owner",
    "steer-static",
    "steer-block",
    "recreate",
    "surge",
)
LOSSLESS = ("adopt-deployment", "shadow-replicaset", "surge")
INTERRUPTED = [
    pytest.param(strategy, n, id=f"{strategy}-after-{n}")
    for strategy in STRATEGIES
    for n in range(1, ledger()[strategy]["writes"] + 1)
]


@pytest.mark.parametrize(("strategy", "n"), INTERRUPTED)
def test_an_interrupted_move_is_recovered(
    strategy: str, n: int, world: World, tmp_path: Path
) -> None:
    """Killed after any write: nothing is left, no pod more than one was ever away."""
    case = CASES[strategy](world)
    recover = {"namespace": world.namespace, "state": "recovered"}
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        killed = case.run()
        killed.proxy.at(n, "after", killed.kill)
        killed.start().died()
        recovered = world.task("k8s_pod_move", recover)
        finished = n == ledger()[strategy]["writes"]
        assert recovered["changed"] is not finished, f"{recovered}\n{killed}"
        assert [move["pod"] for move in recovered["recovered"]] == (
            [] if finished else [case.args["name"]]
        )
        assert world.task("k8s_pod_move", recover)["changed"] is False
        world.wait_idle(len(case.pods))
        history = referee.history()
    assert verdicts.leftovers(world.kube, world.namespace) == []
    assert left_of_moves(world.kube, world.namespace) == []
    if strategy == "recreate":
        assert not history.lost("web")
    else:
        least = len(case.pods) - (strategy not in LOSSLESS)
        verdicts.assert_never_short(history, "web", least)
    assert verdicts.controllers(world.kube, world.namespace) == case.controllers
