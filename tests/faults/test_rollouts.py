# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller changes while its pod is moved: waited for, re-checked, or the move is undone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.kube import Object, is_ready
from tests.faults import verdicts, workloads
from tests.faults.cases import bind
from tests.faults.referee import History, label, watching
from tests.faults.world import World, creates, hands_over, uids

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

HELD = {"test.podplacement.io/hold-unready": "true"}


@contextmanager
def observed(world: World, folder: Path) -> Iterator[list[History]]:
    """What happened meanwhile, in a list that is filled at the end."""
    told: list[History] = []
    with watching(world.cluster.kubeconfig, world.namespace, folder) as referee:
        yield told
        told.append(referee.history())


def change_template(world: World, kind: str = "Deployment", **annotations: str) -> None:
    """What a user does to roll a Deployment out."""
    body = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    world.kube.patch(kind, "web", body, world.namespace)


def let_go(world: World, pod: Object) -> None:
    """End the hold on a pod's readiness."""
    world.kube.annotate("Pod", pod["metadata"]["name"], world.namespace, hold_unready=None)


def half_rolled_out(world: World) -> tuple[Object, Object]:
    """A rollout that stands still: the new pod that is Ready, and the one that it waits for."""
    world.create(workloads.deployment(2))
    old = uids(world.ready(2))

    def fresh(pods: list[Object], count: int) -> bool:
        return len([pod for pod in pods if pod["metadata"]["uid"] not in old]) == count

    change_template(world, **HELD)
    pods = world.wait_pods("the first new pod", lambda pods: fresh(pods, 1))
    first = next(pod for pod in pods if pod["metadata"]["uid"] not in old)
    let_go(world, first)
    pods = world.wait_pods("the second new pod", lambda pods: fresh(pods, 2))
    new = [pod for pod in pods if pod["metadata"]["uid"] not in old]
    second = next(pod for pod in new if pod["metadata"]["uid"] != first["metadata"]["uid"])
    return world.pod(first["metadata"]["name"]), second


def test_a_move_waits_for_a_rollout_to_end(world: World, tmp_path: Path) -> None:
    """Nothing is created before the rollout is complete; then the pod is moved."""
    first, second = half_rolled_out(world)
    with observed(world, tmp_path) as told:
        run = world.move(first["metadata"]["name"], world.elsewhere(first)).start()
        run.waits()
        assert not world.wrote(run, "pods")
        let_go(world, second)
        let_go(world, _replacement(world, first))  # it has the hold from the template
        result = run.finish()
        assert result["changed"], f"{result}\n{run}"
        world.wait_idle(2)
    verdicts.assert_never_short(told[0], "web", 2)
    assert verdicts.leftovers(world.kube, world.namespace) == []


def _replacement(world: World, old: Object) -> Object:
    """The pod that a move made for this one, once it is there."""
    uid = old["metadata"]["uid"]

    def made(pods: list[Object]) -> list[Object]:
        return [pod for pod in pods if label(pod, verdicts.MOVED_FROM_UID) == uid]

    return made(world.wait_pods("a replacement", made))[0]


def test_a_rollout_that_does_not_end_in_time_is_refused(world: World) -> None:
    """RolloutInProgress, with nothing changed."""
    first, _dummy = half_rolled_out(world)
    result = (
        world.move(first["metadata"]["name"], world.elsewhere(first), wait_timeout=8)
        .start()
        .finish()
    )
    assert result["error"]["code"] == "RolloutInProgress", result
    assert result["changed"] is False
    assert verdicts.leftovers(world.kube, world.namespace) == []


@pytest.mark.parametrize("moment", ["created", "hand-over"])
def test_a_rollout_that_begins_meanwhile_wins(moment: str, world: World, tmp_path: Path) -> None:
    """Undone or done; all pods are of the new template in the end, and never were too few Ready.

    The rollout's pods start when the move is over: see docs/moves.md for one that is Ready before.
    """
    world.create(workloads.deployment(2), workloads.service(), workloads.budget(2))
    pods = world.ready(2)
    with observed(world, tmp_path) as told:
        run = world.move(pods[0]["metadata"]["name"], world.elsewhere(*pods))
        held = run.proxy.hold(*MOMENTS[moment])
        run.start()
        held.wait()
        change_template(world, version="two", **HELD)
        held.release()
        result = run.finish()
        _let_the_rollout_go(world, 2)
        after = world.wait_pods(
            "two pods of the new template",
            lambda pods: len(pods) == 2 and all(is_ready(pod) and _is_new(pod) for pod in pods),
        )
    assert not uids(after) & uids(pods)
    if moment == "created":
        assert result["error"]["code"] == "RolloutInProgress", result
    verdicts.assert_never_short(told[0], "web", 2)
    assert verdicts.leftovers(world.kube, world.namespace) == []


