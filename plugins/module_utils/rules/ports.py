# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Two pods of a node never share a host port: same protocol, same port, overlapping addresses.

GetHostPorts in pkg/scheduler/util/utils.go and `HostPortInfo` in k8s.io/kube-scheduler/framework:
sidecars hold their ports, other init containers do not; 0.0.0.0 overlaps every address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .model import Object, pod_field
from .rejection import Rejection, reject
from .requests import is_sidecar

ANY_ADDRESS = "0.0.0.0"


class HostPort(NamedTuple):
    address: str
    protocol: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}/{self.protocol}"

    def overlaps(self, other: HostPort) -> bool:
        if (self.protocol, self.port) != (other.protocol, other.port):
            return False
        return self.address == other.address or ANY_ADDRESS in (self.address, other.address)


def host_ports(pod: Object) -> list[HostPort]:
    spec = pod_field(pod)["spec"]
    containers = [c for c in spec["initContainers"].elements() if is_sidecar(c)]
    containers += spec["containers"].elements()
    return [
        HostPort(
            port["hostIP"].text() or ANY_ADDRESS,
            port["protocol"].text() or "TCP",
            port["hostPort"].number(),
        )
        for container in containers
        for port in container["ports"].elements()
        if port["hostPort"].number() > 0
    ]


def port_conflict(pod: Object, used: Iterable[HostPort]) -> Rejection | None:
    """NodePorts: every host port that the pod asks for must be free on the node."""
    taken = [port for port in host_ports(pod) if any(port.overlaps(other) for other in used)]
    if not taken:
        return None
    ports = ", ".join(str(port) for port in taken)
    return reject("HostPortConflict", f"host port {ports} is in use on the node")
