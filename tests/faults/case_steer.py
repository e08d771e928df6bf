# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``steer``: an ordinal of a StatefulSet to a named node, in each way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.kube import Object
from tests.faults import verdicts, workloads
from tests.faults.case import Case
from tests.faults.referee import History
from tests.faults.world import World
from tests.integration.steering import left_of_moves, steering_policy

REPLICAS = 2
NAME = "web-1"


@dataclass
class Steered(Case):
    """Exactly one pod was away, its successor is on the node, and the StatefulSet is untouched."""

    def check_result(self, after: list[Object], history: History) -> None:
        """See moves.md, f5."""
        world = self.world
        assert left_of_moves(world.kube, world.namespace) == []
        assert verdicts.controllers(world.kube, world.namespace) == self.controllers
        old = {pod["metadata"]["name"]: pod for pod in self.pods}
        new = {pod["metadata"]["name"]: pod for pod in after}
        assert old.keys() == new.keys()
        assert old["web-0"]["metadata"]["uid"] == new["web-0"]["metadata"]["uid"]
        assert old[NAME]["metadata"]["uid"] != new[NAME]["metadata"]["uid"]
        assert new[NAME]["spec"]["nodeName"] == self.args["node"]
        assert new[NAME]["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
        assert "finalizers" not in new[NAME]["metadata"]
        verdicts.assert_never_short(history, "web", REPLICAS - 1)


def stateful_set(way: str) -> Callable[[World], Case]:
    """A StatefulSet whose last pod is steered in that way."""

    def make(world: World) -> Case:
        world.create(workloads.service(), workloads.stateful_set(REPLICAS))
        pods = world.ready(REPLICAS)
        steered = next(pod for pod in pods if pod["metadata"]["name"] == NAME)
        args = {
            "namespace": world.namespace,
            "name": NAME,
            "node": world.elsewhere(steered),
            "steer": way,
            "wait_timeout": 60,
        }
        if way == "static":
            world.until_end(steering_policy(world.kube, world.namespace))
        return Steered(world, "k8s_pod_move", args, pods)

    return make
