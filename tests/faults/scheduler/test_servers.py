# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server dies in the middle of a burst, and etcd forgets: on a cluster of its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from tests.cluster.cluster import default_name
from tests.cluster.daemon import daemon
from tests.cluster.kube import ApiError, Kube, Object
from tests.cluster.kwok import Kwok
from tests.faults.relay import Relay
from tests.faults.scheduler.arena import Arena, each
from tests.faults.scheduler.servers import READY_SECONDS, ApiServer

BURST = 5000


@dataclass
class Own:
    """A cluster that may be broken."""

    manager: Kwok
    arena: Arena
    server: ApiServer


@pytest.fixture
def own() -> Iterator[Own]:
    # Of this worker alone: another one may have a test of this file at the same time.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    manager = Kwok(f"{default_name()}-servers-{worker}")
    cluster = manager.start(nodes=1)
    server = None
    try:
        kube = Kube(cluster.kubeconfig)
        space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "burst"}}
        kube.create(space)
        kube.wait("ServiceAccount", "default", lambda _: True, "burst")
        server = ApiServer(manager, kube)
        yield Own(manager, Arena(cluster, kube, "burst"), server)
    finally:
        manager.stop()
        if server is not None:
            server.reap()


def patient(action: Callable[[], object]) -> None:
    """Try again until the server has it: what was made already is fine."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            action()
            return
        except ApiError as error:
            if error.code == 409:
                return
            time.sleep(0.2)
        except (urllib3.exceptions.HTTPError, OSError):
            time.sleep(0.2)
    raise TimeoutError("the API server takes no requests")


def placed(arena: Arena) -> int:
    pods = arena.kube.list("Pod", arena.namespace)
    return sum(bool(pod["spec"].get("nodeName")) for pod in pods)


def until_placed(arena: Arena, count: int, *, timeout: float = 180) -> int:
    """How many have a node, once there are so many; a server that has just begun may not say."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with suppress(ApiError, urllib3.exceptions.HTTPError, OSError):
            if (found := placed(arena)) >= count:
                return found
        time.sleep(0.3)
    raise AssertionError(f"{placed(arena)} of {count} pods have a node")


def test_the_api_server_is_killed_in_a_burst(
    own: Own, recovered: Callable[[str, float], None]
) -> None:
    arena, server = own.arena, own.server
    arena.add_nodes(70)  # 80 pods each
    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=arena.config()) as ours,
    ):

        def create(n: int) -> None:
            patient(lambda: arena.kube.create(arena.pod(f"burst-{n}")))

        creating = threading.Thread(target=lambda: each(BURST, create))
        creating.start()
        until_placed(arena, 1000)
        server.kill()
        time.sleep(2)  # it has to be away for a while, not merely to blink
        assert ours.process.poll() is None, "the daemon ended with the API server"
        server.start()
        back = time.monotonic()
        known = until_placed(arena, 1000)
        until_placed(arena, min(known + 100, BURST))
        recovered("API server killed, first hundred pods after it is back", time.monotonic() - back)
        creating.join()
        until_placed(arena, BURST)
        arena.settle()
        drops = arena.drops(ours)
    assert audited.check(drops=drops).bound == BURST


def test_a_compaction_while_nobody_listened(own: Own, tmp_path: Path) -> None:
    """The version where the watch stood is gone when the connection is back: 410, list anew."""
    arena, server = own.arena, own.server
    arena.add_nodes(2, pods="8")  # with those that go unseen, there is room for all
    relay = Relay(arena.cluster.kubeconfig, tmp_path)
    with (
        arena.audit() as audited,
        daemon(arena.cluster, config=arena.config(), kubeconfig=relay.kubeconfig) as ours,
    ):
        arena.burst(10, prefix="before")
        arena.wait_placed()
        arena.settle()  # the events of those that are deleted below
        relay.refuse = True
        relay.kill()
        arena.burst(10, prefix="unseen")
        for n in range(5):
            arena.kube.delete("Pod", f"before-{n}", arena.namespace, grace=0)
        own.manager.compact()
        server.kill()
        server.start()  # its watch cache begins now: what was before is only in etcd
        relay.refuse = False
        until_placed(arena, 15)
        arena.settle()
        drops = arena.drops(ours)
        relists = {k: v for k, v in ours.metrics().items() if "relists_total" in k and v}
    relay.close()
    assert audited.check(drops=drops).bound == 20
    assert any('kind="pods"' in key and "start" not in key for key in relists), relists
