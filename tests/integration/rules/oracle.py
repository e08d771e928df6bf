# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A case of the table, put before a real kube-scheduler: one node of its own, one pod for it alone.

Every case runs at the same time on the same cluster. The pod is pinned to its node by node
affinity on `metadata.name`, so that the scheduler judges that node only and says why not in the
pod's condition PodScheduled; all other nodes fall under one known reason. A taint that only these
pods tolerate keeps everybody else off the nodes.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.cluster.kube import Kube, Object
from tests.cluster.nodes import create_nodes
from tests.rules.table import Case

# The reason for all nodes that an affinity on metadata.name leaves out.
NOT_NAMED = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
TAINT = {"key": "test.podplacement.io/oracle", "effect": "NoSchedule"}
TOLERATION = {"key": TAINT["key"], "operator": "Exists"}
HOLD = "test.podplacement.io/hold"
RUNTIME_CLASSES = "apis/node.k8s.io/v1/runtimeclasses"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True)
class Answer:
    """What kube-scheduler made of a case, and the objects as it saw them."""

    reasons: frozenset[str]
    scheduled: bool
    message: str
    pod: Object
    node: Object
    neighbours: list[Object]
    claims: dict[str, tuple[Object, Object | None] | None]


class Oracle:
    """Sets cases up on the cluster, asks, and takes everything down again."""

    def __init__(self, kube: Kube, namespace: str, cases: list[Case]) -> None:
        self.kube = kube
        self.namespace = namespace
        self.cases = cases
        self._runtime_classes: list[str] = []

    def ask(self) -> dict[str, Answer]:
        """The answer to each case, by its id."""
        create_nodes(self.kube, [self._node(case) for case in self.cases], timeout=90)
        for case in self.cases:
            self._create_claims(case)
            for neighbour in case.neighbours:
                self._create_neighbour(case, neighbour)
        for case in self.cases:
            self._settle_neighbours(case)
            self._settle_claims(case)
        for case in self.cases:
            self.kube.create(self._pod(case), self.namespace)
        pods = self.kube.wait_list("Pod", _all_judged, self.namespace, timeout=90, what="verdicts")
        judged = {pod["metadata"]["name"]: pod for pod in pods}
        return {case.id: self._answer(case, judged[case.id]) for case in self.cases}

    def remove(self) -> None:
        self.kube.delete_all("Pod", self.namespace, grace=0)
        for claim in self.kube.list("PersistentVolumeClaim", self.namespace):
            name = claim["metadata"]["name"]
            self.kube.delete("PersistentVolumeClaim", name, self.namespace)
            patch = {"metadata": {"finalizers": None}}
            self.kube.patch("PersistentVolumeClaim", name, patch, self.namespace)
        for volume in self.kube.list("PersistentVolume", selector=f"oracle={self.namespace}"):
            self.kube.delete("PersistentVolume", volume["metadata"]["name"])
        mine = {case.node["metadata"]["name"] for case in self.cases}
        for node in self.kube.list("Node"):
            if node["metadata"]["name"] in mine:
                self.kube.delete("Node", node["metadata"]["name"])
        for name in self._runtime_classes:
            self.kube.request("DELETE", f"{RUNTIME_CLASSES}/{name}")

    def _node(self, case: Case) -> Object:
        node = copy.deepcopy(case.node)
        node["spec"]["taints"] = [*node["spec"].get("taints", []), TAINT]
        node["status"]["capacity"] = node["status"]["allocatable"]
        del node["status"]["conditions"]
        return node

    def _pod(self, case: Case) -> Object:
        pod = copy.deepcopy(case.pod)
        pod["metadata"] = {"name": case.id, "labels": {"asks": "true"}}
        pod["spec"]["tolerations"] = [*pod["spec"].get("tolerations", []), TOLERATION]
        _pin(pod["spec"], case.node["metadata"]["name"])
        for volume in pod["spec"]["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                claim["claimName"] = f"{case.id}-{claim['claimName']}"
        if "overhead" in pod["spec"]:
            runtime_class = f"{self.namespace}-{case.id}"
            self._create_runtime_class(runtime_class, pod["spec"].pop("overhead"))
            pod["spec"]["runtimeClassName"] = runtime_class
        del pod["status"]
        return pod

    def _create_runtime_class(self, name: str, overhead: Object) -> None:
        """The only way to give a pod overhead."""
        body = {"metadata": {"name": name}, "handler": "any", "overhead": {"podFixed": overhead}}
        self.kube.request("POST", RUNTIME_CLASSES, body)
        self._runtime_classes.append(name)

    def _create_neighbour(self, case: Case, neighbour: Object) -> None:
        pod = copy.deepcopy(neighbour)
        # Its status is the case's, so the simulated kubelet must not write one of its own.
        pod["metadata"] = {
            "name": f"{case.id}-{neighbour['metadata']['name']}",
            "annotations": {
                "test.podplacement.io/ready-after": "1h",
                "test.podplacement.io/stop-after": "never",
            },
        }
        del pod["status"]
        self.kube.create(pod, self.namespace)

    def _settle_neighbours(self, case: Case) -> None:
        for neighbour in case.neighbours:
            name = f"{case.id}-{neighbour['metadata']['name']}"
            if neighbour["status"]:
                self.kube.wait("Pod", name, _seen_by_kubelet, self.namespace, what="kubelet")
                body = {"status": neighbour["status"]}
                self.kube.patch(
                    "Pod", name, body, self.namespace, patch_type="strategic", subresource="status"
                )
            if "deletionTimestamp" in neighbour["metadata"]:
                self.kube.delete("Pod", name, self.namespace, grace=600)

    def _create_claims(self, case: Case) -> None:
        for name, known in case.claims.items():
            if known is None:
                continue
            claim, volume = known
            claim_name = f"{case.id}-{name}"
            spec: Object = {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "",
                "resources": {"requests": {"storage": "1Gi"}},
            }
            metadata: Object = {"name": claim_name, "finalizers": [HOLD]}
            if volume is not None:
                spec["volumeName"] = self._create_volume(case, claim_name, volume)
            elif claim["spec"]["volumeName"]:
                # Bound once, to a volume that is gone by now.
                spec["volumeName"] = f"{claim_name}-gone"
                metadata["annotations"] = claim["metadata"]["annotations"]
            body = {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata,
                "spec": spec,
            }
            self.kube.create(body, self.namespace)

    def _create_volume(self, case: Case, claim_name: str, volume: Object) -> str:
        name = f"{self.namespace}-{claim_name}"
        body: Object = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": name,
                "labels": {"oracle": self.namespace, **volume["metadata"]["labels"]},
            },
            "spec": {
                **volume["spec"],
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": self.namespace, "name": claim_name},
                "csi": {"driver": "oracle.test.podplacement.io", "volumeHandle": name},
            },
        }
        self.kube.create(body)
        return name

    def _settle_claims(self, case: Case) -> None:
        for name, known in case.claims.items():
            if known is None:
                continue
            claim_name, wanted = f"{case.id}-{name}", known[0]["status"]["phase"]
            self.kube.wait(
                "PersistentVolumeClaim",
                claim_name,
                partial(_has_phase, wanted),
                self.namespace,
                what=f"phase {wanted}",
            )
            if "deletionTimestamp" in known[0]["metadata"]:
                self.kube.delete("PersistentVolumeClaim", claim_name, self.namespace)

    def _answer(self, case: Case, pod: Object) -> Answer:
        node = self.kube.get("Node", case.node["metadata"]["name"])
        on_node = f"spec.nodeName={node['metadata']['name']}"
        condition = _scheduled_condition(pod) or {}
        message = condition.get("message", "")
        claims = {f"{case.id}-{name}": self._claim(f"{case.id}-{name}") for name in case.claims}
        return Answer(
            reasons=reasons_in(message),
            scheduled=condition.get("status") == "True",
            message=message,
            pod=pod,
            node=node,
            neighbours=self.kube.list("Pod", self.namespace, fields=on_node),
            claims=claims,
        )

    def _claim(self, name: str) -> tuple[Object, Object | None] | None:
        claim = self.kube.find("PersistentVolumeClaim", name, self.namespace)
        if claim is None:
            return None
        volume_name = claim["spec"].get("volumeName")
        return claim, self.kube.find("PersistentVolume", volume_name) if volume_name else None


