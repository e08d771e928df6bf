# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pod can run where: for every node all that refuses it, or its score by plugin.

A decision stops at the first refusal of a node; this one goes on. Scores are made of the same parts
as those of a decision, so that both agree; plugins that are asked for each pod anew (a random one)
may of course say another thing the next time.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..framework.interface import Code, CycleState
from .live import scored
from .plan import Plan, Step
from .rows import Asking, Row, Verdicts, Ways, ways

if TYPE_CHECKING:
    from ..cache.objects import Pod
    from ..cache.table import NodeTable, Rows


@dataclass(frozen=True)
class Refusal:
    """What one plugin has against a pod or a node."""

    plugin: str
    reason: str


@dataclass(frozen=True)
class Score:
    """What one plugin gives a node: 0 to 100 after normalisation, times its weight."""

    plugin: str
    normalized: int
    weight: int


@dataclass
class NodeVerdict:
    """One node: it fits where nothing refuses it."""

    name: str
    refusals: list[Refusal] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        """Whether the pod can run here."""
        return not self.refusals

    @property
    def total(self) -> int:
        """What the nodes are compared by."""
        return sum(score.normalized * score.weight for score in self.scores)


@dataclass
class Explanation:
    """The whole answer; `refusals` are of the pod as such, wherever it would run."""

    namespace: str
    pod: str
    scheduler_name: str
    refusals: list[Refusal]
    nodes: list[NodeVerdict]

    @property
    def fitting(self) -> list[NodeVerdict]:
        """The nodes that come into question, best first."""
        found = [] if self.refusals else [node for node in self.nodes if node.fits]
        return sorted(found, key=lambda node: (-node.total, node.name))

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        nodes = [
            {**asdict(node), "fits": node.fits, "total": node.total if node.fits else None}
            for node in self.nodes
        ]
        return {**asdict(self), "nodes": nodes}


def explain(plan: Plan, pod: Pod, table: NodeTable) -> Explanation:
    """Judge every node that the scheduler may use; raises PluginFailed, MalformedObject."""
    asking = Asking(CycleState(), pod, table)
    rows = np.flatnonzero(table.usable)
    found = Explanation(pod.namespace, pod.name, pod.scheduler_name, [], [])
    if pod.pod_class.error:
        found.refusals.append(Refusal("", pod.pod_class.error))
        return found
    pod.hold()
    try:
        _explain(plan, asking, rows, found)
    finally:
        pod.release()
    return found


def _explain(plan: Plan, asking: Asking, rows: Rows, found: Explanation) -> None:
    refused: dict[int, list[Refusal]] = defaultdict(list)
    skipped = _ask_once(plan, asking, found)
    _leave_out(plan, asking, skipped, rows, refused)
    left = np.array([row for row in rows.tolist() if row not in refused], np.intp)
    asked = ways(plan, asking, plan.signatures(asking.pod), skipped)
    for step in plan.filters:
        if step.name not in skipped:
            _ask(step, asked, asking, rows, refused)
    fitting = np.array([row for row in rows.tolist() if row not in refused], np.intp)
    scores = _scores(asked, asking, left, fitting)
    found.nodes = [
        NodeVerdict(asking.table.names[row], refused.get(row, []), scores.get(row, []))
        for row in rows.tolist()
    ]


def _ask_once(plan: Plan, asking: Asking, found: Explanation) -> frozenset[str]:
    """PreFilter: what is wrong with the pod as such; the plugins that have nothing to filter."""
    skipped = set()
    for step in plan.pre_filters:
        status = step.checked(step.pre_filter(asking.state, asking.pod), "pre_filter")
        if status.code is Code.SKIP:
            skipped.add(step.name)
        elif not status.ok:
            found.refusals += [Refusal(step.name, reason) for reason in status.reasons]
            # It may not have what its Filter needs.
            skipped.add(step.name)
    return frozenset(skipped)


def _leave_out(
    plan: Plan,
    asking: Asking,
    skipped: frozenset[str],
    rows: Rows,
    refused: dict[int, list[Refusal]],
) -> None:
    for step in plan.narrowing:
        if step.name in skipped:
            continue
        names = step.pre_filter_nodes(asking.state, asking.pod)
        for row in rows.tolist() if names is not None else ():
            if asking.table.names[row] not in names:
                reason = f"node(s) didn't satisfy plugin(s) [{step.name}]"
                refused[row].append(Refusal(step.name, reason))


def _ask(
    step: Step, asked: Ways, asking: Asking, rows: Rows, refused: dict[int, list[Refusal]]
) -> None:
    """One Filter, of all nodes."""
    state, pod, table = asking
    facets = dict(asked.by_group).get(step)
    if facets is not None:
        verdicts = Verdicts(step, table.grouping(facets))
        verdicts.fits(asking, rows)
        for row in rows.tolist():
            status = verdicts.refusals.get(int(verdicts.grouping.of_row[row]))
            if status is not None:
                refused[row] += [Refusal(step.name, reason) for reason in status.reasons]
        return
    for row in rows.tolist():
        if step.filter is not None:
            status = step.verdict(state, pod, table.info(row))
            reasons = () if status.ok else status.reasons
        else:
            reasons = _reasons(step, asking, np.array([row], np.intp))
        refused[row] += [Refusal(step.name, reason) for reason in reasons]
        if not refused[row]:
            del refused[row]


def _reasons(step: Step, asking: Asking, row: Rows) -> tuple[str, ...]:
    """Of a plugin that has nothing but `*_rows`."""
    if step.filter_rows(*asking, row).all():
        return ()
    if step.reasons_rows is None:
        return (f"node(s) didn't satisfy plugin(s) [{step.name}]",)
    return tuple(step.reasons_rows(*asking, row))


def _scores(asked: Ways, asking: Asking, left: Rows, fitting: Rows) -> dict[int, list[Score]]:
    """Of the nodes that fit; normalised over those that a decision would normalise over."""
    found: dict[int, list[Score]] = {row: [] for row in fitting.tolist()}
    if not found:
        return found
    parts = list(Row(asked, asking, within=left).parts(asking, fitting))
    parts += [(step, scored(step, asking, fitting)) for step in asked.score_live]
    for step, weighted in parts:
        for row, score in zip(fitting.tolist(), weighted.tolist(), strict=True):
            found[row].append(Score(step.name, score // step.weight, step.weight))
    return found
