# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``shadow``: a bare ReplicaSet none of whose selector keys can be spared."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.kube import Object
from tests.faults import verdicts, workloads
from tests.faults.case import REPLICAS, Case
from tests.faults.referee import History
from tests.faults.world import World


@dataclass
class Shadowed(Case):
    """A controller's pod: never short, the controller untouched, no temporary ReplicaSet left."""

    def check_result(self, after: list[Object], history: History) -> None:
        """See moves.md, f3."""
        now = verdicts.controllers(self.world.kube, self.world.namespace)
        assert now == self.controllers
        verdicts.assert_moved_once(self.pods, after, self.pods[0], self.args["node"])
        known = {name for kind, name in self.controllers if kind == "ReplicaSet"}
        seen = {(n, g) for n, g in history.generations("ReplicaSet") if n in known}
        assert seen == {(n, self._generation(n)) for n in known}
        verdicts.assert_never_short(history, "web", REPLICAS, owned=True)

    def _generation(self, name: str) -> int:
        found: int = self.controllers["ReplicaSet", name]["metadata"]["generation"]
        return found


def replica_set(world: World) -> Case:
    """Its Service selects by both labels of its selector; its budget knows no spare pod."""
    service, budget = workloads.service(), workloads.budget()
    service["spec"]["selector"] = dict(workloads.LABELS)
    budget["spec"] = {"maxUnavailable": 0, "selector": {"matchLabels": dict(workloads.LABELS)}}
    world.create(workloads.replica_set(REPLICAS), service, budget)
    pods = world.ready(REPLICAS)
    args = {
        "namespace": world.namespace,
        "name": pods[0]["metadata"]["name"],
        "node": world.elsewhere(*pods),
        "wait_timeout": 60,
    }
    return Shadowed(world, "k8s_pod_move", args, pods)
