# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that judge a pod by others, kept up to date while one pod after the other is given a place.

Each is judged as if those before it had been moved and those after it had not, which is the order
in which spread and affinity have to hold.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..api import Object
from ..neighbours import keeps_others_away, neighbours, selects_namespaces
from ..preflight import not_judged
from ..resources import describe, meta
from ..rules.pod_affinity import PodAffinity
from ..rules.spread import Spread
from ..rules.taints import UNSCHEDULABLE_TAINT_KEY
from .seekers import Seeker
from .snapshot import Snapshot

Judges = Tuple[Spread, PodAffinity]
CORDON = {"key": UNSCHEDULABLE_TAINT_KEY, "effect": "NoSchedule"}


class Crowd:
    """The pods of the cluster, as the rules of each workload count them. ``unseen`` are warnings of
    what they cannot count for want of rights, by the uid of one pod of the workload.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.unseen: Dict[str, List[str]] = {}
        self._snapshot = snapshot
        self._nodes = dict(snapshot.nodes())
        source = self._nodes.get(snapshot.node)
        if source is not None:
            self._nodes[snapshot.node] = _cordoned(source)
        everybody = [*snapshot.others().values(), snapshot.pods()]
        # Asked once, not once a workload: there may be tens of thousands.
        self._guards = [p for pods in everybody for p in pods if keeps_others_away(p)]
        self._judges: Dict[str, Optional[Judges]] = {}
        self._moves: List[Tuple[Object, str, int]] = []

    def judges(self, one: Seeker) -> Dict[str, Any]:
        """What a View needs of them. Until it ``goes`` or ``stays`` the old pod is not there."""
        found = self._of(one)
        if found is None:
            return {}
        self._old(one, -1)
        return {"spread": found[0], "affinity": found[1]}

    def stays(self, one: Seeker) -> None:
        """No node was found for it."""
        self._old(one, 1)

    def goes(self, one: Seeker, name: str) -> None:
        """It has a place."""
        self._old(one, 1)
        for move in ((one.old, self._snapshot.node, -1), (one.body, name, 1)):
            self._moves.append(move)
            for found in self._judges.values():
                self._count(found, *move)

    # ---- inside

    def _of(self, one: Seeker) -> Optional[Judges]:
        if one.workload not in self._judges:
            cluster = neighbours(self._snapshot, one.body, self._guards, self._nodes)
            found = None
            if cluster is not None:
                found = Spread(one.body, cluster), PodAffinity(one.body, cluster)
                for move in self._moves:
                    self._count(found, *move)
            self._judges[one.workload] = found
            self._warn(one, None if cluster is None else cluster.namespaces)
        return self._judges[one.workload]

    def _warn(self, one: Seeker, known: Optional[Mapping[str, Any]]) -> None:
        """Nodes and pods an evacuation may list, or it does not begin: namespaces it may not."""
        if known is None:
            why = "this user may not list namespaces"
            told = ["%s: %s" % (text, why) for text in not_judged(one.old)]
        elif meta(one.old)["namespace"] not in known and any(map(selects_namespaces, self._guards)):
            text = "whether pods of other namespaces must be apart from %s was not checked: %s"
            told = [text % (describe("Pod", one.old), "this user may not get its namespace")]
        else:
            return
        self.unseen[one.uid] = told

    def _old(self, one: Seeker, by: int) -> None:
        found, source = self._judges[one.workload], self._nodes.get(self._snapshot.node)
        if found is None or source is None:
            return
        found[0].count(one.old, source, by)
        if not one.beside:
            found[1].count(one.old, source, by)

    def _count(self, found: Optional[Judges], pod: Object, name: str, by: int) -> None:
        node = self._nodes.get(name)
        for judge in found or () if node is not None else ():
            judge.count(pod, node or {}, by)


def _cordoned(node: Object) -> Object:
    """As it will be when its pods leave."""
    spec = node.get("spec") or {}
    return dict(node, spec=dict(spec, taints=[*(spec.get("taints") or []), CORDON]))
