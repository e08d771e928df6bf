# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target that cannot take the pod: refused before the first write, else rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.kube import ApiError, Kube, Object
from tests.cluster.nodes import create_nodes, node, usable
from tests.faults import verdicts, workloads
from tests.faults.case import REPLICAS
from tests.faults.referee import alive, label, watching
from tests.faults.world import Run, World, creates

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

ONLY = "test.podplacement.io/only"
TAINT = {"key": "dedicated", "value": "other", "effect": "NoSchedule"}


@pytest.fixture
def target(kube: Kube, namespace: str) -> Iterator[str]:
    """A node of one CPU for this test alone: a taint keeps the pods of other tests away."""
    own = {"key": ONLY, "value": namespace, "effect": "NoSchedule"}
    create_nodes(kube, [node(namespace, cpu="1", taints=[own])])
    yield namespace
    with suppress(ApiError):
        kube.delete("Node", namespace)


def tolerant(cpu: str = "600m") -> dict[str, Any]:
    """What a pod needs to go to such a node; of one CPU it leaves too little for another one."""
    found = workloads.template()["spec"]["containers"][0]
    return {
        "tolerations": [{"key": ONLY, "operator": "Exists"}],
        "containers": [found | {"resources": {"requests": {"cpu": cpu}}}],
    }


# ---- what can happen to a node


def cordon(kube: Kube, name: str) -> None:
    """No new pods, please."""
    kube.patch("Node", name, {"spec": {"unschedulable": True}})


def taint(kube: Kube, name: str) -> None:
    """For others only."""
    own = kube.get("Node", name)["spec"]["taints"]
    kube.patch("Node", name, {"spec": {"taints": [*own, TAINT]}})


def fill(kube: Kube, name: str) -> None:
    """Another pod takes the room; it does not wait for a scheduler."""
    blocker = workloads.pod("blocker", None, nodeName=name, **tolerant())
    blocker["metadata"]["labels"] = {"app": "blocker"}
    kube.create(blocker, name)


def remove(kube: Kube, name: str) -> None:
    """The node goes."""
    kube.delete("Node", name)


def break_down(kube: Kube, name: str) -> None:
    """The kubelet reports that it is not well, and the control plane has noticed."""
    kube.annotate("Node", name, not_ready="true")
    kube.wait("Node", name, usable, what="a node that is not Ready")


Trouble = Callable[[Kube, str], None]
# What happens; the code of the refusal before, and of the way back during the move.
TROUBLES: dict[str, tuple[Trouble, str, str]] = {
    "cordoned": (cordon, "NodeUnschedulable", "NodeUnschedulable"),
    "tainted": (taint, "UntoleratedTaint", "Unschedulable"),
    "full": (fill, "InsufficientCpu", "Unschedulable"),
    "gone": (remove, "NodeNotFound", "NodeNotFound"),
    "not-ready": (break_down, "NodeNotReady", "NodeNotReady"),
}


def workload(world: World) -> list[Object]:
    """A Deployment with a budget that allows no disruption."""
    world.create(workloads.deployment(REPLICAS, None, **tolerant()), workloads.budget(REPLICAS))
    return world.ready(REPLICAS)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_bad_target_is_refused_before_the_first_write(
    trouble: str, target: str, world: World
) -> None:
    """With the code that says why, for a run and for check mode alike."""
    happen, code, _during = TROUBLES[trouble]
    pods = workload(world)
    happen(world.kube, target)
    run = world.move(pods[0]["metadata"]["name"], target).start()
    result = run.finish()
    assert result["error"]["code"] == code, result
    assert result["changed"] is False
    assert run.proxy.writes == []


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_target_that_turns_bad_meanwhile_is_rolled_back(
    trouble: str, target: str, world: World, tmp_path: Path
) -> None:
    """The replacement cannot start there: the old pod serves on, and nothing is left."""
    happen, _before, code = TROUBLES[trouble]
    pods = workload(world)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.move(pods[0]["metadata"]["name"], target, wait_timeout=20)
        held = run.proxy.hold(creates("pods"))
        run.start()
        held.wait()
        happen(world.kube, target)
        held.release()
        result = run.finish()
        assert result["error"]["code"] == code, f"{result}\n{run}"
        _assert_rolled_back(world, pods, run, result)
        verdicts.assert_never_short(referee.history(), "web", REPLICAS)


def _assert_rolled_back(world: World, pods: list[Object], run: Run, result: Object) -> None:
    assert result["failed"], f"{result}\n{run}"
    after = world.wait_pods(
        "the pods that were there before",
        lambda found: len([p for p in found if _is_web(p)]) == len(pods) and all(map(alive, found)),
    )
    same = {pod["metadata"]["uid"] for pod in after if _is_web(pod)}
    assert same == {pod["metadata"]["uid"] for pod in pods}
    assert verdicts.leftovers(world.kube, world.namespace) == []


def _is_web(pod: Object) -> bool:
    return label(pod, "app") == "web"


def test_a_target_that_breaks_down_under_a_starting_replacement_is_rolled_back(
    target: str, world: World, tmp_path: Path
) -> None:
    """The replacement is on the node already, but not Ready."""
    world.create(workloads.replica_set(REPLICAS, None, **tolerant()))
    pods = world.ready(REPLICAS)
    change_template(world, hold_unready="true")  # a ReplicaSet's new pods have it, and only they
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.move(pods[0]["metadata"]["name"], target).start()
        world.wait_pods(
            "a replacement on the target",
            lambda found: any(pod["spec"].get("nodeName") == target for pod in found),
        )
        break_down(world.kube, target)
        result = run.finish()
        assert result["error"]["code"] == "NodeNotReady", f"{result}\n{run}"
        _assert_rolled_back(world, pods, run, result)
        verdicts.assert_never_short(referee.history(), "web", REPLICAS)


