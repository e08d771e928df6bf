# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replica that is told to end lets go of its Lease last: what it has begun is done by then."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from podplacement_scheduler.api.kinds import EVENTS, LEASES, NODES, PODS
from podplacement_scheduler.config import parse
from podplacement_scheduler.testing.fake import FakeServer
from podplacement_scheduler.testing.judge import Judge
from podplacement_scheduler.testing.loop import VirtualClock, run
from podplacement_scheduler.testing.sim import SCHEDULER, Replica
from podplacement_scheduler.testing.wire import WELL, Fate, Network

CONFIG = parse({"profiles": [{"schedulerName": SCHEDULER}]})
PATIENCE = {"bindings": ("/binding", PODS.plural), "events": ("/events", EVENTS.plural)}


@pytest.mark.parametrize("late", PATIENCE)
def test_the_lease_is_given_back_when_all_is_written(late: str) -> None:
    """Whatever of it is on its way for three seconds when the signal comes."""
    ending, plural = PATIENCE[late]

    async def main() -> None:
        server = FakeServer(VirtualClock(), Random(0))
        network = Network(server, Random(1))
        judge = Judge(network, scheduler=SCHEDULER)
        network.fate = lambda _method, path: Fate(delay=3.0) if path.endswith(ending) else WELL
        room = {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}
        server.do("POST", NODES.path(), {"metadata": {"name": "n"}, "spec": {}, "status": room})
        replica = Replica(CONFIG, network, "only", "0")
        await asyncio.sleep(5)
        assert replica.daemon.leading
        for number in range(4):
            spec = {"schedulerName": SCHEDULER, "containers": [{"name": "c"}]}
            server.do("POST", PODS.path("ns"), {"metadata": {"name": f"p{number}"}, "spec": spec})
        await asyncio.sleep(1)
        replica.stop.set()
        await asyncio.wait([replica.task])
        assert (judge.violations, len(judge.bound), len(judge.told)) == ([], 4, 4)
        [*_others, given] = server.store.since(LEASES.plural, 0)
        assert given.object["spec"]["holderIdentity"] == ""
        written = [change.revision for change in server.store.since(plural, 0)]
        assert given.revision > max(written)

    run(main())
