# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The auditor's books: nodes, and who is on them, in the order of the resourceVersions.

They know no clock and no server; `auditor.py` is the process that keeps them.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.cluster.shares import amount, clash, host_ports, requests

Object = dict[str, Any]
SCHEDULED_AT = "podplacement.io/scheduled-at"


@dataclass
class Holder:
    """What is kept of a pod that has a node."""

    uid: str
    node: str
    requests: dict[str, Decimal]
    ports: set[tuple[str, str, int]]
    audited: bool


@dataclass
class Report:
    """What the auditor found; every list must be empty, and the two counts must add up."""

    bound: int = 0  # pods that the audited schedulers bound
    scheduled_events: int = 0  # of those pods, each counted once
    without_event: list[str] = field(default_factory=list)
    several_events: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)  # a uid with a second node
    overcommitted: list[str] = field(default_factory=list)
    raced: list[str] = field(default_factory=list)  # over, but only with what others bound lately
    port_clashes: list[str] = field(default_factory=list)
    without_annotation: list[str] = field(default_factory=list)
    unbound: list[str] = field(default_factory=list)  # of the audited schedulers, at the end
    gaps: int = 0  # the watch had to begin anew
    by_node: dict[str, int] = field(default_factory=dict)

    def faults(self) -> dict[str, list[str]]:
        """All that must not be, whatever was done to the scheduler."""
        names = ("several_events", "moved", "overcommitted", "port_clashes", "without_annotation")
        return {name: found for name in names if (found := getattr(self, name))}


class Auditor:
    """The books: nodes, pods with a node, and what was found."""

    def __init__(self, schedulers: set[str], *, race_versions: int = 0) -> None:
        self.report = Report()
        self._schedulers, self._race_versions = schedulers, race_versions
        self._allocatable: dict[str, dict[str, Decimal]] = {}
        self._holders: dict[str, Holder] = {}
        self._nodes: dict[str, set[str]] = {}
        self._since: dict[str, float] = {}  # uid -> resourceVersion at which it was seen bound
        self._ours: dict[str, str] = {}  # uid -> name, of all that the audited schedulers bound
        self._pending: dict[str, str] = {}
        self._seen: dict[str, str] = {}  # uid -> its node, for ever
        self._events: dict[str, dict[str, int]] = {}  # uid -> its events, and how often each

    def node(self, event: str, item: Object) -> None:
        """A node came, changed or went."""
        name = item["metadata"]["name"]
        if event == "DELETED":
            self._allocatable.pop(name, None)
            return
        offered = item.get("status", {}).get("allocatable", {})
        self._allocatable[name] = {key: amount(text) for key, text in offered.items()}

    def pod(self, event: str, item: Object, *, first: bool = False) -> None:
        """A pod came, changed or went; `first`: it was there before the audit began."""
        metadata, spec = item["metadata"], item["spec"]
        uid, name = metadata["uid"], f"{metadata['namespace']}/{metadata['name']}"
        audited = spec.get("schedulerName") in self._schedulers
        over = event == "DELETED" or item.get("status", {}).get("phase") in ("Succeeded", "Failed")
        node = spec.get("nodeName", "")
        if node and self._seen.setdefault(uid, node) != node:
            self.report.moved.append(f"{name} {uid}: {self._seen[uid]} -> {node}")
        if audited and not node and not over:
            self._pending[uid] = name
        else:
            self._pending.pop(uid, None)
        if over or not node:
            self._leave(uid)
            return
        if uid in self._holders:
            self._holders[uid].requests = requests(item)
            return
        version = int(metadata["resourceVersion"])
        # A pod that comes with a node was not placed by any scheduler.
        placed = audited and not first and event != "ADDED"
        holder = Holder(uid, node, requests(item), host_ports(item), placed)
        self._enter(holder, -math.inf if first else version)
        if holder.audited:
            self._judge(holder, item, name, version)

    def _enter(self, holder: Holder, version: float) -> None:
        self._holders[holder.uid] = holder
        self._nodes.setdefault(holder.node, set()).add(holder.uid)
        self._since[holder.uid] = version

    def listed(self, kind: str, items: list[Object]) -> None:
        """After a gap: what is not there any more has gone, before anything new came."""
        if kind == "Node":
            here = {item["metadata"]["name"] for item in items}
            self._allocatable = {n: a for n, a in self._allocatable.items() if n in here}
            return
        here = {item["metadata"]["uid"] for item in items}
        for uid in self._holders.keys() - here:
            self._leave(uid)
        self._pending = {uid: name for uid, name in self._pending.items() if uid in here}

    def _leave(self, uid: str) -> None:
        holder = self._holders.pop(uid, None)
        if holder is not None:
            self._nodes[holder.node].discard(uid)

    def _judge(self, holder: Holder, pod: Object, name: str, version: int) -> None:
        report = self.report
        report.bound += 1
        report.by_node[holder.node] = report.by_node.get(holder.node, 0) + 1
        self._ours[holder.uid] = name
        if SCHEDULED_AT not in pod["metadata"].get("annotations", {}):
            report.without_annotation.append(name)
        others = [self._holders[uid] for uid in self._nodes[holder.node] if uid != holder.uid]
        for other in others:
            if any(clash(a, b) for a in holder.ports for b in other.ports):
                report.port_clashes.append(f"{name} and {other.uid} on {holder.node}")
        over = self._over(holder, others)
        if not over:
            return
        old = [o for o in others if o.audited or self._since[o.uid] < version - self._race_versions]
        found = report.overcommitted if self._over(holder, old) else report.raced
        found.append(f"{name} on {holder.node} at {version}: {over}")

    def _over(self, holder: Holder, others: list[Holder]) -> str:
        offered = self._allocatable.get(holder.node)
        if offered is None:
            return "no such node"
        total: Counter[str] = Counter()
        for one in (holder, *others):
            total.update(one.requests)
        asked = {n for n, v in holder.requests.items() if v > 0}
        return ", ".join(
            f"{n}: {total[n]} of {offered.get(n, 0)}"
            for n in sorted(asked)
            if total[n] > offered.get(n, Decimal(0))
        )

    def event(self, item: Object) -> None:
        """A `Scheduled` event, new or told again; it may be gone before the audit ends."""
        uid, own = item["involvedObject"].get("uid", ""), item["metadata"]["uid"]
        self._events.setdefault(uid, {})[own] = (item.get("series") or {}).get("count", 1)

    def close(self) -> Report:
        """Count the events, and tell."""
        counts = {u: sum(told.values()) for u, told in self._events.items() if u in self._ours}
        report = self.report
        report.scheduled_events = len(counts)
        report.several_events = [self._ours[uid] for uid, count in counts.items() if count > 1]
        report.without_event = [name for uid, name in self._ours.items() if uid not in counts]
        report.unbound = sorted(self._pending.values())
        return report
