# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes as columns of numbers: what each offers and what the pods on it take.

A row belongs to one node name from the first time that anything is said of it (a node, or a pod
on it) until neither is left. `modified` counters tell readers which rows have changed since they
last looked.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._rules import NodeUsage
from .._rules.ports import HostPort
from .groups import Grouping
from .nodes import Decoded, Node
from .objects import Pod
from .podclass import Share
from .views import NodeView, SummedUsage

Rows = NDArray[np.intp]
_FIRST_COLUMNS = ("cpu", "memory", "ephemeral-storage")
_FACETS_KEPT = 64
_NO_ROWS: Rows = np.zeros(0, np.intp)
# So many changes of usage are remembered one by one.
_LATELY = 64


class Lookup:
    """What is there and what is taken on some rows, found once for all plugins that ask.

    `both`, `used` and `nonzero` are of cpu and memory alone, each a line of its own: operations on
    long lines are cheap. `both` is what there is, None where some row has none of one.
    """

    __slots__ = ("both", "nonzero", "requested", "rows", "there", "used", "version")

    def __init__(self, table: NodeTable, rows: Rows) -> None:
        self.rows = rows
        self.version = table.version
        self.there: NDArray[np.int64] = table.allocatable.take(rows, 0)
        self.requested: NDArray[np.int64] = table.requested.take(rows, 0)
        self.used: NDArray[np.int64] = self.requested.T[:2].copy()
        self.nonzero: NDArray[np.int64] = table.nonzero.take(rows, 0).T.copy()
        both: NDArray[np.int64] = self.there.T[:2].copy()
        self.both = both if np.count_nonzero(both) == both.size else None


class Numbers:
    """What is there and what is taken on one row, by column; `nonzero` as scores count it.

    NumPy takes its time over a single number, and who judges node by node asks for several.
    """

    __slots__ = ("full", "nonzero", "there", "used")

    def __init__(self, table: NodeTable, row: int) -> None:
        self.there: list[int] = table.allocatable[row].tolist()
        self.used: list[int] = table.requested[row].tolist()
        self.nonzero: list[int] = table.nonzero[row].tolist()
        self.full = table.pod_count.item(row) >= table.allowed_pods.item(row)


