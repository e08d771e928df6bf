# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two replicas, one leader: whatever happens to it, no pod is decided twice and none is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.daemon import daemon
from tests.cluster.kube import Object
from tests.faults.proxy import Proxy
from tests.faults.scheduler.arena import Arena

FROZEN_SECONDS = 20.0
FOR_BOTH = {"test.podplacement.io/both": "true"}


def election(arena: Arena, *, quick: bool) -> dict[str, Any]:
    times = {"leaseDuration": "4s", "renewDeadline": "2500ms", "retryPeriod": "500ms"}
    lease = {"leaderElect": True, "resourceNamespace": arena.namespace}
    return {**lease, **(times if quick else {})}


def on_node(name: str) -> Object:
    """The affinity of a pod that wants this node."""
    named = {"key": "metadata.name", "operator": "In", "values": [name]}
    required = {"nodeSelectorTerms": [{"matchFields": [named]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def holder(arena: Arena) -> str:
    lease = arena.kube.find("Lease", arena.name, arena.namespace)
    return "" if lease is None else str(lease["spec"].get("holderIdentity") or "")


def test_a_leader_that_was_frozen_writes_nothing_more(
    arena: Arena, tmp_path: Path, recovered: Callable[[str, float], None]
) -> None:
    """The real periods of 15, 10 and 2 seconds; frozen for longer than the lease lasts.

    What it hears first when it wakes are pods that the other one has left to it.
    """
    shared, own = arena.add_nodes(4), arena.add_nodes(1)
    arena.label(shared, FOR_BOTH)
    proxy = Proxy(arena.cluster.kubeconfig, tmp_path)
    config = arena.config(leaderElection=election(arena, quick=False))
    fewer = {**config, "nodeSelector": {**config["nodeSelector"], **FOR_BOTH}}
    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=config, kubeconfig=proxy.kubeconfig) as first,
    ):
        arena.burst(20, prefix="early")
        arena.wait_placed()
        with daemon(arena.cluster, config=fewer) as second:
            held = proxy.hold(lambda write: write.resource == "pods/binding")
            arena.burst(50, prefix="late")
            held.wait()
            os.kill(first.process.pid, signal.SIGSTOP)
            frozen = time.monotonic()
            held.release()
            arena.burst(30, prefix="during")
            recovered("leader frozen, the other one takes over", arena.wait_placed())
            arena.burst(5, prefix="left", affinity=on_node(own[0]))
            time.sleep(max(0.0, FROZEN_SECONDS - (time.monotonic() - frozen)))
            before = len(proxy.writes)
            os.kill(first.process.pid, signal.SIGCONT)
            assert first.process.wait(timeout=30) != 0
            late = [write for write in proxy.writes[before:] if write.resource == "pods/binding"]
            assert late == [], "it wrote bindings after it had lost the lease"
            arena.label(own, FOR_BOTH)
            arena.burst(5, prefix="end")
            arena.wait_placed()
            arena.settle()
            drops = arena.drops(second)
    proxy.close()
    # Events of bindings that the frozen one had sent may be lost with it.
    report = audited.check(drops=drops + 50)
    assert report.bound == 110


def test_leaders_are_killed_one_after_the_other(arena: Arena) -> None:
    arena.add_nodes(4)
    config = arena.config(leaderElection=election(arena, quick=True))
    killed = 0
    with arena.audit() as audited, daemon(arena.cluster, config=config) as survivor:
        for n in range(3):
            with daemon(arena.cluster, config=config) as other:
                arena.burst(60, prefix=f"round-{n}")
                if n:
                    os.kill(other.process.pid, signal.SIGKILL)
                    killed += 1
                    other.process.wait()
                arena.wait_placed()
        with daemon(arena.cluster, config=config):
            os.kill(survivor.process.pid, signal.SIGKILL)
            survivor.process.wait()
            arena.burst(60, prefix="last")
            arena.wait_placed()
    report = audited.check(drops=240)
    assert report.bound == 240
    assert killed == 2
