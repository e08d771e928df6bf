# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake and a real API server, asked in the same words."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import msgspec
import pytest

from podplacement_scheduler.api.client import Client, connect
from podplacement_scheduler.api.kinds import PODS, Kind
from podplacement_scheduler.config import ClientConnection
from podplacement_scheduler.errors import ApiError
from podplacement_scheduler.testing.fake import FakeServer
from podplacement_scheduler.testing.loop import VirtualClock, run
from podplacement_scheduler.testing.wire import FakeTransport, Network
from tests.cluster.cluster import Cluster

Object = dict[str, Any]


class Side:
    """One of the two API servers, and a namespace on it."""

    def __init__(self, client: Client, namespace: str, node: str) -> None:
        self.client = client
        self.namespace = namespace
        self.node = node

    def path(self, kind: Kind, name: str = "", subresource: str = "") -> str:
        return kind.path(self.namespace, name, subresource)

    async def ask(self, method: str, path: str, body: object = None, **more: Any) -> Object:
        found: Object = msgspec.json.decode(await self.client.call(method, path, body, **more))
        return found

    async def refused(self, method: str, path: str, body: object = None, **more: Any) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await self.client.call(method, path, body, **more)
        return caught.value

    async def pod(self, name: str, **spec: Any) -> Object:
        """A new pod that no scheduler takes."""
        meta: Object = {"name": name}
        if "finalizers" in spec:
            meta["finalizers"] = spec.pop("finalizers")
        container = {"name": "c", "image": "i"}
        full = {"schedulerName": "nobody", "containers": [container], **spec}
        return await self.ask("POST", self.path(PODS), {"metadata": meta, "spec": full})

    async def read(self, name: str) -> Object:
        return await self.ask("GET", self.path(PODS, name))

    async def bind(self, pod: Object, node: str, **meta: Any) -> Object:
        return await self.ask("POST", self._binding(pod), binding(pod, node, **meta))

    async def refuse_bind(self, pod: Object, node: str, **meta: Any) -> ApiError:
        return await self.refused("POST", self._binding(pod), binding(pod, node, **meta))

    def _binding(self, pod: Object) -> str:
        return self.path(PODS, pod["metadata"]["name"], "binding")

    async def delete(self, name: str, **options: Any) -> None:
        await self.client.call("DELETE", self.path(PODS, name), options or None)

    async def version(self) -> str:
        """Of the namespace's pods, now."""
        found = await self.ask("GET", self.path(PODS))
        return str(found["metadata"]["resourceVersion"])

    async def events(
        self, count: int, version: str, do: Callable[[], Awaitable[object]], **more: Any
    ) -> list[tuple[str, Object]]:
        """The first so many events of a watch from `version`, while `do` happens."""
        found: list[tuple[str, Object]] = []
        async with self.client.watch(
            PODS, version=version, namespace=self.namespace, seconds=60, **more
        ) as events:
            await do()
            async for event, raw in events:
                if event != "BOOKMARK" or more.get("initial"):
                    found.append((event, msgspec.json.decode(raw)))
                if len(found) == count:
                    break
        return found


def binding(pod: Object, node: str, **meta: Any) -> Object:
    about = {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"], **meta}
    return {"metadata": about, "target": {"apiVersion": "v1", "kind": "Node", "name": node}}


Question = Callable[[Side], Awaitable[None]]
Asks = Callable[[Question], None]


def ask_fake(question: Question) -> None:
    async def main() -> None:
        server = FakeServer(VirtualClock(), Random(0))
        client = Client(FakeTransport(Network(server, Random(1)), "asker"))
        await question(Side(client, "ns", "node-0"))

    run(main())


def ask_real(cluster: Cluster, namespace: str) -> Asks:
    def ask(question: Question) -> None:
        async def main() -> None:
            client = connect(ClientConnection(kubeconfig=str(cluster.kubeconfig)), connections=2)
            try:
                await question(Side(client, namespace, cluster.nodes[0]))
            finally:
                await client.close()

        asyncio.run(main())
        # TLS says goodbye in its own time, and the loop of a watch that was left is over by then.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    return ask
