# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, autoscalers and rollouts do not wait for a move: each comes before each of its writes.

Whoever changes the controller wins. The move is finished or undone, the workload is as its owner
wants it in the end, and it was never shorter than what was wanted meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.kube import Object, is_ready
from tests.faults import verdicts
from tests.faults.cases import CASES, ledger
from tests.faults.referee import alive, has_controller, watching
from tests.faults.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

# How many pods each strategy may be short of by itself.
STRATEGIES = {
    "adopt-deployment": 0,
    "shadow-replicaset": 0,
    "replace-deployment": 1,
    "steer-block": 1,
}
ALL = 99
# A rollout that began after the last look and scales down when the hand-over arrives finds the
# replacement in the status of the old ReplicaSet, as one pod more than it needs, and may take one
# away before the old pod of the move is gone from there. No write can be made to depend on another
# object. With `maxUnavailable: 0` the rollout must have a Ready pod by then; here it soon has.
# Upstream: reconcileOldReplicaSets (pkg/controller/deployment/rolling.go).
HAND_OVER = {"adopt-deployment": 4}
Owner = tuple[str, str]  # kind and name


def roll_out(world: World, owner: Owner, _pods: int) -> None:
    """A new template."""
    body = {"spec": {"template": {"metadata": {"annotations": {"version": "two"}}}}}
    world.kube.patch(*owner, body, world.namespace)


def scale(*changes: int) -> Callable[[World, Owner, int], None]:
    """What a user does once and an autoscaler again and again; no budget wants more than that."""

    def act(world: World, owner: Owner, pods: int) -> None:
        world.kube.delete_all("PodDisruptionBudget", world.namespace)
        for change in changes:
            body = {"spec": {"replicas": pods + change}}
            world.kube.patch(*owner, body, world.namespace, subresource="scale")

    return act


def delete(world: World, owner: Owner, _pods: int) -> None:
    """The application is given up."""
    world.kube.delete(*owner, world.namespace)
    world.kube.wait_gone(*owner, world.namespace)


def delete_replica_set(world: World, _owner: Owner, _pods: int) -> None:
    """Somebody tidies up; the Deployment makes the same ReplicaSet again."""
    (found,) = world.kube.list("ReplicaSet", world.namespace)
    name, uid = found["metadata"]["name"], found["metadata"]["uid"]
    world.kube.delete("ReplicaSet", name, world.namespace)
    world.kube.wait("ReplicaSet", name, lambda now: now["metadata"]["uid"] != uid, world.namespace)


@dataclass(frozen=True)
class Disturbance:
    """What happens, by how many pods it changes what is wanted, and how many it costs meanwhile."""

    act: Callable[[World, Owner, int], None]
    change: int = 0
    costs: int = 0
    new_template: bool = False


DISTURBANCES = {
    "rollout": Disturbance(roll_out, new_template=True),
    "scale-up": Disturbance(scale(1), change=1),
    "scale-down": Disturbance(scale(-1), change=-1, costs=1),
    "autoscaler": Disturbance(scale(2, -1, 1, 0), costs=1),
    "deleted": Disturbance(delete, change=-ALL, costs=ALL),
    "replicaset-deleted": Disturbance(delete_replica_set, costs=ALL),
}
# Where the strategies differ; the rest is the engine's. A bare ReplicaSet rolls nothing out.
PARTICULAR = {
    "shadow-replicaset": ("scale-down", "deleted"),
    "replace-deployment": ("rollout", "scale-down", "deleted"),
    "steer-block": ("rollout", "scale-down", "deleted"),
}
STEPS = [
    pytest.param(strategy, what, n, id=f"{strategy}-{what}-before-{n}")
    for strategy in STRATEGIES
    for what in PARTICULAR.get(strategy, DISTURBANCES)
    for n in range(1, ledger()[strategy]["writes"] + 1)
]
UNDONE = (
    "OwnerGone",
    "PodGone",
    "PodNotFound",
    "PodTerminating",
    "RolloutInProgress",
    "WrongNode",  # the rollout has already replaced the pod, elsewhere
)


@pytest.mark.parametrize(("strategy", "what", "n"), STEPS)
def test_whoever_changes_the_controller_wins(
    strategy: str, what: str, n: int, world: World, tmp_path: Path
) -> None:
    happening = DISTURBANCES[what]
    case = CASES[strategy](world)
    pods = len(case.pods)
    owner = next((kind, name) for kind, name in case.controllers if name == "web")
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = case.run()
        held = run.proxy.hold(n)
        run.start()
        held.wait()
        happening.act(world, owner, pods)
        wanted = world.kube.find(*owner, world.namespace)
        held.release()
        result = run.finish()
        assert result["changed"] or result["error"]["code"] in UNDONE, f"{result}\n{run}"
        count = max(0, pods + happening.change)
        world.wait_pods(what, lambda found: _as_wanted(found, count, happening.new_template))
        surprised = happening.new_template and n == HAND_OVER.get(strategy)
        least = max(0, pods - happening.costs - STRATEGIES[strategy] - surprised)
        verdicts.assert_never_short(referee.history(), "web", least)
    assert verdicts.leftovers(world.kube, world.namespace) == []
    after = world.kube.find(*owner, world.namespace)
    assert (after or {}).get("spec") == (wanted or {}).get("spec")


def _as_wanted(pods: list[Object], count: int, new_template: bool) -> bool:
    good = [pod for pod in pods if alive(pod) and is_ready(pod) and has_controller(pod)]
    versions = {pod["metadata"].get("annotations", {}).get("version") for pod in good}
    right = versions == {"two"} or not new_template
    return right and len(pods) == len(good) == count
