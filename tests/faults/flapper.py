# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that lose their readiness for a moment, at random, and what it may cost a move.

A pod that flaps between the last look of a swap and the controller's choice goes in the place of
the pod that is moved. No client can prevent that; it may only never happen when the last look could
have seen it.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from urllib3.exceptions import HTTPError

from tests.cluster.kube import ApiError, Kube, Object, is_ready
from tests.faults.referee import History, alive, has_controller, label, of_kind, version
from tests.faults.verdicts import DELETION_COST

MARKS_END = -2147000000  # a mark is the lowest deletion cost, or a little more


class Flapper(threading.Thread):
    """Takes a random pod its readiness after every so many changes of pods, for twice as many.

    It is paced by what happens and not by the clock, so that there are as many flaps to a swap on a
    slow machine as on a fast one. When nothing happens for a second, all pods are let go.
    """

    def __init__(self, kube: Kube, namespace: str, *, seed: int, every: int) -> None:
        super().__init__()
        self._kube = Kube(kube.kubeconfig, user_agent="flapper")
        self._namespace, self._every = namespace, every
        self._dice = random.Random(seed)
        self._over = threading.Event()
        self._pods: dict[str, Object] = {}
        self._held: deque[str] = deque()
        self._changes = self.flaps = 0

    def __enter__(self) -> Flapper:
        self.start()
        return self

    def __exit__(self, *_why: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Until the end of the block; then no pod is held any more."""
        while not self._over.is_set():
            listed = self._kube.list("Pod", self._namespace)
            self._pods = {pod["metadata"]["name"]: pod for pod in listed}
            since = str(max(map(version, listed)))
            with suppress(ApiError, HTTPError):  # forgotten, or nothing happened: list again
                for event, pod in self._kube.watch(
                    "Pod", self._namespace, version=since, timeout=1
                ):
                    if event != "BOOKMARK":
                        self._see(event, pod)
            self._let_go(0)

    def _see(self, event: str, pod: Object) -> None:
        name = pod["metadata"]["name"]
        self._pods.pop(name, None)
        self._pods |= {} if event == "DELETED" else {name: pod}
        self._changes += 1
        if self._changes % self._every == 0:
            self._let_go(1)
            self._hold()

    def _hold(self) -> None:
        ready = sorted(name for name, pod in self._pods.items() if alive(pod) and is_ready(pod))
        with suppress(ApiError):  # it is gone
            self._held.append(self._dice.choice(ready))
            self._kube.annotate("Pod", self._held[-1], self._namespace, hold_unready="true")
            self.flaps += 1

    def _let_go(self, most: int) -> None:
        while len(self._held) > most:
            with suppress(ApiError):  # the same
                name = self._held.popleft()
                self._kube.annotate("Pod", name, self._namespace, hold_unready=None)


@dataclass
class Theft:
    """A pod that its controller deleted although another one was marked to go.

    `lost` is the version of the event by which it had lost its readiness, `marked` of the mark. The
    last look before a swap is one that shows the mark, so it shows all that happened before that.
    """

    name: str
    lost: int
    marked: int

    @property
    def unavoidable(self) -> bool:
        """It flapped after the last look."""
        return self.lost > self.marked


@dataclass
class Judge:
    """Reads a history, event by event; each application is judged for itself."""

    replicas: int
    pods: dict[str, dict[str, Object]] = field(default_factory=dict)  # by application and name
    once_ready: set[str] = field(default_factory=set)
    lost: dict[str, int] = field(default_factory=dict)  # version of the last loss of readiness
    marked: dict[str, int] = field(default_factory=dict)  # version of the mark
    thefts: list[Theft] = field(default_factory=list)
    short: list[str] = field(default_factory=list)

    def read(self, history: History) -> None:
        """From the first view to the last event."""
        for pod in of_kind(history.first, "Pod"):
            self._see("ADDED", pod)
        self.short.clear()  # while they were counted one by one
        for event, item in history.events:
            if item["kind"] == "Pod":
                self._see(event, item)

    def _see(self, event: str, pod: Object) -> None:
        name, uid, app = pod["metadata"]["name"], pod["metadata"]["uid"], str(label(pod, "app"))
        mine = self.pods.setdefault(app, {})
        before = mine.pop(name, None)
        if event != "DELETED":
            mine[name] = pod
        if is_ready(pod):
            self.once_ready.add(uid)
        elif before is not None and is_ready(before):
            self.lost[uid] = version(pod)
        if _marked(pod):
            self.marked.setdefault(uid, version(pod))
        else:
            self.marked.pop(uid, None)
        if before is not None and alive(before) and not alive(pod):
            self._gone(pod, mine)
        self._count(app, mine, name)

    def _gone(self, pod: Object, mine: dict[str, Object]) -> None:
        others = [other for other in mine.values() if alive(other) and _marked(other)]
        if has_controller(pod) and not _marked(pod) and others:
            marks = [self.marked[other["metadata"]["uid"]] for other in others]
            lost = self.lost.get(pod["metadata"]["uid"], 0)
            self.thefts.append(Theft(pod["metadata"]["name"], lost, min(marks)))

    def _count(self, app: str, mine: dict[str, Object], cause: str) -> None:
        """As many Ready pods as are wanted, less those that the flapper holds."""
        here = [pod for pod in mine.values() if alive(pod)]
        ready = sum(map(is_ready, here))
        held = sum(not is_ready(p) and p["metadata"]["uid"] in self.once_ready for p in here)
        if ready + held < self.replicas:
            self.short.append(f"{app}: {ready} Ready and {held} held after {cause}")


def _marked(pod: Object) -> bool:
    cost = int(pod["metadata"].get("annotations", {}).get(DELETION_COST, "0"))
    return cost < MARKS_END
