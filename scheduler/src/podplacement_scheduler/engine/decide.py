# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod, one node: the best of those that fit, at random among equals; or why there is none.

Nothing here waits and nothing is changed but what is remembered: the caller assumes the placement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._rules import MalformedObject
from ..framework.interface import Code, CycleState, FitError
from .abreast import RowCache
from .live import Search, enough
from .plan import Plan
from .prepare import Preparation, Prepared
from .refusal import Refusals
from .rows import NO_FIT, Asking, Row, ways

if TYPE_CHECKING:
    from ..cache.cluster import Cluster
    from ..cache.objects import Pod
    from ..cache.table import Rows
    from ..framework.profile import Profile


# Of so many decisions one is timed, as upstream does with plugins.
_SAMPLED = 10


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a pod goes."""

    node: str
    score: int
    state: CycleState


class Metrics(Protocol):
    """What a decision tells."""

    def extension_point(self, point: str, status: str, profile: str, seconds: float) -> None: ...


class Decider:
    """Decides for all profiles on what the cluster is now."""

    def __init__(
        self,
        cluster: Cluster,
        profiles: Mapping[str, Profile],
        *,
        percentage: int,
        rng: Random,
        metrics: Metrics | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._cluster = cluster
        self._rng = rng
        self._metrics = metrics
        self._timer = timer
        self._decided = 0
        self.plans = {
            name: Plan(profile, percentage=percentage) for name, profile in profiles.items()
        }
        self._preparations = {name: Preparation(plan, cluster) for name, plan in self.plans.items()}
        self._rows = {name: RowCache() for name in profiles}
        self._searches = {name: Search() for name in profiles}

    @property
    def nodes(self) -> int:
        """How many nodes this scheduler may use."""
        return self._cluster.table.count

    @property
    def rows_kept(self) -> int:
        """How many rows of scores are remembered."""
        return sum(map(len, self._rows.values()))

    def decide(self, pod: Pod) -> Decision | FitError:
        """Find a node for the pod; raises PluginFailed."""
        if pod.pod_class.error:
            return FitError(self.nodes, whole_pod=pod.pod_class.error)
        pod.hold()
        try:
            return self._decide(self.plans[pod.scheduler_name], pod)
        except MalformedObject as err:
            return FitError(self.nodes, whole_pod=str(err))
        finally:
            pod.release()

    def standing(self, pod: Pod) -> dict[str, int]:
        """What is remembered for the pod's class: the nodes that fit, and their scores.

        Plugins that are asked for each pod anew have no part in it.
        """
        plan = self.plans[pod.scheduler_name]
        asking = Asking(CycleState(), pod, self._cluster.table)
        prepared = self._preparations[pod.scheduler_name].of(asking)
        if isinstance(prepared, FitError):
            return {}
        total = self._row(plan, asking, prepared).total
        fitting = np.flatnonzero(total != NO_FIT).tolist()
        return {asking.table.names[row]: int(total[row]) for row in fitting}

    def _decide(self, plan: Plan, pod: Pod) -> Decision | FitError:
        asking = Asking(CycleState(), pod, self._cluster.table)
        sampled = self._decided % _SAMPLED == 0
        self._decided += 1
        began = self._timer() if sampled else 0.0
        prepared = self._preparations[pod.scheduler_name].of(asking)
        if sampled:
            began = self._tell("PreFilter", pod, prepared, began)
        if isinstance(prepared, FitError):
            return prepared
        row = self._row(plan, asking, prepared)
        if not row.asked.live and not row.asked.score_live:
            found = self._best(plan, row, asking, prepared)
        else:
            found = self._search(plan, row, asking, prepared)
        if sampled:
            self._tell("Filter", pod, found, began)
        return found

    def _tell(self, point: str, pod: Pod, found: object, began: float) -> float:
        """How long the plugins of a point took together; scores are found along with Filter."""
        now = self._timer()
        if self._metrics is not None:
            status = Code.UNSCHEDULABLE if isinstance(found, FitError) else Code.SUCCESS
            self._metrics.extension_point(point, status.value, pod.scheduler_name, now - began)
        return now

    def _row(self, plan: Plan, asking: Asking, prepared: Prepared) -> Row:
        """The row of the pod's class; where few nodes come into question, a row of just those."""
        if prepared.nodes is not None:
            asked = ways(plan, asking, prepared.signatures, prepared.skipped)
            return Row(asked, asking, within=self._usable(prepared.nodes))
        rows = self._rows[asking.pod.scheduler_name]
        row = rows.get(prepared.key, asking)
        if row is None:
            asked = ways(plan, asking, prepared.signatures, prepared.skipped)
            kind = asked.by_what_nodes_are(prepared.signatures, asking.pod)
            row = Row(asked, asking, like=rows.like(kind, asking.table))
            rows.put(prepared.key, row, kind)
        return row

    def _usable(self, names: set[str]) -> Rows:
        table = self._cluster.table
        rows = np.array(sorted(table.index[n] for n in names if n in table.index), np.intp)
        return rows[table.usable[rows]]

    def _best(
        self, plan: Plan, row: Row, asking: Asking, prepared: Prepared
    ) -> Decision | FitError:
        total = row.total
        best = _highest(total)
        if best == NO_FIT:
            return self._refused(plan, row, asking, prepared).error
        equals = (total == best).nonzero()[0]
        chosen = int(equals[self._rng.randrange(len(equals))])
        return Decision(asking.table.names[chosen], best, asking.state)

    def _search(
        self, plan: Plan, row: Row, asking: Asking, prepared: Prepared
    ) -> Decision | FitError:
        """The same where some plugins must be asked anew."""
        search = self._searches[asking.pod.scheduler_name]
        wanted = enough(self.nodes, plan.percentage)
        fitting = np.flatnonzero(row.total >= 0)
        rows, refusals = search.filtered(row, asking, fitting, wanted=wanted)
        if not rows.size:
            refused = self._refused(plan, row, asking, prepared)
            for step, status, count in refusals:
                refused.status(step.name, status, count)
            return refused.error
        total = search.scores(row, asking, rows) + row.total[rows]
        best = _highest(total)
        equals = rows[total == best]
        chosen = int(equals[self._rng.randrange(len(equals))])
        return Decision(asking.table.names[chosen], best, asking.state)

    def _refused(self, plan: Plan, row: Row, asking: Asking, prepared: Prepared) -> Refusals:
        steps = [step for step in plan.filters if step.name not in prepared.skipped]
        refusals = Refusals(steps, asking)
        rows = np.flatnonzero(asking.table.usable)
        if prepared.nodes is not None:
            rows = self._usable(prepared.nodes)
            refusals.left_out(prepared.named_by, self.nodes - len(rows))
        refusals.remembered(plan, row, asking, rows)
        return refusals


def _highest(scores: NDArray[np.integer[Any]]) -> int:
    # `max()` asks Python code of NumPy's first.
    return int(scores[scores.argmax(0)]) if len(scores) else NO_FIT
