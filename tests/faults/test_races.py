# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several at once: other runs, budgets, pods that flap, and people who said no."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.kube import Object, is_ready
from tests.faults import verdicts, workloads
from tests.faults.referee import label, watching
from tests.faults.world import World, creates, hands_over, uids

pytestmark = [pytest.mark.cluster, pytest.mark.faults]


@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
def test_of_two_moves_of_one_pod_the_second_waits_and_has_nothing_to_do(
    kind: str, world: World
) -> None:
    """Both runs name the same pod and node; the pod is moved once."""
    owned = kind == "Deployment"
    world.create(workloads.deployment(2) if owned else workloads.pod())
    pods = world.ready(2 if owned else 1)
    name, node = pods[0]["metadata"]["name"], world.elsewhere(*pods)
    first, second = world.move(name, node), world.move(name, node)
    held = first.proxy.hold(creates("pods" if owned else "secrets"), "after")
    first.start()
    held.wait()
    second.start().waits()
    held.release()
    assert first.finish()["changed"] is True
    result = second.finish()
    assert not result.get("failed"), result
    assert result["changed"] is False
    assert not world.wrote(second, "pods")
    verdicts.assert_moved_once(pods, world.wait_idle(len(pods)), pods[0], node)
    assert verdicts.leftovers(world.kube, world.namespace) == []


def test_two_pods_of_one_deployment_at_once_are_both_moved(world: World, tmp_path: Path) -> None:
    """One after the other, behind a budget that allows no disruption, never one Ready pod short."""
    world.create(workloads.deployment(2), workloads.service(), workloads.budget(2))
    pods = world.ready(2)
    node = world.elsewhere(*pods)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        runs = [world.move(pod["metadata"]["name"], node).start() for pod in pods]
        results = [run.finish() for run in runs]
        assert [result["changed"] for result in results] == [True, True], results
        after = world.wait_idle(2)
        verdicts.assert_never_short(referee.history(), "web", 2, owned=True)
    assert {pod["spec"]["nodeName"] for pod in after} == {node}
    assert {label(pod, verdicts.MOVED_FROM_UID) for pod in after} == uids(pods)
    assert verdicts.leftovers(world.kube, world.namespace) == []


@pytest.mark.parametrize(
    "limit", [{"minAvailable": 2}, {"maxUnavailable": 0}, {"minAvailable": "100%"}], ids=str
)
def test_a_budget_at_its_limit_is_kept_because_the_replacement_counts(
    limit: dict[str, int | str], world: World, tmp_path: Path
) -> None:
    """No disruption is allowed before, and none is needed."""
    budget = workloads.budget()
    del budget["spec"]["minAvailable"]
    budget["spec"] |= limit
    world.create(workloads.deployment(2), budget)
    pods = world.ready(2)
    found = world.kube.wait(
        "PodDisruptionBudget",
        "web",
        lambda pdb: pdb.get("status", {}).get("currentHealthy") == 2,
        world.namespace,
    )
    assert found["status"]["disruptionsAllowed"] == 0
    node = world.elsewhere(*pods)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.move(pods[0]["metadata"]["name"], node).start()
        result = run.finish()
        assert result["changed"], f"{result}\n{run}"
        verdicts.assert_moved_once(pods, world.wait_idle(2), pods[0], node)
        verdicts.assert_never_short(referee.history(), "web", 2, owned=True)


@pytest.mark.parametrize("strategy", ["recreate", "surge"])
def test_a_budget_that_forbids_it_keeps_a_bare_pod(strategy: str, world: World) -> None:
    """A bare pod is evicted, so its budget decides: surge brings a pod first."""
    world.create(workloads.pod(), workloads.budget(1))
    pods = world.ready(1)
    world.kube.wait(
        "PodDisruptionBudget",
        "web",
        lambda pdb: pdb.get("status", {}).get("currentHealthy") == 1,
        world.namespace,
    )
    node = world.elsewhere(*pods)
    seconds = 60 if strategy == "surge" else 10
    result = world.move("web", node, strategy=strategy, wait_timeout=seconds).start().finish()
    if strategy == "surge":
        assert result["changed"], result
        verdicts.assert_moved_once(pods, world.wait_idle(1), pods[0], node)
    else:
        assert result["error"]["code"] == "PdbBlocked", result
        world.assert_as_before(pods)


OPT_OUTS = {
    "podplacement.io/do-not-move": "true",
    "karpenter.sh/do-not-disrupt": "true",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}


@pytest.mark.parametrize("annotation", OPT_OUTS)
def test_an_opt_out_is_obeyed_unless_forced(annotation: str, world: World) -> None:
    """OptedOut before the first write; with force: true the pod is moved."""
    manifest = workloads.pod()
    manifest["metadata"]["annotations"] = {annotation: OPT_OUTS[annotation]}
    world.create(manifest)
    pods = world.ready(1)
    node = world.elsewhere(*pods)
    run = world.move("web", node).start()
    refused = run.finish()
    assert refused["error"]["code"] == "OptedOut", refused
    assert run.proxy.writes == []
    world.assert_as_before(pods)
    assert world.move("web", node, force=True).start().finish()["changed"]
    assert world.wait_idle(1)[0]["metadata"]["annotations"][annotation] == OPT_OUTS[annotation]


