# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every pod is in exactly one place, and comes out of it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, cast

import pytest

from podplacement_scheduler.cache.objects import Pod
from podplacement_scheduler.engine.entry import Entry, Place
from podplacement_scheduler.engine.queue import FLUSH_EVERY, PARKED_AT_MOST, Queue
from podplacement_scheduler.framework.interface import (
    SUCCESS,
    Event,
    Handle,
    Plugin,
    Status,
    unresolvable,
)
from podplacement_scheduler.testing.loop import VirtualClock, run

from .parts import Counts, Nursery

FIT, TAINTS = frozenset({"Fit"}), frozenset({"Taints"})
HINTS = {
    "Fit": frozenset({Event.NODE_ADDED, Event.POD_REMOVED}),
    "Taints": frozenset({Event.NODE_ADDED, Event.NODE_CHANGED}),
    "Gates": frozenset({Event.POD_CHANGED}),
}


class ByPriority(Plugin):
    """QueueSort with nothing but `less`, as a user writes it."""

    name = "ByPriority"

    def less(self, a: Entry, b: Entry) -> bool:
        return (-a.pod.priority, a.timestamp) < (-b.pod.priority, b.timestamp)


def gate(pod: Pod) -> Status:
    if pod.gates:
        return Status(unresolvable().code, ("gated",), "Gates")
    return SUCCESS


class World:
    """A queue and its pods."""

    def __init__(self) -> None:
        self.pods = Nursery()
        self.counts = Counts()
        self.queue = Queue(
            ByPriority({}, cast(Handle, None)),
            gate=gate,
            hints=HINTS,
            clock=VirtualClock(),
            metrics=self.counts,
        )

    def add(self, name: str, **changes: Any) -> None:
        self.queue.pod_pending(self.pods.pod(name, **changes))

    def take(self) -> Entry:
        entry = self.queue.pop_now()
        assert entry is not None
        return entry

    def place(self, name: str) -> str:
        found = [entry.place.value for entry in self.queue if entry.pod.name == name]
        assert self.queue.check() == []
        return found[0] if found else "nowhere"


def in_time(test: Callable[[World], Awaitable[None]]) -> Callable[[], None]:
    """The test in virtual time."""

    def started() -> None:
        async def main() -> None:
            await test(World())

        run(main())

    started.__name__ = test.__name__
    return started


@in_time
async def test_the_most_important_pod_is_first_and_then_the_oldest(world: World) -> None:
    for name, priority in (("a", 0), ("b", 5), ("c", 5), ("d", 9)):
        world.add(name, spec__priority=priority)
        await asyncio.sleep(1)
    assert [world.take().pod.name for _count in range(4)] == ["d", "b", "c", "a"]
    assert world.queue.pop_now() is None


@in_time
async def test_a_parked_pod_waits_for_an_event_that_its_plugin_named(world: World) -> None:
    world.add("a")
    world.queue.park(world.take(), TAINTS)
    world.queue.event(Event.POD_REMOVED)
    assert world.place("a") == "unschedulable"
    world.queue.event(Event.NODE_CHANGED)
    assert world.place("a") == "backoff"
    await world.queue.ready()
    assert world.place("a") == "active"
    assert asyncio.get_running_loop().time() == pytest.approx(1.0)


@in_time
async def test_after_its_backoff_an_event_makes_it_active_at_once(world: World) -> None:
    world.add("a")
    world.queue.park(world.take(), FIT)
    await asyncio.sleep(1.5)
    world.queue.event(Event.NODE_ADDED)
    assert world.place("a") == "active"


@in_time
async def test_an_event_during_the_attempt_is_not_lost(world: World) -> None:
    world.add("a")
    world.add("b")
    first, second = world.take(), world.take()
    world.queue.event(Event.NODE_CHANGED)
    world.queue.park(first, TAINTS)
    world.queue.park(second, FIT)
    assert world.place("a") == "backoff"
    assert world.place("b") == "unschedulable"


@in_time
async def test_a_change_of_the_pod_during_the_attempt_is_not_lost(world: World) -> None:
    world.add("a")
    entry = world.take()
    world.add("a", metadata__labels={"now": "this"})
    world.queue.park(entry, TAINTS)
    assert world.place("a") == "backoff"
    await world.queue.ready()
    assert world.take().pod.labels == {"now": "this"}


@in_time
async def test_our_own_writes_of_the_status_wake_nobody(world: World) -> None:
    world.add("a")
    entry = world.take()
    world.add("a", status__conditions=[{"type": "PodScheduled", "status": "False"}])
    world.queue.park(entry, FIT)
    world.add("a", status__conditions=[{"type": "PodScheduled", "status": "False", "reason": "x"}])
    assert world.place("a") == "unschedulable"
    world.add("a", metadata__annotations={"hint": "new"})
    assert world.place("a") == "backoff"


@in_time
async def test_the_backoff_doubles_up_to_its_maximum(world: World) -> None:
    world.add("a")
    waits = []
    for _count in range(6):
        started = asyncio.get_running_loop().time()
        world.queue.retry(world.take())
        await world.queue.ready()
        waits.append(asyncio.get_running_loop().time() - started)
    assert waits == pytest.approx([1, 2, 4, 8, 10, 10])


@in_time
async def test_of_pods_whose_backoff_ends_together_the_most_important_is_first(
    world: World,
) -> None:
    for name, priority in (("low", 0), ("high", 9)):
        world.add(name, spec__priority=priority)
        await asyncio.sleep(0.3)
        world.queue.retry(world.take())
    await world.queue.ready()
    assert [world.take().pod.name for _count in range(2)] == ["high", "low"]


