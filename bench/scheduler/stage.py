# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage of a trial: an API server and an etcd, nodes and pods that nobody else touches.

Simulated kubelets, the controller manager and the cluster's own scheduler are ended after the
start: what they would do with the machine's time is no part of what is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.cluster.kubeconfig import connection
from tests.cluster.kwok import Kwok
from tests.cluster.nodes import ZONES, node

SERVERS = ("etcd", "kube-apiserver")
CONNECTIONS = 32
NAMESPACE = "bench-scheduler"
BATCH = 2000


@dataclass(frozen=True)
class Stage:
    """A cluster of which only the servers run, and the process ids of these."""

    cluster: Cluster
    kube: Kube
    servers: dict[str, int]
    nodes: int


@contextmanager
def stage(name: str, nodes: int) -> Iterator[Stage]:
    """Start a cluster, end all but its servers, and make the nodes."""
    manager = Kwok(name)
    cluster = manager.start(nodes=1)
    try:
        kube = Kube(cluster.kubeconfig)
        kube.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        )
        kube.wait("ServiceAccount", "default", lambda _: True, NAMESPACE)
        processes = manager.processes()
        for component, pid in processes.items():
            if component not in SERVERS:
                _end(pid)
        for own in cluster.nodes:
            kube.delete("Node", own)
        asyncio.run(_make_nodes(cluster, nodes))
        servers = {component: processes[component] for component in SERVERS}
        yield Stage(cluster, kube, servers, nodes)
    finally:
        manager.stop()


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.05)


@asynccontextmanager
async def session(cluster: Cluster) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A client for floods, and the server's address."""
    server, context, headers = connection(cluster.kubeconfig)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as client:
        yield client, server


async def flood(
    client: aiohttp.ClientSession, requests: Iterable[tuple[str, str, Any, str]]
) -> None:
    """Send all, CONNECTIONS at a time: method, url, body, content type."""
    rest = iter(requests)

    async def worker() -> None:
        for method, url, body, kind in rest:
            head = {"Content-Type": kind}
            async with client.request(method, url, data=json.dumps(body), headers=head) as answer:
                if answer.status >= 300:
                    raise SystemExit(f"{method} {url}: {answer.status} {await answer.text()}")
                await answer.read()

    await asyncio.gather(*(worker() for dummy in range(CONNECTIONS)))


async def _make_nodes(cluster: Cluster, count: int) -> None:
    names = [f"node-{n:05d}" for n in range(count)]
    async with session(cluster) as (client, server):
        url = f"{server}/api/v1/nodes"
        manifests = (
            node(name, cpu="32", memory="128Gi", zone=ZONES[n % len(ZONES)])
            for n, name in enumerate(names)
        )
        plain, merge = "application/json", "application/merge-patch+json"
        await flood(client, (("POST", url, manifest, plain) for manifest in manifests))
        # Without a node lifecycle controller nobody else takes the taint of a new node away.
        untaint = {"spec": {"taints": None}}
        await flood(client, (("PATCH", f"{url}/{name}", untaint, merge) for name in names))


def pod(name: str, scheduler: str, kind: int) -> Object:
    """A plain pod; `kind` is the number of its class."""
    requests = {"cpu": f"{100 + kind}m", "memory": "64Mi"}
    container = {"name": "main", "image": "registry.k8s.io/pause:3.10"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": f"class-{kind}"}},
        "spec": {
            "schedulerName": scheduler,
            "automountServiceAccountToken": True,
            "containers": [container | {"resources": {"requests": requests}}],
        },
    }


async def create_pods(
    cluster: Cluster, names: list[str], scheduler: str, classes: int, *, rate: float = 0
) -> dict[str, float]:
    """Create pods, as fast as it goes or so many a second; when each was there (monotonic)."""
    made: dict[str, float] = {}
    async with session(cluster) as (client, server):
        url = f"{server}/api/v1/namespaces/{NAMESPACE}/pods"
        rest = iter(enumerate(names))
        begun = time.monotonic()

        async def worker() -> None:
            for n, name in rest:
                if rate:
                    await asyncio.sleep(begun + n / rate - time.monotonic())
                body = json.dumps(pod(name, scheduler, n % classes))
                async with client.post(
                    url, data=body, headers={"Content-Type": "application/json"}
                ) as answer:
                    if answer.status != 201:
                        raise SystemExit(f"POST {url}: {answer.status} {await answer.text()}")
                made[name] = time.monotonic()

        await asyncio.gather(*(worker() for dummy in range(CONNECTIONS)))
    return made


def event_count(kube: Kube) -> int:
    """How many events there are: the first of a list, and how many remain."""
    path = f"apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
    found = kube.request("GET", path, query={"limit": "1"})
    return len(found["items"]) + int(found["metadata"].get("remainingItemCount", 0))


def clear(kube: Kube) -> None:
    """Take away pods, events and leases of a trial."""
    kube.delete_all("Pod", NAMESPACE, grace=0)
    events = f"apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
    kube.request("DELETE", events, {"gracePeriodSeconds": 0})
    deadline = time.monotonic() + 120
    while kube.list("Pod", NAMESPACE) and time.monotonic() < deadline:
        time.sleep(0.2)