MOMENTS: dict[str, Any] = {
    "created": (creates("pods"), "after"),
    "hand-over": (hands_over, "before"),
}


def _let_the_rollout_go(world: World, count: int) -> None:
    """End the hold on its pods, each of which the next one waits for."""
    for number in range(1, count + 1):
        pods = world.wait_pods(f"new pod {number}", partial(_has_new, number))
        for pod in filter(_is_new, pods):
            let_go(world, pod)


def _has_new(count: int, pods: list[Object]) -> bool:
    return sum(map(_is_new, pods)) == count


def _is_new(pod: Object) -> bool:
    return bool(pod["metadata"].get("annotations", {}).get("version") == "two")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("replicas", "wanted"), [(2, 3), (3, 2)], ids=["up", "down"])
def test_a_workload_that_is_scaled_meanwhile_is_moved(
    moment: str, replicas: int, wanted: int, world: World, tmp_path: Path
) -> None:
    """The guards are checked anew, and the move is finished."""
    world.create(workloads.deployment(replicas), workloads.service())
    pods = world.ready(replicas)
    victim = pods[0]["metadata"]["name"]
    own_cost = {"metadata": {"annotations": {verdicts.DELETION_COST: "100"}}}
    world.kube.patch("Pod", victim, own_cost, world.namespace)
    target = world.elsewhere(*pods)
    with observed(world, tmp_path) as told:
        run = world.move(victim, target)
        held = run.proxy.hold(*MOMENTS[moment])
        run.start()
        held.wait()
        world.kube.patch("Deployment", "web", {"spec": {"replicas": wanted}}, world.namespace)
        held.release()
        result = run.finish()
        after = world.wait_idle(wanted)
    assert result["changed"], f"{result}\n{run}"
    assert pods[0]["metadata"]["uid"] not in uids(after)
    heir = next(pod for pod in after if label(pod, verdicts.MOVED_FROM_UID))
    assert heir["metadata"]["annotations"].pop(verdicts.DELETION_COST) == "100"
    assert heir["spec"]["nodeName"] == target
    verdicts.assert_never_short(told[0], "web", min(replicas, wanted))


def test_a_pod_of_a_paused_deployment_is_moved(world: World) -> None:
    """Pausing a Deployment holds its rollouts, not its pods; it stays paused."""
    world.create(workloads.deployment(2))
    pods = world.ready(2)
    world.kube.patch("Deployment", "web", {"spec": {"paused": True}}, world.namespace)
    target = world.elsewhere(*pods)
    result = world.move(pods[0]["metadata"]["name"], target).start().finish()
    assert result["changed"], result
    verdicts.assert_moved_once(pods, world.wait_idle(2), pods[0], target)
    assert world.kube.get("Deployment", "web", world.namespace)["spec"]["paused"] is True


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "ReplicationController"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_controller_that_is_deleted_takes_the_move_with_it(
    kind: str, moment: str, world: World
) -> None:
    """Rolled back, and nothing is left of the workload or of the move."""
    manifest = {
        "Deployment": workloads.deployment,
        "ReplicaSet": workloads.replica_set,
        "ReplicationController": workloads.replication_controller,
    }[kind]
    world.create(manifest(2))
    pods = world.ready(2)
    run = world.move(pods[0]["metadata"]["name"], world.elsewhere(*pods))
    held = run.proxy.hold(*MOMENTS[moment])
    run.start()
    held.wait()
    world.kube.delete(kind, "web", world.namespace)
    world.kube.wait_gone(kind, "web", world.namespace)
    held.release()
    result = run.finish()
    assert result["error"]["code"] in ("OwnerGone", "PodGone"), result
    world.wait_pods("no pods", lambda pods: not pods)
    assert verdicts.leftovers(world.kube, world.namespace) == []


def test_the_controllers_own_scheduler_name_survives(world: World) -> None:
    """The template keeps the name, and the replacement is placed by that scheduler."""
    world.create(workloads.deployment(2, schedulerName="nobody-runs-this"))
    for pod in world.wait_pods("two pods", lambda pods: len(pods) == 2):
        bind(world, pod, world.cluster.nodes[0])
    pods = world.ready(2)
    target = world.elsewhere(*pods)
    run = world.move(pods[0]["metadata"]["name"], target).start()
    bind(world, _replacement(world, pods[0]), target)
    result = run.finish()
    assert result["changed"], result
    after = world.wait_idle(2)
    verdicts.assert_moved_once(pods, after, pods[0], target)
    assert {pod["spec"]["schedulerName"] for pod in after} == {"nobody-runs-this"}
    template = world.kube.get("Deployment", "web", world.namespace)["spec"]["template"]
    assert template["spec"]["schedulerName"] == "nobody-runs-this"
