# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why no node fits: each node is counted for the first plugin that refuses it, as upstream does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..cache.views import NodeViews
from ..framework.interface import SUCCESS, Code, FitError, Status
from .plan import Plan, Step
from .rows import Asking, Row

if TYPE_CHECKING:
    from ..cache.table import Rows


class Statuses(Mapping[str, Status]):
    """What the first plugin says that refuses a node, by the node's name.

    Nodes are judged when they are asked for: few are, of many.
    """

    def __init__(self, steps: Sequence[Step], asking: Asking, whole: Status | None = None) -> None:
        self._steps = steps
        self._asking = asking
        self._whole = whole

    def __getitem__(self, name: str) -> Status:
        state, pod, table = self._asking
        row = table.index.get(name)
        if row is None or not table.usable[row]:
            raise KeyError(name)
        if self._whole is not None:
            return self._whole
        node = table.info(row)
        for step in self._steps:
            status = step.verdict(state, pod, node) if step.filter is not None else SUCCESS
            if not status.ok:
                return replace(status, plugin=step.name)
        return SUCCESS

    def __iter__(self) -> Iterator[str]:
        return (info.name for info in NodeViews(self._asking.table))

    def __len__(self) -> int:
        return self._asking.table.count


class Refusals:
    """Counts refusals of nodes, for one pod."""

    def __init__(self, steps: Sequence[Step], asking: Asking) -> None:
        statuses = Statuses(steps, asking)
        self.error = FitError(asking.table.count, statuses=statuses, state=asking.state)

    def left_out(self, plugin: str, count: int) -> None:
        """PreFilter named the nodes that come into question; these are none of them."""
        if count:
            self.error.reasons[f"node(s) didn't satisfy plugin(s) [{plugin}]"] += count
            self.error.plugins.add(plugin)

    def status(self, plugin: str, status: Status, count: int = 1) -> None:
        """A plugin said so of that many nodes."""
        for reason in status.reasons:
            self.error.reasons[reason] += count
        self.error.plugins.add(plugin)
        if status.code is not Code.UNRESOLVABLE:
            self.error.resolvable = True

    def reasons(self, plugin: str, reasons: Counter[str]) -> None:
        """What a plugin said of many nodes that removing pods may help."""
        self.error.reasons.update(reasons)
        self.error.plugins.add(plugin)
        self.error.resolvable = True

    def remembered(self, plan: Plan, row: Row, asking: Asking, rows: Rows) -> None:
        """Count all that is refused by groups and by rows, in the order of the profile."""
        by_row = set(map(id, row.asked.by_row))
        for step in plan.filters:
            if not rows.size:
                return
            if step.name in row.verdicts:
                verdicts = row.verdicts[step.name]
                fits = verdicts.fits(asking, rows)
                if not fits.all():
                    groups = np.bincount(verdicts.grouping.of_row[rows[~fits]])
                    for group in groups.nonzero()[0].tolist():
                        self.status(step.name, verdicts.refusals[group], int(groups[group]))
            elif id(step) in by_row:
                state, pod, table = asking
                fits = step.filter_rows(state, pod, table, rows)
                if not fits.all() and step.reasons_rows is not None:
                    refused = rows[~fits]
                    self.reasons(step.name, step.reasons_rows(state, pod, table, refused))
            else:
                continue
            rows = rows[fits]


def refused_as_such(step: Step, status: Status, asking: Asking) -> FitError:
    """PreFilter refused the pod on all nodes."""
    status = replace(status, plugin=step.name)
    return FitError(
        asking.table.count,
        plugins={step.name},
        whole_pod=", ".join(status.reasons),
        resolvable=status.code is not Code.UNRESOLVABLE,
        statuses=Statuses((), asking, status),
        state=asking.state,
    )
