# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only writes of k8s_pod_bind: a Binding with guards, and the event that tells of it.

A Binding cannot be taken back. It carries the uid and the resourceVersion of the pod that was
judged, and whatever answer comes back (also none) is settled by reading the pod again: the time
that it wrote into the pod tells our own Binding from somebody else's.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Set

from ..api import Api, Object
from ..clock import Clock
from ..errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OutcomeUnknown,
    PlacementError,
    api_to_placement,
)
from ..preflight import Right, allowed, require_rights
from ..resources import EVENT, POD, annotation, describe, meta, uid
from ..rules.pod_state import is_scheduled

COMPONENT = "podplacement.io/k8s_pod_bind"
SCHEDULED_AT = "podplacement.io/scheduled-at"
STEP = "bind"
TRIES = 5


class Binder:
    """The writes of one task, and the account of what they did."""

    def __init__(self, api: Api, clock: Clock, *, check: bool) -> None:
        self.api = api
        self.clock = clock
        self.check = check
        self.bound: List[Dict[str, str]] = []
        self.leftovers: List[Dict[str, str]] = []
        self.warnings: List[str] = []
        self._there_already: Dict[str, Dict[str, str]] = {}
        self._stamps: Set[str] = set()

    def result(self) -> Dict[str, Any]:
        """The module's result; also what a failure halfway reports."""
        after = {"%s/%s" % (b["namespace"], b["name"]): {"node": b["node"]} for b in self.bound}
        before = {name: {"node": ""} for name in after}
        return {
            "changed": bool(self.bound),
            "bound": self.bound,
            "leftovers": self.leftovers,
            "warnings": self.warnings,
            "diff": {
                "before": {"pods": dict(self._there_already, **before)},
                "after": {"pods": dict(self._there_already, **after)},
            },
        }

    def bind(self, pod: Object, node: str, judge: Callable[[Object], None]) -> Object:
        """Bind the pod, unless it is bound there already; the pod as it was last read.

        ``judge`` is called before each try, because a try fails when the pod has changed. Raises
        PlacementError when it refuses, and when the pod is gone, replaced or bound elsewhere.
        """
        for _try in range(TRIES):
            if is_scheduled(pod):
                self._settle(pod, node)
                return pod
            judge(pod)
            try:
                self._post(pod, node)
            except (Conflict, NotFound, OutcomeUnknown):
                pod = self._read_again(pod)
                continue
            self._count(pod, node)
            return pod
        raise failure(pod, "Conflict", "others changed it each of %d times" % TRIES)

    def leave(self, pod: Object, code: str, reason: str) -> None:
        """Leave the pod pending and say why."""
        self.leftovers.append(dict(identity(pod), code=code, reason=reason))

    def warn(self, *texts: str) -> None:
        """Tell the user, once."""
        self.warnings += [text for text in texts if text not in self.warnings]

    def require_rights(self, namespaces: Sequence[str], *, wait: bool) -> None:
        """Before the first write: everything that is still to come must be allowed."""
        rights: List[Right] = []
        for namespace in sorted(set(namespaces)):
            rights.append(("create", POD, "binding", namespace))
            if wait:
                rights += [("list", POD, "", namespace), ("watch", POD, "", namespace)]
        require_rights(self.api, rights)

    def _post(self, pod: Object, node: str) -> None:
        found, now = meta(pod), self.clock.wall()
        self._stamps.add(now)
        try:
            self.api.bind(
                found["name"],
                found["namespace"],
                node,
                uid=uid(pod),
                resource_version=found["resourceVersion"],
                annotations={SCHEDULED_AT: now},
                dry_run=self.check,
            )
        except (Forbidden, Invalid) as err:
            raise api_to_placement(err, step=STEP, object=describe("Pod", pod)) from err

    def _read_again(self, pod: Object) -> Object:
        now = find_pod(self.api, meta(pod)["name"], meta(pod)["namespace"])
        if uid(now) != uid(pod):
            raise failure(pod, "PodReplaced", "another pod has taken its name")
        return now

    def _settle(self, pod: Object, node: str) -> None:
        """A pod that has a node: the wanted one is success, any other cannot be changed."""
        actual = str(pod["spec"]["nodeName"])
        if actual != node:
            hint = "Use podplacement.core.k8s_pod_move to move it to %s." % node
            raise failure(pod, "AlreadyBound", "it is bound to node %s for good" % actual, hint)
        if annotation(pod, SCHEDULED_AT) in self._stamps:
            self._count(pod, node)  # our own Binding, whose answer was lost
        else:
            name = "%s/%s" % (meta(pod)["namespace"], meta(pod)["name"])
            self._there_already[name] = {"node": node}

    def _count(self, pod: Object, node: str) -> None:
        self.bound.append(dict(identity(pod), node=node))
        namespace = meta(pod)["namespace"]
        try:
            if not self.check:
                self.api.create(EVENT, scheduled_event(pod, node, self.clock.wall()), namespace)
            elif not allowed(self.api, ("create", EVENT, "", namespace)):
                self._warn_no_event(namespace)
        except Forbidden:
            self._warn_no_event(namespace)
        except ApiError as err:
            self.warn("no Scheduled event for %s: %s" % (describe("Pod", pod), err.message))

    def _warn_no_event(self, namespace: str) -> None:
        self.warn("no Scheduled events: this user may not create events in %s" % namespace)


def identity(pod: Object) -> Dict[str, str]:
    """Namespace, name and uid: how results name a pod."""
    return {"namespace": meta(pod)["namespace"], "name": meta(pod)["name"], "uid": uid(pod)}


def find_pod(api: Api, name: str, namespace: str) -> Object:
    """The pod of that name, or PlacementError ``PodNotFound``."""
    try:
        return api.get(POD, name, namespace)
    except NotFound:
        raise PlacementError(
            "PodNotFound",
            "there is no pod %s in namespace %s" % (name, namespace),
            object="Pod %s/%s" % (namespace, name),
            step="read",
            hint="Check name and namespace; a controller gives each new pod another name.",
        ) from None


def failure(pod: Object, code: str, message: str, hint: str = "") -> PlacementError:
    """The error for a pod that could not be bound."""
    who = describe("Pod", pod)
    hint = hint or "Run the task again."
    return PlacementError(code, "%s: %s" % (who, message), object=who, step=STEP, hint=hint)


def scheduled_event(pod: Object, node: str, now: str) -> Dict[str, Any]:
    """What kube-scheduler writes after a bind, in our name."""
    found, second = meta(pod), now[:19] + "Z"
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"generateName": found["name"] + ".", "namespace": found["namespace"]},
        "involvedObject": dict(identity(pod), apiVersion="v1", kind="Pod"),
        "type": "Normal",
        "reason": "Scheduled",
        "message": "Successfully assigned %s/%s to %s" % (found["namespace"], found["name"], node),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "action": "Binding",
        "count": 1,
        "firstTimestamp": second,
        "lastTimestamp": second,
    }
