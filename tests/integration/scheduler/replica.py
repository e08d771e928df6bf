# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that does nothing but to lead: as long as it may write, it writes as fast as it can.

`python replica.py KUBECONFIG NAMESPACE IDENTITY`: its writes are ConfigMaps that begin with its
identity, through the same gate as the daemon's bindings.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys

from podplacement_scheduler.api.client import Client, connect
from podplacement_scheduler.clock import LoopClock
from podplacement_scheduler.config import ClientConnection
from podplacement_scheduler.errors import SchedulerError
from podplacement_scheduler.leader import Leader


async def write(client: Client, namespace: str, identity: str) -> None:
    number = 0
    while True:
        number += 1
        body = {"metadata": {"name": f"{identity}-{number}"}}
        with contextlib.suppress(SchedulerError):
            await client.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", body, hot=True)
        await asyncio.sleep(0.02)


async def main(kubeconfig: str, namespace: str, identity: str) -> int:
    leaders: list[Leader] = []

    def may_write() -> bool:
        return leaders[0].may_write()

    client = connect(ClientConnection(kubeconfig=kubeconfig), connections=2, gate=may_write)
    leader = Leader(
        client,
        LoopClock(),
        random.Random(),
        namespace=namespace,
        name="replicas",
        identity=identity,
        lease_duration=3.0,
        renew_deadline=2.0,
        retry_period=0.4,
    )
    leaders.append(leader)
    asked_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_end.set)
    await leader.acquire()
    writer = asyncio.create_task(write(client, namespace, identity))
    keeping = asyncio.create_task(leader.keep())
    ending = asyncio.create_task(asked_to_end.wait())
    await asyncio.wait((keeping, ending), return_when=asyncio.FIRST_COMPLETED)
    # The writer goes on for a moment, as a binder does that has not been told yet.
    await asyncio.sleep(0.2)
    writer.cancel()
    await leader.release()
    await client.close()
    return 0 if ending.done() else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
