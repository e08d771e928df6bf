# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scheduler is alive when it judges a pod: a probe pod under its name, removed again.

Every write of a scheduler shows in the pod's ``PodScheduled`` condition: True with a node, or False
with a reason. Nobody running under that name leaves the condition unset. What a killed run left
behind goes with the next probe.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import datetime
from typing import Any, Dict, List, Mapping, Optional

from .api import Api, Object
from .clock import Clock, Deadline
from .errors import ApiError, Conflict, NotFound, OutcomeUnknown, PlacementError
from .moves.holder import Holder
from .resources import POD, annotation, meta, uid
from .watching import named, watch_for

LABEL = "podplacement.io/probe"
HOLDER = "podplacement.io/holder"  # the process that waits for this probe
NAME = "podplacement-probe-%s"
IMAGE = "registry.k8s.io/pause:3.10"
# A scheduler with a long queue needs a while; after this time it is taken for dead.
JUDGE_SECONDS = 30.0
LEFTOVER_SECONDS = 120.0


def prove_alive(
    api: Api, clock: Clock, namespace: str, scheduler_name: str, seconds: float
) -> None:
    """Return if a scheduler of this name judges a pod in time; raise SchedulerNotAlive if not."""
    limit = Deadline(clock, min(seconds, JUDGE_SECONDS))
    name = NAME % uuid.uuid4().hex[:10]
    judged: Optional[bool] = None
    try:
        created = _create(api, namespace, name, scheduler_name)
        _remove_leftovers(api, namespace, created)
        judged = watch_for(
            api, POD, _judged, namespace=namespace, deadline=limit, field_selector=named(name)
        )
    finally:
        _remove(api, namespace, name)
    if not judged:
        raise PlacementError(
            "SchedulerNotAlive",
            "no scheduler named %s looked at a probe pod in %s within %d s"
            % (scheduler_name, namespace, limit.seconds),
            object="Pod %s/%s" % (namespace, name),
            step="verify the scheduler",
            hint="Start a scheduler of that name, or correct scheduler_name.",
        )


def rehearse(api: Api, namespace: str, scheduler_name: str) -> str:
    """The dry run of a probe; returns the warning that it proves nothing about the scheduler."""
    body = manifest(namespace, NAME % uuid.uuid4().hex[:10], scheduler_name)
    api.create(POD, body, namespace, dry_run=True)
    return (
        "check mode cannot prove that a scheduler named %s is alive: that takes a real probe pod"
        % scheduler_name
    )


def manifest(namespace: str, name: str, scheduler_name: str) -> Dict[str, Any]:
    """A pod that needs next to nothing and passes the ``restricted`` pod security standard."""
    small = {"cpu": "1m", "memory": "8Mi"}
    container = {
        "name": "probe",
        "image": IMAGE,
        "resources": {"requests": small, "limits": small},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {LABEL: "true"}},
        "spec": {
            "schedulerName": scheduler_name,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 60,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65535,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }


def _create(api: Api, namespace: str, name: str, scheduler_name: str) -> Object:
    body = manifest(namespace, name, scheduler_name)
    body["metadata"]["annotations"] = {HOLDER: Holder().identity}
    try:
        return api.create(POD, body, namespace)
    except OutcomeUnknown:
        with suppress(NotFound):
            return api.get(POD, name, namespace)
    return api.create(POD, body, namespace)  # the request was lost, not its answer


def _judged(found: List[Object]) -> Optional[bool]:
    """True once somebody has judged the probe, False when it is gone, None while it waits."""
    if not found:
        return False
    for condition in (found[0].get("status") or {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") != "SchedulingGated":
            return True
    return None


def _remove(api: Api, namespace: str, name: str) -> None:
    """Delete the probe if it is there; a failure here must not hide what the probe has shown."""
    for _attempt in range(3):  # a request that was lost is sent again
        try:
            _delete(api, api.get(POD, name, namespace))
        except OutcomeUnknown:
            continue
        except ApiError:  # it is gone, or the next probe removes it by its label
            pass
        return


def _remove_leftovers(api: Api, namespace: str, created: Mapping[str, Any]) -> None:
    """Delete probes of killed runs: of a process of this host that is gone, and otherwise old ones
    by the server's clock, which is the new probe's creation.
    """
    now, holder = _seconds(created), Holder()
    found, _version = api.list(POD, namespace, label_selector=LABEL + "=true")
    for pod in found:
        left = holder.is_gone(annotation(pod, HOLDER) or "")
        if left or now - _seconds(pod) > LEFTOVER_SECONDS:
            _delete(api, pod)


def _delete(api: Api, pod: Mapping[str, Any]) -> None:
    with suppress(NotFound, Conflict):  # gone already
        api.delete(POD, meta(pod)["name"], meta(pod)["namespace"], uid=uid(pod))


def _seconds(pod: Mapping[str, Any]) -> float:
    return datetime.strptime(meta(pod)["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").timestamp()
