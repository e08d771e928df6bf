# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy `evict`: a pod whose owner nobody knows. Its workload is short by one pod, and once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.cluster.kube import Object
from tests.faults import verdicts, workloads
from tests.faults.case import REPLICAS, Case
from tests.faults.case_replace import gaps
from tests.faults.referee import History
from tests.faults.world import World


@dataclass
class Evicted(Case):
    """Evicted once; its successor is known as its heir."""

    def check_result(self, after: list[Object], history: History) -> None:
        """No more than an eviction does, and the owner is as it was."""
        now = verdicts.controllers(self.world.kube, self.world.namespace)
        assert now == self.controllers
        verdicts.assert_moved_once(self.pods, after, self.pods[0], self.args["node"])
        verdicts.assert_never_short(history, "web", REPLICAS - 1, owned=True)
        assert gaps(history, REPLICAS) == 1


def foreign(world: World, node: str) -> Object:
    """A ReplicaSet of an operator, whose pods go to that node."""
    operator = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "operator"}}
    made = world.kube.create(operator, world.namespace)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "operator", "controller": True}
    found = workloads.replica_set(REPLICAS, **on(node))
    found["metadata"]["ownerReferences"] = [{**owner, "uid": made["metadata"]["uid"]}]
    return found


def on(node: str) -> dict[str, Any]:
    """What sends a pod to a node, by its own wish."""
    return {"nodeSelector": {"kubernetes.io/hostname": node}}


def unknown_owner(world: World) -> Case:
    """The operator has changed its mind about the node since the pods were made."""
    here, there = world.cluster.nodes[:2]
    world.create(foreign(world, here), workloads.budget(REPLICAS - 1))
    pods = world.ready(REPLICAS)
    change = {"spec": {"template": {"spec": on(there)}}}
    world.kube.patch("ReplicaSet", "web", change, world.namespace)
    args = {
        "namespace": world.namespace,
        "name": pods[0]["metadata"]["name"],
        "node": there,
        "fallback": "evict",
        "wait_timeout": 60,
    }
    return Evicted(world, "k8s_pod_move", args, pods)
