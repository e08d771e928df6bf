# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two replicas, one leader: whatever happens to it, no pod is decided twice and none is left."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.cluster.daemon import daemon
from tests.cluster.kube import Object
from tests.faults.proxy import Proxy
from tests.faults.scheduler.arena import Arena, until

FOR_BOTH = {"test.podplacement.io/both": "true"}
DECIDED = "scheduler_scheduling_algorithm_duration_seconds_count"
HELD = """
import asyncio
from pathlib import Path

from podplacement_scheduler.framework.interface import SUCCESS, Plugin


class Held(Plugin):
    name = "Held"

    async def pre_bind(self, state, pod, node_name):
        while pod.name.startswith("held-") and not Path(__file__).with_name("go").exists():
            await asyncio.sleep(0.1)
        return SUCCESS
"""


def election(arena: Arena, *, quick: bool) -> dict[str, Any]:
    times = {"leaseDuration": "4s", "renewDeadline": "2500ms", "retryPeriod": "500ms"}
    lease = {"leaderElect": True, "resourceNamespace": arena.namespace}
    return {**lease, **(times if quick else {})}


def on_node(name: str) -> Object:
    """The affinity of a pod that wants this node."""
    named = {"key": "metadata.name", "operator": "In", "values": [name]}
    required = {"nodeSelectorTerms": [{"matchFields": [named]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def test_a_leader_that_was_frozen_writes_nothing_more(
    arena: Arena, tmp_path: Path, recovered: Callable[[str, float], None]
) -> None:
    """The real periods of 15, 10 and 2 seconds.

    When it wakes, bindings are due that it decided about before. They are for a node that the other
    one does not know, so that whoever binds these pods meanwhile is the one that was frozen.
    """
    shared, own = arena.add_nodes(4), arena.add_nodes(1)
    arena.label(shared, FOR_BOTH)
    proxy = Proxy(arena.cluster.kubeconfig, tmp_path)
    (tmp_path / "held.py").write_text(HELD, encoding="utf-8")
    plugins = {"multiPoint": {"enabled": [{"name": "Held"}]}}
    config = arena.config(
        leaderElection=election(arena, quick=False),
        profiles=[{"schedulerName": arena.name, "plugins": plugins}],
        userPlugins={"directory": str(tmp_path)},
    )
    fewer = {**config, "nodeSelector": {**config["nodeSelector"], **FOR_BOTH}}
    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=config, kubeconfig=proxy.kubeconfig) as first,
    ):
        arena.burst(20, prefix="early")
        arena.wait_placed()
        arena.settle()
        arena.burst(10, prefix="held", affinity=on_node(own[0]))
        until(first, DECIDED, lambda count: count >= 30)
        with daemon(arena.cluster, config=fewer) as second:
            held = proxy.hold(lambda write: write.resource == "pods/binding")
            arena.burst(50, prefix="late")
            held.wait()
            os.kill(first.process.pid, signal.SIGSTOP)
            held.release()
            arena.burst(30, prefix="during")
            recovered("leader frozen, the other one takes over", arena.wait_bound(100))
            before = len(proxy.writes)
            (tmp_path / "go").touch()
            os.kill(first.process.pid, signal.SIGCONT)
            assert first.process.wait(timeout=30) != 0
            arena.burst(5, prefix="end")
            arena.wait_bound(105)
            late = [write for write in proxy.writes[before:] if write.resource == "pods/binding"]
            assert late == [], "it sent bindings after it had lost the lease"
            left = sorted(f"held-{n}" for n in range(10))
            assert sorted(arena.waiting()) == left, "it bound pods after it had lost the lease"
            arena.label(own, FOR_BOTH)
            arena.wait_placed()
            drops = arena.drops(second)
    proxy.close()
    # Events of bindings that the frozen one had sent may be lost with it.
    report = audited.check(drops=drops + 50)
    assert report.bound == 115


def test_leaders_are_killed_one_after_the_other(arena: Arena) -> None:
    """Each in the middle of a burst; the one that has waited goes on."""
    arena.add_nodes(4)
    config = arena.config(leaderElection=election(arena, quick=True))
    with arena.audit() as audited, ExitStack() as replicas:
        leader = replicas.enter_context(daemon(arena.cluster, config=config))
        leader.wait_scheduling()
        for n in range(3):
            successor = replicas.enter_context(daemon(arena.cluster, config=config))
            creating = threading.Thread(
                target=arena.burst, args=(60,), kwargs={"prefix": f"round-{n}"}
            )
            creating.start()
            arena.wait_bound(60 * n + 10)
            os.kill(leader.process.pid, signal.SIGKILL)
            leader.process.wait()
            creating.join()
            successor.wait_scheduling()
            arena.wait_placed()
            leader = successor
    # Events that a leader had not written yet are lost with it.
    report = audited.check(drops=180)
    assert report.bound == 180
