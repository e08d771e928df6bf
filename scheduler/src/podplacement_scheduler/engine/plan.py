# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile made ready for many decisions: which plugin is asked what, and how.

There are three ways to ask. By groups of nodes that agree in some facets, and by rows of the
table: both are remembered for the class of the pod. And live: for each pod anew, which is the way
of a plugin that says nothing of what its verdicts depend on (`facets`, `*_rows`, `sign`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .._rules import MalformedObject
from ..cache.nodes import is_facet
from ..framework.guard import PluginFailed
from ..framework.interface import (
    MAX_SCORE,
    Code,
    CycleState,
    NodeInfo,
    Plugin,
    PodView,
    Status,
    unresolvable,
)
from ..framework.registry import is_built_in

if TYPE_CHECKING:
    from ..framework.profile import Profile

Method = Callable[..., Any]


class Step:
    """One plugin of a profile, with its methods as they are to be called; None where it has none.

    Built-in plugins are called straight, all others through the guard.
    """

    def __init__(self, plugin: Plugin, profile: Profile, weight: int = 0) -> None:
        self.plugin = plugin
        self.name = plugin.name
        self.weight = weight
        self.built_in = is_built_in(plugin)
        self._guard = profile.guard
        self.filter = self._method("filter")
        self.filter_rows = self._method("filter_rows")
        # The same of one row: an array of one costs ten times as much as a number.
        self.filter_row: Any = self._method("filter_row") if self.built_in else None
        self.score_row: Any = self._method("score_row") if self.built_in else None
        # The same for several classes of pods: see `abreast`.
        self.filter_classes: Any = self._method("filter_classes") if self.built_in else None
        self.score_classes: Any = self._method("score_classes") if self.built_in else None
        self.reasons_rows = self._method("reasons_rows")
        self.score = self._method("score")
        self.score_rows = self._method("score_rows")
        self.normalize_score = self._method("normalize_score")
        self.pre_filter = self._method("pre_filter")
        self.pre_filter_nodes = self._method("pre_filter_nodes")
        asked_before = plugin in profile.pre_scores
        self.pre_score = self._method("pre_score") if asked_before else None
        self.facets = self._method("facets") or plugin.facets
        self.sign = self._method("sign") or plugin.sign

    @property
    def is_off(self) -> bool:
        """Whether the guard has switched the plugin off."""
        return not self.built_in and self._guard.is_off(self.name)

    def verdict(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        """What Filter says of one node; a node or pod that cannot be read does not fit."""
        if self.filter is None:
            raise PluginFailed(self.name, "filter", "it has filter_rows, and no filter")
        try:
            status: Status = self.filter(state, pod, node)
        except MalformedObject as err:
            status = unresolvable(str(err))
        return self.checked(status, "filter")

    def checked(self, status: Status, point: str) -> Status:
        """The status; raises PluginFailed where it is an error."""
        if status.code is Code.ERROR:
            raise PluginFailed(self.name, point, ", ".join(status.reasons))
        return status

    def skips_score(self, state: CycleState, pod: PodView) -> bool:
        """Whether PreScore says that this pod needs no score of the plugin."""
        if self.pre_score is None:
            return False
        status: Status = self.checked(self.pre_score(state, pod), "pre_score")
        return status.code is Code.SKIP

    def weighted(self, score: int) -> int:
        """A score times the plugin's weight; raises PluginFailed where it is out of bounds."""
        if not 0 <= score <= MAX_SCORE:
            raise PluginFailed(self.name, "score", f"{score} is not between 0 and {MAX_SCORE}")
        return int(score) * self.weight

    def normalized(
        self, state: CycleState, pod: PodView, scores: dict[str, int]
    ) -> Mapping[str, int]:
        """The scores of all nodes, or of one node of each group, made comparable."""
        if self.normalize_score is None or not scores:
            return scores
        names = set(scores)
        found: Mapping[str, int] | None = self.normalize_score(state, pod, scores)
        # Upstream's way is to change the scores in place; ours is to return them. Both work.
        found = scores if found is None else found
        if set(found) != names:
            raise self._wrong("normalize_score", "a score for each node that it got", found)
        return found

    def _method(self, name: str) -> Any:
        method = getattr(self.plugin, name, None)
        if method is None or self.built_in:
            return method
        if name in ("facets", "sign") and getattr(type(self.plugin), name) is getattr(Plugin, name):
            return None
        guarded = partial(self._guard.call, self.plugin, name, method)
        checks: dict[str, Method] = {
            "filter_rows": self._verdicts,
            "score_rows": self._scores,
            "facets": self._facets,
        }
        return partial(checks[name], guarded) if name in checks else guarded

    # What a user's plugin answers is looked at before it is reckoned with.

    def _verdicts(self, ask: Method, state: Any, pod: Any, table: Any, rows: Any) -> Any:
        found = np.asarray(ask(state, pod, table, rows))
        if found.shape != rows.shape or found.dtype != np.bool_:
            raise self._wrong("filter_rows", f"one bool for each of {len(rows)} rows", found)
        return found

    def _scores(self, ask: Method, state: Any, pod: Any, table: Any, rows: Any) -> Any:
        found = np.asarray(ask(state, pod, table, rows))
        if found.shape != rows.shape or not np.issubdtype(found.dtype, np.integer):
            raise self._wrong("score_rows", f"one integer for each of {len(rows)} rows", found)
        in_bounds = not found.size or 0 <= found.min() <= found.max() <= MAX_SCORE
        if self.normalize_score is None and not in_bounds:
            raise self._wrong("score_rows", f"scores from 0 to {MAX_SCORE}", found)
        return found

    def _facets(self, ask: Method, pod: PodView) -> Any:
        found = ask(pod)
        if found is not None and not all(map(is_facet, found)):
            raise self._wrong("facets", "names of facets", found)
        return found if found is None else frozenset(found)

    def _wrong(self, point: str, wanted: str, found: object) -> PluginFailed:
        return PluginFailed(
            self.name, point, f"it was to answer {wanted}, and answered {found!r:.80}"
        )


class Plan:
    """The steps of one profile."""

    def __init__(self, profile: Profile, *, percentage: int) -> None:
        weights = {plugin.name: weight for plugin, weight in profile.scores}
        scoring = [plugin for plugin, dummy in profile.scores]
        plugins = (*profile.pre_filters, *profile.filters, *scoring)
        steps = {p.name: Step(p, profile, weights.get(p.name, 0)) for p in plugins}
        self.profile = profile
        own = profile.percentage_of_nodes_to_score
        self.percentage = percentage if own is None else own
        self.pre_filters = [
            steps[p.name] for p in profile.pre_filters if steps[p.name].pre_filter is not None
        ]
        self.narrowing = [
            steps[p.name] for p in profile.pre_filters if steps[p.name].pre_filter_nodes is not None
        ]
        self.filters = [steps[p.name] for p in profile.filters]
        self.scores = [steps[p.name] for p in scoring]
        judges = {step.name: step for step in (*self.filters, *self.scores)}
        self.judges = list(judges.values())
        self.foreign = [step for step in self.judges if not step.built_in]

    def signatures(self, pod: PodView) -> tuple[Hashable | None, ...]:
        """What the verdicts of each plugin depend on beyond the class of the pod."""
        return tuple([step.sign(pod) for step in self.judges])
