# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each class of pods one row of scores over all nodes, kept up to date where nodes changed.

A `Row` is made once for a class, some ms at 5,000 nodes; after that a decision costs what the
nodes cost that changed since the class was last decided about. `total` is the score of each node,
NO_FIT where the pod does not fit.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cache.classes import Wants
from ..cache.podclass import besides_resources
from ..framework.interface import CycleState, PodView, Status
from .plan import Plan, Step

if TYPE_CHECKING:
    from ..cache.groups import Grouping
    from ..cache.table import NodeTable, Rows

NO_FIT = -1
Signatures = tuple[Hashable | None, ...]
# So many changes of usage are judged one by one.
FEW = 4


@dataclass
class Ways:
    """How the plugins of a plan are asked for pods of one class: see `plan`."""

    by_group: list[tuple[Step, frozenset[str]]] = field(default_factory=list)
    by_row: list[Step] = field(default_factory=list)
    live: list[Step] = field(default_factory=list)
    score_by_group: list[tuple[Step, frozenset[str]]] = field(default_factory=list)
    score_by_row: list[Step] = field(default_factory=list)
    score_live: list[Step] = field(default_factory=list)

    def by_what_nodes_are(self, signatures: Signatures, pod: PodView) -> Hashable | None:
        """Equal for pods whose rows have the same `base`; None where only the plugins know."""
        if not all(step.built_in for step, _facets in (*self.by_group, *self.score_by_group)):
            return None
        filters = frozenset(step.name for step, _facets in self.by_group)
        scores = frozenset(step.name for step, _facets in self.score_by_group)
        return filters, scores, signatures, besides_resources(pod.pod_class.example)


class Asking(NamedTuple):
    """Who asks: a pod, what its plugins have told each other, and the nodes."""

    state: CycleState
    pod: PodView
    table: NodeTable


def ways(
    plan: Plan,
    asking: Asking,
    signatures: Signatures,
    skipped: frozenset[str],
) -> Ways:
    """Sort the plugins of a plan by how they are asked; the Filters of `skipped` ones are not."""
    pod, found = asking.pod, Ways()
    judges = zip(plan.judges, signatures, strict=True)
    signed = {step.name for step, sign in judges if sign is not None}
    for step in plan.filters:
        if step.name in skipped:
            continue
        if step.name not in signed:
            found.live.append(step)
        elif step.filter_rows is not None:
            found.by_row.append(step)
        else:
            facets = step.facets(pod)
            if facets is None:
                found.live.append(step)
            else:
                found.by_group.append((step, facets))
    for step in plan.scores:
        if step.is_off or step.weight == 0:
            continue
        # What PreScore tells Score is for one pod, unless the plugin is one of ours.
        if step.name not in signed or (step.pre_score is not None and not step.built_in):
            found.score_live.append(step)
        elif not step.skips_score(asking.state, pod):
            _sort_score(step, pod, found)
    return found


def _sort_score(step: Step, pod: PodView, found: Ways) -> None:
    facets = step.facets(pod)
    if step.score_rows is not None and step.normalize_score is None:
        found.score_by_row.append(step)
    elif step.score is not None and facets is not None:
        found.score_by_group.append((step, facets))
    else:
        found.score_live.append(step)


class Verdicts:
    """What the Filter of one plugin says of each group of nodes; asked once a group."""

    def __init__(self, step: Step, grouping: Grouping) -> None:
        self.step = step
        self.grouping = grouping
        self.refusals: dict[int, Status] = {}
        self._passes: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._known: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def fits(self, asking: Asking, rows: Rows) -> NDArray[np.bool_]:
        """Which of the rows pass."""
        groups = self.grouping.of_row.take(rows)
        more = len(self.grouping.representatives) - len(self._known)
        if more:
            nothing = np.zeros(more, np.bool_)
            self._known = np.concatenate([self._known, nothing])
            self._passes = np.concatenate([self._passes, nothing])
        asked = np.flatnonzero(np.bincount(groups, minlength=len(self._known)) > 0)
        for group in asked[~self._known[asked]].tolist():
            node = asking.table.info(self.grouping.representative(group))
            status = self.step.verdict(asking.state, asking.pod, node)
            self._known[group] = True
            self._passes[group] = status.ok
            if not status.ok:
                self.refusals[group] = status
        return self._passes.take(groups)


class GroupScores:
    """What the Score of one plugin says of each group of nodes; asked once a group.

    NormalizeScore gets one node of each group.
    """

    def __init__(self, step: Step, grouping: Grouping) -> None:
        self.step = step
        self.grouping = grouping
        self._raw: dict[int, int] = {}

    def of(self, asking: Asking, rows: Rows) -> NDArray[np.int32]:
        """The weighted scores of the rows, normalised over just these."""
        step, table = self.step, asking.table
        groups = self.grouping.of_row[rows]
        by_name: dict[str, int] = {}
        group_of: dict[str, int] = {}
        for group in np.flatnonzero(np.bincount(groups)).tolist():
            node = table.info(self.grouping.representative(group))
            if group not in self._raw:
                self._raw[group] = step.score(asking.state, asking.pod, node)
            by_name[node.name] = self._raw[group]
            group_of[node.name] = group
        scores = np.zeros(len(self.grouping.representatives), np.int32)
        for name, score in step.normalized(asking.state, asking.pod, by_name).items():
            scores[group_of[name]] = step.weighted(score)
        return scores[groups]