class NodeTable:
    """All nodes; row `i` of every array is the node `names[i]`.

    `present` rows have a Node object; of those, `usable` ones are in the scope of this scheduler.
    `ports` holds the host ports in use, for the rows that have any. `objects[i]` is the Node as
    the API server sent it, without `managedFields`.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.index: dict[str, int] = {}
        self.columns: dict[str, int] = {name: i for i, name in enumerate(_FIRST_COLUMNS)}
        self.nodes: list[Node | None] = []
        self.objects = Decoded(self.nodes)
        self.pods: list[dict[str, Pod]] = []
        self.ports: dict[int, Counter[HostPort]] = {}
        self.version = 0
        self.count = 0  # usable nodes
        self.image_counts: Counter[str] = Counter()  # of usable nodes, by the name of the image
        self._free: list[int] = []
        self._lookup: Lookup | None = None
        self._numbers: dict[int, Numbers] = {}  # of the rows that were asked for lately
        self._groupings: dict[frozenset[str], Grouping] = {}
        self._lately: deque[int] = deque(maxlen=_LATELY)  # the rows of the last changes of usage
        self.nodes_version = 0  # the version when a node changed last
        self._resized = 0  # the version when the arrays were last replaced
        self.present: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.usable: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.allocatable: NDArray[np.int64] = np.zeros((0, len(self.columns)), np.int64)
        self.requested: NDArray[np.int64] = np.zeros((0, len(self.columns)), np.int64)
        self.nonzero: NDArray[np.int64] = np.zeros((0, 2), np.int64)
        self.pod_count: NDArray[np.int64] = np.zeros(0, np.int64)
        self.allowed_pods: NDArray[np.int64] = np.zeros(0, np.int64)
        self._node_modified: NDArray[np.int64] = np.zeros(0, np.int64)
        self._usage_modified: NDArray[np.int64] = np.zeros(0, np.int64)

    # What readers ask.

    def changed_since(self, version: int) -> tuple[Rows, Rows] | None:
        """The rows whose node changed, and those whose usage changed; None: all may have."""
        if version < self._resized:
            return None
        usages = (self._usage_modified > version).nonzero()[0]
        if version >= self.nodes_version:
            return _NO_ROWS, usages
        return (self._node_modified > version).nonzero()[0], usages

    def used_since(self, version: int) -> list[int] | None:
        """The rows whose usage changed, each time that it did; None: nodes did, or too many."""
        times = self.version - version
        if times > len(self._lately) or version < self.nodes_version or version < self._resized:
            return None
        return list(islice(reversed(self._lately), times))

    def grouping(self, facets: frozenset[str]) -> Grouping:
        """The rows grouped by what their nodes are like; kept until it grows out of hand."""
        found = self._groupings.get(facets)
        if found is None or found.is_stale:
            if len(self._groupings) >= _FACETS_KEPT:
                self._groupings.pop(next(iter(self._groupings)))
            found = self._groupings[facets] = Grouping(facets, self.nodes)
        return found

    def groups(self, facets: frozenset[str]) -> tuple[NDArray[np.int32], list[int]]:
        """The group of each row, and one row of each group."""
        found = self.grouping(facets)
        return found.of_row, found.representatives

    def lookup(self, rows: Rows) -> Lookup:
        """The numbers of the rows; the same object for who asks next with the same array."""
        found = self._lookup
        if found is None or found.rows is not rows or found.version != self.version:
            found = self._lookup = Lookup(self, rows)
        return found

    def numbers(self, row: int) -> Numbers:
        """The numbers of one row, until something on it changes."""
        found = self._numbers.get(row)
        if found is None:
            if len(self._numbers) >= _LATELY:
                self._numbers.clear()
            found = self._numbers[row] = Numbers(self, row)
        return found

    def info(self, row: int) -> NodeView:
        """The node of a row as plugins see it."""
        return NodeView(self, row)

    def usage(self, row: int) -> NodeUsage:
        """What is on the node of a row, as the rules want it."""
        return SummedUsage(self, row)

    # What the cluster tells.

    def reserve(self, more: int) -> None:
        """Make room for so many more rows at once."""
        if more > len(self._free):
            self._grow(more - len(self._free))

    def set_node(self, node: Node, offered: Mapping[str, int], *, usable: bool) -> None:
        """A node is there, or is another one now."""
        row = self._row(node.name)
        for name in offered:
            if name != "pods":
                self._column(name)
        self.allocatable[row] = 0
        for name, units in offered.items():
            if name != "pods":
                self.allocatable[row, self.columns[name]] = units
        self.allowed_pods[row] = offered.get("pods", 0)
        self._set(row, node, usable=usable)

    def touch_node(self, node: Node) -> None:
        """The node says nothing new that matters: only its object is another one."""
        self.nodes[self.index[node.name]] = node

    def remove_node(self, name: str) -> None:
        """The node is gone; its pods are still counted, should it come back."""
        row = self.index.get(name)
        if row is None or not self.present[row]:
            return
        self.allocatable[row] = 0
        self.allowed_pods[row] = 0
        self._set(row, None, usable=False)
        self._release(row)

    def add(self, pod: Pod, node_name: str) -> None:
        """Count a pod on a node, known or not."""
        row = self._row(node_name)
        self.pods[row][pod.uid] = pod
        self._count(row, pod.share, 1)

    def remove(self, uid: str, node_name: str) -> Pod | None:
        """Stop counting a pod; None where it was not counted."""
        row = self.index.get(node_name)
        pod = self.pods[row].pop(uid, None) if row is not None else None
        if row is not None and pod is not None:
            self._count(row, pod.share, -1)
            self._release(row)
        return pod

    def replace(self, pod: Pod, node_name: str) -> None:
        """The pod is known better now, and still on its node."""
        row = self.index[node_name]
        before = self.pods[row].get(pod.uid)
        self.pods[row][pod.uid] = pod
        if before is None or before.share is not pod.share:
            if before is not None:
                self._count(row, before.share, -1)
            self._count(row, pod.share, 1)

    # How it is kept.

    def _set(self, row: int, node: Node | None, *, usable: bool) -> None:
        if self.usable[row]:
            self._count_images(self.nodes[row], -1)
        if usable:
            self._count_images(node, 1)
        self.nodes[row] = node
        self.count += int(usable) - int(self.usable[row])
        self.present[row] = node is not None
        self.usable[row] = usable
        for grouping in self._groupings.values():
            grouping.update(row, node)
        self._numbers.pop(row, None)
        self.version += 1
        self.nodes_version = self._node_modified[row] = self.version

    def _count_images(self, node: Node | None, sign: int) -> None:
        for name in node.image_names() if node is not None else ():
            self.image_counts[name] += sign
            if not self.image_counts[name]:
                del self.image_counts[name]

    def _count(self, row: int, share: Share, sign: int) -> None:
        vector = share.vector
        if len(vector) != len(self.columns):
            vector = self._vector(share)
        if sign > 0:
            self.requested[row] += vector
        else:
            self.requested[row] -= vector
        cpu, memory = share.nonzero
        self.nonzero[row, 0] += sign * cpu
        self.nonzero[row, 1] += sign * memory
        self.pod_count[row] += sign
        if share.ports:
            self._count_ports(row, share.ports, sign)
        self._numbers.pop(row, None)
        self.version += 1
        self._usage_modified[row] = self.version
        self._lately.append(row)

    def _count_ports(self, row: int, ports: Sequence[HostPort], sign: int) -> None:
        held = self.ports.setdefault(row, Counter())
        for port in ports:
            held[port] += sign
            if held[port] <= 0:
                del held[port]
        if not held:
            del self.ports[row]

    def _vector(self, share: Share) -> NDArray[np.int64]:
        for name in share.requests:
            if name != "pods":
                self._column(name)
        share.vector = np.zeros(len(self.columns), np.int64)
        for name, units in share.requests.items():
            if name != "pods":
                share.vector[self.columns[name]] = units
        return share.vector

    def _column(self, name: str) -> int:
        if name not in self.columns:
            self.columns[name] = len(self.columns)
            empty = np.zeros((len(self.names), 1), np.int64)
            self.allocatable = np.hstack([self.allocatable, empty])
            self.requested = np.hstack([self.requested, empty])
            self._numbers.clear()
        return self.columns[name]

    def _row(self, name: str) -> int:
        row = self.index.get(name)
        if row is None:
            if not self._free:
                self._grow(max(16, len(self.names) // 4))
            row = self.index[name] = self._free.pop()
            self.names[row] = name
        return row

    def _release(self, row: int) -> None:
        """A row of which nothing is left to say is free for another name."""
        if self.pods[row] or self.present[row]:
            return
        del self.index[self.names[row]]
        self.names[row] = ""
        self._free.append(row)

    def _grow(self, more: int) -> None:
        first = len(self.names)
        self.names += [""] * more
        self.nodes += [None] * more
        self.pods += [{} for dummy in range(more)]
        # The lowest row is taken first.
        self._free[:0] = range(first + more - 1, first - 1, -1)
        for name in _ARRAYS:
            array: NDArray[Any] = getattr(self, name)
            added = np.zeros((more, *array.shape[1:]), array.dtype)
            setattr(self, name, np.concatenate([array, added]))
        self._groupings.clear()
        self.version += 1
        self._resized = self.version


_ARRAYS = (
    "present",
    "usable",
    "allocatable",
    "requested",
    "nonzero",
    "pod_count",
    "allowed_pods",
    "_node_modified",
    "_usage_modified",
)
