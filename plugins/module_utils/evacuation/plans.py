# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at the pods to be moved: for each a plan, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..api import Object
from ..errors import PlacementError
from ..moves.controllers import COUNTED
from ..moves.order import Order, Settings
from ..moves.others import as_it_will_be, beside
from ..moves.plan import Plan, judge_move, make_plan
from ..moves.strategies import STRATEGIES
from ..resources import describe, meta, uid
from ..workloads import controller_ref
from .assign import assign
from .seekers import Seeker, seeker
from .snapshot import Snapshot

# These stay by their nature, or are no more: nobody is to blame, and all is done without them.
STAYING = (
    "ControllerNotFound",
    "OwnerUnsupported: DaemonSet",
    "OwnerUnsupported: Node",
    "PodFinished",
    "PodNotFound",
    "TooFewReplicas",
)
# What time may cure: such pods are looked at again.
PASSING = (
    "JobRunning",
    "NoRoom",
    "OwnerGone",
    "PodNotRunning",
    "PodTerminating",
    "RolloutInProgress",
    "WorkloadNotReady",
)
# Pods whose service is not interrupted go first; of those that are, the ones that come back by name
# last.
_ORDER = ("adopt", "shadow", "surge", "recreate", "replace", "evict", "steer")


@dataclass(frozen=True)
class Item:
    """A pod, and its plan or its refusal. ``room`` is False where the scheduler will choose and
    nothing seems free now. What is refused may be a controller as a whole.
    """

    pod: Object
    plan: Optional[Plan] = None
    error: Optional[PlacementError] = None
    room: bool = True

    def as_item(self) -> Dict[str, Any]:
        """The ``plan`` item of a result."""
        return dict(self.plan.as_item() if self.plan is not None else {}, room=self.room)

    def as_leftover(self) -> Dict[str, str]:
        """The ``leftovers`` item of a result."""
        return leftover(self.pod, self.error or PlacementError("", ""))


def leftover(pod: Object, err: PlacementError) -> Dict[str, str]:
    """Why a pod is still there."""
    owner = controller_ref(pod)
    if pod.get("kind") in COUNTED:
        owner = {"kind": pod["kind"], "name": meta(pod)["name"]}
    return {
        "namespace": str(meta(pod)["namespace"]),
        "name": str(meta(pod)["name"]),
        "owner": "%s/%s" % (owner["kind"], owner["name"]) if owner is not None else "",
        "code": err.code,
        "reason": err.message,
        "hint": err.hint,
    }


def plan_all(
    snapshot: Snapshot, wanted: Sequence[Tuple[Object, Order]], settings: Settings
) -> List[Item]:
    """A plan for each pod that can be moved now; those whose order names no node get one of the
    snapshot's targets, if there are some.
    """
    checking = replace(settings, check=True)
    seekers = [s for s in (_seeker(snapshot, p, o, checking) for p, o in wanted) if s is not None]
    unseen: Dict[str, List[str]] = {}
    places: Dict[str, str] = {}
    if seekers:
        places = assign(snapshot, seekers, validate=settings.validate, unseen=unseen)
    seeking = {one.uid for one in seekers}
    items = []
    for pod, order in wanted:
        room = uid(pod) in places or uid(pod) not in seeking
        if snapshot.targets is not None and uid(pod) in seeking:
            if not room:
                items.append(_no_room(pod, snapshot))
                continue
            order = replace(order, node=places[uid(pod)], away=False, assigned=True)
        item = _planned(snapshot, pod, order, checking, room=room)
        if item.plan is not None:
            item.plan.warnings.extend(unseen.get(uid(pod), []))
        items.append(item)
    return sorted(items, key=_rank)


def _planned(
    snapshot: Snapshot, pod: Object, order: Order, settings: Settings, *, room: bool
) -> Item:
    """A new pod may wait for room beside the old one; nobody is stopped before there is some."""
    try:
        plan = make_plan(snapshot, order, settings, pod)
    except PlacementError as err:
        return Item(pod, error=err)
    if not room and STRATEGIES[plan.entry.strategy].loses_availability:
        return _no_room(pod, snapshot)
    return Item(pod, plan, room=room)


def _seeker(snapshot: Snapshot, pod: Object, order: Order, settings: Settings) -> Optional[Seeker]:
    """The pod as it will look for a node; None where it cannot be moved, or nobody knows how it
    will look. Why is said by the plan.
    """
    try:
        entry, owner = judge_move(snapshot, order, settings, pod)
    except PlacementError:
        return None
    body = STRATEGIES[entry.strategy].body
    if body is None:
        return None
    made = as_it_will_be(entry, body(entry, pod, owner or {}))
    return seeker(pod, made, beside=beside(entry))


def _rank(item: Item) -> Tuple[int, str, int, str]:
    strategy = item.plan.entry.strategy if item.plan is not None else ""
    name = str(meta(item.pod)["name"])
    ordinal = name.rpartition("-")[2]
    last_first = -int(ordinal) if strategy == "steer" and ordinal.isdigit() else 0
    known = _ORDER.index(strategy) if strategy in _ORDER else len(_ORDER)
    return known, str(meta(item.pod)["namespace"]), last_first, name


def _no_room(pod: Object, snapshot: Snapshot) -> Item:
    count = len(snapshot.nodes() if snapshot.targets is None else snapshot.targets)
    error = PlacementError(
        "NoRoom",
        "none of %d nodes fits the pod, with what else goes there" % count,
        object=describe("Pod", pod),
        step="plan",
        hint="Name more targets, or make room on them.",
    )
    return Item(pod, error=error, room=False)
