# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy `replace`: a pod whose volume only one node can use. Its workload is short once."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.kube import Object, is_ready
from tests.faults import verdicts, workloads
from tests.faults.case import Case
from tests.faults.referee import History, alive, has_controller, of_kind
from tests.faults.world import World
from tests.integration.volumes import bound_claim, mounted


def gaps(history: History, desired: int) -> int:
    """How often the controller fell short of its Ready pods: an eviction costs one such time."""
    whole, found = True, 0
    for state in history.states():
        pods = [p for p in of_kind(state, "Pod") if has_controller(p) and alive(p) and is_ready(p)]
        found += whole and len(pods) < desired
        whole = len(pods) >= desired
    return found


@dataclass
class Replaced(Case):
    """No worse than an eviction: one gap, the controller untouched, the pod on its target."""

    def check_result(self, after: list[Object], history: History) -> None:
        """See moves.md, f4."""
        now = verdicts.controllers(self.world.kube, self.world.namespace)
        assert now == self.controllers
        verdicts.assert_moved_once(self.pods, after, self.pods[0], self.args["node"])
        verdicts.assert_untouched_spec(history, self.controllers)
        assert gaps(history, len(self.pods)) == 1


def deployment(world: World) -> Case:
    """One pod, and a budget that lets it go."""
    bound_claim(world.kube, world.namespace, "ReadWriteOnce")
    world.create(mounted(workloads.deployment(1)), workloads.service(), workloads.budget(0))
    pods = world.ready(1)
    args = {
        "namespace": world.namespace,
        "name": pods[0]["metadata"]["name"],
        "node": world.elsewhere(*pods),
        "wait_timeout": 60,
    }
    return Replaced(world, "k8s_pod_move", args, pods)
