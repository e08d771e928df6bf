# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens in whatever order, the table says what a count from scratch would say."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from podplacement_scheduler import config
from podplacement_scheduler._rules import NodeUsage
from podplacement_scheduler._rules.resources import allocatable
from podplacement_scheduler.cache.objects import decode_pod
from podplacement_scheduler.cache.table import Numbers
from podplacement_scheduler.engine.decide import Decider
from podplacement_scheduler.engine.handle import SchedulerHandle
from podplacement_scheduler.engine.waiting import Waiting
from podplacement_scheduler.framework.guard import Guard
from podplacement_scheduler.framework.profile import build_profiles

from .objects import OTHERS, OURS, World, node, pod, raw

NODES = tuple(f"node-{i}" for i in range(4))
UIDS = tuple(f"pod-{i}" for i in range(6))
# What some pods ask for: so that each class is decided about again and again.
APP = {"app": "web"}
KEEPS_AWAY = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": APP}, "topologyKey": "kubernetes.io/hostname"}
        ]
    }
}
SHAPES: tuple[dict[str, Any], ...] = (
    {},
    {"cpu": "1", "memory": "1Gi"},
    {"labels": APP},
    {"affinity": KEEPS_AWAY},
    {"cpu": "3"},
    {"ports": [8080]},
    {"nodeSelector": {"disk": "ssd"}},
    {"tolerations": [{"operator": "Exists"}], "cpu": "2"},
    {"overhead": {"cpu": "250m", "example.com/fuse": "1"}},
)
RESIZE = {
    "containerStatuses": [
        {
            "name": "main",
            "allocatedResources": {"cpu": "2"},
            "resources": {"requests": {"cpu": "1"}},
        }
    ]
}
NODE_SPECS: tuple[dict[str, Any], ...] = (
    {},
    {"labels": {"disk": "ssd"}},
    {"taints": [{"key": "example.com/x", "effect": "NoSchedule"}]},
    {"taints": [{"key": "example.com/x", "effect": "PreferNoSchedule"}]},
    {"unschedulable": True},
    {"images": {"registry.example/app:1": 500 << 20}},
    {"cpu": "16", "memory": "64Gi", "pods": "2"},
)
Truth = dict[str, dict[str, Any]]


