# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of nodes, a namespace and a scheduler name of a test's own, on a cluster shared by many.

The daemon's `nodeSelector` keeps it in the pool, so that tests can run side by side; the auditor
watches all of the cluster, and judges what this test's scheduler name did.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.cluster.auditor import Audited, auditing
from tests.cluster.cluster import Cluster
from tests.cluster.daemon import Daemon
from tests.cluster.kube import Kube, Object, Objects
from tests.cluster.nodes import create_nodes, node

POOL = "test.podplacement.io/pool"
THREADS = 16
PATIENCE = 120.0
EVENTS = "podplacement_scheduler_events_total"
ENDS = ("dropped", "failed")  # without having been written


class Arena:
    """What a fault test plays with."""

    def __init__(self, cluster: Cluster, kube: Kube, namespace: str) -> None:
        self.cluster, self.kube, self.namespace = cluster, kube, namespace
        self.name = f"arena-{uuid.uuid4().hex[:8]}"
        self.nodes: list[str] = []

    def add_nodes(self, count: int, *, cpu: str = "8", pods: str = "110", **more: Any) -> list[str]:
        """Nodes of the pool, ready."""
        names = [f"{self.name}-{len(self.nodes) + n}" for n in range(count)]
        own: dict[str, Any] = {"labels": {POOL: self.name}, "taints": [self.taint]}
        manifests = [node(name, cpu=cpu, memory="64Gi", pods=pods, **own, **more) for name in names]
        create_nodes(self.kube, manifests, timeout=60)
        self.nodes += names
        return names

    def label(self, names: list[str], labels: dict[str, str]) -> None:
        """Nodes of which schedulers may think differently."""
        for name in names:
            self.kube.patch("Node", name, {"metadata": {"labels": labels}})

    @property
    def taint(self) -> dict[str, str]:
        """Keeps the pods of other tests away from nodes that will not stay."""
        return {"key": POOL, "value": self.name, "effect": "NoSchedule"}

    def close(self) -> None:
        """Take the nodes away; the namespace is its fixture's."""
        for name in self.nodes:
            if self.kube.find("Node", name):
                self.kube.delete("Node", name)

    def config(self, **more: Any) -> dict[str, Any]:
        """The daemon's configuration: without leader election, unless asked for."""
        return {
            "leaderElection": {"leaderElect": False},
            "nodeSelector": {POOL: self.name},
            "profiles": [{"schedulerName": self.name}],
            **more,
        }

    def pod(self, name: str, *, cpu: str = "100m", scheduler: str = "", **spec: Any) -> Object:
        """A pod of this test's scheduler; kept inside of the pool whoever places it."""
        container = {"name": "main", "image": self.cluster.image}
        requests = {"requests": {"cpu": cpu, "memory": "16Mi"}}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "schedulerName": scheduler or self.name,
                "nodeSelector": {POOL: self.name},
                "tolerations": [{"key": POOL, "operator": "Exists"}],
                "containers": [container | {"resources": requests}],
                "terminationGracePeriodSeconds": 0,
                **spec,
            },
        }

    def create(self, pods: Objects) -> None:
        """Create many at once."""
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self.kube.create, pods))

    def burst(self, count: int, *, prefix: str = "burst", **more: Any) -> None:
        """So many pods."""
        self.create([self.pod(f"{prefix}-{n}", **more) for n in range(count)])

    def waiting(self) -> list[str]:
        """Names of the pods of this test's scheduler that have no node."""
        found = self.kube.list(
            "Pod", self.namespace, fields=f"spec.schedulerName={self.name},spec.nodeName="
        )
        return [item["metadata"]["name"] for item in found]

    def wait_bound(self, count: int, *, timeout: float = PATIENCE) -> float:
        """Until so many pods of the namespace have a node; how long it took."""

        def enough(pods: Objects) -> bool:
            return sum(bool(pod["spec"].get("nodeName")) for pod in pods) >= count

        begun = time.monotonic()
        self.kube.wait_list(
            "Pod", enough, self.namespace, timeout=timeout, what=f"{count} pods that have a node"
        )
        return time.monotonic() - begun

    def wait_placed(self, *, timeout: float = PATIENCE) -> float:
        """Until no pod of this test's scheduler waits any more; how long it took."""
        begun = time.monotonic()
        fields = f"spec.schedulerName={self.name},spec.nodeName="
        self.kube.wait_list(
            "Pod",
            lambda pods: not pods,
            self.namespace,
            fields=fields,
            timeout=timeout,
            what="end of waiting",
        )
        return time.monotonic() - begun

    def settle(self, *, timeout: float = PATIENCE) -> None:
        """Wait until each bound pod has its event; the auditor says so if one never comes."""
        fields = f"spec.schedulerName={self.name}"
        pods = self.kube.list("Pod", self.namespace, fields=fields)
        bound = {pod["metadata"]["uid"] for pod in pods if pod["spec"].get("nodeName")}
        path = f"apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        deadline = time.monotonic() + timeout
        while bound and time.monotonic() < deadline:
            found = self.kube.request("GET", path, query={"fieldSelector": "reason=Scheduled"})
            bound -= {event["regarding"].get("uid") for event in found["items"]}
            time.sleep(0.1)

    def drops(self, ours: Daemon) -> int:
        """Events that the daemon says it dropped, or could not write."""
        counts = ours.metrics()
        return int(sum(counts.get(f'{EVENTS}{{result="{end}"}}', 0) for end in ENDS))

    @contextmanager
    def audit(self, **more: Any) -> Iterator[Audited]:
        """The auditor, from now until the block ends."""
        with auditing(self.cluster, self.name, **more) as audited:
            yield audited


def until(ours: Daemon, sample: str, done: Callable[[float], bool]) -> None:
    """Wait until one of its metrics is as wanted."""
    deadline = time.monotonic() + PATIENCE
    while not done(value := ours.metrics().get(sample, 0)):
        assert time.monotonic() < deadline, f"{sample} stays at {value}"
        time.sleep(0.05)


def each(count: int, action: Callable[[int], object]) -> None:
    """Do something so many times, side by side."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(action, range(count)))
