# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods and nodes of one test, kept to themselves by a taint and a name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.audit import Audit
from tests.cluster.cluster import DEFAULT_IMAGE, Cluster
from tests.cluster.kube import Kube, Object
from tests.cluster.nodes import create_nodes, node
from tests.integration.estate import Estate


@dataclass(frozen=True)
class Yard:
    """One test's namespace, scheduler name and three nodes of 2 cpu each."""

    kube: Kube
    namespace: str
    nodes: tuple[str, ...]

    @property
    def scheduler(self) -> str:
        """A scheduler name that nobody serves."""
        return self.namespace

    def pod(self, name: str, *, cpu: str = "500m", **spec: Any) -> Object:
        """Create a pending pod; `annotations` are its annotations."""
        annotations = spec.pop("annotations", {})
        toleration = {"key": self.namespace, "operator": "Exists"}
        resources = {"requests": {"cpu": cpu}}
        return self.kube.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": {"app": name}, "annotations": annotations},
                "spec": {
                    "schedulerName": self.scheduler,
                    "terminationGracePeriodSeconds": 1,
                    "tolerations": [toleration],
                    "containers": [
                        {"name": "main", "image": DEFAULT_IMAGE, "resources": resources}
                    ],
                    **spec,
                },
            },
            self.namespace,
        )

    def get(self, name: str) -> Object:
        """The pod as it is now."""
        return self.kube.get("Pod", name, self.namespace)

    def node_of(self, name: str) -> str:
        """Where the pod is bound to; empty for nowhere."""
        return str(self.get(name)["spec"].get("nodeName", ""))

    def one(self, **more: Any) -> dict[str, Any]:
        """The options that bind the pod `p` to the first node."""
        own = {"namespace": self.namespace, "name": "p", "node": self.nodes[0]}
        return {**own, "wait_timeout": 60, **more}

    def all(self, **more: Any) -> dict[str, Any]:
        """The options that bind all pending pods over the nodes."""
        own = {"namespace": self.namespace, "scheduler_name": self.scheduler}
        return {**own, "nodes": list(self.nodes), "wait_timeout": 60, **more}

    def change_node(self, index: int, **spec: Any) -> None:
        """Merge-patch the spec of a node."""
        self.kube.patch("Node", self.nodes[index], {"spec": spec})


@pytest.fixture
def yard(cluster: Cluster, kube: Kube, namespace: str) -> Iterator[Yard]:
    """Nodes of the test's own; nothing else tolerates them."""
    if cluster.provider != "kwok":
        pytest.skip("needs simulated nodes")
    names = tuple(f"{namespace}-{letter}" for letter in "abc")
    taint = {"key": namespace, "effect": "NoSchedule"}
    create_nodes(kube, [node(name, cpu="2", taints=[taint]) for name in names])
    yield Yard(kube, namespace, names)
    for name in names:
        kube.delete("Node", name)


@pytest.fixture
def estate(cluster: Cluster, kube: Kube, namespace: str, audit: Audit) -> Iterator[Estate]:
    """A node to be evacuated, and two that may take its pods."""
    if cluster.provider != "kwok":
        pytest.skip("needs simulated nodes")
    found = Estate(cluster, kube, namespace, audit)
    yield found
    found.remove()
