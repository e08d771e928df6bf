# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scores of cpu and memory with as few array operations as it takes.

The formulas of `_rules.scores` hold for any resources and cost some 70 operations on arrays; a
decision has time for 30. These are the same formulas for the case that everybody has: cpu and
memory, of equal weight, on nodes that have both. A test holds that they agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._rules.scores import MAX_SCORE

if TYPE_CHECKING:
    from ..cache.table import NodeTable

Ints = NDArray[np.int64]
Formula = Callable[[Ints, Ints], Ints]  # what would be used, and what there is: rows x resources

RESOURCES = ("cpu", "memory")  # the first columns of the table, and all of `nonzero`


def free(table: NodeTable, rows: NDArray[np.intp]) -> Ints:
    """What is left of each resource on the rows."""
    left = table.allocatable.take(rows, 0)
    left -= table.requested.take(rows, 0)
    return left


def capacity(table: NodeTable, rows: NDArray[np.intp]) -> Ints | None:
    """What the rows have of both; None where some has none of one."""
    found = table.allocatable.take(rows, 0)[:, :2]
    return found if found.all() else None


def least_allocated(used: Ints, capacity: Ints) -> Ints:
    """As `_rules.scores.least_allocated`."""
    scores = np.maximum(capacity - used, 0)
    scores *= MAX_SCORE
    scores //= capacity
    return _mean(scores)


def most_allocated(used: Ints, capacity: Ints) -> Ints:
    """As `_rules.scores.most_allocated`."""
    scores = np.minimum(used, capacity)
    scores *= MAX_SCORE
    scores //= capacity
    return _mean(scores)


def _mean(scores: Ints) -> Ints:
    total: Ints = scores[:, 0] + scores[:, 1]
    total >>= 1
    return total


def allocated(
    formula: Formula, table: NodeTable, rows: NDArray[np.intp], nonzero: tuple[int, int]
) -> Ints | None:
    """Least or most allocated; None where the general formula is needed."""
    there = capacity(table, rows)
    if there is None:
        return None
    used = table.nonzero.take(rows, 0)
    used += nonzero
    return formula(used, there)


def balanced_allocation(
    table: NodeTable, rows: NDArray[np.intp], requests: tuple[int, int]
) -> Ints | None:
    """As `_rules.scores.balanced_allocation`; None where that is needed."""
    there = capacity(table, rows)
    if there is None:
        return None
    used = table.requested.take(rows, 0)[:, :2]
    shares = np.empty((2, *used.shape))
    np.divide(used, there, out=shares[0])
    used += requests
    np.divide(used, there, out=shares[1])
    np.minimum(shares, 1, out=shares)
    # The standard deviation of two numbers is half of the distance between them.
    evenness = np.abs(shares[..., 0] - shares[..., 1])
    evenness *= 0.5
    np.subtract(1, evenness, out=evenness)
    evenness *= MAX_SCORE
    before, after = evenness.astype(np.int64)
    after -= before
    after += MAX_SCORE // 2
    after >>= 1
    after += MAX_SCORE // 2
    scores: Ints = after
    return scores