@in_time
async def test_a_gated_pod_waits_outside_until_its_gate_opens(world: World) -> None:
    world.add("a", spec__schedulingGates=[{"name": "quota"}])
    assert world.place("a") == "gated"
    assert world.queue.pop_now() is None
    world.queue.event(Event.NODE_ADDED)
    assert world.place("a") == "gated"
    world.add("a", spec__schedulingGates=[])
    assert world.place("a") == "active"
    assert world.take().attempts == 1


@in_time
async def test_what_has_been_parked_for_long_is_tried_without_an_event(world: World) -> None:
    flushing = asyncio.create_task(world.queue.keep_flushing())
    world.add("a")
    world.queue.park(world.take(), FIT)
    await world.queue.ready()
    waited = asyncio.get_running_loop().time()
    assert PARKED_AT_MOST <= waited <= PARKED_AT_MOST + FLUSH_EVERY
    flushing.cancel()


@in_time
async def test_a_plugin_may_call_a_pod_back_at_once(world: World) -> None:
    world.add("a")
    world.queue.retry(world.take())
    world.queue.activate("uid-a")
    assert world.place("a") == "active"
    entry = world.take()
    world.queue.activate("uid-a")
    world.queue.park(entry, FIT)
    assert world.place("a") == "backoff"


@in_time
async def test_a_pod_that_is_gone_is_gone_from_everywhere(world: World) -> None:
    for name in ("active", "backoff", "parked", "flight"):
        world.add(name)
    entries = {entry.pod.name: entry for entry in world.queue}
    for name in ("active", "backoff", "parked", "flight"):
        assert world.take() is entries[name]
    world.queue.retry(entries["backoff"])
    world.queue.park(entries["parked"], FIT)
    world.queue.park(entries["active"], FIT)
    world.queue.activate("uid-active")
    places = {name: entry.place.value for name, entry in entries.items()}
    assert list(places.values()) == ["active", "backoff", "unschedulable", "in flight"]
    for name, entry in entries.items():
        world.queue.pod_gone(world.pods.pod(name, spec__nodeName="n1"))
        assert entry.place is Place.GONE
    world.queue.retry(entries["flight"])
    world.queue.park(entries["flight"], FIT)
    assert world.queue.check() == []
    assert list(world.queue) == []
    world.queue.event(Event.NODE_ADDED)
    await asyncio.sleep(20)
    assert world.queue.pop_now() is None


@in_time
async def test_who_waits_is_woken_and_passes_it_on(world: World) -> None:
    woken: list[str] = []

    async def lane(name: str, *, takes: bool) -> None:
        await world.queue.ready()
        woken.append(name)
        if takes:
            world.take()
        else:
            world.queue.pass_on()

    async with asyncio.TaskGroup() as lanes:
        lanes.create_task(lane("closed", takes=False))
        lanes.create_task(lane("open", takes=True))
        await asyncio.sleep(1)
        world.add("a")
    assert woken == ["closed", "open"]


@in_time
async def test_the_heaps_do_not_keep_what_is_gone(world: World) -> None:
    for number in range(1000):
        world.add(str(number))
        world.queue.pod_gone(world.pods.pod(str(number)))
    assert len(world.queue._active) < 200


class Chaos:
    """Everything that can happen to pods and queue, in any order."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.world = World()
        self.queue = self.world.queue
        self.names = [str(number) for number in range(12)]
        self.flying: list[Entry] = []

    def change(self) -> None:
        gates = [{"name": "g"}] if self.rng.random() < 0.2 else []
        name, priority = self.rng.choice(self.names), self.rng.randrange(3)
        self.world.add(name, spec__schedulingGates=gates, spec__priority=priority)

    def take(self) -> None:
        entry = self.queue.pop_now()
        if entry is not None:
            assert not entry.pod.gates
            self.flying.append(entry)

    def finish(self) -> None:
        if self.flying:
            entry = self.flying.pop(self.rng.randrange(len(self.flying)))
            if self.rng.random() < 0.5:
                self.queue.retry(entry)
            else:
                self.queue.park(entry, self.rng.choice((FIT, TAINTS)))

    def happen(self) -> None:
        self.queue.event(self.rng.choice(list(Event)))

    def activate(self) -> None:
        self.queue.activate(f"uid-{self.rng.choice(self.names)}")

    def vanish(self) -> None:
        self.queue.pod_gone(self.world.pods.pod(self.rng.choice(self.names)))

    async def calm_down(self) -> None:
        """No more faults: all gates open, all attempts end."""
        for name in self.names:
            self.world.add(name, spec__schedulingGates=[], metadata__labels={"last": "change"})
        while self.flying:
            self.finish()


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_each_pod_is_in_one_place_and_comes_out(seed: int) -> None:
    async def main() -> None:
        chaos = Chaos(seed)
        queue, rng = chaos.queue, chaos.rng
        flushing = asyncio.create_task(queue.keep_flushing())
        acts = (chaos.change, chaos.take, chaos.finish, chaos.happen, chaos.activate, chaos.vanish)
        for _count in range(600):
            rng.choice(acts)()
            if rng.random() < 0.2:
                await asyncio.sleep(rng.random() * 4)
            assert queue.check() == []
        await chaos.calm_down()
        left = {entry.pod.name for entry in queue}
        assert len(left) == len(chaos.names)
        while left:
            await queue.ready()
            entry = queue.pop_now()
            if entry is not None:
                left.discard(entry.pod.name)
        assert queue.check() == []
        flushing.cancel()

    run(main())
