# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owners without a lossless strategy: their pods are evicted, where the user asked for it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.manifests import controller, pod_spec
from tests.integration.runner import finish, run_module, start_module
from tests.integration.scenario import predict, refused, warnings_of
from tests.integration.webhook import ANSWER, evacuating, until_effective

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_move"


def order(namespace: str, pod: Object, node: str, **more: Any) -> dict[str, Any]:
    """The options that evict the pod, in the hope of that node."""
    name = pod["metadata"]["name"]
    return {"namespace": namespace, "name": name, "node": node, "wait_timeout": 60, **more}


def elsewhere(cluster: Cluster, pod: Object) -> str:
    """A node that the pod is not on."""
    return next(node for node in cluster.nodes if node != pod["spec"]["nodeName"])


def started(kube: Kube, namespace: str, manifest: Object, count: int = 1) -> Object:
    """Create an owner; its first pod, when all are Ready."""
    kube.create(manifest, namespace)
    return kube.wait_ready(namespace, "app=web", count=count)[0]


def job(**spec: Any) -> Object:
    """A Job whose pod works until somebody stops it."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec(restart="Never")}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "web"},
        "spec": {"template": template, **spec},
    }


def test_an_eviction_ends_when_the_successor_serves_and_tells_where(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    here = cluster.nodes[0]
    stateful = controller("StatefulSet", replicas=2)
    stateful["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": here}
    old = started(kube, namespace, stateful, count=2)
    args = order(namespace, old, cluster.nodes[1], strategy="evict")
    check = predict(cluster, audit, MODULE, args)
    result = run_module(cluster, MODULE, args)
    assert (check["changed"], check["diff"]) == (result["changed"], result["diff"]), result
    moved = result["moved"][0]
    assert (moved["strategy"], moved["to_node"]) == ("evict", here)
    assert moved["new_pod"] == old["metadata"]["name"]
    assert moved["new_uid"] != old["metadata"]["uid"]
    assert moved["downtime"] > 0
    assert result["plan"][0]["loses_availability"] is True
    assert any(f"on node {here}, not on {args['node']}" in w for w in warnings_of(result))
    kube.wait_ready(namespace, "app=web", count=2)
    assert kube.list("Lease", namespace) == []


def test_a_job_s_pod_is_evicted_only_when_asked_for_and_only_if_its_job_survives_that(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    old = started(kube, namespace, job(backoffLimit=0))
    args = order(namespace, old, elsewhere(cluster, old))
    assert refused(cluster, audit, MODULE, args)["error"]["code"] == "OwnerUnsupported: Job"
    args["strategy"] = "evict"
    assert refused(cluster, audit, MODULE, args)["error"]["code"] == "JobWouldFail"


def stop_as_a_kubelet_would(kube: Kube, pod: Object) -> None:
    """Say that the pod's containers have ended, which the simulated kubelets do not."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    kube.wait("Pod", name, lambda now: "deletionTimestamp" in now["metadata"], namespace)
    kube.patch("Pod", name, {"status": {"phase": "Failed"}}, namespace, subresource="status")


def test_a_job_makes_another_pod_for_the_evicted_one(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    old = started(kube, namespace, job(podFailurePolicy={"rules": [rule]}, backoffLimit=0))
    args = order(namespace, old, elsewhere(cluster, old), strategy="evict")
    running = start_module(cluster, MODULE, args)
    stop_as_a_kubelet_would(kube, old)
    result = finish(running)
    assert result["changed"], result
    assert result["moved"][0]["new_uid"] not in ("", old["metadata"]["uid"])
    assert kube.get("Job", "web", namespace)["status"].get("failed", 0) == 0


def test_an_operator_that_answers_with_an_evacuation_is_waited_for(
    cluster: Cluster, kube: Kube, namespace: str, tmp_path: Path
) -> None:
    """It deletes the pod when it is done, which is after its answer."""
    old = started(kube, namespace, controller("ReplicaSet", replicas=1))
    name = old["metadata"]["name"]

    def evacuate(request: Object) -> None:
        assert request["name"] == name
        threading.Timer(0.5, kube.delete, ("Pod", name, namespace)).start()

    with evacuating(kube, namespace, tmp_path, evacuate):
        until_effective(kube, old)
        args = order(namespace, old, elsewhere(cluster, old), strategy="evict")
        result = run_module(cluster, MODULE, args)
    assert not result.get("failed"), result
    assert result["moved"][0]["new_uid"] not in ("", old["metadata"]["uid"])
    assert kube.find("Pod", name, namespace) is None


def test_an_evacuation_that_does_not_come_is_told(
    cluster: Cluster, kube: Kube, namespace: str, tmp_path: Path
) -> None:
    old = started(kube, namespace, controller("ReplicaSet", replicas=1))
    asked: list[Object] = []
    with evacuating(kube, namespace, tmp_path, asked.append):
        until_effective(kube, old)
        args = order(namespace, old, elsewhere(cluster, old), strategy="evict", wait_timeout=8)
        result = run_module(cluster, MODULE, args)
    assert result["error"]["code"] == "EvacuationTriggered", result
    assert ANSWER in result["msg"]
    assert len(asked) == 1, "in progress: not asked for again"
    assert kube.list("Lease", namespace) == []
