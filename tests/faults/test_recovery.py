# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`state: recovered` alone ends an interrupted move, forward or back, whoever began it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import verdicts
from tests.faults.case import REPLICAS
from tests.faults.cases import CASES, ledger
from tests.faults.referee import watching
from tests.faults.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

INTERRUPTED = [
    pytest.param(strategy, n, id=f"{strategy}-after-{n}")
    for strategy in ("adopt-deployment", "shadow-replicaset", "recreate", "surge")
    for n in range(1, ledger()[strategy]["writes"] + 1)
]


@pytest.mark.parametrize(("strategy", "n"), INTERRUPTED)
def test_an_interrupted_move_is_recovered(
    strategy: str, n: int, world: World, tmp_path: Path
) -> None:
    """Killed after any write: nothing is left, the workload is whole, and it was all along."""
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
            [] if finished else [case.pods[0]["metadata"]["name"]]
        )
        assert world.task("k8s_pod_move", recover)["changed"] is False
        world.wait_idle(len(case.pods))
        history = referee.history()
    assert verdicts.leftovers(world.kube, world.namespace) == []
    if strategy == "recreate":
        assert not history.lost("web")
    else:
        verdicts.assert_never_short(history, "web", REPLICAS if len(case.pods) > 1 else 1)
    assert verdicts.controllers(world.kube, world.namespace) == case.controllers
