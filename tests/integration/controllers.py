# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One controller in a namespace of its own, as the tests of k8s_controller_scheduler see it."""

from __future__ import annotations

from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.manifests import controller
from tests.integration.runner import Result, run_module

MODULE = "k8s_controller_scheduler"
PREVIOUS = "podplacement.io/previous-scheduler"
DEFAULT = "default-scheduler"
NOBODY = "nobody-runs-this"


class Stage:
    """One test's namespace and the controller in it."""

    def __init__(self, cluster: Cluster, kube: Kube, namespace: str) -> None:
        self.cluster, self.kube, self.namespace = cluster, kube, namespace

    def make(self, kind: str, name: str = "web", *, ready: bool = True, **spec: Any) -> Object:
        made = self.kube.create(controller(kind, name, **spec), self.namespace)
        if ready and kind != "CronJob":
            count = len(self.cluster.nodes) if kind == "DaemonSet" else spec.get("replicas", 2)
            self.kube.wait_ready(self.namespace, f"app={name}", count=count, timeout=60)
        return made

    def args(self, kind: str, name: str = "web", **more: Any) -> dict[str, Any]:
        own = {"kind": kind, "namespace": self.namespace, "wait_timeout": 120, **more}
        return own if "label_selectors" in more else {**own, "name": name}

    def run(self, kind: str, name: str = "web", **more: Any) -> Result:
        return run_module(self.cluster, MODULE, self.args(kind, name, **more))

    def get(self, kind: str, name: str = "web") -> Object:
        return self.kube.get(kind, name, self.namespace)

    def record(self, kind: str, name: str = "web") -> str | None:
        annotations: dict[str, str] = self.get(kind, name)["metadata"].get("annotations", {})
        return annotations.get(PREVIOUS)

    def pods(self, name: str = "web") -> list[Object]:
        pods = self.kube.list("Pod", self.namespace, selector=f"app={name}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def schedulers(self, name: str = "web") -> set[str]:
        return {pod["spec"]["schedulerName"] for pod in self.pods(name)}

    def names(self, name: str = "web") -> set[str]:
        return {pod["metadata"]["name"] for pod in self.pods(name)}

    def nothing_left(self) -> None:
        assert self.kube.list("Lease", self.namespace) == []
        self.kube.wait_list(
            "Pod", lambda pods: not pods, self.namespace, selector="podplacement.io/probe=true"
        )


def item(result: Result) -> dict[str, Any]:
    (found,) = result["controllers"]
    return dict(found)
