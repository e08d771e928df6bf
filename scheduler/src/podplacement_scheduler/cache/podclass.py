# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods with equal scheduling needs share one `PodClass`, so the rules run once for all of them.

A pod is told by the text of what matters of it, as the API server wrote it: two texts that mean
the same make two classes, which costs time and is never wrong. A class lives as long as a pod of
it does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import numpy as np
from numpy.typing import NDArray

from .._rules import MalformedObject
from .._rules.model import labels_of, pod_field
from .._rules.ports import HostPort, host_ports
from .._rules.requests import nonzero_requests, pod_requests
from .._rules.volumes import claim_names
from .wire import Container, ContainerStatus, PodStatus, WirePod

_LOG = logging.getLogger(__name__)
_NAMELESS = ("name", "projected", "configMap", "secret", "downwardAPI", "emptyDir", "hostPath")
# Volumes of these kinds say nothing about where a pod can run.
_ANYWHERE = frozenset(_NAMELESS)
_CONTAINER = ("name", "image", "resources", "ports", "restartPolicy", "restartPolicyRules")
_SPEC = (
    "priority",
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "overhead",
    "resources",
    "resourceClaims",
    "schedulingGroup",
    "workloadRef",
    "priorityClassName",
    "preemptionPolicy",
    "runtimeClassName",
    "os",
    "hostNetwork",
    "hostUsers",
)
_RESOURCES = ("resources", "overhead")
_VOLUMES = 0  # where `_needs_key` has them
# What a pod counts for whose requests cannot be read: more than any node has, and far enough from
# the end of an int64 that a thousand of them add up.
_UNREADABLE = 1 << 50

Object = Mapping[str, Any]


class Share:
    """What one pod takes from its node; equal shares are one object."""

    __slots__ = ("__weakref__", "nonzero", "ports", "requests", "vector")

    def __init__(
        self, requests: dict[str, int], nonzero: tuple[int, int], ports: tuple[HostPort, ...]
    ) -> None:
        self.requests = requests
        self.nonzero = nonzero
        self.ports = ports
        # `requests` by the columns of the table; the table keeps it.
        self.vector: NDArray[np.int64] = np.zeros(0, np.int64)


class Needs:
    """What classes share that differ in nothing but their labels, and the namespace where that does
    not matter: all that a built-in plugin looks at. Compared by identity."""

    __slots__ = ("__weakref__",)


class PodClass:
    """What pods with equal needs have in common.

    `example` is a Pod with all that a rule reads, and no name unless the name matters. `error`
    says why the pods of this class cannot be judged; "" where they can. `key` is what the class is
    found by: namespace, labels as they were written, all else; None where it cannot be found.
    """

    __slots__ = (
        "__weakref__",
        "anti_affinity",
        "claims",
        "error",
        "example",
        "id",
        "key",
        "labels",
        "namespace",
        "needs",
        "priority",
        "share",
        "shares",
    )

    def __init__(
        self, class_id: int, needs: Needs, example: Object, share: Share, error: str = ""
    ) -> None:
        metadata, spec = example["metadata"], example["spec"]
        self.id = class_id
        self.needs = needs
        self.example = example
        self.error = error
        self.namespace: str = metadata.get("namespace", "")
        self.labels: Mapping[str, str] = metadata.get("labels") or {}
        self.key: tuple[str, bytes, Any] | None = None
        self.priority: int = spec.get("priority") or 0
        self.share = share
        self.shares: dict[Any, Share] = {}
        self.claims: tuple[str, ...] = tuple(claim_names(example))
        self.anti_affinity = _has_anti_affinity(example)

    @property
    def requests(self) -> dict[str, int]:
        """As the rules' `pod_requests`: millicores of cpu, whole units of all else."""
        return self.share.requests

    @property
    def nonzero(self) -> tuple[int, int]:
        """As the rules' `nonzero_requests`, for scores."""
        return self.share.nonzero

    @property
    def ports(self) -> tuple[HostPort, ...]:
        """The host ports that the pod asks for."""
        return self.share.ports