class Row:
    """One class of pods against all nodes, or against those `within` a given set.

    It may be made `like` one of the same kind that knows the nodes: see `by_what_nodes_are`.
    """

    def __init__(
        self, asked: Ways, asking: Asking, *, within: Rows | None = None, like: Row | None = None
    ) -> None:
        table = asking.table
        self.asked = asked
        self.version = table.version
        self.wants = Wants(asking.pod.requests, asking.pod.pod_class.nonzero)
        self._by_one = all(step.filter_row is not None for step in asked.by_row) and all(
            step.score_row is not None for step in asked.score_by_row
        )
        self.total: NDArray[np.int32] = np.full(len(table.names), NO_FIT, np.int32)
        # The scores of what nodes are, NO_FIT where that is reason enough to refuse the pod.
        self.base: NDArray[np.int32]
        if like is not None:
            self.verdicts: dict[str, Verdicts] = like.verdicts
            self._scores: list[GroupScores] = like._scores
            self.base = like.base.copy()
            self._refresh(asking, np.flatnonzero(self.base != NO_FIT))
            return
        self.verdicts = {
            step.name: Verdicts(step, table.grouping(facets)) for step, facets in asked.by_group
        }
        self._scores = [
            GroupScores(step, table.grouping(facets)) for step, facets in asked.score_by_group
        ]
        self.base = self.total.copy()
        self._judge(asking, np.flatnonzero(table.usable) if within is None else within)

    def update(self, asking: Asking) -> bool:
        """Bring the row up to date; False where it must be made anew."""
        table = asking.table
        behind = table.version - self.version
        if not behind:
            return True
        if behind <= FEW and self._by_one:
            few = table.used_since(self.version)
            if few is not None:
                for row in few:
                    self._refresh_one(asking, row)
                self.version = table.version
                return True
        changed = table.changed_since(self.version)
        if changed is None:
            return False
        nodes, usages = changed
        if nodes.size:
            if not self._is_grouped_by(table):
                return False
            self.total[nodes] = NO_FIT
            self.base[nodes] = NO_FIT
            self._judge(asking, nodes[table.usable[nodes]])
        elif usages.size:
            self._refresh(asking, usages[self.base[usages] != NO_FIT])
        self.version = table.version
        return True

    def knows_the_nodes_of(self, table: NodeTable) -> bool:
        """Whether no node has changed since; what is on them may have."""
        return self.version >= table.nodes_version and len(self.base) == len(table.names)

    def _is_grouped_by(self, table: NodeTable) -> bool:
        """Whether the groups still have the numbers by which verdicts are remembered."""
        groupings = [verdicts.grouping for verdicts in self.verdicts.values()]
        groupings += [scores.grouping for scores in self._scores]
        return all(table.grouping(grouping.facets) is grouping for grouping in groupings)

    def _judge(self, asking: Asking, rows: Rows) -> None:
        """Judge the rows by what their nodes are; scores are made comparable over all that pass."""
        for verdicts in self.verdicts.values():
            if rows.size:
                fits = verdicts.fits(asking, rows)
                rows = rows if fits.all() else rows[fits]
        self.base[rows] = 0
        passing = np.flatnonzero(self.base != NO_FIT)
        self.base[passing] = 0
        for scores in self._scores:
            if passing.size:
                self.base[passing] += scores.of(asking, passing)
        self._refresh(asking, passing)

    def parts(self, asking: Asking, rows: Rows) -> Iterator[tuple[Step, NDArray[Any]]]:
        """What each plugin adds to the totals of the rows, which must be some that fit."""
        passing = np.flatnonzero(self.base != NO_FIT)
        for scores in self._scores:
            everywhere = np.zeros(len(self.base), np.int32)
            everywhere[passing] = scores.of(asking, passing)
            yield scores.step, everywhere[rows]
        for step in self.asked.score_by_row:
            yield step, step.weight * step.score_rows(*asking, rows)

    def _refresh_one(self, asking: Asking, row: int) -> None:
        """As `_refresh`, of one row: what a decision changes is the one node that it chose."""
        found = self.base.item(row)
        if found == NO_FIT:
            return
        state, pod, table = asking
        for step in self.asked.by_row:
            if not step.filter_row(state, pod, table, row):
                self.total[row] = NO_FIT
                return
        for step in self.asked.score_by_row:
            found += step.weight * step.score_row(state, pod, table, row)
        self.total[row] = found

    def _refresh(self, asking: Asking, rows: Rows) -> None:
        """Judge and score the rows by what is on them now."""
        if not rows.size:
            return
        state, pod, table = asking
        total = self.base.take(rows)
        for step in self.asked.score_by_row:
            scores = step.score_rows(state, pod, table, rows)
            total = total + (scores if step.weight == 1 else scores * step.weight)
        for step in self.asked.by_row:
            total = np.where(step.filter_rows(state, pod, table, rows), total, NO_FIT)
        self.total[rows] = total
