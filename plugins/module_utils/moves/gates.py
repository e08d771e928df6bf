# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of a swap: every one must hold at the moment when the controller is given one pod too
many.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Set

from ..api import Api
from ..errors import NotFound, TooManyRequests, explained
from ..resources import ENDPOINT_SLICE, PDB, label, meta, uid
from ..rules.pod_state import is_ready
from ..rules.selectors import matches_labels
from ..workloads import desired
from .journal import Entry
from .manifest import differences
from .scene import WAIT, Scene, Step

SERVICE_NAME = "kubernetes.io/service-name"
EVACUATION = "evacuation"
Gate = Callable[[Api, str, Entry, Scene], Optional[Step]]


def closed_budget(api: Api, namespace: str, entry: Entry, scene: Scene) -> Optional[Step]:
    """A dry-run eviction of the old pod: its budget must have counted the replacement, and as many
    more as go before it in the same turn.
    """
    budgets, scene.versions[PDB.kind] = api.list(PDB, namespace)
    labels = meta(scene.old or {}).get("labels") or {}
    mine = [b for b in budgets if matches_labels((b.get("spec") or {}).get("selector"), labels)]
    if not mine:
        return None
    if scene.ahead and min(map(_allowed, mine)) <= scene.ahead:
        return Step(WAIT, "waiting until the budget counts the replacement", "PdbBlocked", kind=PDB)
    try:
        api.evict(entry.pod, namespace, uid=entry.pod_uid, dry_run=True)
    except TooManyRequests as err:
        return refused_eviction(err)
    except NotFound:
        return Step(WAIT, "the old pod went away", limit=0.1)
    return None


def _allowed(budget: Mapping[str, Any]) -> int:
    return int((budget.get("status") or {}).get("disruptionsAllowed") or 0)


def refused_eviction(err: TooManyRequests) -> Step:
    """A budget's "no" is waited for. So is the answer of an operator that moves the pod itself
    (KubeVirt; descheduler, KEP 1397): the eviction is in progress, and the pod goes when that is
    done.
    """
    if EVACUATION in err.message.lower():
        return Step(WAIT, err.message, "EvacuationTriggered", limit=5.0)
    return Step(WAIT, explained(err), "PdbBlocked", kind=PDB, limit=1.0)


def not_asked(_api: Api, _namespace: str, _entry: Entry, _scene: Scene) -> Optional[Step]:
    """The budget is asked later."""
    return None


def closed_gate(
    api: Api,
    namespace: str,
    entry: Entry,
    scene: Scene,
    *,
    accept_differences: bool,
    budget: Gate = closed_budget,
) -> Optional[Step]:
    """The first guard that does not hold yet, cheapest first; None when the swap may happen."""
    different = [] if accept_differences else differences(scene.old or {}, scene.new or {})
    if different:
        return Step("roll_back", "; ".join(different), "ReplacementDiffers")
    return (
        unsettled(scene)
        or _missing_endpoint(api, namespace, scene)
        or budget(api, namespace, entry, scene)
    )


def unsettled(scene: Scene) -> Optional[Step]:
    """All of the workload's pods are there and Ready: else another one would be deleted (theft)."""
    owner = scene.owner or {}
    seen = int((owner.get("status") or {}).get("observedGeneration") or 0)
    if seen < int(meta(owner).get("generation") or 0):
        why = "waiting until the controller has seen its newest spec"
        return Step(WAIT, why, "WorkloadNotReady")
    if len(scene.siblings) + 1 != desired(owner):
        why = "waiting until the controller has its desired number of pods"
        return Step(WAIT, why, "WorkloadNotReady")
    unready = [str(meta(p)["name"]) for p in scene.siblings if not is_ready(p)]
    if unready:
        why = "waiting for unready pods of the workload: %s" % ", ".join(sorted(unready))
        return Step(WAIT, why, "WorkloadNotReady")
    return None


def _missing_endpoint(api: Api, namespace: str, scene: Scene) -> Optional[Step]:
    """Every Service that sends to the old pod sends to the new one."""
    slices, version = api.list(ENDPOINT_SLICE, namespace)
    scene.versions[ENDPOINT_SLICE.kind] = version
    old, new = uid(scene.old or {}), uid(scene.new or {})
    receivers = _receivers([s for s in slices if _ready_targets(s) & {old, new}])
    missing = sorted(name for name, uids in receivers.items() if old in uids and new not in uids)
    if not missing:
        return None
    why = "waiting until Service %s sends to the replacement" % ", ".join(missing)
    return Step(WAIT, why, "EndpointMissing", kind=ENDPOINT_SLICE)


def _receivers(slices: List[Dict[str, Any]]) -> Dict[str, Set[str]]:
    """Service name -> uids of its ready endpoints."""
    found: Dict[str, Set[str]] = {}
    for one in slices:
        found.setdefault(label(one, SERVICE_NAME) or "", set()).update(_ready_targets(one))
    return found


def _ready_targets(one: Mapping[str, Any]) -> Set[str]:
    """The uids of a slice's ready endpoints; an unset ``ready`` is ready."""
    return {
        str(target["uid"])
        for endpoint in one.get("endpoints") or []
        for target in [endpoint.get("targetRef") or {}]
        if target.get("uid") and (endpoint.get("conditions") or {}).get("ready") is not False
    }
