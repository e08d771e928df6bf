# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace the pods of a ReplicationController or bare ReplicaSet, never below what serves.

These controllers leave running pods alone when their template changes. A pod that serves is
replaced by a move without a node: its replacement comes first. One that does not serve is deleted,
as a Deployment's rollout does: nothing is lost, and the controller makes a new one. An interrupted
roll goes on with the pods that are left.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, Callable, List, Mapping, Optional

from .api import Api, Object
from .errors import Conflict, NotFound, PlacementError
from .moves.journal import Entry, decode
from .moves.order import Order, Report, Settings
from .moves.recovery import unfinished
from .moves.run import carry_out
from .resources import POD, Kind, describe, meta, uid
from .rollout import own_pods, why_waiting
from .rules.pod_state import is_ready
from .watching import watch_for
from .workloads import desired, ready_pods, selector, selector_string


def stale_pods(api: Api, kind: Kind, obj: Object, scheduler_name: str) -> List[Object]:
    """The controller's pods under another scheduler: those that do not serve first."""
    found = [
        p for p in own_pods(api, kind, obj) if p["spec"].get("schedulerName") != scheduler_name
    ]
    return sorted(found, key=lambda p: (is_ready(p), meta(p)["name"]))


def interrupted(api: Api, namespace: str, concerns: Callable[[Entry], bool]) -> List[Object]:
    """The Leases of unfinished moves that concern this task, live or left by a killed run."""
    return [
        lease
        for lease in unfinished(api, namespace)
        if any(concerns(entry) for entry in decode(lease))
    ]


def rehearse_roll(api: Api, pods: List[Object], settings: Settings) -> List[str]:
    """Plan each move without a write; raises the first refusal, returns all warnings."""
    warnings: List[str] = []
    for pod in pods:
        if is_ready(pod):
            warnings += carry_out(api, _order(pod), replace(settings, check=True)).warnings
        else:
            _delete(api, pod, dry_run=True)
    return warnings


def roll_pods(
    api: Api, kind: Kind, obj: Object, scheduler_name: str, settings: Settings
) -> List[str]:
    """Replace all pods under another scheduler; returns the warnings of the moves."""
    warnings: List[str] = []
    while True:
        left = stale_pods(api, kind, obj, scheduler_name)
        if not left:
            break
        if settings.deadline.passed():
            raise _timeout(
                api, kind, obj, settings, "%d pods are still under another scheduler" % len(left)
            )
        report = replace_pod(api, left[0], settings)
        warnings += report.warnings if report else []
    if settings.wait:
        _wait_ready(api, kind, obj, settings)
    return warnings


def replace_pod(api: Api, pod: Object, settings: Settings) -> Optional[Report]:
    """Replace one pod by one of the present template; None if it did not serve: deleted."""
    if is_ready(pod):
        return carry_out(api, _order(pod), settings)
    _delete(api, pod, dry_run=settings.check)
    return None


def _order(pod: Mapping[str, Any]) -> Order:
    return Order(namespace=meta(pod)["namespace"], name=meta(pod)["name"], strategy="adopt")


def _delete(api: Api, pod: Mapping[str, Any], *, dry_run: bool) -> None:
    """Guarded by resourceVersion: a pod that has begun to serve meanwhile is looked at again."""
    version = meta(pod)["resourceVersion"]
    with suppress(Conflict, NotFound):
        api.delete(
            POD,
            meta(pod)["name"],
            meta(pod)["namespace"],
            uid=uid(pod),
            resource_version=version,
            dry_run=dry_run,
        )


def _wait_ready(api: Api, kind: Kind, obj: Object, settings: Settings) -> None:
    """Until the controller has its desired number of Ready pods again."""
    namespace, name = meta(obj)["namespace"], meta(obj)["name"]

    def look(pods: List[Object]) -> Optional[bool]:
        expected = desired(api.get(kind, name, namespace))
        return True if len(ready_pods(pods, uid(obj))) >= expected else None

    chosen = selector_string(selector(kind.kind, obj))
    if not watch_for(
        api, POD, look, namespace=namespace, deadline=settings.deadline, label_selector=chosen
    ):
        raise _timeout(api, kind, obj, settings, "it has fewer Ready pods than desired")


def _timeout(api: Api, kind: Kind, obj: Object, settings: Settings, text: str) -> PlacementError:
    named = describe(kind.kind, obj)
    return PlacementError(
        "RolloutTimeout",
        "%s after %d s: %s%s"
        % (named, settings.deadline.seconds, text, why_waiting(api, kind, obj)),
        object=named,
        step="roll",
        hint="Run the task again: it goes on with the pods that are left.",
        changed=True,
    )
