# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_pod_bind on a real API server: what it binds, what it refuses, and what it waits for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.integration.modules.conftest import Yard
from tests.integration.runner import Result, finish, run_module, start_module

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_bind"
POLICIES = ("spread", "random", "least_allocated")


def placed(result: Result) -> dict[str, str]:
    return {pod["name"]: pod["node"] for pod in result["bound"]}


def code_of(result: Result) -> str:
    assert result["failed"], result
    error: dict[str, str] = result["error"]
    assert error["hint"]
    assert error["step"]
    assert result["msg"].startswith(error["code"])
    return error["code"]


# ---- one named pod


def test_a_pod_is_bound_and_runs_and_tells_who_placed_it(cluster: Cluster, yard: Yard) -> None:
    before = yard.pod("p")
    result = run_module(cluster, MODULE, yard.one())
    uid, target = before["metadata"]["uid"], yard.nodes[0]
    assert result["changed"]
    assert result["bound"] == [
        {"namespace": yard.namespace, "name": "p", "uid": uid, "node": target}
    ]
    assert result["leftovers"] == []
    assert result["cluster"]["source"] == "kubeconfig"
    assert result["diff"] == {
        "before": {"pods": {f"{yard.namespace}/p": {"node": ""}}},
        "after": {"pods": {f"{yard.namespace}/p": {"node": target}}},
    }
    now = yard.get("p")
    assert now["status"]["phase"] == "Running"
    # Since 1.35 the API server itself copies the node's topology labels at a bind.
    added = now["metadata"]["labels"].items() - before["metadata"]["labels"].items()
    assert all(label.startswith("topology.kubernetes.io/") for label, value in added)
    assert set(now["metadata"]["annotations"]) == {"podplacement.io/scheduled-at"}
    (event,) = (e for e in yard.kube.list("Event", yard.namespace) if e["reason"] == "Scheduled")
    assert event["reportingComponent"] == "podplacement.io/k8s_pod_bind"
    assert event["involvedObject"]["uid"] == uid
    assert event["message"] == f"Successfully assigned {yard.namespace}/p to {target}"


