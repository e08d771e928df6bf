# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_pod_bind on whatever nodes there are: the part that a real kubelet can be asked too."""

from __future__ import annotations

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.runner import run_module

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_bind"


def create(cluster: Cluster, kube: Kube, namespace: str, name: str, cpu: str = "10m") -> Object:
    resources = {"requests": {"cpu": cpu}}
    spec = {
        "schedulerName": namespace,
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": cluster.image, "resources": resources}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    return kube.create(pod, namespace)


def test_a_pod_runs_where_it_was_bound_and_is_bound_once(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    create(cluster, kube, namespace, "p")
    options = {"namespace": namespace, "name": "p", "node": cluster.nodes[0], "wait_timeout": 120}
    predicted = run_module(cluster, MODULE, options, check=True)
    result = run_module(cluster, MODULE, options)
    assert predicted == result
    assert result["changed"], result
    pod = kube.get("Pod", "p", namespace)
    assert pod["spec"]["nodeName"] == cluster.nodes[0]
    assert pod["status"]["phase"] == "Running"
    assert not run_module(cluster, MODULE, options)["changed"]


def test_pods_are_spread_over_the_nodes(cluster: Cluster, kube: Kube, namespace: str) -> None:
    names = [f"p{n}" for n in range(2 * len(cluster.nodes))]
    for name in names:
        create(cluster, kube, namespace, name)
    options = {"namespace": namespace, "scheduler_name": namespace, "nodes": list(cluster.nodes)}
    result = run_module(cluster, MODULE, options | {"wait_timeout": 120})
    assert not result.get("failed"), result
    placed = [pod["node"] for pod in result["bound"]]
    assert sorted(placed) == sorted(2 * list(cluster.nodes))


def test_what_is_forced_onto_a_node_without_room_is_refused_by_its_kubelet(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    if cluster.provider == "kwok":
        pytest.skip("a simulated kubelet does not count resources; it refuses on request")
    create(cluster, kube, namespace, "p", cpu="1000")
    options = {"namespace": namespace, "name": "p", "node": cluster.nodes[0], "wait_timeout": 120}
    assert run_module(cluster, MODULE, options)["error"]["code"] == "InsufficientCpu"
    forced = run_module(cluster, MODULE, options | {"validate": "none"})
    assert forced["error"]["code"] == "KubeletRefused: OutOfcpu"
