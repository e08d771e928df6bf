# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stages promise: start-up delay, held pods, refused pods, an end that takes time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kube import ApiError, Kube, is_ready
from tests.cluster.nodes import create_nodes, node, usable

from .workloads import condition, pod, simulated

pytestmark = [pytest.mark.cluster, simulated]


def test_a_pod_takes_its_time_to_get_ready(cluster: Cluster, kube: Kube, namespace: str) -> None:
    begin = time.monotonic()
    kube.create(pod(cluster, "slow", ready_after="1500ms"), namespace)
    started = kube.wait("Pod", "slow", lambda p: p["status"].get("containerStatuses"), namespace)
    assert (started["status"]["phase"], condition(started, "Ready")) == ("Pending", "False")
    # a change of the pod must not start the delay anew: it would never end under a busy controller
    kube.patch("Pod", "slow", {"metadata": {"labels": {"changed": "once"}}}, namespace)
    kube.wait_ready(namespace)
    assert time.monotonic() - begin > 1.5


def test_a_ready_pod_looks_like_a_kubelets(cluster: Cluster, kube: Kube, namespace: str) -> None:
    extra = {
        "initContainers": [
            {"name": "once", "image": cluster.image},
            {"name": "sidecar", "image": cluster.image, "restartPolicy": "Always"},
        ]
    }
    kube.create(pod(cluster, "full", spec=extra), namespace)
    status = kube.wait_ready(namespace)[0]["status"]
    assert status["phase"] == "Running"
    assert {c["type"] for c in status["conditions"] if c["status"] == "True"} == {
        "PodScheduled",
        "PodReadyToStartContainers",
        "Initialized",
        "ContainersReady",
        "Ready",
    }
    assert status["podIP"] == status["podIPs"][0]["ip"]
    assert status["hostIP"]
    assert status["startTime"]
    containers = status["containerStatuses"] + status["initContainerStatuses"]
    assert all(c["ready"] and c["imageID"] and c["containerID"] for c in containers)
    assert {c["name"]: (c["started"], *c["state"]) for c in containers} == {
        "main": (True, "running"),
        "once": (False, "terminated"),
        "sidecar": (True, "running"),
    }


