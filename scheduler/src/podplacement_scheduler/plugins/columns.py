# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scores of cpu and memory with as few array operations as it takes.

The formulas of `_rules.scores` hold for any resources and cost some 70 operations on arrays; a
decision has time for 30. These are the same formulas for the case that everybody has: cpu and
memory, of equal weight, on nodes that have both. A test holds that they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._rules.scores import MAX_SCORE
from ..cache.classes import beside_nothing

if TYPE_CHECKING:
    from ..cache.table import NodeTable

Ints = NDArray[np.int64]
Formula = Callable[[Ints, Ints], Ints]  # what would be used and what there is, by resource

# Half of 100 and half of (100 + the gain), each rounded down, in one sum: 100 is even.
_MIDDLE = MAX_SCORE + MAX_SCORE // 2
RESOURCES = ("cpu", "memory")  # the first columns of the table, and all of `nonzero`


def free(table: NodeTable, rows: NDArray[np.intp]) -> Ints:
    """What is left of each resource on the rows."""
    found = table.lookup(rows)
    return found.there - found.requested


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


def least_allocated_of(cpu: int, memory: int, there: Sequence[int]) -> int:
    """The score of one node that has both, as `least_allocated` of what would be used."""
    cpu_left, memory_left = there[0] - cpu, there[1] - memory
    score = cpu_left * MAX_SCORE // there[0] if cpu_left > 0 else 0
    if memory_left > 0:
        score += memory_left * MAX_SCORE // there[1]
    return score >> 1


def most_allocated_of(cpu: int, memory: int, there: Sequence[int]) -> int:
    """The score of one node that has both, as `most_allocated` of what would be used."""
    score = cpu * MAX_SCORE // there[0] if cpu < there[0] else MAX_SCORE
    return (score + (memory * MAX_SCORE // there[1] if memory < there[1] else MAX_SCORE)) >> 1


def _mean(scores: Ints) -> Ints:
    total: Ints = scores[0] + scores[1]
    total >>= 1
    return total


def allocated(
    formula: Formula, table: NodeTable, rows: NDArray[np.intp], asked: Ints
) -> Ints | None:
    """Least or most allocated, a line for each that asks; None where another formula is needed.

    What is asked for is `beside_nothing`.
    """
    found = table.lookup(rows)
    if found.both is None:
        return None
    return formula(found.nonzero[:, np.newaxis] + asked[:, 1:], found.both[:, np.newaxis])


def balanced_allocation_of(
    used: Sequence[int], there: Sequence[int], requests: tuple[int, int]
) -> int:
    """The score of one node that has both, as the next function's."""
    cpu, memory = there[0], there[1]
    before = _evenness(used[0] / cpu, used[1] / memory)
    after = _evenness((used[0] + requests[0]) / cpu, (used[1] + requests[1]) / memory)
    return (after - before + _MIDDLE) >> 1


def _evenness(cpu: float, memory: float) -> int:
    """Of two shares in use, in percent; more than all of it is all of it."""
    distance = (cpu if cpu < 1 else 1) - (memory if memory < 1 else 1)
    return int((1 - (distance if distance > 0 else -distance) * 0.5) * MAX_SCORE)


def balanced_allocation(table: NodeTable, rows: NDArray[np.intp], asked: Ints) -> Ints | None:
    """As `_rules.scores.balanced_allocation`, a line for each that asks; None where that is needed.

    What is asked for is `beside_nothing`.
    """
    found = table.lookup(rows)
    if found.both is None:
        return None
    shares = (found.used[:, np.newaxis] + asked) / found.both[:, np.newaxis]
    np.minimum(shares, 1, out=shares)
    # The standard deviation of two numbers is half of the distance between them.
    evenness = np.abs(shares[0] - shares[1])
    evenness *= 0.5
    np.subtract(1, evenness, out=evenness)
    evenness *= MAX_SCORE
    scores = evenness.astype(np.int64)
    before: Ints = scores[0]
    after: Ints = scores[1:]
    after -= before
    after += _MIDDLE
    after >>= 1
    return after


@lru_cache(maxsize=1024)
def asked_by_one(requests: tuple[int, int]) -> Ints:
    """What one pod asks for, `beside_nothing`."""
    return beside_nothing([requests])
