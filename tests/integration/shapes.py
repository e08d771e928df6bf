# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications come in shapes; this table says what each strategy makes of each of them.

A shape is what is particular about a workload's pods, its owner or its surroundings. Its outcome is
`MOVED` unless the table names a reason code, or `NOT` where no such workload exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.cluster import DEFAULT_IMAGE
from tests.cluster.kube import Object

GATE = "test.podplacement.io/gate"
MOVED, NOT = "moved", ""
LOSSLESS = ("adopt", "shadow", "surge")
BARE = ("recreate", "surge")
STRATEGIES = ("adopt", "shadow", "replace", "steer", "evict", "recreate", "surge")
OWNED = ("adopt", "shadow", "replace", "steer", "evict")

Spec = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """`spec` and `container` are merged into each pod, `owner` into its controller's spec."""

    spec: Spec = field(default_factory=dict)
    container: Spec = field(default_factory=dict)
    owner: Spec = field(default_factory=dict)
    companions: Callable[[str, str, str], list[Object]] = lambda _app, _kind, _namespace: []
    replicas: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)
    crowded: bool = False  # the target is a node that has a pod of it already
    outcomes: Mapping[str, str] = field(default_factory=dict)

    def outcome(self, strategy: str) -> str:
        """What the strategy makes of it."""
        return self.outcomes.get(strategy, MOVED)


def _each(strategies: tuple[str, ...], outcome: str) -> dict[str, str]:
    return dict.fromkeys(strategies, outcome)


