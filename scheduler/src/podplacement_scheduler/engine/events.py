# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events never hold a binding up, and never fill the memory: they go through the `Outbox`.

A FailedScheduling that says the same of the same pod again becomes a series of the first one, and
the pod's condition is written only when it changes: a pod that cannot be placed costs two writes,
not two each time it is tried.
"""

from __future__ import annotations

import os
import socket
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..api.kinds import EVENTS, PODS
from ..api.transport import MERGE_PATCH, STRATEGIC_PATCH, Request
from ..clock import rfc3339
from .outbox import Metrics, Outbox

if TYPE_CHECKING:
    from ..api.client import Client
    from ..cache.objects import Pod
    from ..clock import Clock
    from .window import Window

CONDITION = "PodScheduled"
SCHEDULED = (
    '{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"%s","namespace":"%s"},'
    '"eventTime":"%s","reportingController":"%s","reportingInstance":"%s","action":"Binding",'
    '"reason":"Scheduled","type":"Normal","regarding":{"apiVersion":"v1","kind":"Pod",'
    '"name":"%s","namespace":"%s","uid":"%s","resourceVersion":"%s"},'
    '"note":"Successfully assigned %s/%s to %s"}'
)
NOTE_LENGTH = 1024  # what the API server takes
INSTANCE_LENGTH = 128
NAME_LENGTH = 253
# Pods whose last FailedScheduling is remembered; the oldest are forgotten.
REMEMBERED = 4096
# A series is written when it begins, and then no more often than this.
SERIES_EVERY = 300.0


class _Told:
    """The last FailedScheduling of a pod, as it was written."""

    __slots__ = ("at", "count", "name", "note")

    def __init__(self, name: str, note: str, at: float) -> None:
        self.name = name
        self.note = note
        self.at = at
        self.count = 1


class Recorder:
    """Writes events and conditions in the background."""

    def __init__(
        self,
        client: Client,
        window: Window,
        *,
        clock: Clock,
        rng: Random,
        metrics: Metrics,
        mode: Literal["all", "failures", "off"] = "all",
        length: int = 10000,
        host: str = "",
    ) -> None:
        self.outbox = Outbox(client, window, rng=rng, metrics=metrics, length=length)
        self._clock = clock
        self._mode = mode
        self._host = host or socket.gethostname() or str(os.getpid())
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._last_name = 0

    # What the scheduler tells

    def scheduled(self, pod: Pod, node: str) -> None:
        """The pod is bound."""
        self._told.pop(pod.uid, None)
        if self._mode == "all":
            # Not the pod itself, whose text would stay in memory until the event is written.
            about = (pod.namespace, pod.name, pod.uid, pod.resource_version)
            at = self._clock.wall_ns()
            self.outbox.put(partial(self._success, about, pod.scheduler_name, node, at))

    def failed(self, pod: Pod, message: str, *, reason: str = "Unschedulable") -> None:
        """The pod could not be placed: the event, and the condition that autoscalers read."""
        now = self._clock.monotonic()
        told = self._told.get(pod.uid)
        if told is None or told.note != message:
            self._set_condition(pod, message, reason, known_false=told is not None)
            told = self._told[pod.uid] = _Told(self._name(pod.name), message, now)
            self._told.move_to_end(pod.uid)
            if len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
            if self._mode != "off":
                self.outbox.put(_event(pod.namespace, self._failure(pod, told)))
            return
        told.count += 1
        if self._mode != "off" and (told.count == 2 or now - told.at >= SERIES_EVERY):
            told.at = now
            path = EVENTS.path(pod.namespace, told.name)
            self.outbox.put(Request("PATCH", path, self._series(told), MERGE_PATCH))

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._told.pop(uid, None)

    # Bodies

    def _name(self, pod: str) -> str:
        """`pod.hex`, as upstream's; never the same twice."""
        self._last_name = max(self._clock.wall_ns(), self._last_name + 1)
        unique = f".{self._last_name:x}"
        return pod[: NAME_LENGTH - len(unique)] + unique

    def _instance(self, scheduler: str) -> str:
        return f"{scheduler}-{self._host}"[:INSTANCE_LENGTH]

    def _success(
        self, pod: tuple[str, str, str, str], scheduler: str, node: str, at: int
    ) -> Request:
        """None of these names can hold a character that JSON escapes."""
        namespace, name, uid, version = pod
        body = SCHEDULED % (
            self._name(name),
            namespace,
            rfc3339(at),
            scheduler,
            self._instance(scheduler),
            name,
            namespace,
            uid,
            version,
            namespace,
            name,
            node,
        )
        return _event(namespace, body.encode())

    def _failure(self, pod: Pod, told: _Told) -> bytes:
        return msgspec.json.encode(
            {
                "apiVersion": EVENTS.api_version,
                "kind": EVENTS.kind,
                "metadata": {"name": told.name, "namespace": pod.namespace},
                "eventTime": rfc3339(self._clock.wall_ns()),
                "reportingController": pod.scheduler_name,
                "reportingInstance": self._instance(pod.scheduler_name),
                "action": "Scheduling",
                "reason": "FailedScheduling",
                "type": "Warning",
                "regarding": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": pod.name,
                    "namespace": pod.namespace,
                    "uid": pod.uid,
                    "resourceVersion": pod.resource_version,
                },
                "note": shortened(told.note),
            }
        )

    def _series(self, told: _Told) -> bytes:
        now = rfc3339(self._clock.wall_ns())
        return msgspec.json.encode({"series": {"count": told.count, "lastObservedTime": now}})

    def _set_condition(self, pod: Pod, message: str, reason: str, *, known_false: bool) -> None:
        """PodScheduled=False. The uid makes it a conflict, not a lie, if another pod has the name
        by now."""
        present = condition(pod)
        if present.get("status") == "False" and present.get("message") == message:
            return
        wanted = {"type": CONDITION, "status": "False", "reason": reason, "message": message}
        if not known_false and present.get("status") != "False":
            wanted["lastTransitionTime"] = rfc3339(self._clock.wall_ns())[:19] + "Z"
        patch = {"metadata": {"uid": pod.uid}, "status": {"conditions": [wanted]}}
        path = PODS.path(pod.namespace, pod.name, "status")
        self.outbox.put(Request("PATCH", path, msgspec.json.encode(patch), STRATEGIC_PATCH))


def _event(namespace: str, body: bytes) -> Request:
    return Request("POST", EVENTS.path(namespace), body)


def condition(pod: Pod) -> Mapping[str, Any]:
    """PodScheduled as the watch last showed it."""
    present = pod.object.get("status", {}).get("conditions") or ()
    pod.release()
    return next((each for each in present if each.get("type") == CONDITION), {})


def shortened(note: str) -> str:
    """At most what the API server takes, in bytes, with a sign that something is missing."""
    content = note.encode()
    if len(content) <= NOTE_LENGTH:
        return note
    return content[: NOTE_LENGTH - 3].decode(errors="ignore") + "..."
