# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's way through the engine: the real cache, rules and decisions, and a scripted server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, ClassVar, cast

import msgspec
import pytest

from podplacement_scheduler.api.kinds import NODES, PODS
from podplacement_scheduler.api.transport import Response
from podplacement_scheduler.app import Daemon, Surroundings
from podplacement_scheduler.config import parse
from podplacement_scheduler.engine.audit import CONFIRMED_WITHIN, EVERY
from podplacement_scheduler.framework.guard import Guard
from podplacement_scheduler.framework.interface import (
    SUCCESS,
    Code,
    CycleState,
    Plugin,
    PodView,
    Status,
    unschedulable,
)
from podplacement_scheduler.observe.metrics import Metrics
from podplacement_scheduler.testing.loop import VirtualClock, run

from .parts import Answer, Nursery, Server, refusal


class Held(Plugin):
    """Does at each point what `orders` says, and writes down what it was asked."""

    name = "Held"
    orders: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[str]] = []

    def _do(self, point: str, otherwise: Any = SUCCESS) -> Any:
        self.asked.append(point)
        order = self.orders.get(point, otherwise)
        if isinstance(order, Exception):
            raise order
        return order

    def reserve(self, state: CycleState, pod: PodView, node_name: str) -> Status:
        return cast(Status, self._do("reserve"))

    def unreserve(self, state: CycleState, pod: PodView, node_name: str) -> None:
        self._do("unreserve")

    def permit(self, state: CycleState, pod: PodView, node_name: str) -> tuple[Status, float]:
        return cast("tuple[Status, float]", self._do("permit", (SUCCESS, 0.0)))

    async def pre_bind(self, state: CycleState, pod: PodView, node_name: str) -> Status:
        return cast(Status, self._do("pre_bind"))

    async def bind(self, state: CycleState, pod: PodView, node_name: str) -> Status:
        return cast(Status, self._do("bind", Status(Code.SKIP)))

    async def post_bind(self, state: CycleState, pod: PodView, node_name: str) -> None:
        self._do("post_bind")


class Stage:
    """A daemon without a network: what watches would bring is put into the cache by hand."""

    def __init__(self, *answers: Answer, plugin: bool = False, **config: Any) -> None:
        Held.orders, Held.asked[:] = {}, []
        profile: dict[str, Any] = {"schedulerName": "ours"}
        if plugin:
            profile["plugins"] = {"multiPoint": {"enabled": [{"name": "Held"}]}}
        self.server = Server(*answers)
        self.metrics = Metrics()
        settings = parse(
            {"profiles": [profile], "leaderElection": {"leaderElect": False}, **config}
        )
        self.daemon = Daemon(
            settings,
            Surroundings(
                client=self.server.client(),
                clock=VirtualClock(),
                rng=Random(1),
                metrics=self.metrics,
                guard=Guard(budget=1.0, max_overruns=3),
                user_plugins={"Held": Held},
                host="here",
            ),
        )
        self.queue, self.cluster = self.daemon.queue, self.daemon.cluster
        self.scheduler = self.daemon.scheduler
        self.pods = Nursery()
        for part in (
            self.scheduler.run(),
            self.daemon.recorder.outbox.run(),
            self.daemon.audit.run(),
        ):
            asyncio.get_running_loop().create_task(part)

    def node(self, name: str = "n1", cpu: str = "4") -> None:
        node = {
            "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "1"},
            "spec": {},
            "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"}},
        }
        self.cluster.sink(NODES).apply("ADDED", msgspec.json.encode(node))

    def show(self, name: str, event: str = "MODIFIED", **changes: Any) -> None:
        """What a watch of the pod brings."""
        self.cluster.sink(PODS).apply(event, self.pods.raw(name, **changes))

    async def binding(self) -> None:
        """Return when a binding is under way."""
        while not self.server.under_way:
            await asyncio.sleep(0)

    def place(self, name: str) -> str:
        assert self.queue.check() == []
        places = [one.place.value for one in self.queue if one.pod.name == name]
        return places[0] if places else "nowhere"

    def count(self, sample: str) -> float:
        lines = self.metrics.text().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(sample))


