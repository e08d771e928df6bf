# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do to a temporary ReplicaSet, or because of it, while it holds a replacement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.kube import Object, is_ready
from tests.faults import verdicts, workloads
from tests.faults.case import REPLICAS
from tests.faults.referee import label, watching
from tests.faults.test_targets import change_template, counted
from tests.faults.world import Run, World, creates, uids

pytestmark = [pytest.mark.cluster, pytest.mark.faults]


def move(world: World, pods: list[Object], **options: Any) -> Run:
    """A run that moves the first of the pods; it is not started yet."""
    name, node = pods[0]["metadata"]["name"], world.elsewhere(*pods)
    return world.move(name, node, strategy="shadow", **options)


def hands_over(write: Any) -> bool:
    """Matches the deletion of the temporary ReplicaSet."""
    return bool(write.method == "DELETE" and write.resource == "replicasets")


def holder(world: World) -> str:
    """The name of the temporary ReplicaSet."""
    found = world.kube.list("ReplicaSet", world.namespace, selector=verdicts.DOMAIN + "move-id")
    return str(found[0]["metadata"]["name"])


@pytest.mark.parametrize("placement", ["schedule", "bind"])
def test_a_replacement_that_the_kubelet_refuses_is_not_made_again_without_end(
    placement: str, world: World
) -> None:
    """A ReplicaSet replaces a failed pod at once, so the first failure ends the move."""
    world.create(workloads.replica_set(REPLICAS))
    pods = world.ready(REPLICAS)
    change_template(world, refuse="OutOfcpu")
    run = move(world, pods, placement=placement).start()
    result = run.finish()
    assert "OutOfcpu" in result["error"]["code"], f"{result}\n{run}"
    assert result["changed"] is False
    world.assert_as_before(pods)


def test_a_quota_that_fills_up_meanwhile_is_rolled_back(world: World) -> None:
    """The controller is refused, and says so in the status of the temporary ReplicaSet."""
    world.create(workloads.deployment(REPLICAS))
    pods = world.ready(REPLICAS)
    world.create(workloads.quota(REPLICAS + 1))
    counted(world, REPLICAS)
    run = move(world, pods)
    held = run.proxy.hold(creates("replicasets"))
    run.start()
    held.wait()
    other = workloads.pod("other")
    other["metadata"]["labels"] = {"app": "other"}
    world.create(other)
    counted(world, REPLICAS + 1)
    held.release()
    result = run.finish()
    assert result["error"]["code"] == "QuotaExceeded", f"{result}\n{run}"
    world.kube.delete("Pod", "other", world.namespace, grace=0)
    world.assert_as_before(pods)


@pytest.mark.parametrize("kind", ["ReplicaSet", "Pod"])
def test_what_somebody_deletes_is_made_again(kind: str, world: World, tmp_path: Path) -> None:
    """The temporary ReplicaSet, or its pod, right before the hand-over."""
    world.create(workloads.deployment(REPLICAS), workloads.service(), workloads.budget(REPLICAS))
    pods = world.ready(REPLICAS)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = move(world, pods)
        held = run.proxy.hold(hands_over)
        run.start()
        held.wait()
        new = next(p for p in world.pods() if label(p, verdicts.MOVED_FROM_UID))
        name = holder(world) if kind == "ReplicaSet" else new["metadata"]["name"]
        world.kube.delete(kind, name, world.namespace)
        gone = new["metadata"]["uid"]
        world.wait_pods("another", lambda found: gone not in uids(found))
        held.release()
        result = run.finish()
        assert result["changed"], f"{result}\n{run}"
        verdicts.assert_moved_once(pods, world.wait_idle(REPLICAS), pods[0], run.args["node"])
        verdicts.assert_never_short(referee.history(), "web", REPLICAS)
    assert verdicts.leftovers(world.kube, world.namespace) == []


def test_a_theft_is_reported_and_harms_nobody(world: World, tmp_path: Path) -> None:
    """A pod that flaps right before the hand-over goes in the old pod's place; the move goes on."""
    world.create(workloads.replica_set(REPLICAS), workloads.service())
    pods = world.ready(REPLICAS)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = move(world, pods)
        held = run.proxy.hold(hands_over)
        run.start()
        held.wait()
        other = pods[1]["metadata"]
        world.kube.annotate("Pod", other["name"], world.namespace, hold_unready="true")
        world.wait_pods(
            "an unready pod",
            lambda found: any(
                p["metadata"]["uid"] == other["uid"] and not is_ready(p) for p in found
            ),
        )
        held.release()
        result = run.finish()
        after = world.wait_idle(REPLICAS)
        verdicts.assert_never_short(referee.history(), "web", REPLICAS)
    assert not uids(after) & uids(pods)
    assert verdicts.leftovers(world.kube, world.namespace) == []
    assert "deleted another pod" in str(result.get("warnings")), f"{result}\n{run}"


def test_a_deployment_that_is_deleted_meanwhile_takes_the_move_with_it(world: World) -> None:
    """Nothing is left of either."""
    world.create(workloads.deployment(REPLICAS))
    pods = world.ready(REPLICAS)
    run = move(world, pods)
    held = run.proxy.hold(hands_over)
    run.start()
    held.wait()
    world.kube.delete("Deployment", "web", world.namespace)
    old = uids(pods)
    world.wait_pods("the end of the old pods", lambda found: not old & uids(found))
    held.release()
    result = run.finish()
    assert result["error"]["code"] in ("OwnerGone", "PodGone"), f"{result}\n{run}"
    world.wait_pods("the end of all", lambda found: not found)
    assert verdicts.leftovers(world.kube, world.namespace) == []


def test_a_rollout_that_begins_meanwhile_wins(world: World, tmp_path: Path) -> None:
    """The replacement of the old revision goes, and the rollout is not short of a pod."""
    world.create(workloads.deployment(REPLICAS))
    pods = world.ready(REPLICAS)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = move(world, pods)
        held = run.proxy.hold(creates("replicasets"), "after")
        run.start()
        held.wait()
        change: Object = {"spec": {"template": {"metadata": {"annotations": {"now": "new"}}}}}
        world.kube.patch("Deployment", "web", change, world.namespace)
        held.release()
        result = run.finish()
        assert result["error"]["code"] == "RolloutInProgress", f"{result}\n{run}"
        after = world.wait_pods(
            "two pods of the new template",
            lambda found: len(found) == REPLICAS and all(_is_new(pod) for pod in found),
        )
        verdicts.assert_never_short(referee.history(), "web", REPLICAS)
    assert not uids(after) & uids(pods)
    assert verdicts.leftovers(world.kube, world.namespace) == []


def _is_new(pod: Object) -> bool:
    new = pod["metadata"].get("annotations", {}).get("now") == "new"
    return new and is_ready(pod)
