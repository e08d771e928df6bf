# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that agree in some facets are one group, so a rule is asked once for all of them.

A group keeps its number while the grouping lives, even when it has no node left: verdicts that
were remembered by number stay true, for they depend on nothing but the facets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .nodes import Node

NO_GROUP = -1


class Grouping:
    """The groups of all rows by one set of facets, kept in step with the nodes."""

    def __init__(self, facets: frozenset[str], nodes: Sequence[Node | None]) -> None:
        self.facets = facets
        self._order = sorted(facets)
        self._numbers: dict[tuple[object, ...], int] = {}
        self.representatives: list[int] = []
        numbers = [self._number(row, node) for row, node in enumerate(nodes)]
        self.of_row: NDArray[np.int32] = np.array(numbers, np.int32)

    def update(self, row: int, node: Node | None) -> None:
        """The node of a row is another one now, or none."""
        self.of_row[row] = self._number(row, node)

    def _number(self, row: int, node: Node | None) -> int:
        """Of the group of a node, whose first row this may be."""
        if node is None:
            return NO_GROUP
        key = tuple([node.facet(facet) for facet in self._order])
        number = self._numbers.setdefault(key, len(self._numbers))
        if number == len(self.representatives):
            self.representatives.append(row)
        return number

    def representative(self, number: int) -> int:
        """A row of the group; raises LookupError where the group has none left."""
        row = self.representatives[number]
        if self.of_row[row] != number:
            rows = np.flatnonzero(self.of_row == number)
            if not rows.size:
                raise LookupError(f"group {number} has no node")
            row = self.representatives[number] = int(rows[0])
        return row

    @property
    def is_stale(self) -> bool:
        """So many groups have died that it is time to number them anew."""
        return len(self.representatives) > 2 * len(self.of_row) + 64
