# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every shape of application goes through every strategy: moved without loss, or refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kube import ApiError, Kube, Object, is_ready
from tests.cluster.nodes import create_nodes, node
from tests.cluster.second_scheduler import scheduler
from tests.cluster.watcher import Summary, watching
from tests.faults import verdicts
from tests.faults.world import result_of
from tests.integration.nursery import start
from tests.integration.runner import Result
from tests.integration.shapes import GATE, LOSSLESS, MOVED, NOT, SHAPES, STRATEGIES, workload

pytestmark = pytest.mark.cluster

OWN = "test.podplacement.io/shapes"
AT_ONCE = 4
PUT_BACK = ("recreate", "steer")  # what was taken away for nothing is made again
ONE_START = threading.Lock()
OWNERS = ("Deployment", "ReplicaSet", "StatefulSet")


@dataclass(frozen=True)
class Site:
    """Three nodes of its own, on which all shapes are there as one strategy needs them."""

    cluster: Cluster
    kube: Kube
    namespace: str
    nodes: tuple[str, ...]

    def build(self, strategy: str) -> list[str]:
        """Create the shapes, and wait until all their pods are Ready; their names."""
        apps = [app for app, shape in SHAPES.items() if shape.outcome(strategy) != NOT]
        tolerations = [{"key": OWN, "operator": "Exists"}]
        place = {"nodeSelector": {OWN: self.namespace}, "tolerations": tolerations}
        for app in apps:
            for manifest in workload(app, strategy, self.namespace, place):
                self.kube.create(manifest, self.namespace)
        count = sum(SHAPES[app].replicas for app in apps)
        self.kube.wait_ready(self.namespace, "shape=true", count=count, timeout=60)
        return apps

    def pods(self, app: str) -> list[Object]:
        """The pods of a shape, by name."""
        found = self.kube.list("Pod", self.namespace, selector=f"app={app}")
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def owners(self) -> list[Object]:
        """The controllers as their users wrote them."""
        kinds = [self.kube.list(kind, self.namespace) for kind in OWNERS]
        return [verdicts.substance(item) for found in kinds for item in found]

    def move(self, app: str, strategy: str, pods: list[Object]) -> Result:
        """Run the module for the last pod of a shape."""
        used = [pod["spec"]["nodeName"] for pod in pods]
        free = [name for name in self.nodes if name not in used]
        if SHAPES[app].crowded:
            free = [name for name in used if name != used[-1]]
        args = {
            "namespace": self.namespace,
            "name": pods[-1]["metadata"]["name"],
            "node": free[0],
            "strategy": strategy,
            "wait_timeout": 60,
            **SHAPES[app].options,
        }
        with ONE_START:
            run = start(self.cluster, "k8s_pod_move", args)
        return result_of(run)


@pytest.fixture
def site(cluster: Cluster, kube: Kube, namespace: str) -> Iterator[Site]:
    """Nodes of the test's own, a scheduler of its name, and one who opens readiness gates."""
    if cluster.provider != "kwok":
        pytest.skip("needs simulated nodes")
    priority = {"value": 1000, "preemptionPolicy": "Never", "metadata": {"name": namespace}}
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    kube.create(kind | priority)  # first of all: admission knows it when it has seen it
    names = tuple(f"{namespace}-{letter}" for letter in "abc")
    taint = {"key": OWN, "value": namespace, "effect": "NoSchedule"}
    labels = {OWN: namespace}
    create_nodes(kube, [node(name, labels=labels, taints=[taint]) for name in names])
    with porter(Kube(cluster.kubeconfig), namespace), scheduler(cluster, namespace):
        yield Site(cluster, kube, namespace, names)
    for name in names:
        kube.delete("Node", name)
    kube.delete("PriorityClass", namespace)
    for volume in kube.list("PersistentVolume"):
        if volume["metadata"]["name"].startswith(f"{namespace}-"):
            kube.delete("PersistentVolume", volume["metadata"]["name"])


@contextmanager
def porter(kube: Kube, namespace: str) -> Iterator[None]:
    """Somebody who opens the readiness gate of each pod that runs, as outside controllers do."""
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            for pods in kube.follow("Pod", namespace, timeout=1):
                for pod in pods:
                    open_gate(kube, pod)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def open_gate(kube: Kube, pod: Object) -> None:
    """Set the gate's condition if the pod has one, runs, and has not got it yet."""
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates", [])]
    known = {condition["type"] for condition in pod["status"].get("conditions", [])}
    if GATE not in gates or GATE in known or pod["status"].get("phase") != "Running":
        return
    metadata = pod["metadata"]
    body = {"status": {"conditions": [{"type": GATE, "status": "True"}]}}
    with suppress(ApiError):  # gone meanwhile
        kube.patch(
            "Pod",
            metadata["name"],
            body,
            metadata["namespace"],
            patch_type="strategic",
            subresource="status",
        )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_shape_is_moved_without_loss_or_refused(strategy: str, site: Site) -> None:
    apps = site.build(strategy)
    before, owners = {app: site.pods(app) for app in apps}, site.owners()
    with watching(site.cluster, site.namespace, "shape=true", 1, by="app") as watch:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            runs = pool.map(lambda app: site.move(app, strategy, before[app]), apps)
            results = dict(zip(apps, runs, strict=True))
        count = sum(SHAPES[app].replicas for app in apps)
        site.kube.wait_ready(site.namespace, "shape=true", count=count)
    outcomes = {app: _outcome(result) for app, result in results.items()}
    assert outcomes == {app: SHAPES[app].outcome(strategy) for app in apps}, results
    _assert_available(strategy, watch.summary)
    for app in apps:
        if outcomes[app] == MOVED:
            _assert_moved(strategy, before[app], site.pods(app), results[app])
        elif strategy not in PUT_BACK:
            assert _uids(site.pods(app)) == _uids(before[app]), app
    assert site.owners() == owners
    assert verdicts.leftovers(site.kube, site.namespace) == []


def _outcome(result: Result) -> str:
    if result.get("failed"):
        return str(result["error"]["code"])
    return MOVED if result["changed"] else "unchanged"


def _uids(pods: list[Object]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods}


def _assert_available(strategy: str, seen: Summary) -> None:
    """The referee's word: no pod missing at any time, or only the one that is moved."""
    missing = 0 if strategy in LOSSLESS else 1
    short = {
        app: part.min_ready
        for app, part in seen.parts.items()
        if part.min_ready < SHAPES[app].replicas - missing
    }
    assert short == {}


def _assert_moved(strategy: str, before: list[Object], after: list[Object], result: Result) -> None:
    """One pod more on the target, the same in all that its user wrote, and no other pod touched."""
    (moved,) = result["moved"]
    old = next(pod for pod in before if pod["metadata"]["name"] == moved["pod"])
    new = next(pod for pod in after if pod["metadata"]["name"] == moved["new_pod"])
    assert _uids(before) - _uids(after) == _uids([old])
    assert _uids(after) - _uids(before) == _uids([new])
    assert is_ready(new)
    assert new["spec"]["nodeName"] == moved["to_node"]
    assert strategy == "evict" or moved["to_node"] != old["spec"]["nodeName"]
    assert verdicts.identity(new) == verdicts.identity(old)
