# Copyright (c) 2026 podplacement contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the pods of a node hold is kept as sums, so that one more pod costs one addition.

As `NodeInfo` in pkg/scheduler/framework/types.go: every pod that is assigned and not terminal
counts, also one that is being deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from .model import Object, identity_of, pod_field
from .pod_state import is_terminal
from .ports import HostPort, host_ports
from .requests import nonzero_requests, pod_requests


class Share(NamedTuple):
    """What one pod takes from its node."""

    requests: dict[str, int]
    nonzero: tuple[int, int]
    ports: list[HostPort]


class NodeUsage:
    """Requested resources, number of pods and host ports in use on one node."""

    def __init__(self, pods: Iterable[Object] = ()) -> None:
        self.requested: Counter[str] = Counter()
        self.nonzero_cpu = 0  # millicores, for scores
        self.nonzero_memory = 0  # bytes, for scores
        self._ports: Counter[HostPort] = Counter()
        self._shares: dict[str, Share] = {}
        for pod in pods:
            self.add(pod)

    @property
    def pod_count(self) -> int:
        return len(self._shares)

    @property
    def host_ports(self) -> list[HostPort]:
        return [port for port, holders in self._ports.items() if holders > 0]

    def add(self, pod: Object) -> None:
        """Count the pod; one that is counted already is counted anew, with what it is now."""
        self.remove(pod)
        if is_terminal(pod):
            return
        share = Share(
            pod_requests(pod, running=True), nonzero_requests(pod, running=True), host_ports(pod)
        )
        self._shares[identity_of(pod_field(pod))] = share
        self._count(share, 1)

    def remove(self, pod: Object) -> None:
        """Stop counting the pod; one that is not counted is no error."""
        share = self._shares.pop(identity_of(pod_field(pod)), None)
        if share is not None:
            self._count(share, -1)

    def without(self, pod: Object) -> NodeUsage:
        """This usage, or a copy that leaves the pod out: no pod competes with itself."""
        if identity_of(pod_field(pod)) not in self._shares:
            return self
        rest = NodeUsage()
        for identity, share in self._shares.items():
            rest._shares[identity] = share
            rest._count(share, 1)
        rest.remove(pod)
        return rest

    def _count(self, share: Share, sign: int) -> None:
        for name, units in share.requests.items():
            self.requested[name] += sign * units
        self.nonzero_cpu += sign * share.nonzero[0]
        self.nonzero_memory += sign * share.nonzero[1]
        for port in share.ports:
            self._ports[port] += sign
