# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node as plugins see it is a row of the table, read when asked: nothing is copied up front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._rules import NodeUsage
from .._rules.ports import HostPort

if TYPE_CHECKING:
    from .objects import Pod
    from .table import NodeTable

Object = Mapping[str, Any]


class SummedUsage(NodeUsage):
    """What the rules ask of a node's usage, from the sums that the table keeps.

    It knows no single pod, so `without` can leave none out: the pod that is judged is not counted.
    """

    def __init__(self, table: NodeTable, row: int) -> None:
        super().__init__()
        amounts = table.requested[row].tolist()
        self.requested = Counter(
            {name: amounts[column] for name, column in table.columns.items() if amounts[column]}
        )
        self.nonzero_cpu, self.nonzero_memory = table.nonzero[row].tolist()
        self._number = int(table.pod_count[row])
        self._held = list(table.ports.get(row, ()))

    @property
    def pod_count(self) -> int:
        return self._number

    @property
    def host_ports(self) -> list[HostPort]:
        return self._held

    def without(self, pod: Object) -> NodeUsage:
        """This usage: see the class."""
        return self


class NodeView:
    """A node and what is on it, assumed pods included (NodeInfo)."""

    __slots__ = ("_table", "name", "row")

    def __init__(self, table: NodeTable, row: int) -> None:
        self._table = table
        self.row = row
        self.name = table.names[row]

    @property
    def object(self) -> Object:
        """The Node as the API server sent it, without `managedFields`."""
        return self._table.objects[self.row] or {}

    @property
    def labels(self) -> Mapping[str, str]:
        """`metadata.labels`."""
        node = self._table.nodes[self.row]
        return {} if node is None else node.labels

    @property
    def allocatable(self) -> Mapping[str, int]:
        """Millicores of cpu, whole units of all else, and `pods`; what is 0 is left out."""
        table, row = self._table, self.row
        found = self._named(table.allocatable[row].tolist())
        return {**found, "pods": int(table.allowed_pods[row])}

    @property
    def requested(self) -> Mapping[str, int]:
        """In the same units; `pods` is the number of pods."""
        table, row = self._table, self.row
        return {**self._named(table.requested[row].tolist()), "pods": int(table.pod_count[row])}

    @property
    def pods(self) -> Sequence[Pod]:
        """The pods on the node that are not terminal."""
        return list(self._table.pods[self.row].values())

    @property
    def usage(self) -> NodeUsage:
        """As the rules want it."""
        return SummedUsage(self._table, self.row)

    def _named(self, amounts: Sequence[int]) -> dict[str, int]:
        columns = self._table.columns.items()
        return {name: amounts[column] for name, column in columns if amounts[column]}


class NodeViews(Sequence[NodeView]):
    """All nodes that the scheduler may use, now."""

    def __init__(self, table: NodeTable) -> None:
        self._table = table
        self._rows = table.usable.nonzero()[0].tolist()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._table.info(row) for row in self._rows[index]]
        return self._table.info(self._rows[index])

    def __iter__(self) -> Iterator[NodeView]:
        return (self._table.info(row) for row in self._rows)