class Model(RuleBasedStateMachine):
    """An API server that is two dictionaries, and the cluster that hears of it."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.version = 0
        self.nodes: Truth = {}
        self.pods: Truth = {}
        self.assumed: dict[str, str] = {}
        settings_ = config.parse({"profiles": [{"schedulerName": OURS}]})
        guard = Guard(budget=1, max_overruns=3)
        handle = SchedulerHandle(self.world.cluster, Waiting())
        self.profiles = build_profiles(settings_, handle, {}, guard)
        self.decider = self.new_decider()
        interner = self.world.cluster.interner
        self.probes = [decode_pod(raw(pod("probe", **shape)), interner) for shape in SHAPES]

    def new_decider(self) -> Decider:
        return Decider(self.world.cluster, self.profiles, percentage=0, rng=Random(1))

    def next(self) -> int:
        self.version += 1
        return self.version

    @rule(name=st.sampled_from(NODES), spec=st.sampled_from(NODE_SPECS))
    def node_is_set(self, name: str, spec: dict[str, Any]) -> None:
        self.nodes[name] = node(name, version=self.next(), **spec)
        self.world.nodes("MODIFIED", self.nodes[name])

    @rule(name=st.sampled_from(NODES))
    def node_goes(self, name: str) -> None:
        gone = self.nodes.pop(name, None)
        if gone is not None:
            self.world.nodes("DELETED", gone)

    @rule(
        uid=st.sampled_from(UIDS),
        shape=st.sampled_from(SHAPES),
        place=st.sampled_from(["", *NODES]),
        scheduler=st.sampled_from([OURS, OTHERS]),
        phase=st.sampled_from(["Pending", "Running", "Running", "Failed"]),
        status=st.sampled_from([{}, {}, RESIZE]),
    )
    def pod_is_set(self, uid: str, place: str, shape: dict[str, Any], **rest: Any) -> None:
        known = self.pods.get(uid)
        bound = known["spec"].get("nodeName", "") if known else ""
        status = rest.pop("status") if bound or place else rest.pop("status") and {}
        if not (bound or place):
            rest["phase"] = "Pending"
        new = pod(uid, version=self.next(), node=bound or place, status=status, **shape, **rest)
        self.count_generation(known, new)
        self.pods[uid] = new
        if new["spec"].get("nodeName") or new["status"]["phase"] == "Failed":
            self.assumed.pop(uid, None)
        self.world.pods("MODIFIED" if known else "ADDED", new)

    def count_generation(self, known: dict[str, Any] | None, new: dict[str, Any]) -> None:
        """As the API server does: it tells changes of the spec, but for a binding."""

        def spec(found: dict[str, Any]) -> dict[str, Any]:
            return {key: value for key, value in found["spec"].items() if key != "nodeName"}

        before = known["metadata"]["generation"] if known else 1
        changed = known is not None and spec(known) != spec(new)
        new["metadata"]["generation"] = before + changed

    @rule(uid=st.sampled_from(UIDS))
    def pod_goes(self, uid: str) -> None:
        gone = self.pods.pop(uid, None)
        self.assumed.pop(uid, None)
        if gone is not None:
            self.world.pods("DELETED", gone)

    @rule(uid=st.sampled_from(UIDS))
    def an_event_comes_again(self, uid: str) -> None:
        if uid in self.pods and self.pods[uid]["status"]["phase"] != "Failed":
            self.world.pods("MODIFIED", self.pods[uid])

    @rule(uid=st.sampled_from(UIDS), place=st.sampled_from(NODES))
    def pod_is_assumed(self, uid: str, place: str) -> None:
        found = self.world.cluster.pods.get(uid)
        if found is not None and not found.node_name:
            self.world.cluster.assume(found, place)
            self.assumed[uid] = place

    @rule(uid=st.sampled_from(UIDS))
    def pod_is_forgotten(self, uid: str) -> None:
        self.world.cluster.forget(uid)
        self.assumed.pop(uid, None)

    @rule(lost=st.sets(st.sampled_from(UIDS), max_size=2))
    def the_watch_had_a_gap(self, lost: set[str]) -> None:
        for uid in lost:
            self.pods.pop(uid, None)
            self.assumed.pop(uid, None)
        self.world.list_pods(*self.pods.values())
        self.world.list_nodes(*self.nodes.values())

    @invariant()
    def the_table_is_a_count_from_scratch(self) -> None:
        table = self.world.cluster.table
        usages = self.usages()
        assert set(table.index) == set(self.nodes) | {n for n in usages if usages[n].pod_count}
        for name, row in table.index.items():
            usage, info = usages.get(name, NodeUsage()), table.info(row)
            requested = {**+usage.requested, "pods": usage.pod_count}
            assert info.requested == requested, name
            assert table.nonzero[row].tolist() == [usage.nonzero_cpu, usage.nonzero_memory]
            assert set(table.ports.get(row, ())) == set(usage.host_ports)
            assert set(info.usage.host_ports) == set(usage.host_ports)
            assert all(table.ports.values()), "only rows that have any"
            offered = allocatable(self.nodes[name]) if name in self.nodes else {"pods": 0}
            assert info.allocatable == offered
        assert {uid: kept.node_name for uid, kept in self.world.cluster.assumed().items()} == (
            self.assumed
        )

    @invariant()
    def the_numbers_of_a_row_are_those_of_now(self) -> None:
        table = self.world.cluster.table
        for row in table.index.values():
            kept, now = table.numbers(row), Numbers(table, row)
            assert [getattr(kept, each) for each in Numbers.__slots__] == [
                getattr(now, each) for each in Numbers.__slots__
            ]

    def usages(self) -> Mapping[str, NodeUsage]:
        found: dict[str, NodeUsage] = {}
        for uid, each in self.pods.items():
            place = self.assumed.get(uid) or each["spec"].get("nodeName")
            if place:
                found.setdefault(place, NodeUsage()).add(each)
        return found

    @precondition(lambda self: self.nodes)
    @rule()
    def rows_kept_are_rows_made_anew(self) -> None:
        anew = self.new_decider()
        for probe in self.probes:
            assert self.decider.standing(probe) == anew.standing(probe)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
