# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two pods of a node never share a host port."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._rules import CODES
from .._rules.ports import port_conflict
from ..framework.interface import (
    SUCCESS,
    Code,
    CycleState,
    Event,
    Handle,
    NodeInfo,
    Plugin,
    PodView,
    Status,
)
from .base import Args, judged, parse

if TYPE_CHECKING:
    from ..cache.table import NodeTable


class NodePorts(Plugin):
    """Every host port that the pod asks for must be free."""

    name = "NodePorts"
    events: ClassVar[frozenset[Event]] = frozenset({Event.NODE_ADDED, Event.POD_REMOVED})

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        parse(self.name, args, Args)
        super().__init__(args, handle)

    def sign(self, pod: PodView) -> Hashable:
        return ()

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        return SUCCESS if pod.pod_class.ports else Status(Code.SKIP)

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        return judged(port_conflict(pod.object, node.usage.host_ports))

    def filter_rows(
        self, state: CycleState, pod: PodView, table: NodeTable, rows: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """Only rows on which some host port is in use are looked at."""
        fits = np.ones(len(rows), np.bool_)
        wanted = pod.pod_class.ports
        if wanted and table.ports:
            for position in np.flatnonzero(np.isin(rows, list(table.ports))):
                held = table.ports[int(rows[position])]
                fits[position] = not any(port.overlaps(other) for port in wanted for other in held)
        return fits

    def reasons_rows(
        self, state: CycleState, pod: PodView, table: NodeTable, rows: NDArray[np.intp]
    ) -> Counter[str]:
        refused = int(len(rows) - self.filter_rows(state, pod, table, rows).sum())
        return Counter({CODES["HostPortConflict"].text: refused} if refused else {})
