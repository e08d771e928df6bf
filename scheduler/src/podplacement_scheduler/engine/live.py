# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins that must be asked for each pod anew: of the nodes that are left, and not of all.

As upstream (numFeasibleNodesToFind in pkg/scheduler/schedule_one.go): where a plugin is asked node
by node, the search ends when enough nodes fit, and the next pod's search begins where this one
ended, so that no node is always asked first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..framework.interface import Status, unschedulable
from .plan import Step
from .rows import Asking, GroupScores, Row, Verdicts

if TYPE_CHECKING:
    from ..cache.table import Rows

_FEWEST = 100  # nodes are always looked for
_LEAST_PERCENTAGE = 5


def enough(nodes: int, percentage: int) -> int:
    """How many nodes that fit are enough; `percentage` 0: by the size of the cluster."""
    if nodes < _FEWEST:
        return nodes
    wanted = percentage or max(50 - nodes // 125, _LEAST_PERCENTAGE)
    return max(nodes * wanted // 100, min(_FEWEST, nodes))


class Search:
    """Asks the live plugins of one profile; remembers where to begin."""

    def __init__(self) -> None:
        self._start = 0

    def filtered(
        self, row: Row, asking: Asking, rows: Rows, *, wanted: int
    ) -> tuple[Rows, list[tuple[Step, Status, int]]]:
        """The rows that fit, and what was said of the others, by how many nodes."""
        refusals: list[tuple[Step, Status, int]] = []
        one_by_one = []
        for step in row.asked.live:
            if not rows.size:
                return rows, refusals
            if step.filter_rows is not None:
                rows = self._by_rows(step, asking, rows, refusals)
                continue
            facets = step.facets(asking.pod)
            if facets is None:
                one_by_one.append(step)
            else:
                rows = self._by_groups(step, facets, asking, rows, refusals)
        if not one_by_one and not self._scores_one_by_one(row, asking):
            return rows, refusals
        return self._by_nodes(one_by_one, asking, rows, refusals, wanted), refusals

    def scores(self, row: Row, asking: Asking, rows: Rows) -> NDArray[np.int64]:
        """The weighted scores of the live plugins, normalised over the rows."""
        total = np.zeros(len(rows), np.int64)
        for step in row.asked.score_live:
            total += scored(step, asking, rows)
        return total

    def _scores_one_by_one(self, row: Row, asking: Asking) -> bool:
        return any(
            step.score_rows is None and step.facets(asking.pod) is None
            for step in row.asked.score_live
        )

    def _by_rows(
        self, step: Step, asking: Asking, rows: Rows, refusals: list[tuple[Step, Status, int]]
    ) -> Rows:
        state, pod, table = asking
        fits: NDArray[np.bool_] = step.filter_rows(state, pod, table, rows)
        refused = rows[~fits]
        if refused.size and step.reasons_rows is not None:
            for reason, count in step.reasons_rows(state, pod, table, refused).items():
                refusals.append((step, unschedulable(reason), count))
        return rows[fits]

    def _by_groups(
        self,
        step: Step,
        facets: frozenset[str],
        asking: Asking,
        rows: Rows,
        refusals: list[tuple[Step, Status, int]],
    ) -> Rows:
        verdicts = Verdicts(step, asking.table.grouping(facets))
        fits = verdicts.fits(asking, rows)
        groups = verdicts.grouping.of_row[rows[~fits]]
        for group, status in verdicts.refusals.items():
            refusals.append((step, status, int(np.count_nonzero(groups == group))))
        return rows[fits]

    def _by_nodes(
        self,
        steps: list[Step],
        asking: Asking,
        rows: Rows,
        refusals: list[tuple[Step, Status, int]],
        wanted: int,
    ) -> Rows:
        state, pod, table = asking
        start = int(np.searchsorted(rows, self._start))
        found: list[int] = []
        for row in np.roll(rows, -start).tolist():
            self._start = row + 1
            node = table.info(row)
            for step in steps:
                status = step.verdict(state, pod, node)
                if not status.ok:
                    refusals.append((step, status, 1))
                    break
            else:
                found.append(row)
                if len(found) >= wanted:
                    break
        return np.array(sorted(found), np.intp)


def scored(step: Step, asking: Asking, rows: Rows) -> NDArray[np.int64]:
    """The weighted scores of one live plugin, normalised over the rows."""
    state, pod, table = asking
    if step.is_off or step.skips_score(state, pod):
        return np.zeros(len(rows), np.int64)
    facets = step.facets(pod) if step.score is not None else None
    if facets is not None:
        return GroupScores(step, table.grouping(facets)).of(asking, rows).astype(np.int64)
    if step.score_rows is not None:
        found = step.score_rows(state, pod, table, rows).tolist()
        raw = dict(zip((table.names[i] for i in rows.tolist()), found, strict=True))
    else:
        nodes = [table.info(i) for i in rows.tolist()]
        raw = {node.name: step.score(state, pod, node) for node in nodes}
    scores = step.normalized(state, pod, raw)
    return np.array([step.weighted(scores[table.names[i]]) for i in rows.tolist()], np.int64)
