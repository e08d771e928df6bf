# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would this pod run on that node: the verdict of each rule, also of those that nobody here judges.

The verdicts are those of ``preflight.judge``, on the pod that a move would create: for a
controller's pod that is made from its template, and it may differ from the pod that runs.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Tuple

from ..api import Api, Object
from ..errors import PlacementError
from ..moves.order import Settings
from ..moves.strategies import STRATEGIES
from ..neighbours import neighbours
from ..preflight import judge as rejections_of
from ..preflight import not_judged, volumes_of
from ..resources import meta, uid
from ..rules.fit import NOT_REPEATED, RULES, View
from ..rules.pod_affinity import PodAffinity
from ..rules.rejection import CODES, Rejection
from ..rules.spread import Spread
from .nodes import Usages
from .pods import judge

PASSED, REJECTED, NOT_JUDGED = "passed", "rejected", "not_judged"
NODE_READY = CODES["NodeNotReady"].rule


def explain(
    api: Api,
    pod: Object,
    nodes: Sequence[Object],
    usages: Usages,
    settings: Settings,
    warnings: List[str],
) -> Iterator[Dict[str, Any]]:
    """The ``explain`` items of a result, one for each node; ``warnings`` get more."""
    body, what = _to_be_placed(api, pod, settings)
    volumes = volumes_of(api, body)
    spread, affinity, missing = _judges(api, pod, body, nodes, usages.guards)
    warnings += not_judged(body) if missing else []
    for node in nodes:
        # The pod that is there now makes room for the one that is judged.
        usage = usages.of(node).without(pod)
        view = View(node=node, usage=usage, volumes=volumes, spread=spread, affinity=affinity)
        found = rejections_of(body, view)
        yield {
            "namespace": meta(pod)["namespace"],
            "pod": meta(pod)["name"],
            "judged": what,
            "node": meta(node)["name"],
            "here": pod["spec"].get("nodeName") == meta(node)["name"],
            "fits": not found,
            "rules": list(_rules(found, missing)),
        }


def _judges(
    api: Api,
    pod: Object,
    body: Object,
    nodes: Sequence[Object],
    guards: Sequence[Mapping[str, Any]],
) -> Tuple[Optional[Spread], Optional[PodAffinity], FrozenSet[str]]:
    """Those that judge by other pods, and the rules for which this user may not see enough."""
    by_name = {str(meta(node)["name"]): node for node in nodes}
    cluster = neighbours(api, body, guards, by_name)
    if cluster is None:
        return None, None, frozenset({"PodTopologySpread", "InterPodAffinity"})
    gone = frozenset({uid(pod)})
    spread = Spread(body, cluster, without=gone)
    return spread, PodAffinity(body, cluster, without=gone), frozenset()


def _to_be_placed(api: Api, pod: Object, settings: Settings) -> Tuple[Object, str]:
    """What a move would create; the pod itself, as if it had no node, where none is possible."""
    try:
        entry, owner = judge(api, pod, settings)
        body = STRATEGIES[entry.strategy].body
        if body is not None:
            return body(entry, pod, owner or {}), "replacement"
    except PlacementError:
        pass
    return dict(pod, spec=dict(pod["spec"], nodeName="")), "pod"


def _rules(found: Sequence[Rejection], missing: FrozenSet[str]) -> Iterator[Dict[str, Any]]:
    judged = [name for name, *_rest in RULES if name not in missing]
    for rule in (NODE_READY, *judged):
        mine = [r for r in found if CODES[r.code].rule == rule]
        yield {
            "rule": rule,
            "verdict": REJECTED if mine else PASSED,
            "rejections": [_told(r) for r in mine],
        }
    for rule in (*sorted(missing), *NOT_REPEATED):
        nothing: List[Dict[str, str]] = []
        yield {"rule": rule, "verdict": NOT_JUDGED, "rejections": nothing}


def _told(rejection: Rejection) -> Dict[str, str]:
    return {"code": rejection.code, "reason": rejection.reason, "detail": rejection.detail}