def change_template(world: World, **annotations: str) -> None:
    """Change the annotations, of the stages, that new pods of the ReplicaSet get."""
    own = {f"test.podplacement.io/{k.replace('_', '-')}": v for k, v in annotations.items()}
    body = {"spec": {"template": {"metadata": {"annotations": own}}}}
    world.kube.patch("ReplicaSet", "web", body, world.namespace)


@pytest.mark.parametrize("placement", ["schedule", "bind"])
def test_a_replacement_that_the_kubelet_refuses_is_rolled_back(
    placement: str, world: World, tmp_path: Path
) -> None:
    """With the kubelet's reason."""
    world.create(workloads.replica_set(REPLICAS))
    pods = world.ready(REPLICAS)
    change_template(world, refuse="OutOfcpu")
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        name, node_name = pods[0]["metadata"]["name"], world.elsewhere(*pods)
        run = world.move(name, node_name, placement=placement).start()
        result = run.finish()
        assert "OutOfcpu" in result["error"]["code"], result
        _assert_rolled_back(world, pods, run, result)
        verdicts.assert_never_short(referee.history(), "web", REPLICAS)


@pytest.mark.parametrize("strategy", ["adopt", "shadow", "surge", "recreate"])
def test_a_replacement_that_never_gets_ready_is_rolled_back(
    strategy: str, world: World, tmp_path: Path
) -> None:
    """At the deadline. A bare pod that was taken away comes back where it was."""
    owned = strategy in ("adopt", "shadow")
    world.create(workloads.replica_set(REPLICAS) if owned else workloads.pod())
    pods = world.ready(REPLICAS if owned else 1)
    name, node_name = pods[0]["metadata"]["name"], world.elsewhere(*pods)
    hold_the_next_pod(world, strategy, pods)
    pods = [world.pod(pod["metadata"]["name"]) for pod in pods]
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.move(name, node_name, strategy=strategy, wait_timeout=8).start()
        if strategy == "recreate":
            let_the_third_pod_go(world, pods)
        result = run.finish()
        assert result["error"]["code"] == "NotReady", f"{result}\n{run}"
        history = referee.history()
    if strategy == "recreate":
        after = world.wait_idle(1)
        assert after[0]["spec"]["nodeName"] == pods[0]["spec"]["nodeName"]
        assert verdicts.identity(after[0]) == verdicts.identity(pods[0])
        assert not history.lost("web")
        assert result["changed"] is True
        assert verdicts.leftovers(world.kube, world.namespace) == []
    else:
        _assert_rolled_back(world, pods, run, result)
        verdicts.assert_never_short(history, "web", len(pods))


def hold_the_next_pod(world: World, strategy: str, pods: list[Object]) -> None:
    """See that the replacement does not get Ready, while what is there stays Ready."""
    if strategy in ("adopt", "shadow"):
        change_template(world, hold_unready="true")
    else:  # copies of the pod take very long to start; it has started already
        world.kube.annotate("Pod", pods[0]["metadata"]["name"], world.namespace, ready_after="300s")


def let_the_third_pod_go(world: World, pods: list[Object]) -> None:
    """Start the pod that is put back, unlike the one that was tried on the target."""
    home, old = pods[0]["spec"]["nodeName"], pods[0]["metadata"]["uid"]

    def back(found: list[Object]) -> bool:
        new = [p for p in found if p["metadata"]["uid"] != old]
        # its kubelet has begun: until then it would overwrite what is patched here
        begun = [p for p in new if p["status"].get("containerStatuses")]
        return any(p["spec"].get("nodeName") == home for p in begun)

    world.wait_pods("the pod that was put back", back)
    ready = {"type": "Ready", "status": "True"}
    status = {"status": {"phase": "Running", "conditions": [ready]}}
    world.kube.patch(
        "Pod", "web", status, world.namespace, patch_type="strategic", subresource="status"
    )


def counted(world: World, pods: int) -> None:
    """Wait until the quota has counted so many pods; it lags behind when it is new."""
    world.kube.wait(
        "ResourceQuota",
        "pods",
        lambda quota: quota.get("status", {}).get("used") == {"pods": str(pods)},
        world.namespace,
    )


def test_a_full_quota_is_refused_by_a_dry_run(world: World) -> None:
    """QuotaExceeded before the first write: there is no room for the replacement."""
    world.create(workloads.deployment(REPLICAS))
    pods = world.ready(REPLICAS)
    world.create(workloads.quota(REPLICAS))
    counted(world, REPLICAS)
    run = world.move(pods[0]["metadata"]["name"], world.elsewhere(*pods)).start()
    result = run.finish()
    assert result["error"]["code"] == "QuotaExceeded", result
    assert result["changed"] is False
    assert run.proxy.writes == []


def test_a_quota_that_fills_up_meanwhile_is_rolled_back(world: World) -> None:
    """Somebody else takes the last pod between the plan and the replacement."""
    world.create(workloads.deployment(REPLICAS))
    pods = world.ready(REPLICAS)
    # a quota that is made while pods are may count some of them minutes later only
    world.create(workloads.quota(REPLICAS + 1))
    counted(world, REPLICAS)
    run = world.move(pods[0]["metadata"]["name"], world.elsewhere(*pods))
    held = run.proxy.hold(creates("pods"))
    run.start()
    held.wait()
    other = workloads.pod("other")
    other["metadata"]["labels"] = {"app": "other"}
    world.create(other)
    counted(world, REPLICAS + 1)
    held.release()
    result = run.finish()
    assert result["error"]["code"] == "QuotaExceeded", result
    world.kube.delete("Pod", "other", world.namespace, grace=0)
    world.assert_as_before(pods)
