# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet empties a node of a real cluster, and a watcher of its own sees no pod missing."""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.clock import Clock, Deadline
from ansible_collections.podplacement.core.plugins.module_utils.live import WATCHED, LiveApi
from ansible_collections.podplacement.core.plugins.module_utils.moves.fleet import Fleet, Limits
from ansible_collections.podplacement.core.plugins.module_utils.moves.holder import Holder
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order, Settings
from ansible_collections.podplacement.core.plugins.module_utils.moves.plan import make_plan
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.cluster.nodes import create_nodes, node
from tests.cluster.watcher import watching
from tests.faults.verdicts import leftovers
from tests.integration.live.test_live import connect

pytestmark = pytest.mark.cluster
OWN = "test.podplacement.io/fleet"
APPS, REPLICAS = 5, 5


def app(name: str, pool: str, ready_after: int) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {
                    "labels": {"app": name, OWN: "yes"},
                    "annotations": {"test.podplacement.io/ready-after": f"{ready_after}ms"},
                },
                "spec": {
                    "nodeSelector": {OWN: pool},
                    "tolerations": [{"key": OWN, "operator": "Exists"}],
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}],
                },
            },
        },
    }


def budget(name: str) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"minAvailable": REPLICAS, "selector": {"matchLabels": {"app": name}}},
    }


def member(name: str, pool: str) -> Object:
    taint = {"key": OWN, "value": pool, "effect": "NoSchedule"}
    return node(name, pods="200", cpu="100", labels={OWN: pool}, taints=[taint])


def test_no_pod_is_missing_while_all_of_a_node_move(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    """Deployments with and without a budget that allows nothing, all at a time."""
    source, target = f"{namespace}-a", f"{namespace}-b"
    create_nodes(kube, [member(source, namespace)])
    try:
        for number in range(APPS):
            kube.create(app(f"app-{number}", namespace, 200 + 100 * number), namespace)
            if number % 2:
                kube.create(budget(f"app-{number}"), namespace)
        pods = kube.wait_ready(namespace, count=APPS * REPLICAS)
        create_nodes(kube, [member(target, namespace)])
        live = LiveApi(connect(cluster), Clock())
        live.watch(WATCHED, [namespace])
        settings = Settings(Clock(), Deadline(Clock(), 120.0), Holder(), validate="none")
        with watching(cluster, namespace, OWN, REPLICAS, by="app") as watch:
            plans = [
                make_plan(live, Order(namespace, p["metadata"]["name"], target), settings, p)
                for p in live.list(POD, namespace)[0]
            ]
            outcomes = Fleet(live, settings, Limits()).run(plans)
        live.close()
        assert [o.state for o in outcomes] == ["moved"] * len(pods), [o.error for o in outcomes]
        assert {p["spec"]["nodeName"] for p in kube.list("Pod", namespace)} == {target}
        for name, part in watch.summary.parts.items():
            assert part.min_ready >= REPLICAS, f"{name}: {part}"
        assert watch.summary.unavailable_seconds == 0
        assert leftovers(kube, namespace) == []
    finally:
        kube.delete_all("Deployment", namespace)
        kube.delete_all("Pod", namespace, grace=0)
        kube.wait_list("Pod", lambda found: not found, namespace)
        for name in (source, target):
            if kube.find("Node", name):
                kube.delete("Node", name)
