# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node full of pods and two that are empty, kept to one test by a taint and a label."""

from __future__ import annotations

from typing import Any

from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.cluster.nodes import create_nodes, node
from tests.integration.manifests import controller, pod, template_of
from tests.integration.runner import Result, run_module

MODULE = "k8s_node_evacuate"
LABEL = "test.podplacement.io/estate"
AGENT = "podplacement/"


class Estate:
    """`source` is there from the beginning; `open` creates the others when it is full."""

    def __init__(self, cluster: Cluster, kube: Kube, namespace: str, audit: Audit) -> None:
        self.cluster, self.kube, self.namespace, self.audit = cluster, kube, namespace, audit
        self.source, self.first, self.second = (f"{namespace}-{letter}" for letter in "abc")
        self._made = [self.source]
        create_nodes(kube, [self.node(self.source, pods="300", cpu="64", memory="128Gi")])

    # ---- what there is

    def node(self, name: str, *, taints: Any = (), **more: Any) -> Object:
        """A node that only the pods of this test tolerate and want."""
        own = {"key": self.namespace, "effect": "NoSchedule"}
        return node(name, labels={LABEL: self.namespace}, taints=[own, *taints], **more)

    def open(self, **more: Any) -> None:
        """Create the two other nodes; `first` and `second` are what is special about them."""
        special = {self.first: more.pop("first", {}), self.second: more.pop("second", {})}
        self._made += special
        create_nodes(self.kube, [self.node(n, **{**more, **how}) for n, how in special.items()])

    def fill(self, *manifests: Object, ready: bool = True) -> None:
        """Create these workloads; while there is no other node all are on the source."""
        for manifest in manifests:
            self.kube.create(self.homed(manifest), self.namespace)
        for manifest in manifests if ready else ():
            count = manifest["spec"].get("replicas", 1)
            app = manifest["metadata"]["labels"]["app"]
            self.kube.wait_ready(self.namespace, f"app={app}", count=count)

    def homed(self, manifest: Object) -> Object:
        """The manifest with a place on these nodes and nowhere else."""
        spec = manifest["spec"] if manifest["kind"] == "Pod" else template_of(manifest)["spec"]
        spec["tolerations"] = [{"key": self.namespace, "operator": "Exists"}]
        spec["nodeSelector"] = {LABEL: self.namespace}
        return manifest

    def pods(self) -> list[Object]:
        """All pods of the namespace that nobody deletes."""
        found = self.kube.list("Pod", self.namespace)
        return [p for p in found if "deletionTimestamp" not in p["metadata"]]

    def on(self, name: str) -> list[str]:
        """The names of the pods on a node, those that are going included."""
        found = self.kube.list("Pod", self.namespace, fields=f"spec.nodeName={name}")
        return sorted(str(p["metadata"]["name"]) for p in found)

    def is_cordoned(self) -> bool:
        return bool(self.kube.get("Node", self.source)["spec"].get("unschedulable"))

    def records(self) -> list[Object]:
        """The records of evacuations of the source."""
        found = self.kube.list("ConfigMap", self.namespace, selector="podplacement.io/evacuation")
        return [r for r in found if r["data"]["node"] == self.source]

    def remove(self) -> None:
        for name in self._made:
            self.kube.delete("Node", name)

    # ---- what is done

    def args(self, **more: Any) -> dict[str, Any]:
        own = {"node": self.source, "record_namespace": self.namespace, "wait_timeout": 90}
        return {**own, **more}

    def run(self, **more: Any) -> Result:
        return run_module(self.cluster, MODULE, self.args(**more))

    def check(self, **more: Any) -> Result:
        """In check mode; nothing may be written."""
        self.audit.mark()
        found = run_module(self.cluster, MODULE, self.args(**more), check=True)
        assert not self.written()
        return found

    def written(self) -> list[str]:
        """What the modules have written here since the mark."""
        found = self.audit.entries(agent=AGENT, writes=True)
        mine = (e for e in found if e.namespace == self.namespace or e.name == self.source)
        return [str(entry) for entry in mine]

    def evacuated(self, **more: Any) -> Result:
        """Foretold, done as foretold, and nothing left to do."""
        check, result = self.check(**more), self.run(**more)
        assert not result.get("failed"), result
        assert (check["changed"], check["diff"]) == (result["changed"], result["diff"])
        assert check["plan"] == result["plan"]
        assert check["leftovers"] == result["leftovers"]
        self.audit.mark()
        again = self.run(**more)
        assert again["changed"] is False, again
        assert not self.written()
        return result

    def refused(self, **more: Any) -> Result:
        """Foretold as the failure that it is."""
        check, result = self.check(**more), self.run(**more)
        assert all(r.get("failed") for r in (check, result)), (check, result)
        assert check["error"]["code"] == result["error"]["code"]
        assert codes(check) == codes(result), (check, result)
        return result


def codes(result: Result) -> dict[str, str]:
    """Name of what is left -> why."""
    return {item["name"]: item["code"] for item in result.get("leftovers", ())}


def workload(name: str, replicas: int = 2, kind: str = "Deployment", **more: Any) -> Object:
    """A controller whose pods are told by their app."""
    return controller(kind, name, replicas=replicas, **more)


def bare(name: str, **metadata: Any) -> Object:
    """A bare pod."""
    return pod(name, **metadata)
