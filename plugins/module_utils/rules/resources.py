# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A pod fits when each resource it asks for is free: requests against allocatable, never usage.

NodeResourcesFit: fitsRequest in pkg/scheduler/framework/plugins/noderesources/fit.go. A resource
that the pod does not ask for is not judged, so a pod without requests fits a full node as long as
the number of pods allows. An extended resource counts only where the node itself offers it: a
device behind a DeviceClass (dynamic resource allocation) is for another plugin to judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from .model import Object, node_field
from .quantity import format_units
from .rejection import CODES, Rejection, reject
from .requests import pod_requests, resource_list, to_units
from .usage import NodeUsage

_CODES = {
    "cpu": "InsufficientCpu",
    "memory": "InsufficientMemory",
    "ephemeral-storage": "InsufficientEphemeralStorage",
}


def allocatable(node: Object) -> dict[str, int]:
    """What the node offers to pods: millicores of cpu, whole units of all else."""
    return to_units(resource_list(node_field(node)["status"]["allocatable"]))


def free(node: Object, usage: NodeUsage) -> dict[str, int]:
    """What is left for each resource that the node offers; below 0 where it is overcommitted."""
    offered = allocatable(node)
    left = {name: units - usage.requested[name] for name, units in offered.items()}
    left["pods"] = offered.get("pods", 0) - usage.pod_count
    return left


def insufficient_resources(
    pod: Object,
    node: Object,
    usage: NodeUsage,
    *,
    ignores: Callable[[str], bool] = lambda dummy: False,
) -> list[Rejection]:
    """All that is too little; `ignores` names resources that somebody else looks after."""
    offered = allocatable(node)
    rejections = []
    if usage.pod_count + 1 > offered.get("pods", 0):
        detail = f"{usage.pod_count} pods on the node, {offered.get('pods', 0)} allowed"
        rejections.append(reject("TooManyPods", detail))
    requests = pod_requests(pod)
    for name in sorted(requests, key=_order):
        units = requests[name]
        if name == "pods" or units <= 0 or ignores(name):
            continue
        if units > offered.get(name, 0) - usage.requested[name]:
            rejections.append(_insufficient(name, units, offered, usage))
    return rejections


def _insufficient(name: str, units: int, offered: Mapping[str, int], usage: NodeUsage) -> Rejection:
    capacity = offered.get(name, 0)
    amounts = [format_units(name, n) for n in (units, capacity - usage.requested[name], capacity)]
    return reject(
        insufficient_code(name),
        f"requests {amounts[0]} {name}, {amounts[1]} free of {amounts[2]} allocatable",
        # No number of evictions makes a node greater than it is.
        resolvable=units <= capacity,
        resource=name,
    )


def insufficient_code(name: str) -> str:
    return _CODES.get(name, "InsufficientResource")


def insufficient_text(name: str) -> str:
    """What a pod is told of whom this resource is too little."""
    return CODES[insufficient_code(name)].text.format(resource=name)


def _order(name: str) -> tuple[int, str]:
    known = list(_CODES)
    return (known.index(name) if name in known else len(known), name)
