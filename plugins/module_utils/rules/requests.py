# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a pod takes from its node is computed as kube-scheduler does, sidecars and resizes included.

Follows PodRequests and AggregateContainerRequests in k8s.io/component-helpers/resource/helpers.go,
with the feature gates of Kubernetes 1.36 at their defaults (pod-level resources since 1.34 and
in-place resize of running pods since 1.33 are on).
"""

from __future__ import annotations

from collections.abc import Mapping

from .model import Field, Object, pod_field
from .quantity import MILLI, NANO, quantity, round_up

# A container that asks for nothing still counts for this much when nodes are *scored*, so that
# such pods do not pile up on one node (pkg/scheduler/util/pod_resources.go).
NONZERO_DEFAULTS: Mapping[str, int] = {"cpu": 100 * MILLI, "memory": 200 * 1024 * 1024 * NANO}

Amounts = dict[str, int]  # resource name -> billionths


def pod_requests(pod: Object, *, running: bool = False) -> dict[str, int]:
    """The pod's effective requests in units: millicores of cpu, whole units of all else.

    `running` counts what the kubelet has allocated or actuated where that is more than the spec
    says (a resize under way), as the scheduler does for pods on a node, not for one to be placed.
    """
    return to_units(_pod_amounts(pod_field(pod), running=running, defaults={}))


def nonzero_requests(pod: Object, *, running: bool = False) -> tuple[int, int]:
    """Millicores and bytes for scoring: a container that asks for none counts the defaults.

    As `PodInfo.CalculateResource` in pkg/scheduler/framework/types.go: a request at the level of
    the pod leaves no container without, so the default of that resource is not added.
    """
    field = pod_field(pod)
    defaults = dict(NONZERO_DEFAULTS)
    if any(is_pod_level(name) for name, dummy in field["spec"]["resources"]["requests"].members()):
        stated = _pod_amounts(field, running=running, defaults={})
        defaults = {name: amount for name, amount in defaults.items() if name not in stated}
    units = to_units(_pod_amounts(field, running=running, defaults=defaults))
    return units.get("cpu", 0), units.get("memory", 0)


def resource_list(field: Field) -> Amounts:
    return {name: quantity(value) for name, value in field.members()}


def to_units(amounts: Mapping[str, int]) -> dict[str, int]:
    """Billionths -> the integers that kube-scheduler compares; other names do not count.

    As `Resource.Add` in pkg/scheduler/framework/types.go.
    """
    return {
        name: round_up(amount, MILLI if name == "cpu" else NANO)
        for name, amount in amounts.items()
        if name in ("cpu", "memory", "ephemeral-storage", "pods") or is_scalar(name)
    }


def is_scalar(name: str) -> bool:
    """Extended, huge page, attachable volume and prefixed native resources (IsScalarResourceName).

    The check for qualified names is left out: the API server makes it.
    """
    if name.startswith(("hugepages-", "attachable-volumes-")):
        return True
    return "/" in name and not name.startswith("requests.")


def is_pod_level(name: str) -> bool:
    """The resources that `spec.resources` of a pod may set (IsSupportedPodLevelResource)."""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def is_sidecar(init_container: Field) -> bool:
    return init_container["restartPolicy"].text() == "Always"


def _pod_amounts(pod: Field, *, running: bool, defaults: Mapping[str, int]) -> Amounts:
    amounts = _container_amounts(pod, running=running, defaults=defaults)
    amounts.update(_pod_level_amounts(pod, running=running))
    _add(amounts, resource_list(pod["spec"]["overhead"]))
    return amounts


def _container_amounts(pod: Field, *, running: bool, defaults: Mapping[str, int]) -> Amounts:
    """Containers and sidecars run together; before that, each init container runs with the
    sidecars that were started before it. The pod needs the greater of the two."""
    statuses = _statuses(pod) if running else {}
    resize = _resize_is_infeasible(pod) if running else False

    def amounts_of(container: Field, status: Field | None) -> Amounts:
        requests = container["resources"]["requests"]
        if status is not None and status["resources"].exists:
            actuated, allocated = status["resources"]["requests"], status["allocatedResources"]
            amounts = _effective(requests, actuated, allocated, infeasible=resize)
        else:
            amounts = resource_list(requests)
        return {**defaults, **amounts}

    total: Amounts = {}
    for container in pod["spec"]["containers"].elements():
        _add(total, amounts_of(container, statuses.get(container["name"].text())))

    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in pod["spec"]["initContainers"].elements():
        if is_sidecar(container):
            amounts = amounts_of(container, statuses.get(container["name"].text()))
            _add(total, amounts)
            _add(sidecars, amounts)
        else:
            amounts = amounts_of(container, None)
            _add(amounts, sidecars)
            _raise_to(starting, amounts)
    _raise_to(total, starting)
    return total


def _pod_level_amounts(pod: Field, *, running: bool) -> Amounts:
    """What `spec.resources` of the pod says replaces what its containers add up to."""
    requests = pod["spec"]["resources"]["requests"]
    amounts = resource_list(requests)
    if running and pod["status"]["resources"].exists:
        amounts = _effective(
            requests,
            pod["status"]["resources"]["requests"],
            pod["status"]["allocatedResources"],
            infeasible=_resize_is_infeasible(pod),
        )
    named = {name for name, dummy in requests.members() if is_pod_level(name)}
    return {name: amounts.get(name, 0) for name in named}


def _effective(spec: Field, actuated: Field, allocated: Field, *, infeasible: bool) -> Amounts:
    """While a resize is under way the node must hold the greatest of what is asked for, granted
    and in force; a resize that the node can never grant does not count."""
    amounts = {} if infeasible else resource_list(spec)
    _raise_to(amounts, resource_list(actuated))
    _raise_to(amounts, resource_list(allocated))
    return amounts


def _statuses(pod: Field) -> dict[str, Field]:
    status = pod["status"]
    return {
        container["name"].text(): container
        for key in ("containerStatuses", "initContainerStatuses")
        for container in status[key].elements()
    }


def _resize_is_infeasible(pod: Field) -> bool:
    for condition in pod["status"]["conditions"].elements():
        if condition["type"].text() == "PodResizePending":
            return condition["reason"].text() == "Infeasible"
    return False


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise_to(total: Amounts, floor: Mapping[str, int]) -> None:
    for name, amount in floor.items():
        if name not in total or amount > total[name]:
            total[name] = amount
