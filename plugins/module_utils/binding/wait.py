# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod is placed when its containers have started; a kubelet that refuses it has the last word.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence

from ..api import Api, Object
from ..clock import Deadline
from ..errors import PlacementError
from ..resources import POD, uid
from ..rules.pod_state import failure, is_pending
from ..watching import watch_for

STEP = "wait for Running"
DELETE_IT = "It cannot be bound again: delete it, and bind its successor to a node that fits."


def has_started(pod: Object) -> bool:
    """The pod's containers have started, or have even ended well:

    - phase is neither Pending nor Failed.
    """
    return not is_pending(pod) and not failure(pod)


def until_running(
    api: Api,
    bound: Sequence[Mapping[str, str]],
    deadline: Deadline,
    *,
    namespace: Optional[str],
    field_selector: str,
    patient: bool = True,
) -> None:
    """Watch until every bound pod has started; PlacementError when one never will, or time is up.

    Pods that failed are reported together, after the others have started. Without patience one
    look is taken and only final failures count.
    """
    waiting = {pod["uid"]: "%(namespace)s/%(name)s" % pod for pod in bound}
    failed: List[PlacementError] = []
    seen: Dict[str, Object] = {}

    def look(pods: List[Object]) -> Optional[bool]:
        seen.clear()
        seen.update({uid(pod): pod for pod in pods})
        for key in list(waiting):
            problem = _problem(seen.get(key), waiting[key])
            if problem is not None:
                failed.append(problem)
            if problem is not None or has_started(seen[key]):
                del waiting[key]
        return None if waiting and patient else True

    where = namespace or ""  # empty: all of them
    if not watch_for(
        api, POD, look, namespace=where, deadline=deadline, field_selector=field_selector
    ):
        raise _timeout(waiting, seen, deadline, failed)
    if failed:
        raise _joined(failed[0], [problem.message for problem in failed])


def _problem(pod: Optional[Object], name: str) -> Optional[PlacementError]:
    """Why the pod will never run, or None while it may."""
    if pod is None:
        return _error("PodGone", name, "it was deleted before it ran", "Bind its successor.")
    reason = failure(pod)
    if not reason:
        return None
    status = pod["status"]
    told = status.get("message") or "no message"
    if status.get("containerStatuses"):
        hint = "Its containers started and failed: see their logs."
        return _error("PodFailed: %s" % reason, name, told, hint)
    return _error("KubeletRefused: %s" % reason, name, told, DELETE_IT)


def _timeout(
    waiting: Mapping[str, str],
    now: Mapping[str, Object],
    deadline: Deadline,
    failed: Sequence[PlacementError],
) -> PlacementError:
    told = ["Pod %s: %s" % (name, _state(now[key])) for key, name in sorted(waiting.items())]
    error = PlacementError(
        "Timeout",
        "bound, but not Running after %d s" % deadline.seconds,
        object="Pod %s" % min(waiting.values()),
        step=STEP,
        hint="Look at the pod's events; wait_timeout counts from the start of the task.",
    )
    return _joined(error, [error.message, *told, *[problem.message for problem in failed]])


def _state(pod: Object) -> str:
    """What the kubelet says about a pod that does not start."""
    status = pod.get("status") or {}
    containers = (status.get("initContainerStatuses") or []) + (
        status.get("containerStatuses") or []
    )
    for container in containers:
        waits: Dict[str, str] = (container.get("state") or {}).get("waiting") or {}
        if waits.get("reason"):
            return "container %s waits: %s" % (container["name"], waits["reason"])
    return "phase %s" % status.get("phase", "unknown")


def _error(code: str, name: str, message: str, hint: str) -> PlacementError:
    who = "Pod %s" % name
    return PlacementError(code, "%s: %s" % (who, message), object=who, step=STEP, hint=hint)


def _joined(error: PlacementError, messages: Sequence[str]) -> PlacementError:
    return PlacementError(
        error.code, "; ".join(messages), object=error.object, step=error.step, hint=error.hint
    )