class Interner:
    """Finds the class and the share of a pod, and makes those that are new."""

    def __init__(self) -> None:
        self._classes: WeakValueDictionary[Any, PodClass] = WeakValueDictionary()
        self._needs: WeakValueDictionary[Any, Needs] = WeakValueDictionary()
        self._shares: WeakValueDictionary[Any, Share] = WeakValueDictionary()
        self._made = 0

    @property
    def size(self) -> int:
        """How many classes there are now."""
        return len(self._classes)

    def pod_class(self, pod: WirePod, raw: bytes) -> PodClass:
        """The class of a pod; `raw` is its text."""
        needs = _needs_key(pod)
        key = (pod.metadata.namespace, bytes(pod.metadata.labels), needs)
        found = self._classes.get(key)
        if found is None:
            made = self._new_class(msgspec.json.decode(raw), self._needs_of(pod, needs))
            made.key = key
            found = self._classes[key] = made
        return found

    def labelled(self, pod_class: PodClass, labels: bytes) -> PodClass | None:
        """The class that differs from one in its labels only; None where it is not known."""
        if pod_class.key is None:
            return None
        namespace, as_they_are, needs = pod_class.key
        if labels == as_they_are:
            return pod_class
        return self._classes.get((namespace, labels, needs))

    def _needs_of(self, pod: WirePod, key: Any) -> Needs:
        """Claims are found by their namespace."""
        if key[_VOLUMES] is not None:
            key = (pod.metadata.namespace, key)
        found = self._needs.get(key)
        if found is None:
            found = self._needs[key] = Needs()
        return found

    def broken_class(self, namespace: str, error: str) -> PodClass:
        """The class of a pod that cannot be read: it is never placed and counts for the worst."""
        self._made += 1
        requests = dict.fromkeys(("cpu", "memory", "ephemeral-storage"), _UNREADABLE)
        worst = self._interned(requests, (_UNREADABLE, _UNREADABLE), ())
        example: Object = {"metadata": {"namespace": namespace}, "spec": {}}
        return PodClass(self._made, Needs(), example, worst, error)

    def share(self, status: PodStatus | None, pod_class: PodClass) -> Share:
        """What a pod takes from its node: that of its class, unless the kubelet says otherwise."""
        if status is None or (not status.container_statuses and not status.init_container_statuses):
            return pod_class.share
        key = _status_key(status)
        found = pod_class.shares.get(key)
        if found is None:
            found = pod_class.shares[key] = self._running_share(pod_class, status)
        return found

    def _running_share(self, pod_class: PodClass, status: PodStatus) -> Share:
        if pod_class.error:
            return pod_class.share
        running = {**pod_class.example, "status": _status_object(status)}
        try:
            return self._new_share(running, running=True)
        except MalformedObject as err:
            _LOG.warning("counted by its spec, because its status cannot be read: %s", err)
            return pod_class.share

    def _new_class(self, pod: Object, needs: Needs) -> PodClass:
        try:
            labels_of(pod_field(pod))
            example = _essence(pod)
            self._made += 1
            return PodClass(self._made, needs, example, self._new_share(example))
        except MalformedObject as err:
            _LOG.warning("a pod that no API server should store: %s", err)
            return self.broken_class(pod["metadata"].get("namespace", ""), str(err))

    def _new_share(self, pod: Object, *, running: bool = False) -> Share:
        return self._interned(
            pod_requests(pod, running=running),
            nonzero_requests(pod, running=running),
            tuple(host_ports(pod)),
        )

    def _interned(
        self, requests: dict[str, int], nonzero: tuple[int, int], ports: tuple[HostPort, ...]
    ) -> Share:
        key = (tuple(sorted(requests.items())), nonzero, ports)
        found = self._shares.get(key)
        if found is None:
            found = self._shares[key] = Share(requests, nonzero, ports)
        return found


def _needs_key(pod: WirePod) -> Any:
    spec = pod.spec
    return (
        _volumes_key(pod.metadata.name, spec.volumes) if spec.volumes else None,
        spec.priority,
        _containers_key(spec.containers),
        _containers_key(spec.init_containers),
        bytes(spec.node_selector),
        bytes(spec.affinity),
        bytes(spec.tolerations),
        bytes(spec.topology_spread_constraints),
        bytes(spec.overhead),
        bytes(spec.resources),
        bytes(spec.resource_claims),
        bytes(spec.scheduling_group),
        bytes(spec.workload_ref),
        bytes(spec.priority_class_name),
        bytes(spec.preemption_policy),
        bytes(spec.runtime_class_name),
        bytes(spec.os),
        bytes(spec.host_network),
        bytes(spec.host_users),
    )