def test_a_pod_is_held_unready_as_long_as_the_annotation_is_there(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    kube.create(pod(cluster, "held", hold_unready="true"), namespace)
    held = kube.wait("Pod", "held", lambda p: p["status"]["phase"] == "Running", namespace)
    assert not is_ready(held)
    kube.annotate("Pod", "held", namespace, hold_unready=None)
    kube.wait("Pod", "held", is_ready, namespace)
    kube.annotate("Pod", "held", namespace, hold_unready="true")
    again = kube.wait("Pod", "held", lambda p: not is_ready(p), namespace)
    assert condition(again, "ContainersReady") == "False"
    assert again["status"]["containerStatuses"][0]["ready"] is False


def test_a_readiness_gate_is_waited_for(cluster: Cluster, kube: Kube, namespace: str) -> None:
    gates = {"readinessGates": [{"conditionType": "test.podplacement.io/gate"}]}
    kube.create(pod(cluster, "gated", spec=gates), namespace)
    closed = kube.wait(
        "Pod", "gated", lambda p: condition(p, "ContainersReady") == "True", namespace
    )
    assert not is_ready(closed)

    def turn(status: str) -> None:
        gate = {"type": "test.podplacement.io/gate", "status": status}
        body = {"status": {"conditions": [gate]}}
        kube.patch("Pod", "gated", body, namespace, patch_type="strategic", subresource="status")

    turn("True")
    kube.wait("Pod", "gated", is_ready, namespace)
    turn("False")
    kube.wait("Pod", "gated", lambda p: not is_ready(p), namespace)


@pytest.mark.parametrize("reason", ["OutOfcpu", "NodeAffinity"])
def test_a_kubelet_can_refuse_a_pod(
    reason: str, cluster: Cluster, kube: Kube, namespace: str
) -> None:
    bound: dict[str, Any] = {"nodeName": cluster.nodes[0]}
    kube.create(pod(cluster, "refused", spec=bound, refuse=reason), namespace)
    failed = kube.wait("Pod", "refused", lambda p: p["status"]["phase"] != "Pending", namespace)
    assert (failed["status"]["phase"], failed["status"]["reason"]) == ("Failed", reason)
    assert failed["status"]["message"].startswith("Pod was rejected: ")
    assert not is_ready(failed)


def test_a_deleted_pod_stays_ready_until_it_ends(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    kube.create(pod(cluster, "leaving", stop_after="1s"), namespace)
    kube.wait_ready(namespace)
    begin = time.monotonic()
    kube.delete("Pod", "leaving", namespace)
    assert is_ready(kube.get("Pod", "leaving", namespace))
    kube.wait_gone("Pod", "leaving", namespace)
    assert time.monotonic() - begin > 0.95


def test_a_pod_ends_within_its_grace_period(cluster: Cluster, kube: Kube, namespace: str) -> None:
    kube.create(pod(cluster, "late", stop_after="600s"), namespace)
    kube.create(pod(cluster, "never", stop_after="never"), namespace)
    kube.wait_ready(namespace, count=2)
    kube.delete("Pod", "late", namespace, grace=1)
    kube.delete("Pod", "never", namespace, grace=1)
    kube.wait_gone("Pod", "late", namespace)
    assert "deletionTimestamp" in kube.get("Pod", "never", namespace)["metadata"]
    kube.delete("Pod", "never", namespace, grace=0)
    kube.wait_gone("Pod", "never", namespace)


def test_a_kubelet_ends_no_pod_that_is_not_being_deleted(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    """KWOK ends pods by name: a job of its that is late must not take the next pod of the name."""
    kube.create(pod(cluster, "next", stop_after="never"), namespace)
    kube.wait_ready(namespace)
    kubelet = Kube(cluster.kubeconfig.with_name("kubelets.yaml"))

    def refused() -> bool:
        try:
            kubelet.delete("Pod", "next", namespace, grace=0, dry_run=True)
        except ApiError as error:
            return "not the one that was to end" in str(error)
        return False

    patience = time.monotonic() + 10  # the policy takes effect a moment after the cluster's start
    while not refused():
        assert time.monotonic() < patience
    kube.delete("Pod", "next", namespace)
    kubelet.delete("Pod", "next", namespace, grace=0)
    kube.wait_gone("Pod", "next", namespace)


def test_a_pod_with_a_finalizer_ends_when_it_is_removed(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    kept = pod(cluster, "kept")
    kept["metadata"]["finalizers"] = ["test.podplacement.io/keep"]
    kube.create(kept, namespace)
    kube.wait_ready(namespace)
    kube.delete("Pod", "kept", namespace)
    kube.wait(
        "Pod", "kept", lambda p: p["metadata"].get("deletionGracePeriodSeconds") == 0, namespace
    )
    kube.patch("Pod", "kept", {"metadata": {"finalizers": None}}, namespace)
    kube.wait_gone("Pod", "kept", namespace)


def test_a_pod_that_need_not_run_for_ever_can_complete(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    kube.create(
        pod(cluster, "job", spec={"restartPolicy": "Never"}, complete_after="300ms"), namespace
    )
    done = kube.wait("Pod", "job", lambda p: p["status"]["phase"] == "Succeeded", namespace)
    assert done["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert not is_ready(done)


def test_a_node_can_be_made_and_can_go_down(cluster: Cluster, kube: Kube, namespace: str) -> None:
    name = f"extra-{namespace[-6:]}"
    taint = {"key": "test.podplacement.io/extra", "value": "yes", "effect": "NoSchedule"}
    create_nodes(kube, [node(name, cpu="2", zone="zone-x", labels={"own": "1"}, taints=[taint])])
    try:
        made = kube.get("Node", name)
        assert made["status"]["allocatable"]["cpu"] == "2"
        labels = made["metadata"]["labels"]
        assert (labels["topology.kubernetes.io/zone"], labels["own"]) == ("zone-x", "1")
        assert taint in made["spec"]["taints"]
        kube.annotate("Node", name, not_ready="true")
        down = kube.wait("Node", name, usable)
        assert condition(down, "Ready") == "False"
        kube.annotate("Node", name, not_ready=None)
        up = kube.wait("Node", name, usable)
        assert condition(up, "Ready") == "True"
    finally:
        kube.delete("Node", name)