def _away(key: str, app: str) -> Spec:
    """Anti-affinity that is required, or a spread that is: by the label of the application."""
    selector = {"matchLabels": {"app": app}}
    if key == "spread":
        rule = {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
        return {"topologySpreadConstraints": [rule | {"topologyKey": "kubernetes.io/hostname"}]}
    term = {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}
    return {
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    }


def _claim(mode: str) -> Callable[[str, str, str], list[Object]]:
    """A claim and the network volume behind it."""

    def make(app: str, _kind: str, namespace: str) -> list[Object]:
        size, name = {"storage": "1Gi"}, f"{namespace}-{app}"
        volume = {
            "accessModes": [mode],
            "capacity": size,
            "storageClassName": "",
            "nfs": {"server": "127.0.0.1", "path": f"/{app}"},
            "claimRef": {"namespace": namespace, "name": app},
        }
        claim = {
            "accessModes": [mode],
            "resources": {"requests": size},
            "storageClassName": "",
            "volumeName": name,
        }
        return [
            _object("PersistentVolume", name, spec=volume),
            _object("PersistentVolumeClaim", app, spec=claim),
        ]

    return make


def _claimed(app: str) -> Spec:
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": app}}]}


def _autoscaler(app: str, kind: str, _namespace: str) -> list[Object]:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": app}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 5}
    found = _object("HorizontalPodAutoscaler", app, spec=spec)
    return [found | {"apiVersion": "autoscaling/v2"}]


def _settings(app: str, _kind: str, _namespace: str) -> list[Object]:
    return [_object("ConfigMap", app, data={"greeting": "hello"})]


def _object(kind: str, name: str, **content: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}


def _projected(app: str) -> Spec:
    sources = [
        {"configMap": {"name": app}},
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ]
    return {"volumes": [{"name": "mixed", "projected": {"sources": sources}}]}


def _extra(name: str, **fields: Any) -> Spec:
    return {"name": name, "image": DEFAULT_IMAGE, **fields}


_EXEC = {"exec": {"command": ["true"]}}
_ONE_AT_A_TIME = _each(("adopt", "shadow", "surge"), "VolumeSingleNode")

SHAPES: dict[str, Shape] = {
    "plain": Shape(),
    "sidecar": Shape(spec={"initContainers": [_extra("proxy", restartPolicy="Always")]}),
    "init-container": Shape(spec={"initContainers": [_extra("prepare")]}),
    "readiness-gate": Shape(spec={"readinessGates": [{"conditionType": GATE}]}),
    "host-port": Shape(container={"ports": [{"containerPort": 80, "hostPort": 18080}]}),
    "claim-of-many": Shape(spec=_claimed("claim-of-many"), companions=_claim("ReadWriteMany")),
    "claim-of-one-node": Shape(
        spec=_claimed("claim-of-one-node"),
        companions=_claim("ReadWriteOnce"),
        replicas=1,
        outcomes=_ONE_AT_A_TIME,
    ),
    "autoscaled": Shape(companions=_autoscaler, outcomes=_each(BARE, NOT)),
    "apart": Shape(spec=_away("affinity", "apart")),
    "apart-on-all-nodes": Shape(
        spec=_away("affinity", "apart-on-all-nodes"),
        replicas=3,
        crowded=True,
        # an eviction names no node, so the pod may come back to its own
        outcomes=_each(STRATEGIES, "PodAntiAffinityMismatch") | {"evict": MOVED},
    ),
    "spread": Shape(spec=_away("spread", "spread")),
    # the pin leaves the scheduler one node to judge, whose skew is always 0 (moves.md, trap 5)
    "spread-would-end": Shape(
        spec=_away("spread", "spread-would-end"),
        crowded=True,
        outcomes=_each(STRATEGIES, "SpreadViolated") | {"evict": MOVED},
    ),
    "recreate-strategy": Shape(
        owner={"strategy": {"type": "Recreate"}}, outcomes=_each((*BARE, "steer"), NOT)
    ),
    "min-ready-seconds": Shape(owner={"minReadySeconds": 1}, outcomes=_each(BARE, NOT)),
    "hooks": Shape(container={"lifecycle": {"postStart": _EXEC, "preStop": _EXEC}}),
    "scratch-space": Shape(
        spec={"volumes": [{"name": "scratch", "emptyDir": {}}]},
        outcomes=_each((*BARE, *OWNED), "LocalData"),
    ),
    "scratch-space-given-up": Shape(
        spec={"volumes": [{"name": "scratch", "emptyDir": {}}]},
        options={"delete_emptydir_data": True},
    ),
    "projected-volume": Shape(spec=_projected("projected-volume"), companions=_settings),
    "priority": Shape(),  # its class is named after the namespace
    "other-scheduler": Shape(),  # the same
    "pod-resources": Shape(spec={"resources": {"requests": {"cpu": "100m", "memory": "32Mi"}}}),
    "host-name": Shape(
        spec={"hostname": "keep-me", "subdomain": "inside"}, outcomes={"surge": "NameMatters"}
    ),
}


def workload(app: str, strategy: str, namespace: str, place: Spec) -> list[Object]:
    """The objects of a shape, as the strategy needs them; `place` is merged into the pods."""
    shape = SHAPES[app]
    labels = {"app": app, "shape": "true"}
    container = {"name": "main", "image": DEFAULT_IMAGE, **shape.container}
    spec = {"terminationGracePeriodSeconds": 2, "containers": [container], **place, **shape.spec}
    if app == "priority":
        spec["priorityClassName"] = namespace
    if app == "other-scheduler":
        spec["schedulerName"] = namespace
    if strategy in BARE:
        names = [f"{app}-{number}" for number in range(shape.replicas)]
        pods = [_object("Pod", name, spec=spec) for name in names]
        for pod in pods:
            pod["metadata"]["labels"] = labels
        return [*shape.companions(app, "Pod", namespace), *pods]
    kind = "StatefulSet" if strategy == "steer" else "Deployment"
    owner = _object(kind, app, spec={"replicas": shape.replicas, **shape.owner})
    owner["apiVersion"] = "apps/v1"
    owner["spec"]["selector"] = {"matchLabels": {"app": app}}
    owner["spec"]["template"] = {"metadata": {"labels": labels}, "spec": spec}
    if kind == "StatefulSet":
        owner["spec"] |= {"serviceName": app, "podManagementPolicy": "Parallel"}
    return [*shape.companions(app, kind, namespace), owner]
