# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin with notes: the pods of a team go apart, and no node gets too many of them.

Copy this file, rename the class and its `name`, and delete every method that you do not need: a
plugin is at those extension points whose methods it has. Put the file into the folder of
`userPlugins.directory` (a mounted ConfigMap will do) and name it in a profile:

    profiles:
      - schedulerName: teams
        plugins:
          multiPoint:
            enabled: [{name: TeamSpread, weight: 5}]
        pluginConfig:
          - name: TeamSpread
            args: {label: team, mostPerNode: 3}

The whole interface is in `podplacement_scheduler/framework/interface.py`; it is short.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from typing import Any

from podplacement_scheduler.errors import ConfigError
from podplacement_scheduler.framework.interface import (
    SUCCESS,
    Code,
    CycleState,
    Event,
    Handle,
    NodeInfo,
    Plugin,
    PodView,
    Status,
    unresolvable,
    unschedulable,
)

log = logging.getLogger(__name__)


class TeamSpread(Plugin):
    """A team is the value of a label of its pods."""

    # The name in profiles. It must not be that of another plugin.
    name = "TeamSpread"
    # What the score counts beside those of other plugins, unless the profile says something else.
    weight = 2
    # What may help a pod that this plugin has refused. It is not tried again for anything else, so
    # leave this line out when in doubt: then it is tried again whatever happens.
    events = frozenset({Event.POD_REMOVED, Event.NODE_ADDED, Event.POD_CHANGED})

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        """Once for each profile, before the scheduler starts. Refuse what you do not know: a typing
        error in `args` is then found by `check-config`, not by a surprise."""
        super().__init__(args, handle)
        unknown = sorted(args.keys() - {"label", "mostPerNode", "required"})
        if unknown:
            raise ConfigError(f"args of {self.name}: unknown: {', '.join(unknown)}")
        self.label = args.get("label", "team")
        self.most = args.get("mostPerNode", 0)  # 0: any number
        self.required = args.get("required", False)

    # --- May the pod enter the queue? -----------------------------------------------------------

    def pre_enqueue(self, pod: PodView) -> Status:
        """PreEnqueue. A pod that is refused here waits outside until it changes itself; it costs
        nothing meanwhile."""
        if self.required and self.label not in pod.labels:
            return unresolvable(f"waiting for a label {self.label}")
        return SUCCESS

    # `less(self, a, b)` (QueueSort) would say which of two queued pods goes first: see ShortestName
    # below. A profile has exactly one plugin with it.

    # --- Which nodes fit? -----------------------------------------------------------------------

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        """PreFilter, once for each pod. SKIP: this pod is none of this plugin's business, and its
        `filter` is not asked. Anything but SUCCESS and SKIP refuses the pod on all nodes. What
        later methods need can be left in `state`, under a key that begins with the name."""
        team = pod.labels.get(self.label)
        if team is None:
            return Status(Code.SKIP)
        state["TeamSpread/team"] = team
        return SUCCESS

    # `pre_filter_nodes(self, state, pod)` could return a set of names: no other node is asked then.

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        """Filter, for each node. `unschedulable` says that removing pods may help, `unresolvable`
        that it cannot. The text is counted: "3 node(s) had enough pods of the team"."""
        if self.most and self._pods_of_team(state, node) >= self.most:
            return unschedulable("node(s) had enough pods of the team")
        return SUCCESS

    def post_filter(
        self, state: CycleState, pod: PodView, statuses: Mapping[str, Status]
    ) -> Status:
        """PostFilter, when no node fits: a chance to make room. It places nothing by itself.
        `statuses` has what was said of each node, by its name."""
        log.info("no node for %s/%s: %s", pod.namespace, pod.name, dict(statuses))
        return unschedulable()

    # --- Which of them is best? -----------------------------------------------------------------

    def pre_score(self, state: CycleState, pod: PodView) -> Status:
        """PreScore, once for each pod that fits somewhere. SKIP: no score of this plugin."""
        return SUCCESS if "TeamSpread/team" in state else Status(Code.SKIP)

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        """Score, for each node that fits: any whole number, if `normalize_score` makes 0 to 100
        of it."""
        return self._pods_of_team(state, node)

    def normalize_score(
        self, state: CycleState, pod: PodView, scores: dict[str, int]
    ) -> dict[str, int]:
        """NormalizeScore, once for each pod: here, the fewer the better."""
        highest = max(scores.values(), default=0) or 1
        return {name: 100 - 100 * count // highest for name, count in scores.items()}

    # --- The node is chosen ---------------------------------------------------------------------

    def reserve(self, state: CycleState, pod: PodView, node_name: str) -> Status:
        """Reserve: the pod counts on its node from now on. Note what you must; a refusal here puts
        the pod back into the queue."""
        log.debug("%s is to run on %s", pod.name, node_name)
        return SUCCESS

    def unreserve(self, state: CycleState, pod: PodView, node_name: str) -> None:
        """Undo what `reserve` did: something went wrong later. It must not fail."""
        log.debug("%s is not to run on %s after all", pod.name, node_name)

    def permit(self, state: CycleState, pod: PodView, node_name: str) -> tuple[Status, float]:
        """Permit: let the pod go on, refuse it, or let it wait: `(Status(Code.WAIT), 30.0)` waits
        for at most 30 seconds until `self.handle.allow(pod.uid)` or `.reject(...)`."""
        return SUCCESS, 0.0

    # The next three are `async def`, because they may have to wait for others. Whatever waits must
    # be awaited: a call that blocks, such as `time.sleep`, holds the whole scheduler up.

    async def pre_bind(self, state: CycleState, pod: PodView, node_name: str) -> Status:
        """PreBind: what must be done before the pod is bound, such as preparing a volume."""
        return SUCCESS

    async def bind(self, state: CycleState, pod: PodView, node_name: str) -> Status:
        """Bind: SKIP leaves it to the next plugin, and in the end to the scheduler itself."""
        return Status(Code.SKIP)

    async def post_bind(self, state: CycleState, pod: PodView, node_name: str) -> None:
        """PostBind: it is done."""
        log.info("%s/%s runs on %s", pod.namespace, pod.name, node_name)

    # --- How to be fast (optional) --------------------------------------------------------------

    # Without these two, this plugin is asked for each pod about each node that the built-in plugins
    # have left: 5,000 nodes are 5,000 calls. Many plugins depend on less than that.

    def facets(self, pod: PodView) -> frozenset[str] | None:
        """Which facts of a node `filter` and `score` read: NAME, TAINTS, LABEL + "zone", and so on.
        Nodes that agree in them are asked about once. None: anything may count, as it does here,
        where the pods on the node count."""
        return None

    def sign(self, pod: PodView) -> Hashable | None:
        """What the verdicts depend on beside the pod's own class (namespace, labels, requests and
        so on): with the same signature the last verdict is taken again. None: nothing may be
        remembered, as here, where other pods come and go."""
        return None

    def _pods_of_team(self, state: CycleState, node: NodeInfo) -> int:
        team = state["TeamSpread/team"]
        return sum(other.labels.get(self.label) == team for other in node.pods)


class ShortestName(Plugin):
    """A file may hold several plugins. This one is a QueueSort: pods with short names go first.

    Should it fail, PrioritySort decides: a queue must have an order.
    """

    name = "ShortestName"

    def less(self, a: Any, b: Any) -> bool:
        """Whether `a` goes before `b`."""
        return (len(a.pod.name), a.timestamp) < (len(b.pod.name), b.timestamp)
