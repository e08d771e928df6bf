# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of two real processes only the leader writes: killed, frozen or told to end, never both.

The judge is the API server: resource versions put all writes into one order, and in that order
each process has one turn. No pod is placed here; whole daemons that compete, and their auditor, are
in tests/faults/scheduler/test_leadership.py.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube

pytestmark = pytest.mark.cluster
REPLICA = Path(__file__).with_name("replica.py")


class Replicas:
    """Processes that compete for one Lease."""

    def __init__(self, cluster: Cluster, kube: Kube, namespace: str) -> None:
        self.cluster = cluster
        self.kube = kube
        self.namespace = namespace
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, identity: str) -> None:
        command = [sys.executable, str(REPLICA), str(self.cluster.kubeconfig)]
        self.processes[identity] = subprocess.Popen([*command, self.namespace, identity])

    def signal(self, identity: str, number: signal.Signals) -> None:
        self.processes[identity].send_signal(number)

    def ended(self, identity: str) -> int:
        return self.processes[identity].wait(timeout=60)

    def wait_leading(self, identity: str) -> dict[str, Any]:
        """The Lease, once this one holds it and has written."""

        def held(lease: dict[str, Any]) -> bool:
            return bool(lease["spec"].get("holderIdentity") == identity)

        lease = self.kube.wait("Lease", "replicas", held, self.namespace)
        self.kube.wait("ConfigMap", f"{identity}-3", lambda _: True, self.namespace)
        return lease

    def turns(self) -> list[str]:
        """Who wrote, in the order of the API server, without repetition."""
        found = self.kube.list("ConfigMap", self.namespace)
        ordered = sorted(found, key=lambda item: int(item["metadata"]["resourceVersion"]))
        names = (item["metadata"]["name"] for item in ordered)
        writers = (name.partition("-")[0] for name in names if name != "kube-root-ca.crt")
        return [writer for writer, *_rest in groupby(writers)]


@pytest.fixture
def replicas(cluster: Cluster, kube: Kube, namespace: str) -> Iterator[Replicas]:
    started = Replicas(cluster, kube, namespace)
    yield started
    for process in started.processes.values():
        if process.poll() is None:
            process.kill()
            process.wait()


def test_each_leader_has_one_turn(replicas: Replicas) -> None:
    """The first is killed, the second frozen until a third leads, the third told to end."""
    replicas.start("a")
    replicas.wait_leading("a")
    replicas.start("b")
    replicas.signal("a", signal.SIGKILL)
    lease = replicas.wait_leading("b")
    assert lease["spec"]["leaseTransitions"] == 1

    replicas.start("c")
    replicas.signal("b", signal.SIGSTOP)
    replicas.wait_leading("c")
    replicas.signal("b", signal.SIGCONT)
    assert replicas.ended("b") == 1

    replicas.start("d")
    replicas.signal("c", signal.SIGTERM)
    assert replicas.ended("c") == 0
    lease = replicas.wait_leading("d")
    assert lease["spec"]["leaseTransitions"] == 3
    assert lease["spec"]["leaseDurationSeconds"] == 3
    assert replicas.turns() == ["a", "b", "c", "d"]
