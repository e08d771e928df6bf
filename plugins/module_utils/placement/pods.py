# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod as an operator sees it: where it is, whose it is, and what a move of it would take.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from ..api import Api, Object
from ..errors import NotFound, PlacementError
from ..moves.estimate import expected_downtime
from ..moves.journal import Entry
from ..moves.names import former_names
from ..moves.order import Order, Settings
from ..moves.plan import judge_move
from ..moves.refusals import attachment, opt_outs
from ..moves.strategies import STRATEGIES
from ..resources import PV, PVC, meta, uid
from ..rules.pod_state import is_ready, is_terminating, phase
from ..workloads import owner_chain
from .placed import Placements, placed

Item = Dict[str, Any]
# They hold no data: every node gets them anew.
_MADE_ANEW = ("configMap", "downwardAPI", "projected", "secret", "image")
_OF_THE_NODE = ("emptyDir", "hostPath")


def describe_pod(api: Api, pod: Object, events: Placements, settings: Settings) -> Item:
    """The ``pods`` item of a result."""
    chain = owner_chain(api, pod)
    spec = pod["spec"]
    return {
        "namespace": meta(pod)["namespace"],
        "name": meta(pod)["name"],
        "uid": uid(pod),
        "node": spec.get("nodeName") or "",
        "phase": "Terminating" if is_terminating(pod) else phase(pod),
        "ready": is_ready(pod),
        "scheduler": spec.get("schedulerName") or "",
        "owners": [{"kind": o.kind, "name": o.name} for o in chain],
        "placed": placed(pod, events),
        "move": judged(api, pod, settings),
        "volumes": list(_volumes(api, pod)),
        "opt_outs": [
            {"object": where, "annotation": key, "value": value}
            for where, key, value in opt_outs(pod, chain)
        ],
        "moved_from": former_names(pod),
    }


def judged(api: Api, pod: Object, settings: Settings) -> Item:
    """The strategy that a move would take, or why there is none."""
    try:
        entry, _owner = judge(api, pod, settings)
    except PlacementError as err:
        return _move(code=err.code, reason=err.message, hint=err.hint)
    strategy = STRATEGIES[entry.strategy]
    return _move(
        strategy=entry.strategy,
        loses_availability=strategy.loses_availability,
        expected_downtime=expected_downtime(entry.strategy, pod),
    )


def judge(api: Api, pod: Object, settings: Settings) -> Tuple[Entry, Optional[Object]]:
    """``plan.judge_move`` for a pod that goes to no node in particular."""
    order = Order(str(meta(pod)["namespace"]), str(meta(pod)["name"]))
    return judge_move(api, order, settings, pod)


def _move(**known: Any) -> Item:
    nothing = {"strategy": "", "code": "", "reason": "", "hint": ""}
    return {**nothing, "loses_availability": None, "expected_downtime": None, **known}


# ---- volumes


def _volumes(api: Api, pod: Object) -> Iterator[Item]:
    for volume in pod["spec"].get("volumes") or []:
        kind = next((key for key in volume if key != "name"), "emptyDir")
        if kind in _MADE_ANEW:
            continue
        claim = ""
        if kind == "persistentVolumeClaim":
            claim = str(volume[kind].get("claimName") or "")
        elif kind == "ephemeral":
            claim = "%s-%s" % (meta(pod)["name"], volume.get("name"))
        yield {
            "name": volume.get("name") or "",
            "kind": kind,
            "claim": claim,
            **(_claimed(api, pod, claim) if claim else _unclaimed(kind)),
        }


def _unclaimed(kind: str) -> Item:
    return {
        "access_modes": [],
        "persistent_volume": "",
        "attaches": "one_node" if kind in _OF_THE_NODE else "",
        "node_bound": kind in _OF_THE_NODE,
    }


def _claimed(api: Api, pod: Object, claim: str) -> Item:
    namespace = str(meta(pod)["namespace"])
    try:
        found = api.get(PVC, claim, namespace)
    except NotFound:
        return _unclaimed("")
    spec = found.get("spec") or {}
    modes = (found.get("status") or {}).get("accessModes") or spec.get("accessModes")
    volume = str(spec.get("volumeName") or "")
    return {
        "access_modes": modes or [],
        "persistent_volume": volume,
        "attaches": attachment(api, pod, namespace, claim),
        "node_bound": bool(volume) and _node_bound(api, volume),
    }


def _node_bound(api: Api, volume: str) -> bool:
    """Whether only some nodes, or only one, can reach the volume."""
    try:
        spec: Mapping[str, Any] = api.get(PV, volume).get("spec") or {}
    except NotFound:
        return False
    required = (spec.get("nodeAffinity") or {}).get("required")
    return bool(required) or "hostPath" in spec or "local" in spec
