# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All pods of a Deployment at a time, in one task: each of them to a node where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.cluster.kube import Object
from tests.faults import verdicts, workloads
from tests.faults.case import Case
from tests.faults.referee import History
from tests.faults.world import World

PODS = 3
# A Lease and its end; for each pod its replacement, the mark, the hand-over, and the end of marks.
WRITES = 2 + 4 * PODS


@dataclass
class Moved(Case):
    """Never short, the controller untouched, every pod moved once and to its own node."""

    def check_result(self, after: list[Object], history: History) -> None:
        """Whatever happened to the run in between."""
        now = verdicts.controllers(self.world.kube, self.world.namespace)
        assert now == self.controllers
        wanted = {m["name"]: m["node"] for m in self.args["moves"]}
        for pod in self.pods:
            heirs = [p for p in after if heir_of(p, pod)]
            assert [p["spec"]["nodeName"] for p in heirs] == [wanted[pod["metadata"]["name"]]]
        assert len(after) == len(self.pods)
        verdicts.assert_untouched_spec(history, self.controllers)
        verdicts.assert_never_short(history, "web", len(self.pods), owned=True)


def heir_of(pod: Object, old: Object) -> bool:
    """It was made in the place of that pod."""
    labels = pod["metadata"].get("labels", {})
    return bool(labels.get(verdicts.MOVED_FROM_UID) == old["metadata"]["uid"])


def deployment(world: World, **options: Any) -> Moved:
    """A Deployment behind a Service, with a budget that allows nothing, and its moves."""
    world.create(workloads.deployment(PODS), workloads.service(), workloads.budget(PODS))
    pods = world.ready(PODS)
    moves = [{"name": p["metadata"]["name"], "node": world.elsewhere(p)} for p in pods]
    args = {"namespace": world.namespace, "moves": moves, "forks": 0, "wait_timeout": 60}
    return Moved(world, "k8s_pod_move", args | options, pods)