def staged(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """The test in virtual time."""

    def started() -> None:
        async def main() -> None:
            await test()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        run(main())

    started.__name__ = test.__name__
    return started


@staged
async def test_a_pod_is_assumed_bound_told_of_and_confirmed() -> None:
    stage = Stage()
    stage.node()
    stage.show("p", "ADDED")
    await asyncio.sleep(1)
    assert len(stage.server.sent("POST", "/pods/p/binding")) == 1
    assert len(stage.server.sent("POST", "/events")) == 1
    assert (stage.place("p"), list(stage.cluster.assumed())) == ("in flight", ["uid-p"])
    stage.show("p", metadata__labels={"seen": "before the binding"})
    stage.show("p", spec__nodeName="n1")
    assert (stage.place("p"), list(stage.cluster.assumed())) == ("nowhere", [])
    await asyncio.sleep(1000)
    assert len(stage.server.requests) == 2


@staged
async def test_a_refused_binding_gives_the_room_back_and_is_decided_anew() -> None:
    stage = Stage(refusal(403, "Forbidden"))
    stage.node()
    stage.show("p", "ADDED")
    await asyncio.sleep(0.5)
    assert (stage.place("p"), list(stage.cluster.assumed())) == ("backoff", [])
    [condition] = stage.server.sent("PATCH", "/status")
    assert condition["status"]["conditions"][0]["reason"] == "SchedulerError"
    await asyncio.sleep(2)
    assert len(stage.server.sent("POST", "/binding")) == 2
    assert list(stage.cluster.assumed()) == ["uid-p"]


@staged
async def test_of_ten_bindings_one_is_timed_from_its_begin_to_its_end() -> None:
    stage = Stage(refusal(403, "Forbidden"), events={"mode": "off"}, parallelBinds=1)
    stage.server.delay = 1.0
    stage.node()
    stage.node("n2")
    for number in range(11):
        stage.show(f"p{number}", "ADDED")
    await asyncio.sleep(60)
    assert len(stage.server.sent("POST", "/binding")) == 12
    timed = "scheduler_framework_extension_point_duration_seconds_"
    for status in ("Error", "Success"):
        labels = f'{{extension_point="Bind",profile="ours",status="{status}"}}'
        assert stage.count(f"{timed}count{labels}") == 1
        assert stage.count(f"{timed}sum{labels}") == pytest.approx(1.0)


@staged
async def test_a_pod_that_goes_while_it_is_bound_is_let_go() -> None:
    stage = Stage(refusal(404, "NotFound"))
    stage.node()
    stage.show("p", "ADDED")
    await stage.binding()
    stage.show("p", "DELETED")
    await asyncio.sleep(60)
    assert (stage.place("p"), stage.daemon.sizes()["assumed_pods"]) == ("nowhere", 0)
    assert stage.cluster.table.requested.sum() == 0
    assert stage.server.sent("POST", "/events") == []


@staged
async def test_what_changed_while_it_was_bound_counts_for_the_next_attempt() -> None:
    stage = Stage(refusal(403, "Forbidden"))
    stage.node()
    stage.node("n2")
    stage.show("p", "ADDED")
    await stage.binding()
    stage.show("p", spec__nodeSelector={"no": "where"})
    await asyncio.sleep(5)
    assert len(stage.server.sent("POST", "/binding")) == 1
    assert stage.place("p") == "unschedulable"


@staged
async def test_a_pod_without_room_waits_for_it() -> None:
    stage = Stage()
    stage.node(cpu="1")
    big = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}}}]
    stage.show("p", "ADDED", spec__containers=big)
    await asyncio.sleep(10)
    assert stage.place("p") == "unschedulable"
    [event] = stage.server.sent("POST", "/events")
    assert event["note"] == "0/1 nodes are available: 1 Insufficient cpu."
    stage.node("n2", cpu="4")
    await asyncio.sleep(0.5)
    [binding] = stage.server.sent("POST", "/binding")
    assert binding["target"]["name"] == "n2"


@staged
async def test_no_more_bindings_are_under_way_than_allowed_and_the_pace_is_the_servers() -> None:
    stage = Stage(*[refusal(429, retry_after=2)] * 4, parallelBinds=4, events={"mode": "off"})
    stage.server.delay = 1.0
    stage.node()
    stage.node("n2")
    for number in range(20):
        stage.show(f"p{number}", "ADDED")
    await asyncio.sleep(2)
    assert (len(stage.server.requests), stage.daemon.window.limit) == (4, 2)
    # The four that were refused are tried again by the lanes that hold them; from then on no lane
    # works that is not open.
    bound = 'podplacement_scheduler_bind_outcomes_total{outcome="bound"}'
    narrow = 0
    while stage.daemon.window.limit < 4:
        await asyncio.sleep(0.05)
        if stage.count(bound) >= 4:
            assert stage.server.under_way <= stage.daemon.window.limit
            narrow += 1
    assert narrow
    await asyncio.sleep(60)
    assert stage.server.most_under_way == 4
    assert len(stage.cluster.assumed()) == 20


@staged
async def test_thousands_that_fit_nowhere_leave_the_loop_to_others() -> None:
    stage = Stage()
    for number in range(200):
        stage.show(f"p{number}", "ADDED", spec__nodeSelector={"no": "where"})
    turns = 0
    while stage.queue.sizes()["active"]:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 200 / 32