def _containers_key(containers: list[Container] | None) -> Any:
    return tuple([_container_key(container) for container in containers]) if containers else None


def _container_key(container: Container) -> Any:
    return (
        container.name,
        container.image,
        bytes(container.resources),
        bytes(container.ports),
        container.restart_policy,
        bytes(container.restart_policy_rules),
    )


def _volumes_key(pod_name: str, volumes: list[dict[str, msgspec.Raw]]) -> Any:
    """Each volume that matters; the claim of an ephemeral one has the pod's name in its own."""
    kept = [
        (tuple([(key, bytes(raw)) for key, raw in volume.items()]), "ephemeral" in volume)
        for volume in volumes
        if not volume.keys() <= _ANYWHERE
    ]
    if not kept:
        return None
    named = pod_name if any(is_ephemeral for dummy, is_ephemeral in kept) else ""
    return named, tuple([parts for parts, dummy in kept])


def _status_key(status: PodStatus) -> Any:
    return (
        _statuses_key(status.container_statuses),
        _statuses_key(status.init_container_statuses),
        bytes(status.resources),
        bytes(status.allocated_resources),
        _resize_reason(status),
    )


def _statuses_key(statuses: list[ContainerStatus] | None) -> Any:
    if not statuses:
        return None
    return tuple([(s.name, bytes(s.allocated_resources), bytes(s.resources)) for s in statuses])


def _resize_reason(status: PodStatus) -> str | None:
    for condition in status.conditions or ():
        if condition.type == "PodResizePending":
            return condition.reason
    return None


def _status_object(status: PodStatus) -> Object:
    """The part of a status that `pod_requests(running=True)` reads."""

    def told(**raws: msgspec.Raw) -> dict[str, Any]:
        return {key: msgspec.json.decode(raw) for key, raw in raws.items() if bytes(raw)}

    def statuses(found: list[ContainerStatus] | None) -> list[Object]:
        return [
            {
                "name": s.name,
                **told(resources=s.resources, allocatedResources=s.allocated_resources),
            }
            for s in found or ()
        ]

    reason = _resize_reason(status)
    conditions = [] if reason is None else [{"type": "PodResizePending", "reason": reason}]
    return {
        "containerStatuses": statuses(status.container_statuses),
        "initContainerStatuses": statuses(status.init_container_statuses),
        "conditions": conditions,
        **told(resources=status.resources, allocatedResources=status.allocated_resources),
    }


def _essence(pod: Object) -> Object:
    """The pod with what makes its class, and nothing else."""
    spec: Object = pod.get("spec") or {}
    metadata: Object = pod.get("metadata") or {}
    kept: dict[str, Any] = {key: spec[key] for key in _SPEC if spec.get(key) is not None}
    for key in ("containers", "initContainers"):
        kept[key] = [_only(container, _CONTAINER.__contains__) for container in spec.get(key) or ()]
    volumes = [volume for volume in spec.get("volumes") or () if not volume.keys() <= _ANYWHERE]
    if volumes:
        kept["volumes"] = volumes
    about = {"namespace": metadata.get("namespace", ""), "labels": metadata.get("labels") or {}}
    if any("ephemeral" in volume for volume in volumes):
        about["name"] = metadata.get("name", "")
    return {"metadata": about, "spec": kept}


def besides_resources(example: Object) -> bytes:
    """All of a class that built-in plugins look at, but what is a matter of the room on a node:
    labels, taints and images of nodes are none.
    """
    spec = {key: value for key, value in example["spec"].items() if key not in _RESOURCES}
    for key in ("containers", "initContainers"):
        spec[key] = [_only(one, lambda k: k not in _RESOURCES) for one in spec.get(key) or ()]
    return msgspec.json.encode((example["metadata"].get("namespace", ""), spec))


def _only(mapping: Object, wanted: Callable[[str], bool]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if wanted(key)}


def _has_anti_affinity(pod: Object) -> bool:
    terms = pod_field(pod)["spec"]["affinity"]["podAntiAffinity"]
    required = terms["requiredDuringSchedulingIgnoredDuringExecution"].elements()
    return any(True for dummy in required)
