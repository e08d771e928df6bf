# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a controller is with replacing its pods, and waiting until it is done.

Deployment, StatefulSet and DaemonSet do that themselves; the tests are those of ``kubectl rollout
status``.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from .api import Api, Object
from .clock import Deadline
from .errors import PlacementError
from .resources import POD, Kind, describe, meta, uid
from .rules.pod_state import is_scheduled
from .watching import named, watch_for
from .workloads import active_pods, desired, is_paused, owner_chain, selector, selector_string

ROLLING_KINDS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True)
class Progress:
    """``replaced``: no pod of an older template remains that should go; ``available``: all serve.

    ``failed`` says why the controller has given up; empty while it has not.
    """

    replaced: bool
    available: bool = False
    failed: str = ""

    @property
    def complete(self) -> bool:
        """Nothing is left to wait for."""
        return self.replaced and self.available


def rolls_itself(kind: Kind) -> bool:
    """True for controllers that replace their running pods when their template changes."""
    return kind.kind in ROLLING_KINDS


def holds_back(kind: Kind, obj: Mapping[str, Any]) -> bool:
    """The update strategy keeps pods as they are: ``OnDelete``, or a StatefulSet's partition."""
    strategy = (obj.get("spec") or {}).get("updateStrategy") or {}
    return rolls_itself(kind) and (strategy.get("type") == "OnDelete" or partition(obj) > 0)


def partition(obj: Mapping[str, Any]) -> int:
    """A StatefulSet's ordinals below this keep their revision; 0 for everything else."""
    strategy = (obj.get("spec") or {}).get("updateStrategy") or {}
    return int((strategy.get("rollingUpdate") or {}).get("partition") or 0)


def left_behind(kind: Kind, obj: Mapping[str, Any]) -> int:
    """How many pods the controller counts that are not of its newest template."""
    status: Mapping[str, Any] = obj.get("status") or {}
    if kind.kind == "DaemonSet":
        return int(status.get("desiredNumberScheduled") or 0) - int(
            status.get("updatedNumberScheduled") or 0
        )
    return (
        int(status.get("replicas") or 0) - int(status.get("updatedReplicas") or 0)
        if rolls_itself(kind)
        else 0
    )


def progress(kind: Kind, obj: Mapping[str, Any]) -> Progress:
    """How far the controller is with its newest template."""
    status: Dict[str, Any] = obj.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int(meta(obj).get("generation") or 0):
        return Progress(replaced=False)
    if kind.kind == "Deployment":
        return _deployment(obj, status)
    if holds_back(kind, obj) and not partition(obj):
        return Progress(replaced=True, available=True)
    return _stateful_set(obj, status) if kind.kind == "StatefulSet" else _daemon_set(status)


def _deployment(obj: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    for condition in status.get("conditions") or []:
        if (
            condition["type"] == "Progressing"
            and condition.get("reason") == "ProgressDeadlineExceeded"
        ):
            return Progress(replaced=False, failed=str(condition.get("message", "")))
    updated = int(status.get("updatedReplicas") or 0)
    replaced = updated >= desired(obj) and int(status.get("replicas") or 0) <= updated
    return Progress(replaced, int(status.get("availableReplicas") or 0) >= updated)


def _stateful_set(obj: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    expected = desired(obj) - min(partition(obj), desired(obj))
    replaced = int(status.get("updatedReplicas") or 0) >= expected
    if not partition(obj):
        replaced = replaced and status.get("updateRevision") == status.get("currentRevision")
    return Progress(replaced, int(status.get("readyReplicas") or 0) >= desired(obj))


def _daemon_set(status: Mapping[str, Any]) -> Progress:
    expected = int(status.get("desiredNumberScheduled") or 0)
    replaced = int(status.get("updatedNumberScheduled") or 0) >= expected
    return Progress(replaced, int(status.get("numberAvailable") or 0) >= expected)


def wait_complete(api: Api, kind: Kind, obj: Object, deadline: Deadline) -> Object:
    """The controller once its rollout is complete or paused; RolloutFailed, RolloutTimeout."""
    namespace, name = meta(obj)["namespace"], meta(obj)["name"]

    def look(found: List[Object]) -> Optional[Object]:
        if not found or uid(found[0]) != uid(obj):
            raise _failure(
                "ControllerGone",
                "%s was deleted during its rollout" % describe(kind.kind, obj),
                kind,
                obj,
            )
        state = progress(kind, found[0])
        if state.failed:
            raise _failure(
                "RolloutFailed",
                "%s%s" % (state.failed, why_waiting(api, kind, found[0])),
                kind,
                obj,
            )
        return found[0] if state.complete or is_paused(found[0]) else None

    done = watch_for(
        api, kind, look, namespace=namespace, deadline=deadline, field_selector=named(name)
    )
    if done is None:
        text = "the rollout of %s is not complete after %d s" % (
            describe(kind.kind, obj),
            deadline.seconds,
        )
        raise _failure("RolloutTimeout", text + why_waiting(api, kind, obj), kind, obj)
    return done


def why_waiting(api: Api, kind: Kind, obj: Object) -> str:
    """``; pod x: ...`` for a pod of this controller that has no node; empty if there is none."""
    found, _version = api.list(
        POD, meta(obj)["namespace"], label_selector=selector_string(selector(kind.kind, obj))
    )
    for pod in found:
        if not is_scheduled(pod) and any(link.uid == uid(obj) for link in owner_chain(api, pod)):
            return "; pod %s: %s" % (meta(pod)["name"], unscheduled_reason(pod))
    return ""


def unscheduled_reason(pod: Mapping[str, Any]) -> str:
    """Why a pod has no node, in the words of its scheduler, or that there seems to be none."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("message"):
            return str(condition["message"])
    return "no scheduler named %s has looked at it" % pod["spec"].get("schedulerName")


def own_pods(api: Api, kind: Kind, obj: Object) -> List[Object]:
    """The active pods that this controller owns itself."""
    found, _version = api.list(
        POD, meta(obj)["namespace"], label_selector=selector_string(selector(kind.kind, obj))
    )
    return active_pods(found, uid(obj))


def _failure(code: str, text: str, kind: Kind, obj: Mapping[str, Any]) -> PlacementError:
    return PlacementError(
        code,
        text,
        object=describe(kind.kind, obj),
        step="wait for the rollout",
        hint="The new name stays set; state: restored puts the previous one back.",
        changed=True,
    )