@staged
async def test_permit_holds_a_pod_until_it_is_allowed() -> None:
    stage = Stage(plugin=True)
    Held.orders = {"permit": (Status(Code.WAIT), 30.0)}
    stage.node()
    stage.show("p", "ADDED")
    await asyncio.sleep(10)
    assert stage.server.requests == []
    assert list(stage.cluster.assumed()) == ["uid-p"]
    stage.daemon.waiting.allow("uid-p")
    await asyncio.sleep(1)
    assert Held.asked == ["reserve", "permit", "pre_bind", "bind", "post_bind"]
    assert len(stage.server.sent("POST", "/binding")) == 1


@staged
async def test_permit_ends_by_itself_with_a_refusal_and_with_the_pod() -> None:
    stages = {name: Stage(plugin=True) for name in ("late", "unwanted", "gone")}
    Held.orders = {"permit": (Status(Code.WAIT), 30.0)}
    for name, stage in stages.items():
        stage.node()
        stage.show(name, "ADDED")
    await asyncio.sleep(1)
    stages["unwanted"].daemon.waiting.reject("uid-unwanted", "not you")
    stages["gone"].show("gone", "DELETED")
    await asyncio.sleep(0.1)
    assert Held.asked.count("unreserve") == 2
    await asyncio.sleep(30)
    places = {name: stage.place(name) for name, stage in stages.items()}
    parked = "unschedulable"
    assert places == {"late": parked, "unwanted": parked, "gone": "nowhere"}
    assert all(not stage.cluster.assumed() for stage in stages.values())
    assert Held.asked.count("unreserve") == 3
    posted = [stage.server.sent("POST", "/events") for stage in stages.values()]
    notes = [[event["note"] for event in events] for events in posted]
    assert notes == [["Held did not permit it within 30 seconds"], ["not you"], []]


@staged
async def test_a_plugin_that_refuses_or_fails_at_any_point_costs_only_its_own_attempt() -> None:
    for point, order in (
        ("reserve", unschedulable("no")),
        ("reserve", ValueError("boom")),
        ("permit", (unschedulable("no"), 0.0)),
        ("permit", ValueError("boom")),
        ("pre_bind", unschedulable("no")),
        ("pre_bind", ValueError("boom")),
        ("bind", unschedulable("no")),
        ("bind", ValueError("boom")),
    ):
        stage = Stage(plugin=True)
        Held.orders = {point: order}
        stage.node()
        stage.show("p", "ADDED")
        await asyncio.sleep(0.5)
        assert stage.place("p") in ("unschedulable", "backoff"), point
        assert stage.server.sent("POST", "/binding") == []
        assert dict(stage.cluster.assumed()) == {}
        assert "unreserve" in Held.asked
        assert Held.asked[-1] == "unreserve"
        Held.orders = {}
        stage.queue.activate("uid-p")
        await asyncio.sleep(0.5)
        assert len(stage.server.sent("POST", "/binding")) == 1


@staged
async def test_a_plugin_may_bind_by_itself_and_one_that_lies_is_found_out() -> None:
    stage = Stage(plugin=True, events={"mode": "off"})
    Held.orders = {"bind": SUCCESS}
    stage.node()
    stage.show("p", "ADDED")
    await asyncio.sleep(1)
    assert (stage.place("p"), stage.server.requests) == ("in flight", [])
    stage.server.always = Response(200, stage.pods.raw("p"))
    Held.orders = {}
    await asyncio.sleep(CONFIRMED_WITHIN + EVERY + 5)
    assert len(stage.server.sent("POST", "/binding")) == 1
    assert stage.count('podplacement_scheduler_inconsistencies_total{kind="binding"}') == 1


@staged
async def test_what_the_queue_lost_comes_back() -> None:
    stage = Stage()
    stage.show("lost", "ADDED")
    stage.show("stale", "ADDED")
    await asyncio.sleep(1)
    stage.queue.pod_gone(stage.cluster.pods["uid-lost"])
    stage.cluster.pods.pop("uid-stale")
    assert len(stage.daemon.audit.repair()) == 2
    assert (stage.place("lost"), stage.place("stale")) == ("active", "nowhere")
    assert stage.daemon.audit.repair() == []


@staged
async def test_asked_to_stop_it_takes_no_more_and_ends_what_is_under_way() -> None:
    stage = Stage(parallelBinds=2)
    stage.server.delay = 3.0
    stage.node()
    for number in range(6):
        stage.show(f"p{number}", "ADDED")
    await asyncio.sleep(1)
    assert await stage.scheduler.stop(10.0)
    assert len(stage.server.sent("POST", "/binding")) == 2
    assert stage.queue.sizes() == {
        "active": 4,
        "backoff": 0,
        "unschedulable": 0,
        "gated": 0,
        "in flight": 2,
    }
