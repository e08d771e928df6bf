# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limit: a loop that binds each pod to the next node and writes its event, and does no more.

No watch, no rules, no order: what remains is the price of the writes. It uses the daemon's own
connections, the cheapest that we know of, so that the limit is as high as we can make it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
import sys
import time

import msgspec
import uvloop

from podplacement_scheduler.api.client import Client, connect
from podplacement_scheduler.api.kinds import EVENTS, NODES, PODS
from podplacement_scheduler.clock import rfc3339
from podplacement_scheduler.config import ClientConnection

WINDOW = 32
NAMESPACE = os.environ["BENCH_NAMESPACE"]

BINDING = (
    '{{"apiVersion":"v1","kind":"Binding","metadata":{{"name":"{name}","namespace":"{namespace}",'
    '"uid":"{uid}","annotations":{{"podplacement.io/scheduled-at":"{now}"}}}},'
    '"target":{{"apiVersion":"v1","kind":"Node","name":"{node}"}}}}'
)
EVENT = (
    '{{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{{"name":"{name}.{serial:x}",'
    '"namespace":"{namespace}"}},"eventTime":"{now}","reportingController":"{scheduler}",'
    '"reportingInstance":"{scheduler}-bench","action":"Binding","reason":"Scheduled",'
    '"type":"Normal","note":"Successfully assigned {namespace}/{name} to {node}","regarding":'
    '{{"apiVersion":"v1","kind":"Pod","name":"{name}","namespace":"{namespace}","uid":"{uid}"}}}}'
)


class Metadata(msgspec.Struct):
    name: str
    uid: str = ""


class Listed(msgspec.Struct):
    metadata: Metadata


async def bind_all(client: Client, scheduler: str) -> None:
    """Bind what waits for the scheduler."""
    decode = msgspec.json.Decoder(Listed).decode
    nodes = [decode(raw).metadata.name async for page in client.pages(NODES) for raw in page.items]
    selector = f"spec.schedulerName={scheduler},spec.nodeName="
    pods = [
        decode(raw).metadata
        async for page in client.pages(PODS, namespace=NAMESPACE, field_selector=selector)
        for raw in page.items
    ]
    events = EVENTS.path(NAMESPACE)
    work = zip(itertools.count(1), pods, itertools.cycle(nodes), strict=False)

    async def worker() -> None:
        for serial, pod, node in work:
            facts = {
                "name": pod.name,
                "namespace": NAMESPACE,
                "uid": pod.uid,
                "node": node,
                "now": now(),
                "scheduler": scheduler,
                "serial": serial,
            }
            await client.bind(NAMESPACE, pod.name, BINDING.format_map(facts).encode())
            await client.call("POST", events, EVENT.format_map(facts).encode(), hot=True)

    await asyncio.gather(*(worker() for dummy in range(WINDOW)))


def now() -> str:
    return rfc3339(time.time_ns())


async def run(options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    client = connect(ClientConnection(kubeconfig=options.kubeconfig), connections=WINDOW)
    await bind_all(client, options.scheduler)
    await ended.wait()
    await client.close()


def main() -> int:
    """Bind, then stay for the sake of whoever reads the CPU time of this process."""
    parser = argparse.ArgumentParser(prog="python -m bench.scheduler.bare")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--scheduler", required=True)
    uvloop.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
