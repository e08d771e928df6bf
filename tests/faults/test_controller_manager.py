# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller manager stands still at the swap: nobody is harmed, and all heals when it is back.

In a cluster of this test's own, because no other test can do without a controller manager.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, default_name, provider_name
from tests.cluster.kube import Kube
from tests.cluster.kwok import Kwok
from tests.faults.case import Case
from tests.faults.cases import CASES
from tests.faults.proxy import Hold, Match, Write
from tests.faults.referee import Referee, watching
from tests.faults.world import Run, World, creates, hands_over

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.skipif(provider_name() != "kwok", reason="stops a process of the control plane"),
]


def _lets_go(write: Write) -> bool:
    return (write.method, write.resource) == ("DELETE", "replicasets")


# The write of each strategy after which the controller has to act.
SWAPS: dict[str, Match] = {
    "adopt-deployment": hands_over,
    "shadow-replicaset": _lets_go,
    "replace-deployment": creates("pods/eviction"),
    "steer-block": creates("pods/eviction"),
    "evict-unknown-owner": creates("pods/eviction"),
}
LOSSLESS = ("adopt-deployment", "shadow-replicaset")


class Manager:
    """The controller manager of a cluster, by its process."""

    def __init__(self, kwok: Kwok) -> None:
        self._pid = kwok.processes()["kube-controller-manager"]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While the block runs, it stands still as if its machine were suspended."""
        os.kill(self._pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def own() -> Iterator[tuple[Cluster, Manager]]:
    """A cluster whose controller manager may be stopped."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    kwok = Kwok(f"{default_name()}-manager-{worker}")
    try:
        yield kwok.start(), Manager(kwok)
    finally:
        kwok.stop()


@dataclass
class Scene:
    """One strategy's case in a namespace of its own, watched by a referee, held at its swap."""

    case: Case
    referee: Referee
    run: Run
    hold: Hold


@pytest.fixture
def scenes(own: tuple[Cluster, Manager], tmp_path: Path) -> Iterator[dict[str, Scene]]:
    """One for each strategy."""
    cluster = own[0]
    kube = Kube(cluster.kubeconfig)
    found: dict[str, Scene] = {}
    with ExitStack() as stack:
        for strategy, swap in SWAPS.items():
            world = World(cluster, kube, _namespace(kube), tmp_path)
            stack.callback(world.end)
            case = CASES[strategy](world)
            referee = stack.enter_context(watching(cluster.kubeconfig, world.namespace, tmp_path))
            run = case.run()
            hold = run.proxy.hold(swap)
            run.start()
            found[strategy] = Scene(case, referee, run, hold)
        for scene in found.values():
            scene.hold.wait()
        yield found


def _namespace(kube: Kube) -> str:
    name = f"moves-{uuid.uuid4().hex[:6]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kube.wait("ServiceAccount", "default", lambda _: True, name)
    return name


def test_a_pause_is_waited_for(own: tuple[Cluster, Manager], scenes: dict[str, Scene]) -> None:
    """It is back before the minute is over: every move goes on as if nothing had been."""
    with own[1].stopped():
        for scene in scenes.values():
            scene.run.proxy.waiting.clear()
            scene.hold.release()
        for scene in scenes.values():
            scene.run.waits()
    for strategy, scene in scenes.items():
        result = scene.run.finish()
        assert result["changed"], f"{strategy}: {result}\n{scene.run}"
        scene.case.check(scene.referee.history())


def test_nothing_is_lost_when_it_does_not_come_back(
    own: tuple[Cluster, Manager], scenes: dict[str, Scene]
) -> None:
    """Lossless moves are undone after a minute. When it is back, the same tasks succeed."""
    with own[1].stopped():
        for scene in scenes.values():
            scene.hold.release()
        for strategy, scene in scenes.items():
            result = scene.run.finish()
            # who creates the successor himself needs nobody
            failed = strategy != "steer-block"
            assert bool(result.get("failed")) == failed, f"{strategy}: {result}\n{scene.run}"
            if strategy in LOSSLESS:
                assert result["error"]["code"] == "ControllerNotResponding"
                scene.case.world.assert_as_before(scene.case.pods)
    for strategy, scene in scenes.items():
        if strategy == "evict-unknown-owner":  # at its deadline it is over, for better or worse
            scene.case.world.wait_idle(len(scene.case.pods))
            continue
        again = scene.case.again()
        assert not again.get("failed"), f"{strategy}: {again}"
        scene.case.check(scene.referee.history())
