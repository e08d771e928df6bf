# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that changed is judged for all classes of pods at once: their rows lie side by side.

Pods of a hundred classes in turn leave a hundred changed nodes between two pods of one class. An
array operation costs the same for a hundred classes as for one, so after every few changes the
rows of all classes are brought up to date in one go, and a decision finds few changes or none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cache.classes import Classes
from .rows import FEW, NO_FIT, Asking, Row, Ways

if TYPE_CHECKING:
    from ..cache.table import NodeTable

Lines = NDArray[np.int32]
# A row that was not asked for while others were, so many times, is left behind.
_PATIENCE = 512


class Sheet:
    """Where the rows lie, each on a line. What is never written to takes no memory."""

    def __init__(self, lines: int, size: int) -> None:
        self.size = size
        self.base: Lines = np.zeros((lines, size), np.int32)
        self.total: Lines = np.zeros((lines, size), np.int32)
        self._free = list(range(lines))[::-1]

    def take(self, row: Row) -> int:
        """Move a row onto a line of its own."""
        line = self._free.pop()
        self.base[line], self.total[line] = row.base, row.total
        row.base, row.total = self.base[line], self.total[line]
        return line

    def release(self, line: int) -> None:
        """The line may be written to by another row."""
        self._free.append(line)


class Company:
    """Rows of which the same plugins are asked; none is further behind than `version`."""

    def __init__(self, asked: Ways, sheet: Sheet) -> None:
        self.version = 0
        self._asked = asked
        self._sheet = sheet
        self._members: dict[int, Row] = {}  # by their lines
        self._wanted: set[int] = set()  # the lines asked for since the last muster
        self._calls = 0
        self._classes: Classes | None = None
        self._lines: NDArray[np.intp] = np.zeros((0, 1), np.intp)

    def call(self, line: int, row: Row, asking: Asking) -> None:
        """A row is asked for: bring all up to date if it, or the rows it will join, are behind."""
        self._calls += 1
        if self._calls % _PATIENCE == 0:
            self._muster()
        self._wanted.add(line)
        known = line in self._members
        version = max(row.version, self.version) if known else self.version
        if self._members and asking.table.version - version > FEW:
            self._update(asking)
        if line in self._members:
            row.version = max(row.version, self.version)

    def join(self, line: int, row: Row) -> None:
        """A row that is up to date keeps up with the others from now on."""
        if line not in self._members:
            if not self._members:
                self.version = row.version
            self._members[line] = row
            self._classes = None

    def leave(self, line: int) -> None:
        """A row goes its own way."""
        row = self._members.pop(line, None)
        if row is not None:
            row.version = max(row.version, self.version)
            self._classes = None

    def _update(self, asking: Asking) -> None:
        """Judge the nodes that changed, for all; they part where that cannot be done together."""
        changed = asking.table.used_since(self.version)
        if changed is None or not self._judge(asking, np.array(sorted({*changed}), np.intp)):
            for line in list(self._members):
                self.leave(line)
        else:
            self.version = asking.table.version

    def _muster(self) -> None:
        """Leave those behind that nobody has asked for."""
        for line in self._members.keys() - self._wanted:
            self.leave(line)
        self._wanted.clear()

    def _judge(self, asking: Asking, rows: NDArray[np.intp]) -> bool:
        """As `Row._refresh`, of all members; False where a plugin cannot."""
        if self._classes is None:
            self._classes = Classes([row.wants for row in self._members.values()])
            self._lines = np.array([*self._members], np.intp)[:, np.newaxis]
        classes, table = self._classes, asking.table
        total = base = self._sheet.base[self._lines, rows]
        for step in self._asked.score_by_row:
            scores = step.score_classes(classes, table, rows)
            if scores is None:
                return False
            total = total + (scores if step.weight == 1 else scores * step.weight)
        fits = base != NO_FIT
        for step in self._asked.by_row:
            fits &= step.filter_classes(classes, table, rows)
        self._sheet.total[self._lines, rows] = np.where(fits, total, NO_FIT)
        return True


class _Kept(NamedTuple):
    """A row, its line, and the others that ask the same plugins; None: it is on its own."""

    row: Row
    line: int
    company: Company | None


class RowCache:
    """The rows of the classes that were decided about last."""

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity
        self._sheet = Sheet(capacity, 0)
        self._rows: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._companies: dict[Hashable, Company] = {}
        self._likes: dict[Hashable, Hashable] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: Hashable, asking: Asking) -> Row | None:
        """The row of that key, up to date; None where it must be made."""
        known = self._rows.get(key)
        if known is None:
            return None
        row, line, company = known
        if company is not None:
            company.call(line, row, asking)
        if not row.update(asking):
            return None
        if company is not None:
            company.join(line, row)
        self._rows.move_to_end(key)
        return row

    def like(self, kind: Hashable | None, table: NodeTable) -> Row | None:
        """A row of that kind, if one is kept whose `base` is that of a row made now."""
        known = self._rows.get(self._likes.get(kind))
        return known.row if known is not None and known.row.knows_the_nodes_of(table) else None

    def put(self, key: Hashable, row: Row, kind: Hashable | None = None) -> None:
        """Keep a row; the one that was not asked for longest goes."""
        size = len(row.total)
        if self._sheet.size != size:
            # There is room for more nodes: all rows must be made anew.
            self._sheet = Sheet(self._capacity, size)
            self._rows.clear()
            self._companies.clear()
        if len(self._likes) >= self._capacity:
            self._likes.clear()
        if kind is not None:
            self._likes[kind] = key
        if key in self._rows:
            self._drop(self._rows.pop(key))
        elif len(self._rows) >= self._capacity:
            self._drop(self._rows.popitem(last=False)[1])
        line, company = self._sheet.take(row), self._company(row.asked)
        self._rows[key] = _Kept(row, line, company)
        if company is not None:
            company.join(line, row)

    def _drop(self, kept: _Kept) -> None:
        if kept.company is not None:
            kept.company.leave(kept.line)
        self._sheet.release(kept.line)

    def _company(self, asked: Ways) -> Company | None:
        if any(step.filter_classes is None for step in asked.by_row) or any(
            step.score_classes is None for step in asked.score_by_row
        ):
            return None
        kind = tuple(asked.by_row), tuple(asked.score_by_row)
        found = self._companies.get(kind)
        if found is None:
            found = self._companies[kind] = Company(asked, self._sheet)
        return found
