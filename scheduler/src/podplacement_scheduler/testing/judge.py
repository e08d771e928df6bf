# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold in every moment of a simulation, judged by the fake API server's own history."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec

from .._rules.fit import View, check_fit
from .._rules.usage import NodeUsage
from .._rules.volumes import claim_names
from ..api.kinds import CLAIMS, VOLUMES
from ..api.transport import Response
from ..errors import SchedulerError
from .fake import FakeServer, target
from .store import Change, Object
from .wire import Asked, Network

ANNOTATION = "podplacement.io/scheduled-at"
# A half-open watch is noticed within a minute; so old may be what is known of a node.
_STALE = 120.0


class Judge:
    """Listens to all writes and requests; `violations` says what was wrong, and when."""

    def __init__(self, network: Network, *, scheduler: str) -> None:
        self.violations: list[str] = []
        self.turns: list[str] = []
        self.bound: dict[str, str] = {}  # uid -> who bound it
        self.told: Counter[str] = Counter()
        self._server: FakeServer = network.server
        self._scheduler = scheduler
        self._doubts: dict[tuple[str, str], str] = {}
        self._unsure: defaultdict[tuple[str, str], dict[str, bytes | None]] = defaultdict(dict)
        self._void: set[tuple[str, bytes | None]] = set()
        self._usage: defaultdict[str, NodeUsage] = defaultdict(NodeUsage)
        network.server.store.listeners.append(self._hear)
        network.witness = self._witness

    def _wrong(self, what: str) -> None:
        at = self._server.clock.monotonic()
        self.violations.append(f"at {at:.3f} s: {what}")

    # Writes

    def _hear(self, change: Change) -> None:
        if change.resource == "events" and change.type == "ADDED":
            if change.object["reason"] == "Scheduled":
                self._hear_scheduled(change.object["regarding"])
        elif change.resource == "pods" and change.object["spec"].get("nodeName"):
            node = change.object["spec"]["nodeName"]
            before = change.before
            if before is not None and not before["spec"].get("nodeName") and change.writer:
                self._hear_bound(change, node)
            if change.type == "DELETED":
                self._usage[node].remove(change.object)
            else:
                self._usage[node].add(change.object)

    def _hear_scheduled(self, pod: Object) -> None:
        uid = pod["uid"]
        self.told[uid] += 1
        found = self._server.store.get("pods", (pod["namespace"], pod["name"]))
        if found is not None and found["metadata"]["uid"] == uid:
            if not found["spec"].get("nodeName"):
                self._wrong(f"pod {pod['name']} has a Scheduled event and no node")
        if uid not in self.bound:
            self._wrong(f"pod {pod['name']} {uid} has a Scheduled event, and nobody bound it")
        if self.told[uid] > 1:
            self._wrong(f"pod {uid} has {self.told[uid]} Scheduled events")

    def _hear_bound(self, change: Change, node: str) -> None:
        pod, uid = change.object, change.object["metadata"]["uid"]
        name = pod["metadata"]["name"]
        if uid in self.bound:
            self._wrong(f"pod {name} was bound twice")
        self.bound[uid] = change.writer
        if self.turns[-1:] != [change.writer]:
            if change.writer in self.turns:
                self._wrong(f"{change.writer} binds {name} after another one has led")
            self.turns.append(change.writer)
        if pod["spec"]["schedulerName"] != self._scheduler:
            self._wrong(f"pod {name} is not ours and was bound to {node}")
        if ANNOTATION not in pod["metadata"].get("annotations", {}):
            self._wrong(f"pod {name} has no annotation")
        reasons = self._misfit(change.before or pod, node)
        if reasons:
            self._wrong(f"pod {name} does not fit on {node}: {reasons}")

    def _misfit(self, pod: Object, node: str) -> str:
        """What speaks against the node in each version of it that was true a moment ago; "" if
        nothing does. Between a decision and its binding a node may become another one: what it had
        room for and what it was like are not asked of the same version."""
        versions = [
            {
                rejection.code: str(rejection)
                for rejection in check_fit(
                    pod, View(version, usage=self._usage[node], volumes=self._volumes(pod))
                )
            }
            for version in self._versions(node)
        ]
        if not versions:
            return "there is no such node"
        always = set.intersection(*map(set, versions))
        return "; ".join(versions[0][code] for code in sorted(always))

    def _volumes(self, pod: Object) -> dict[str, tuple[Object, Object | None] | None]:
        """The pod's claims with their volumes. Neither ever goes or changes here."""
        store = self._server.store
        found: dict[str, tuple[Object, Object | None] | None] = {}
        for name in claim_names(pod):
            claim = store.get(CLAIMS.plural, (pod["metadata"]["namespace"], name))
            found[name] = None
            if claim is not None:
                found[name] = claim, store.get(VOLUMES.plural, ("", claim["spec"]["volumeName"]))
        return found

    def _versions(self, node: str) -> list[Object]:
        """The node as it is and as it was within the time that a watch may lag behind."""
        store = self._server.store
        since = self._server.clock.monotonic() - _STALE
        now = store.get("nodes", ("", node))
        versions = [now] if now is not None else []
        for change in reversed(store.since("nodes", 0)):
            if change.at < since:
                break
            if change.object["metadata"]["name"] == node and change.before is not None:
                versions.append(change.before)
        return versions

    # Requests

    def _witness(self, asked: Asked, learnt: Response | SchedulerError | None) -> None:
        """A process that does not know what came of a binding must read before it decides anew."""
        where = target(asked.path)
        if where.kind.plural != "pods":
            return
        if asked.method == "GET" and where.name:
            if isinstance(learnt, Response) and learnt.status in (200, 404):
                self._doubts.pop((asked.process, where.name), None)
                if learnt.status == 200:
                    self._witness_read(asked.process, where.name, learnt)
        elif where.subresource == "binding":
            self._witness_binding(asked, where.name, learnt)

    def _witness_read(self, process: str, name: str, learnt: Response) -> None:
        """It asked about one pod, and may have been told of another one with the same name: the
        same binding is void then. Where it is in doubt about both, nobody knows why it asked."""
        unsure = self._unsure[process, name]
        if len(unsure) == 1 and msgspec.json.decode(learnt.body)["metadata"]["uid"] not in unsure:
            self._void |= {(process, body) for body in unsure.values()}

    def _witness_binding(
        self, asked: Asked, name: str, learnt: Response | SchedulerError | None
    ) -> None:
        body: Any = msgspec.json.decode(asked.body or b"{}")
        node, uid = body["target"]["name"], body["metadata"].get("uid")
        key = (asked.process, name)
        if learnt is None:
            if not uid:
                self._wrong(f"the binding of {name} names no uid")
            if self.bound.get(uid, asked.process) != asked.process:
                told = f"{asked.process} decides about {name}"
                self._wrong(f"{told}, which {self.bound[uid]} bound before")
            if (asked.process, asked.body) in self._void:
                self._wrong(f"{asked.process} binds {name}, and has read that it is another pod")
            doubt = self._doubts.get(key, f"{uid} {node}")
            if doubt.split()[0] == uid and doubt != f"{uid} {node}":
                self._wrong(f"{asked.process} binds {name} to {node} in doubt about {doubt}")
        elif isinstance(learnt, SchedulerError) or learnt.status >= 500:
            self._doubts[key] = f"{uid} {node}"
            self._unsure[key][uid] = asked.body
        elif learnt.status != 429:
            self._doubts.pop(key, None)
            self._unsure[key].pop(uid, None)

    # The end

    def placeable(self) -> list[str]:
        """Pods of ours that wait although a node has room for them, as things are now."""
        store = self._server.store
        verdicts: dict[bytes, bool] = {}
        found = []
        for pod in filter(self._waits, store.all("pods")):
            wants = msgspec.json.encode(pod["spec"])
            if wants not in verdicts:
                volumes = self._volumes(pod)
                verdicts[wants] = any(
                    not check_fit(pod, View(node, usage=usage, volumes=volumes), stop_at_first=True)
                    for node in store.all("nodes")
                    for usage in (self._usage[node["metadata"]["name"]],)
                )
            if verdicts[wants]:
                found.append(pod["metadata"]["name"])
        return found

    def untold(self, writer: str) -> list[str]:
        """Pods that it bound, that are still there, and that have no Scheduled event."""
        return [
            pod["metadata"]["name"]
            for pod in self._server.store.all("pods")
            for uid in (pod["metadata"]["uid"],)
            if self.bound.get(uid) == writer and not self.told[uid]
        ]

    def _waits(self, pod: Object) -> bool:
        spec = pod["spec"]
        ours = spec["schedulerName"] == self._scheduler and not spec.get("nodeName")
        over = pod["status"]["phase"] in ("Succeeded", "Failed")
        return ours and not over and not spec.get("schedulingGates")
