# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events never hold a binding up, and never fill the memory.

They wait in a queue of bounded length, behind the bindings; what finds no room is dropped and
counted. A FailedScheduling that says the same of the same pod again becomes a series of the first
one, and the pod's condition is written only when it changes: a pod that cannot be placed costs two
writes, not two each time it is tried.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import OrderedDict, deque
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from ..api.kinds import EVENTS, PODS
from ..api.retry import Backoff
from ..api.transport import MERGE_PATCH, STRATEGIC_PATCH
from ..clock import rfc3339
from ..errors import ApiError, Unknown, Unreached

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
TRIES = 8


class Metrics(Protocol):
    """What the recorder tells: written, dropped or failed."""

    def event(self, result: str, n: int = 1) -> None: ...


class _Told:
    """The last FailedScheduling of a pod, as it was written."""

    __slots__ = ("at", "count", "name", "note")

    def __init__(self, name: str, note: str, at: float) -> None:
        self.name = name
        self.note = note
        self.at = at
        self.count = 1


# A write that waits: what it is, the namespace, the name, the body. A Scheduled event, of which
# there are many, waits as (pod, node, wall clock) and gets its body when its turn comes.
_Write = tuple[Literal["event", "series", "condition"], str, str, bytes]


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
        self._client = client
        self._window = window
        self._clock = clock
        self._rng = rng
        self._metrics = metrics
        self._mode = mode
        self._length = length
        self._host = host or socket.gethostname() or str(os.getpid())
        self._waiting: deque[_Write | tuple[Pod, str, int]] = deque()
        self._writing = 0
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._last_name = 0
        self._resting: deque[asyncio.Future[None]] = deque()

    # What the scheduler tells

    def scheduled(self, pod: Pod, node: str) -> None:
        """The pod is bound."""
        self._told.pop(pod.uid, None)
        if self._mode == "all":
            self._put((pod, node, self._clock.wall_ns()))

    def failed(self, pod: Pod, message: str, *, reason: str = "Unschedulable") -> None:
        """The pod could not be placed: the event, and the condition that autoscalers read."""
        now = self._clock.monotonic()
        told = self._told.get(pod.uid)
        if told is None or told.note != message:
            self._set_condition(pod, message, reason, known_false=told is not None)
            told = self._told[pod.uid] = _Told(self._name(pod), message, now)
            self._told.move_to_end(pod.uid)
            if len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
            if self._mode != "off":
                self._put(("event", pod.namespace, pod.name, self._failure(pod, told)))
            return
        told.count += 1
        if self._mode != "off" and (told.count == 2 or now - told.at >= SERIES_EVERY):
            told.at = now
            self._put(("series", pod.namespace, told.name, self._series(told)))

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._told.pop(uid, None)

    @property
    def backlog(self) -> float:
        """How full the queue is, 0 to 1."""
        return len(self._waiting) / self._length

    # Writing

    async def run(self) -> None:
        """Write, in as many lanes as bindings have at most; forever."""
        async with asyncio.TaskGroup() as lanes:
            for _lane in range(self._window.maximum):
                lanes.create_task(self._lane())

    async def drain(self) -> None:
        """Return when nothing waits any more."""
        while self._waiting or self._writing:
            await asyncio.sleep(0.02)

    def abandon(self) -> None:
        """Count what will not be written any more."""
        self._metrics.event("dropped", len(self._waiting) + self._writing)
        self._waiting.clear()

    def _share(self) -> int:
        """How many lanes may write: what bindings leave, at least a quarter, and the more the
        longer the queue is."""
        limit = self._window.limit
        pressed = int(limit * min(1.0, 2 * self.backlog))
        return max(1, limit // 4, limit - self._window.writing, pressed)

    async def _lane(self) -> None:
        while True:
            while self._waiting and self._writing < self._share():
                self._writing += 1
                self._wake_one()  # one wakes the next, as long as there is work and room
                try:
                    await self._send(self._waiting.popleft())
                finally:
                    self._writing -= 1
            rest = asyncio.get_running_loop().create_future()
            self._resting.append(rest)
            await rest

    def _wake_one(self) -> None:
        if self._waiting and self._writing < self._share():
            while self._resting:
                rest = self._resting.popleft()
                if not rest.done():
                    rest.set_result(None)
                    return

    def _put(self, write: _Write | tuple[Pod, str, int]) -> bool:
        if len(self._waiting) >= self._length:
            self._metrics.event("dropped")
            return False
        self._waiting.append(write)
        self._wake_one()
        return True

    async def _send(self, waiting: _Write | tuple[Pod, str, int]) -> None:
        """Until it is written, refused for good, or tried often enough."""
        write = self._success(*waiting) if len(waiting) == 3 else waiting
        backoff = Backoff(0.2, 5.0, self._rng)
        tries = 0
        while tries < TRIES:
            try:
                await self._once(*write)
                self._metrics.event("written")
                return
            except Unreached:
                wait = None  # nobody is there: that is no fault of the event
            except Unknown:
                tries, wait = tries + 1, None
            except ApiError as err:
                if err.status == 409 and tries and write[0] == "event":
                    self._metrics.event("written")  # the try before, whose answer was lost
                    return
                if not err.is_transient:
                    break
                self._window.refused(err.retry_after)
                tries, wait = tries + 1, err.retry_after
            await asyncio.sleep(backoff.next(wait))
        self._metrics.event("failed")

    async def _once(self, what: str, namespace: str, name: str, body: bytes) -> None:
        """All on the connections of bindings, where leadership is looked at before each write."""
        if what == "event":
            await self._client.create_event(namespace, body)
        elif what == "series":
            path = EVENTS.path(namespace, name)
            await self._client.call("PATCH", path, body, content_type=MERGE_PATCH, hot=True)
        else:
            path = PODS.path(namespace, name, "status")
            await self._client.call("PATCH", path, body, content_type=STRATEGIC_PATCH, hot=True)

    # Bodies

    def _name(self, pod: Pod) -> str:
        """`pod.hex`, as upstream's; never the same twice."""
        self._last_name = max(self._clock.wall_ns(), self._last_name + 1)
        unique = f".{self._last_name:x}"
        return pod.name[: NAME_LENGTH - len(unique)] + unique

    def _instance(self, pod: Pod) -> str:
        return f"{pod.scheduler_name}-{self._host}"[:INSTANCE_LENGTH]

    def _success(self, pod: Pod, node: str, at: int) -> _Write:
        """None of these names can hold a character that JSON escapes."""
        name, namespace = pod.name, pod.namespace
        body = SCHEDULED % (
            self._name(pod),
            namespace,
            rfc3339(at),
            pod.scheduler_name,
            self._instance(pod),
            name,
            namespace,
            pod.uid,
            pod.resource_version,
            namespace,
            name,
            node,
        )
        return ("event", namespace, name, body.encode())

    def _failure(self, pod: Pod, told: _Told) -> bytes:
        return msgspec.json.encode(
            {
                "apiVersion": EVENTS.api_version,
                "kind": EVENTS.kind,
                "metadata": {"name": told.name, "namespace": pod.namespace},
                "eventTime": rfc3339(self._clock.wall_ns()),
                "reportingController": pod.scheduler_name,
                "reportingInstance": self._instance(pod),
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
        self._put(("condition", pod.namespace, pod.name, msgspec.json.encode(patch)))


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
