# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the wire does, each pod gets one node, one event and no second decision."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.daemon import daemon
from tests.faults.proxy import NO_ANSWER, Proxy, Reply, When, Write
from tests.faults.relay import Relay
from tests.faults.scheduler.arena import Arena, until

PODS = 300
SEED = 20261122
DECIDED = "scheduler_scheduling_algorithm_duration_seconds_count"
RETRIED = 'podplacement_scheduler_bind_outcomes_total{outcome="retried"}'


@pytest.fixture
def relay(arena: Arena, tmp_path: Path) -> Iterator[Relay]:
    found = Relay(arena.cluster.kubeconfig, tmp_path)
    yield found
    found.close()


@pytest.fixture
def proxy(arena: Arena, tmp_path: Path) -> Iterator[Proxy]:
    found = Proxy(arena.cluster.kubeconfig, tmp_path)
    yield found
    found.close()


def test_all_sockets_are_reset_again_and_again(arena: Arena, relay: Relay) -> None:
    arena.add_nodes(4)
    ended, killed = threading.Event(), 0

    def create() -> None:
        arena.burst(PODS)
        ended.set()

    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=arena.config(), kubeconfig=relay.kubeconfig) as ours,
    ):
        creating = threading.Thread(target=create)
        creating.start()
        while not ended.wait(0.3):
            killed += relay.kill()
        creating.join()
        killed += relay.kill()
        arena.wait_placed()
        arena.settle()
        drops = arena.drops(ours)
    assert killed > 10, "the connections were not cut while it worked"
    assert audited.check(drops=drops).bound == PODS


def test_connections_that_fall_silent_are_given_up(
    arena: Arena, relay: Relay, recovered: Callable[[str, float], None]
) -> None:
    arena.add_nodes(2)
    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=arena.config(), kubeconfig=relay.kubeconfig) as ours,
    ):
        arena.burst(10, prefix="before")
        arena.wait_placed()
        assert relay.stall() > 0
        arena.burst(10, prefix="after")
        recovered("half-open connections", arena.wait_placed())
        arena.settle()
        drops = arena.drops(ours)
    assert audited.check(drops=drops).bound == 20


SLOW = """
import asyncio

from podplacement_scheduler.framework.interface import SUCCESS, Plugin


class Slow(Plugin):
    name = "Slow"

    async def pre_bind(self, state, pod, node_name):
        await asyncio.sleep(6)
        return SUCCESS
"""


def test_the_api_server_cannot_be_reached_for_a_while(
    arena: Arena, relay: Relay, tmp_path: Path
) -> None:
    """Neither for what was decided before and is to be written, nor for what comes meanwhile."""
    arena.add_nodes(2)
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    slow = {"plugins": {"multiPoint": {"enabled": [{"name": "Slow"}]}}}
    config = arena.config(
        profiles=[{"schedulerName": arena.name, **slow}],
        userPlugins={"directory": str(tmp_path)},
        parallelBinds=100,
    )
    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=config, kubeconfig=relay.kubeconfig) as ours,
    ):
        arena.burst(20, prefix="decided")
        until(ours, DECIDED, lambda count: count >= 20)
        relay.refuse = True
        relay.kill()
        until(ours, RETRIED, lambda count: count >= 1)
        arena.burst(30)
        assert len(arena.waiting()) >= 30, "it placed pods without a server"
        relay.refuse = False
        arena.wait_placed()
        arena.settle()
        drops = arena.drops(ours)
    assert audited.check(drops=drops).bound == 50


REPLIES: dict[str, tuple[When, Reply]] = {
    "429": ("before", Reply(429, "TooManyRequests")),
    "500": ("before", Reply(500, "InternalError")),
    "503": ("before", Reply(503, "ServiceUnavailable")),
    "504 after it was done": ("after", Reply(504, "Timeout")),
    "500 after it was done": ("after", Reply(500, "InternalError")),
    "lost request": ("before", NO_ANSWER),
    "lost reply": ("after", NO_ANSWER),
}


@pytest.mark.parametrize("fault", REPLIES)
def test_every_fourth_binding_goes_wrong(arena: Arena, proxy: Proxy, fault: str) -> None:
    arena.add_nodes(4)
    when, reply = REPLIES[fault]
    rng, hit = random.Random(SEED), list[str]()

    def strike(write: Write) -> Reply | None:
        if rng.random() > 0.25 or len(hit) > PODS:
            return None
        hit.append(write.name)
        return reply

    proxy.at(lambda write: write.resource == "pods/binding", when, strike, times=10**6)
    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=arena.config(), kubeconfig=proxy.kubeconfig) as ours,
    ):
        arena.burst(PODS // 3)
        arena.wait_placed()
        arena.settle()
        drops = arena.drops(ours)
    assert len(hit) > 10, "hardly a fault was injected"
    assert audited.check(drops=drops).bound == PODS // 3


def test_a_reply_that_never_comes(arena: Arena, proxy: Proxy) -> None:
    """The binding is carried out, its answer is held back: a read finds out, nobody guesses."""
    arena.add_nodes(2)
    held = proxy.hold(lambda write: write.resource == "pods/binding", "after")
    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=arena.config(), kubeconfig=proxy.kubeconfig) as ours,
    ):
        arena.burst(5)
        held.wait()
        arena.wait_placed()
        arena.settle()
        held.release()
        drops = arena.drops(ours)
    assert audited.check(drops=drops).bound == 5
    names = [write.name for write in proxy.writes if write.resource == "pods/binding"]
    assert len(names) == len(set(names)), "the same binding was written twice"