def test_a_theft_is_reported_and_harms_nobody(world: World, tmp_path: Path) -> None:
    """A pod that flaps right before the swap goes in the old pod's place; the move goes on."""
    world.create(workloads.deployment(2), workloads.service())
    pods = world.ready(2)
    victim, other = pods
    node = world.elsewhere(*pods)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.move(victim["metadata"]["name"], node)
        held = run.proxy.hold(hands_over)
        run.start()
        held.wait()
        world.kube.annotate("Pod", other["metadata"]["name"], world.namespace, hold_unready="true")
        world.wait_pods("an unready pod", lambda found: _unready(found, other))
        held.release()
        result = run.finish()
        after = world.wait_idle(2)
        verdicts.assert_never_short(referee.history(), "web", 2)
    assert not uids(after) & uids(pods)
    assert verdicts.leftovers(world.kube, world.namespace) == []
    assert result["changed"], f"{result}\n{run}"
    assert "deleted another pod" in str(result.get("warnings")), result


def _unready(found: list[Object], other: Object) -> bool:
    return any(p["metadata"]["uid"] == other["metadata"]["uid"] and not is_ready(p) for p in found)


def test_a_replacement_that_somebody_deletes_is_made_again(world: World, tmp_path: Path) -> None:
    """Right before the swap; the old pod is not given up before another replacement is Ready."""
    world.create(workloads.deployment(2), workloads.service())
    pods = world.ready(2)
    node = world.elsewhere(*pods)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.move(pods[0]["metadata"]["name"], node)
        held = run.proxy.hold(hands_over)
        run.start()
        held.wait()
        replacement = next(p for p in world.pods() if label(p, verdicts.MOVED_FROM_UID))
        world.kube.delete("Pod", replacement["metadata"]["name"], world.namespace, grace=0)
        held.release()
        result = run.finish()
        assert result["changed"], f"{result}\n{run}"
        verdicts.assert_moved_once(pods, world.wait_idle(2), pods[0], node)
        verdicts.assert_never_short(referee.history(), "web", 2)
    assert verdicts.leftovers(world.kube, world.namespace) == []


def test_an_old_pod_that_somebody_deletes_leaves_no_pod_too_many(world: World) -> None:
    """The controller replaces it; what the move brought is not needed, or fills the place."""
    world.create(workloads.deployment(2))
    pods = world.ready(2)
    run = world.move(pods[0]["metadata"]["name"], world.elsewhere(*pods))
    held = run.proxy.hold(creates("pods"), "after")
    run.start()
    held.wait()
    world.kube.delete("Pod", pods[0]["metadata"]["name"], world.namespace)
    held.release()
    result = run.finish()
    after = world.wait_idle(2)
    assert pods[0]["metadata"]["uid"] not in uids(after)
    assert result.get("changed") or result["error"]["code"] == "PodGone", result
    assert verdicts.leftovers(world.kube, world.namespace) == []


def test_a_lease_that_somebody_deletes_costs_nothing_but_the_move(
    world: World, tmp_path: Path
) -> None:
    """The garbage collector takes the replacement, the old pod serves on, the next run moves it."""
    world.create(workloads.deployment(2), workloads.service(), workloads.budget(2))
    pods = world.ready(2)
    node = world.elsewhere(*pods)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.move(pods[0]["metadata"]["name"], node)
        held = run.proxy.hold(hands_over)
        run.start()
        held.wait()
        lease = world.kube.list("Lease", world.namespace)[0]["metadata"]["name"]
        world.kube.delete("Lease", lease, world.namespace)
        world.wait_pods("no replacement", lambda found: len(found) == 2)
        held.release()
        result = run.finish()
        assert result.get("changed") or result["error"]["code"] == "LockLost", result
        again = world.move(pods[0]["metadata"]["name"], node).start().finish()
        assert not again.get("failed"), again
        verdicts.assert_moved_once(pods, world.wait_idle(2), pods[0], node)
        verdicts.assert_never_short(referee.history(), "web", 2)
    assert verdicts.leftovers(world.kube, world.namespace) == []


def test_a_name_that_somebody_takes_does_not_lose_the_pod(world: World, tmp_path: Path) -> None:
    """NameTaken, and the manifest stays in its Secret until the name is free again."""
    world.create(workloads.pod())
    pods = world.ready(1)
    node = world.elsewhere(*pods)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.move("web", node)
        held = run.proxy.hold(creates("pods"))
        run.start()
        held.wait()
        foreign = workloads.pod()
        foreign["metadata"]["labels"] = {"app": "foreign"}
        world.create(foreign)
        held.release()
        result = run.finish()
        assert result["error"]["code"] == "NameTaken", result
        assert len(world.kube.list("Secret", world.namespace)) == 1
        world.kube.delete("Pod", "web", world.namespace, grace=0)
        assert world.move("web", node).start().finish()["changed"]
        verdicts.assert_moved_once(pods, world.wait_idle(1), pods[0], node)
        assert not referee.history().lost("web")
    assert verdicts.leftovers(world.kube, world.namespace) == []