def reasons_in(message: str) -> frozenset[str]:
    """Why the pod's own node was refused, out of `0/9 nodes are available: 1 this, 8 that. ...`.

    A reason that stands there without a number was found before any node was looked at.
    """
    match = re.fullmatch(r"0/(\d+) nodes are available: (.*)", message, re.DOTALL)
    if match is None:
        return frozenset()
    nodes = int(match[1])
    verdict = re.split(r"\. (?:no new claims|preemption:|not found)", match[2])[0].rstrip(".")
    if not re.match(r"\d+ ", verdict):
        return frozenset({verdict})
    counted = [item.split(" ", 1) for item in verdict.split(", ")]
    others = [NOT_NAMED, str(nodes - 1)]
    return frozenset(reason for count, reason in counted if [reason, count] != others)


def _pin(spec: Object, name: str) -> None:
    """Add `metadata.name In [name]` to every term that names no node yet."""
    named = {"key": "metadata.name", "operator": "In", "values": [name]}
    affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    terms = affinity.setdefault(REQUIRED, {"nodeSelectorTerms": [{}]})["nodeSelectorTerms"]
    for term in terms:
        fields = term.setdefault("matchFields", [])
        if not any(field["operator"] == "In" for field in fields):
            fields.append(named)


def _scheduled_condition(pod: Object) -> Object | None:
    conditions: list[Any] = pod.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "PodScheduled"), None)


def _all_judged(pods: list[Object]) -> bool:
    asking = [pod for pod in pods if "asks" in pod["metadata"].get("labels", {})]
    return all(_scheduled_condition(pod) is not None for pod in asking)


def _has_phase(phase: str, claim: Object) -> bool:
    return bool(claim.get("status", {}).get("phase") == phase)


def _seen_by_kubelet(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("containerStatuses"))
