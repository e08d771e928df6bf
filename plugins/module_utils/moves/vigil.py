# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching over a replacement until it may take over: scheduled on the target, started, Ready, and
Ready long enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from ..api import Object
from ..clock import Clock
from ..resources import describe, meta
from ..rules.node_state import node_not_ready
from ..rules.pod_state import failure, is_ready, is_scheduled, is_unschedulable

# A pod that a preflight found to fit is placed within a second; a scheduler that works through a
# queue needs longer.
SCHEDULE_SECONDS = 30.0
UNSCHEDULABLE_SECONDS = 5.0
# Waiting reasons that time does not cure.
_HOPELESS = (
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
)


@dataclass(frozen=True)
class Verdict:
    """``ready``; or ``code`` for a failure; or neither: wait, for at most ``limit`` seconds.

    ``late`` is the code when there is no time left to wait.
    """

    ready: bool = False
    code: str = ""
    why: str = ""
    limit: float = 2.0
    late: str = "NotReady"


class Vigil:
    """Timers for one replacement, all on the monotonic clock of this process."""

    def __init__(self, clock: Clock, node: str, soak: float, *, avoid: str = "") -> None:
        self.clock = clock
        self.node = node
        self.avoid = avoid  # the node that the replacement must not be on
        self.soak = soak
        self.times: Dict[str, float] = {}
        self._pod_uid = ""

    def seen(self, event: str) -> float:
        """When ``event`` was first seen; now, if this is the first time."""
        return self.times.setdefault(event, self.clock.monotonic())

    def judge(self, pod: Object, node: Optional[Object]) -> Verdict:
        """What the replacement's state means. ``node`` is the target as it is now, None when it is
        gone or unnamed.
        """
        self._follow(pod)
        self.seen("created")
        problem = failure(pod)
        if problem:
            message = (pod.get("status") or {}).get("message") or ""
            return Verdict(
                code="KubeletRefused: %s" % problem,
                why="%s %s" % (describe("Pod", pod), message or "failed"),
            )
        if not is_scheduled(pod):
            return self._unscheduled(pod, node)
        self.seen("scheduled")
        if self.node and pod["spec"]["nodeName"] != self.node:
            return Verdict(
                code="WrongNode",
                why="the scheduler chose %s instead of %s" % (pod["spec"]["nodeName"], self.node),
            )
        if self.avoid and pod["spec"]["nodeName"] == self.avoid:
            why = "the scheduler chose %s again" % self.avoid
            return Verdict(code="WrongNode", why=why)
        if is_ready(pod):
            return self._soaking()
        self.times.pop("ready", None)
        lost = self._node_lost(node)
        if lost is not None:
            return lost
        return _starting(pod)

    def _follow(self, pod: Object) -> None:
        if self._pod_uid != meta(pod)["uid"]:
            self._pod_uid = meta(pod)["uid"]
            for event in ("created", "scheduled", "unschedulable", "ready"):
                self.times.pop(event, None)

    def _unscheduled(self, pod: Object, node: Optional[Object]) -> Verdict:
        lost = self._node_lost(node)
        if lost is not None:
            return lost
        if self.node and node is not None and (node.get("spec") or {}).get("unschedulable"):
            return Verdict(
                code="NodeUnschedulable", why="node %s was cordoned meanwhile" % self.node
            )
        now = self.clock.monotonic()
        if is_unschedulable(pod):
            waited = now - self.seen("unschedulable")
            if self.avoid:  # any other node will do: room may come
                why = _condition_message(pod, "PodScheduled")
                return Verdict(why=why, limit=5.0, late="Unschedulable")
            if waited >= UNSCHEDULABLE_SECONDS:
                return Verdict(code="Unschedulable", why=_condition_message(pod, "PodScheduled"))
            return Verdict(
                why="no node takes the replacement yet", limit=UNSCHEDULABLE_SECONDS - waited
            )
        self.times.pop("unschedulable", None)
        waited = now - self.times["created"]
        if waited >= SCHEDULE_SECONDS:
            name = pod["spec"].get("schedulerName") or "default-scheduler"
            return Verdict(
                code="NotScheduled", why="scheduler %s has not looked at the replacement" % name
            )
        left = SCHEDULE_SECONDS - waited
        return Verdict(why="waiting for the scheduler", limit=left, late="NotScheduled")

    def _node_lost(self, node: Optional[Object]) -> Optional[Verdict]:
        if not self.node:
            return None
        if node is None:
            return Verdict(code="NodeNotFound", why="node %s is gone" % self.node)
        rejection = node_not_ready(node)
        if rejection is not None:
            return Verdict(
                code=rejection.code,
                why="node %s: %s" % (self.node, rejection.detail or rejection.reason),
            )
        return None

    def _soaking(self) -> Verdict:
        waited = self.clock.monotonic() - self.seen("ready")
        if waited >= self.soak:
            return Verdict(ready=True)
        return Verdict(why="soaking", limit=self.soak - waited)


def _starting(pod: Object) -> Verdict:
    status: Mapping[str, Any] = pod.get("status") or {}
    for container in (status.get("initContainerStatuses") or []) + (
        status.get("containerStatuses") or []
    ):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _HOPELESS:
            return Verdict(
                code=str(waiting["reason"]),
                why="container %s of the replacement: %s"
                % (container.get("name"), waiting.get("message") or "does not start"),
            )
    return Verdict(why="waiting until the replacement is Ready")


def _condition_message(pod: Object, kind: str) -> str:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == kind:
            return str(condition.get("message") or "")
    return ""
