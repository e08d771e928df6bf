# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and pods that belong to one test alone, and a scheduler that knows only such nodes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from tests.cluster.books import SCHEDULED_AT
from tests.cluster.cluster import DEFAULT_IMAGE, Cluster
from tests.cluster.daemon import Daemon, daemon
from tests.cluster.kube import Kube, Object
from tests.cluster.nodes import create_nodes, node

# The nodes of one scheduler, and among them the nodes of one test.
SCOPE = "test.podplacement.io/scope"
POOL = "test.podplacement.io/pool"
WITHIN = 60.0


def scope_of(scheduler: str) -> dict[str, str]:
    """The labels by which a scheduler knows its nodes."""
    return {SCOPE: scheduler}


class Ground:
    """A pool of nodes that only this test's pods tolerate and select, and names of its own."""

    def __init__(self, cluster: Cluster, kube: Kube, namespace: str, scheduler: str) -> None:
        self.cluster = cluster
        self.kube = kube
        self.namespace = namespace
        self.scheduler = scheduler
        # For tests that run several beside each other.
        self.names = (scheduler, *(f"{scheduler}-{number}" for number in range(3)))
        self.token = uuid.uuid4().hex[:6]
        self._nodes: list[str] = []

    def name(self, short: str) -> str:
        """A cluster-wide name for what the test calls `short`."""
        return f"{short}-{self.token}"

    def nodes(self, **wanted: Mapping[str, Any]) -> None:
        """Nodes by their short names, with what `tests.cluster.nodes.node` takes."""
        made = []
        for short, options in wanted.items():
            changed: dict[str, Any] = dict(options)
            taints = [*changed.pop("taints", ()), self.taint]
            labels = {**scope_of(self.scheduler), POOL: self.token, **changed.pop("labels", {})}
            made.append(node(self.name(short), taints=taints, labels=labels, **changed))
        self._nodes += [each["metadata"]["name"] for each in made]
        create_nodes(self.kube, made)

    @property
    def taint(self) -> dict[str, str]:
        """Keeps others' pods away."""
        return {"key": POOL, "value": self.token, "effect": "NoSchedule"}

    def pod(self, name: str, *, requests: Mapping[str, str] | None = None, **spec: Any) -> Object:
        """A pod of our scheduler for our nodes; `spec` adds to it."""
        container: dict[str, Any] = {"name": "main", "image": DEFAULT_IMAGE}
        if requests is not None:
            container["resources"] = {"requests": dict(requests), "limits": {}}
        if "ports" in spec:
            container["ports"] = spec.pop("ports")
        tolerations = [{"key": POOL, "operator": "Exists"}, *spec.pop("tolerations", ())]
        selector = {POOL: self.token, **spec.pop("nodeSelector", {})}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "schedulerName": self.scheduler,
                "terminationGracePeriodSeconds": 0,
                "containers": [container],
                "tolerations": tolerations,
                "nodeSelector": selector,
                **spec,
            },
        }

    def create(self, *pods: Object) -> None:
        for each in pods:
            self.kube.create(each, self.namespace)

    def bound(self, *names: str) -> dict[str, str]:
        """The short name of each pod's node, as soon as all of them have one."""
        found: list[Object] = []

        def all_there(items: list[Object]) -> bool:
            found[:] = [item for item in items if item["metadata"]["name"] in names]
            return len(found) == len(names) and all(i["spec"].get("nodeName") for i in found)

        what = f"pods {', '.join(names)} bound"
        self.kube.wait_list("Pod", all_there, self.namespace, timeout=WITHIN, what=what)
        return {
            item["metadata"]["name"]: item["spec"]["nodeName"].removesuffix(f"-{self.token}")
            for item in found
        }

    def pending(self, name: str, containing: str = "") -> str:
        """The message of PodScheduled=False, as soon as it contains what it must."""
        message: list[str] = []

        def told(pod: Object) -> bool:
            conditions = pod.get("status", {}).get("conditions", [])
            message[:] = [
                condition.get("message", "")
                for condition in conditions
                if condition["type"] == "PodScheduled" and condition["status"] == "False"
            ]
            return any(containing in each for each in message)

        what = f"{name} told that it is not placed: {containing}"
        self.kube.wait("Pod", name, told, self.namespace, timeout=WITHIN, what=what)
        return message[0]

    def events(self, name: str, reason: str, *, count: int = 1) -> list[Object]:
        """The events of a pod for that reason, as soon as there are so many."""
        found: list[Object] = []

        def there(items: list[Object]) -> bool:
            found[:] = [
                item
                for item in items
                if item["involvedObject"]["name"] == name and item["reason"] == reason
            ]
            return len(found) >= count

        self.kube.wait_list("Event", there, self.namespace, timeout=WITHIN)
        return found

    def settle(self) -> None:
        """Until each pod that was placed has its event: a namespace that goes takes none."""
        pods = self.kube.list("Pod", self.namespace)
        placed = {
            pod["metadata"]["uid"]
            for pod in pods
            if SCHEDULED_AT in pod["metadata"].get("annotations", {})
        }

        def told(items: list[Object]) -> bool:
            scheduled = (item for item in items if item["reason"] == "Scheduled")
            return placed <= {item["involvedObject"].get("uid") for item in scheduled}

        self.kube.wait_list("Event", told, self.namespace, timeout=WITHIN, what="all events")

    def daemon(self, **config: Any) -> AbstractContextManager[Daemon]:
        """A scheduler of our name for our nodes, unless the configuration says otherwise."""
        return own_daemon(self.cluster, self.scheduler, **config)

    def remove(self) -> None:
        self.kube.delete_all("Pod", self.namespace, grace=0)
        for name in self._nodes:
            self.kube.delete("Node", name)


def own_daemon(cluster: Cluster, name: str, **config: Any) -> AbstractContextManager[Daemon]:
    """A daemon with one profile of that name, for the nodes of that scope."""
    own = {"profiles": [{"schedulerName": name}], "nodeSelector": scope_of(name)}
    return daemon(cluster, config={**own, **config})
