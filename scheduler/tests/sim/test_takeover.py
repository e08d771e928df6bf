# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new leader looks anew before it decides: what it heard as a standby may be old."""

from __future__ import annotations

import asyncio
from random import Random

from podplacement_scheduler.api.kinds import NODES, PODS
from podplacement_scheduler.config import parse
from podplacement_scheduler.testing.fake import FakeServer
from podplacement_scheduler.testing.judge import Judge
from podplacement_scheduler.testing.loop import VirtualClock, run
from podplacement_scheduler.testing.sim import SCHEDULER, Replica
from podplacement_scheduler.testing.wire import Network

CONFIG = parse({"profiles": [{"schedulerName": SCHEDULER}]})


def test_a_deaf_standby_that_takes_over_decides_nothing_twice() -> None:
    """It knows the pods and the node, and has not heard that the pods are bound."""

    async def main() -> None:
        server = FakeServer(VirtualClock(), Random(0))
        network = Network(server, Random(1))
        judge = Judge(network, scheduler=SCHEDULER)
        requests = {"resources": {"requests": {"cpu": "1"}}}
        for number in range(4):
            spec = {"schedulerName": SCHEDULER, "containers": [{"name": "c", **requests}]}
            body = {"metadata": {"name": f"p{number}"}, "spec": spec}
            server.do("POST", PODS.path("ns"), body)
        first, second = (Replica(CONFIG, network, name, "0") for name in ("first", "second"))
        await asyncio.sleep(5)
        if second.daemon.leading:
            first, second = second, first
        assert (first.daemon.leading, second.daemon.leading) == (True, False)
        [deaf] = [
            watch
            for who, watch in network.watches
            if watch.is_open and (who, watch.where.kind) == (second.name, PODS)
        ]
        deaf.hold()
        room = {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}
        server.do("POST", NODES.path(), {"metadata": {"name": "n"}, "spec": {}, "status": room})
        await asyncio.sleep(5)
        assert len(judge.bound) == 4
        first.stop.set()
        await asyncio.sleep(20)
        assert second.daemon.leading
        assert judge.violations == []
        assert second.daemon.queue.sizes()["active"] == 0
        second.stop.set()
        await asyncio.wait([first.task, second.task])

    run(main())
