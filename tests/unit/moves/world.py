# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in memory: scheduler, kubelets, ReplicaSet controller, budgets and garbage collector.

They act while the code under test waits, one step at a time, in the order of the real ones. A kill
point ends the run before or after one of its writes, as SIGKILL would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.errors import TooManyRequests
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    EPOCH,
    MOVE_ID,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    EVENT,
    LEASE,
    NODE,
    PDB,
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    SECRET,
    Kind,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.pod_state import (
    is_ready,
    is_scheduled,
    is_terminal,
    is_terminating,
    phase,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.selectors import (
    matches_labels,
)
from ansible_collections.podplacement.core.plugins.module_utils.workloads import (
    active_pods,
    controller_ref,
    desired,
    selector,
)
from tests.unit.fake_api import Call, FakeApi, VirtualClock
from tests.unit.moves.objects import NS, Object, reference, status

STEP_SECONDS = 0.5
CUT_LOOSE: Object = {"metadata": {"ownerReferences": None}}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class KilledError(BaseException):
    """The process is gone: no handler of the code under test may run."""


class World(FakeApi):
    """`FakeApi` with controllers, and a meter of Ready pods."""

    def __init__(self, *objects: Object, clock: VirtualClock | None = None) -> None:
        self.lowest = 10**6
        self.kill: tuple[int, str] | None = None
        self.refuses: dict[str, str] = {}  # node -> reason with which its kubelet fails new pods
        self.holds: set[str] = set()  # nodes whose kubelet leaves new pods unready
        self._writes = 0
        self._graceful = False
        super().__init__(*objects, clock=clock)
        self.lowest = self.ready()

    # ---- what is measured

    def pods(self) -> list[Object]:
        """All pods as they are, unseen by the log of requests."""
        return [obj for key, obj in sorted(self._objects.items()) if key[0] == POD.kind]

    def ready(self) -> int:
        """How many pods a Service for app=web would send to."""
        return sum(is_ready(p) and _label(p, "app") == "web" for p in self.pods())

    def writes(self) -> list[Call]:
        """The writes that are steps of a move."""
        return [call for call in super().writes() if call.resource != EVENT.plural]

    def put(self, obj: Object) -> Object:
        stored = super().put(obj)
        self.lowest = min(self.lowest, self.ready())
        return stored

    def remove(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        if self._graceful and kind is POD and is_scheduled(self._find(kind, name, namespace)):
            self._stop(name)
            return
        super().remove(kind, name, namespace)
        self.lowest = min(self.lowest, self.ready())

    # ---- requests

    def create(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        if kind is EVENT:  # no step of a move
            return super().create(kind, body, namespace, dry_run=dry_run)
        self._point("before", dry_run=dry_run)
        body = {**body, "status": {"phase": "Pending"}} if kind is POD else body
        made = super().create(kind, body, namespace, dry_run=dry_run)
        self._point("after", dry_run=dry_run)
        return made

    def patch(
        self,
        kind: Kind,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
        json_patch: bool = False,
    ) -> Object:
        self._point("before", dry_run=dry_run)
        made = super().patch(kind, name, body, namespace, dry_run=dry_run, json_patch=json_patch)
        self._point("after", dry_run=dry_run)
        return made

    def delete(self, kind: Kind, name: str, namespace: str | None = None, **options: Any) -> None:
        self._point("before", dry_run=False)
        with self._gracefully():
            if options.get("propagation") == "Orphan":
                self._orphan(kind, name, namespace, options)
            else:
                super().delete(kind, name, namespace, **options)
        self._point("after", dry_run=False)

    def _orphan(self, kind: Kind, name: str, namespace: str | None, options: Object) -> None:
        """It stays until the garbage collector has cut loose what it owns."""
        found = {"uid": options["uid"], "resourceVersion": options["resource_version"]}
        going = {"deletionTimestamp": "2026-01-01T00:05:00Z", "finalizers": ["orphan"]}
        super().patch(kind, name, {"metadata": {**found, **going}}, namespace)

    def evict(self, name: str, namespace: str, *, dry_run: bool = False, **options: Any) -> None:
        self._point("before", dry_run=dry_run)
        pod = self._find(POD, name, namespace)
        for one in self._all(PDB):
            chosen = [p for p in self.pods() if _selects(one, p)]
            if pod in chosen and sum(map(is_ready, chosen)) <= one["spec"]["minAvailable"]:
                raise TooManyRequests(429, "TooManyRequests", "it would violate the budget")
        with self._gracefully():
            super().evict(name, namespace, dry_run=dry_run, **options)
        self._point("after", dry_run=dry_run)

    def wait_change(
        self, kind: Kind, namespace: str | None = None, *, resource_version: str, **how: Any
    ) -> bool:
        news = self._news(kind, namespace, resource_version, how.get("field_selector", ""))
        if not news:
            self._called("watch", kind.plural, namespace, "")
            if self.act():
                self.clock.sleep(STEP_SECONDS)
                return True
        return super().wait_change(kind, namespace, resource_version=resource_version, **how)

    @contextmanager
    def _gracefully(self) -> Iterator[None]:
        """A pod on a node is not gone at once: its kubelet stops it."""
        self._graceful = True
        try:
            yield
        finally:
            self._graceful = False

    def _point(self, when: str, *, dry_run: bool) -> None:
        if dry_run:
            return
        self._writes += when == "before"
        if self.kill == (self._writes, when):
            self.kill = None
            raise KilledError

    # ---- the cluster

    def settle(self) -> None:
        """Let everybody act until there is nothing to do."""
        while self.act():
            pass

    def act(self) -> bool:
        """One step of whoever has something to do."""
        parts = (self._schedule, self._collect, self._control, self._start, self._end)
        return any(part() for part in parts)

    def _schedule(self) -> bool:
        for pod in self.pods():
            if not is_scheduled(pod) and not is_terminating(pod):
                target = _wanted_node(pod) or "a"
                found = self._objects.get((NODE.kind, "", target))
                if found is not None and not found["spec"].get("unschedulable"):
                    self.change(POD, pod["metadata"]["name"], NS, {"spec": {"nodeName": target}})
                    return True
        return False

    def _start(self) -> bool:
        for pod in self.pods():
            if not is_scheduled(pod) or phase(pod) != "Pending" or is_terminating(pod):
                continue
            on = pod["spec"]["nodeName"]
            found: Object = status(ready=on not in self.holds)
            if on in self.refuses:
                found = {"phase": "Failed", "reason": self.refuses[on], "message": "no room"}
            self.change(POD, pod["metadata"]["name"], NS, {"status": found})
            return True
        return False

    def _end(self) -> bool:
        for pod in self.pods():
            if is_terminating(pod):
                self.remove(POD, pod["metadata"]["name"], NS)
                return True
        return False

    def _collect(self) -> bool:
        if self._let_go():
            return True
        alive = {obj["metadata"]["uid"] for obj in self._objects.values()}
        for holder in self._all(REPLICA_SET):
            owners = holder["metadata"].get("ownerReferences") or []
            if any(o["kind"] == "Lease" and o["uid"] not in alive for o in owners):
                self.remove(REPLICA_SET, holder["metadata"]["name"], NS)
                return True
        for pod in self.pods():
            owners = pod["metadata"].get("ownerReferences") or []
            if owners and not any(o["uid"] in alive for o in owners) and not is_terminating(pod):
                self._stop(pod["metadata"]["name"])
                return True
        return False

    def _let_go(self) -> bool:
        for holder in filter(is_terminating, self._all(REPLICA_SET)):
            for pod in self.pods():
                if reference(holder) in (pod["metadata"].get("ownerReferences") or []):
                    self.change(POD, pod["metadata"]["name"], NS, CUT_LOOSE)
                    return True
            if holder["metadata"]["finalizers"]:
                self.remove(REPLICA_SET, holder["metadata"]["name"], NS)
                return True
        return False

    def _control(self) -> bool:
        owners = self._all(REPLICA_SET) + self._all(REPLICATION_CONTROLLER)
        return any(self._reconcile(owner) for owner in owners if not is_terminating(owner))

    def _reconcile(self, owner: Object) -> bool:
        wanted = selector(owner["kind"], owner)
        for pod in self.pods():
            labels = pod["metadata"].get("labels") or {}
            orphan = controller_ref(pod) is None and not is_terminating(pod)
            if orphan and not is_terminal(pod) and matches_labels(wanted, labels):
                owners = [*(pod["metadata"].get("ownerReferences") or []), reference(owner)]
                adopted = {"metadata": {"ownerReferences": owners}}
                self.change(POD, pod["metadata"]["name"], NS, adopted)
                return True
        mine = active_pods(self.pods(), owner["metadata"]["uid"])
        if len(mine) > desired(owner):
            self._stop(min(mine, key=_rank)["metadata"]["name"])
            return True
        if len(mine) < desired(owner):
            self._names += 1
            self.put(_pod_of(owner, f"{owner['metadata']['name']}-x{self._names}"))
            return True
        return False

    def _stop(self, name: str) -> None:
        self.change(POD, name, NS, {"metadata": {"deletionTimestamp": "2026-01-01T00:05:00Z"}})

    def _all(self, kind: Kind) -> list[Object]:
        return [obj for key, obj in sorted(self._objects.items()) if key[0] == kind.kind]


def leftovers(world: World) -> list[str]:
    """Everything that a finished move may not leave."""
    kinds = (LEASE.kind, SECRET.kind)
    found = [
        str(key)
        for key, obj in world._objects.items()
        if key[0] in kinds or (key[0] == REPLICA_SET.kind and MOVE_ID in labels_of(obj))
    ]
    for one in world.pods():
        metadata: Object = one["metadata"]
        if MOVE_ID in (metadata.get("labels") or {}):
            found.append(f"move-id on {metadata['name']}")
        marks = {EPOCH, DELETION_COST} & set(metadata.get("annotations") or {})
        found += [f"{mark} on {metadata['name']}" for mark in sorted(marks)]
        if any(o["kind"] == "Lease" for o in metadata.get("ownerReferences") or []):
            found.append(f"tie on {metadata['name']}")
    return found


def labels_of(obj: Object) -> Object:
    """An object's labels."""
    found: Object = obj["metadata"].get("labels") or {}
    return found


def _label(pod: Object, key: str) -> str | None:
    found: str | None = (pod["metadata"].get("labels") or {}).get(key)
    return found


def _selects(budget: Object, pod: Object) -> bool:
    return matches_labels(budget["spec"]["selector"], pod["metadata"].get("labels") or {})


def _rank(pod: Object) -> tuple[bool, bool, int]:
    """ActivePodsWithRanks.Less: unassigned, unready and cheap pods go first."""
    cost = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    return is_scheduled(pod), is_ready(pod), int(cost)


def _wanted_node(pod: Object) -> str:
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get(REQUIRED) or {}).get("nodeSelectorTerms") or []
    terms = terms or [p["preference"] for p in affinity.get(PREFERRED) or []]
    names = [f["values"][0] for t in terms for f in t.get("matchFields") or []]
    return str(names[-1]) if names else ""


def _pod_of(owner: Object, name: str) -> Object:
    template = owner["spec"]["template"]
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NS,
            "labels": dict(template["metadata"]["labels"]),
            "annotations": dict(template["metadata"].get("annotations") or {}),
            "ownerReferences": [reference(owner)],
        },
        "spec": dict(template["spec"]),
        "status": {"phase": "Pending"},
    }