def test_a_second_run_changes_nothing(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p")
    run_module(cluster, MODULE, yard.one())
    version = yard.get("p")["metadata"]["resourceVersion"]
    again = run_module(cluster, MODULE, yard.one())
    assert (again["changed"], again["bound"]) == (False, [])
    assert again["diff"]["before"] == again["diff"]["after"]
    assert yard.get("p")["metadata"]["resourceVersion"] == version


def test_without_wait_it_returns_while_the_pod_starts(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p", annotations={"test.podplacement.io/ready-after": "60s"})
    assert run_module(cluster, MODULE, yard.one(wait=False))["changed"]
    assert yard.get("p")["status"]["phase"] == "Pending"


def test_a_timeout_is_a_failure_that_names_the_step(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p", annotations={"test.podplacement.io/ready-after": "60s"})
    result = run_module(cluster, MODULE, yard.one(wait_timeout=8))
    assert code_of(result) == "Timeout"
    assert result["error"]["step"] == "wait for Running"
    assert "ContainerCreating" in result["msg"]
    assert (result["changed"], placed(result)) == (True, {"p": yard.nodes[0]})


def test_a_pod_that_the_kubelet_refuses_is_a_failure(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p", annotations={"test.podplacement.io/refuse": "OutOfcpu"})
    result = run_module(cluster, MODULE, yard.one())
    assert code_of(result) == "KubeletRefused: OutOfcpu"
    assert "Node didn't have enough resource: cpu" in result["msg"]
    assert (result["changed"], placed(result)) == (True, {"p": yard.nodes[0]})
    again = run_module(cluster, MODULE, yard.one())
    assert (code_of(again), again["changed"]) == ("KubeletRefused: OutOfcpu", False)


def test_validate_warn_binds_with_every_reason_as_a_warning(cluster: Cluster, yard: Yard) -> None:
    yard.change_node(0, unschedulable=True)
    yard.pod("p", cpu="3")
    result = run_module(cluster, MODULE, yard.one(validate="warn"))
    assert result["changed"]
    told = str(result["warnings"])
    assert "the node is cordoned" in told
    assert "Insufficient cpu" in told


def test_validate_none_does_not_look(cluster: Cluster, yard: Yard) -> None:
    yard.change_node(0, unschedulable=True)
    yard.pod("p", cpu="3")
    result = run_module(cluster, MODULE, yard.one(validate="none"))
    assert result["changed"]
    assert not result.get("warnings")


def test_two_tasks_for_one_pod_at_once_bind_it_once(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p")
    both = [start_module(cluster, MODULE, yard.one()) for turn in range(2)]
    results = [finish(process) for process in both]
    assert sorted(bool(r["changed"]) for r in results) == [False, True]
    assert not any(r.get("failed") for r in results)


# ---- all pods that wait for a scheduler name


@pytest.mark.parametrize("policy", POLICIES)
def test_all_pending_pods_go_over_the_fitting_nodes(
    cluster: Cluster, yard: Yard, policy: str
) -> None:
    yard.change_node(1, unschedulable=True)
    names = [f"p{n}" for n in range(8)]
    for name in names:
        yard.pod(name)
    predicted = run_module(cluster, MODULE, yard.all(policy=policy), check=True)
    result = run_module(cluster, MODULE, yard.all(policy=policy))
    assert placed(result) == placed(predicted) == {n: yard.node_of(n) for n in names}
    # 2 nodes of 2 cpu hold 8 pods of 500m: each policy ends there, and none goes past it.
    assert Counter(placed(result).values()) == {yard.nodes[0]: 4, yard.nodes[2]: 4}
    assert all(yard.get(name)["status"]["phase"] == "Running" for name in names)


def test_what_fits_nowhere_is_left_with_the_reason_and_the_rest_is_bound(
    cluster: Cluster, yard: Yard
) -> None:
    yard.change_node(1, unschedulable=True)
    yard.pod("small")
    big = yard.pod("big", cpu="4")
    result = run_module(cluster, MODULE, yard.all())
    assert list(placed(result)) == ["small"]
    assert result["leftovers"] == [
        {
            "namespace": yard.namespace,
            "name": "big",
            "uid": big["metadata"]["uid"],
            "code": "Unschedulable",
            "reason": "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.",
        }
    ]
    assert "1 of 2 pending pods were not bound" in str(result["warnings"])
    again = run_module(cluster, MODULE, yard.all())
    assert (again["changed"], again["leftovers"]) == (False, result["leftovers"])


def test_the_whole_cluster_is_served_without_a_namespace(
    cluster: Cluster, kube: Kube, yard: Yard
) -> None:
    yard.pod("p")
    everywhere = yard.all()
    del everywhere["namespace"]
    assert list(placed(run_module(cluster, MODULE, everywhere))) == ["p"]


def test_selectors_limit_pods_and_nodes(cluster: Cluster, yard: Yard) -> None:
    yard.pod("yes")
    yard.pod("no")
    wanted = f"kubernetes.io/hostname in ({yard.nodes[1]},{yard.nodes[2]})"
    options = yard.all(label_selectors=["app=yes"], node_selectors=[wanted])
    result = run_module(cluster, MODULE, options | {"nodes": [yard.nodes[0], yard.nodes[2]]})
    assert placed(result) == {"yes": yard.nodes[2]}
    assert yard.node_of("no") == ""


def test_nothing_pending_is_nothing_to_do(cluster: Cluster, yard: Yard) -> None:
    result = run_module(cluster, MODULE, yard.all())
    assert (result["changed"], result["bound"], result["leftovers"]) == (False, [], [])


# ---- check mode tells the truth


def gated(yard: Yard) -> None:
    yard.pod("p", schedulingGates=[{"name": "test.podplacement.io/wait"}])


def terminating(yard: Yard) -> None:
    yard.pod("p")
    hold = {"metadata": {"finalizers": ["test.podplacement.io/hold"]}}
    yard.kube.patch("Pod", "p", hold, yard.namespace)
    yard.kube.delete("Pod", "p", yard.namespace)
    # the pod collector does this to a pod without a node, every 20 s at a moment of its own
    failed = {"status": {"phase": "Failed"}}
    yard.kube.patch("Pod", "p", failed, yard.namespace, subresource="status")


def unbound_volume(yard: Yard) -> None:
    size = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": size, "storageClassName": "none"}
    claim = {"kind": "PersistentVolumeClaim", "apiVersion": "v1"}
    yard.kube.create(claim | {"metadata": {"name": "data"}, "spec": spec}, yard.namespace)
    mounts_missing(yard)


def mounts_missing(yard: Yard) -> None:
    yard.pod("p", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])


def claims_devices(yard: Yard) -> None:
    yard.pod("p", resourceClaims=[{"name": "gpu", "resourceClaimName": "missing"}])


def bound_to(index: int) -> Any:
    def make(yard: Yard) -> None:
        yard.pod("p", nodeName=yard.nodes[index])

    return make


def cordoned(yard: Yard) -> None:
    yard.change_node(0, unschedulable=True)
    yard.pod("p")


def tainted(yard: Yard) -> None:
    yard.change_node(0, taints=[{"key": "other", "effect": "NoExecute"}])
    yard.pod("p")


def not_ready(yard: Yard) -> None:
    yard.kube.annotate("Node", yard.nodes[0], not_ready="true")
    yard.kube.wait("Node", yard.nodes[0], lambda n: "NotReady" in str(n["status"]["conditions"]))
    yard.pod("p")


SCENARIOS: list[tuple[str, Any, dict[str, Any], str]] = [
    ("fits", lambda yard: yard.pod("p"), {}, ""),
    ("bound-there", bound_to(0), {}, ""),
    ("bound-elsewhere", bound_to(1), {}, "AlreadyBound"),
    ("unknown-node", lambda yard: yard.pod("p"), {"node": "nowhere"}, "NodeNotFound"),
    ("unknown-pod", lambda yard: None, {}, "PodNotFound"),
    ("unknown-namespace", lambda yard: None, {"namespace": "nowhere"}, "PodNotFound"),
    ("empty-name", lambda yard: None, {"name": ""}, "InvalidArgument"),
    ("gated", gated, {}, "SchedulingGated"),
    ("gated-none", gated, {"validate": "none"}, "SchedulingGated"),
    ("terminating", terminating, {"validate": "none"}, "PodTerminating"),
    ("unbound-volume", unbound_volume, {"validate": "none"}, "VolumeUnbound"),
    ("missing-claim", mounts_missing, {}, "VolumeClaimNotFound"),
    ("devices", claims_devices, {}, "ResourceClaims"),
    ("cordoned", cordoned, {}, "NodeUnschedulable"),
    ("cordoned-warn", cordoned, {"validate": "warn"}, ""),
    ("tainted", tainted, {}, "UntoleratedTaint"),
    ("not-ready", not_ready, {}, "NodeNotReady"),
    ("full", lambda yard: yard.pod("p", cpu="3"), {}, "InsufficientCpu"),
]


@pytest.mark.parametrize(
    ("make", "options", "code"), [s[1:] for s in SCENARIOS], ids=[s[0] for s in SCENARIOS]
)
def test_check_mode_predicts_change_refusal_and_diff_without_a_write(
    cluster: Cluster, yard: Yard, audit: Any, make: Any, options: dict[str, Any], code: str
) -> None:
    make(yard)
    audit.mark()
    predicted = run_module(cluster, MODULE, yard.one(**options), check=True)
    assert audit.entries(agent="podplacement/", namespace=yard.namespace, writes=True) == []
    result = run_module(cluster, MODULE, yard.one(**options))
    assert predicted == result
    assert (code_of(result) if code else "") == code
    if code:
        assert not result["changed"]
        assert audit.entries(agent="podplacement/", namespace=yard.namespace, writes=True) == []
    if make is terminating:
        free = {"metadata": {"finalizers": None}}
        yard.kube.patch("Pod", "p", free, yard.namespace)
