# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire against a real API server: what it serves, forgets, and says to a bind."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
import pytest

from podplacement_scheduler.api.client import Client, connect
from podplacement_scheduler.api.kinds import EVENTS, PODS, Kind
from podplacement_scheduler.api.transport import Request
from podplacement_scheduler.cache.reflector import Reflector
from podplacement_scheduler.clock import LoopClock
from podplacement_scheduler.commands.watch import watch
from podplacement_scheduler.config import ClientConnection
from podplacement_scheduler.errors import ApiError, Gone
from tests.cluster.audit import Audit, Entry
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.cluster.kwok import Kwok
from tests.cluster.providers import provider

pytestmark = pytest.mark.cluster
LIMIT = 60.0


class Shelf(io.StringIO):
    """A sink of names, and a file of lines; `until` waits for what they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.replaced = 0
        self._changed = asyncio.Event()

    def read(self, raw: bytes) -> str:
        return _name(raw)

    def replace(self, items: Iterable[str]) -> None:
        self.names = set(items)
        self.replaced += 1
        self._changed.set()

    def apply(self, event: str, raw: bytes) -> None:
        (self.names.discard if event == "DELETED" else self.names.add)(_name(raw))
        self._changed.set()

    def flush(self) -> None:
        self._changed.set()

    async def until(self, *names: str) -> None:
        while self.names != set(names):
            self._changed.clear()
            await self._changed.wait()

    async def until_told(self, *lines: str) -> None:
        while not set(lines) <= set(self.getvalue().splitlines()):
            self._changed.clear()
            await self._changed.wait()


def _name(raw: bytes) -> str:
    name: str = msgspec.json.decode(raw)["metadata"]["name"]
    return name


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, LIMIT))


@asynccontextmanager
async def connected(cluster: Cluster) -> AsyncIterator[Client]:
    client = connect(ClientConnection(kubeconfig=str(cluster.kubeconfig)), connections=4)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def working(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def reflector(client: Client, kind: Kind, shelf: Shelf, namespace: str) -> Reflector:
    return Reflector(client, kind, shelf, clock=LoopClock(), rng=Random(), namespace=namespace)


def pod(name: str) -> dict[str, Any]:
    """One that nobody places."""
    spec = {"schedulerName": "nobody", "containers": [{"name": "c", "image": "registry.k8s.io/x"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def event(namespace: str, name: str) -> bytes:
    return msgspec.json.encode(
        {
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "tests",
            "reportingInstance": "tests",
            "action": "Testing",
            "reason": "Tested",
            "type": "Normal",
            "regarding": {"kind": "Pod", "namespace": namespace, "name": name},
        }
    )


def binding(name: str, uid: str, node: str) -> bytes:
    meta = {"name": name, "uid": uid, "annotations": {"test.podplacement.io/wire": "yes"}}
    return msgspec.json.encode({"metadata": meta, "target": {"kind": "Node", "name": node}})


def test_a_reflector_follows_the_pods(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    async def main() -> None:
        shelf = Shelf()
        async with connected(cluster) as client:
            await client.create(PODS, pod("before"), namespace)
            found = reflector(client, PODS, shelf, namespace)
            async with working(found.run()):
                await found.synced.wait()
                assert shelf.names == {"before"}
                await client.create(PODS, pod("after"), namespace)
                await shelf.until("before", "after")
                await client.delete(PODS, "before", namespace, {"gracePeriodSeconds": 0})
                await shelf.until("after")
                assert shelf.replaced == 1
                await found.refresh()
                assert shelf.names == {"after"}
                assert shelf.replaced == 2

    run(main())
    # Two streaming lists, and of this namespace alone: daemons of other tests may page.
    asked = audit.wait(streamed, agent="podplacement-scheduler", namespace=namespace)
    assert not any("limit=" in each.uri for each in asked), "this server serves streaming lists"


def streamed(entries: list[Entry]) -> bool:
    return sum("sendInitialEvents=true" in each.uri for each in entries) >= 2


def test_a_reflector_that_slept_through_a_compaction_lists_anew(
    cluster: Cluster, namespace: str
) -> None:
    """Events have no watch cache in the API server: what etcd forgets is gone at once."""
    manager = compactable(cluster)

    async def main() -> None:
        shelf = Shelf()
        async with connected(cluster) as client:
            await client.create(EVENTS, event(namespace, "before"), namespace)
            await client.create(EVENTS, event(namespace, "deleted"), namespace)
            found = reflector(client, EVENTS, shelf, namespace)
            async with working(found.run()):
                await shelf.until("before", "deleted")
            slept_at = found.version
            await client.delete(EVENTS, "deleted", namespace)
            await client.create(EVENTS, event(namespace, "unseen"), namespace)
            await asyncio.to_thread(manager.compact)
            with pytest.raises(Gone):
                async with client.watch(EVENTS, version=slept_at, namespace=namespace) as events:
                    [each async for each in events]
            async with working(found.run()):
                await shelf.until("before", "unseen")
                await client.create(EVENTS, event(namespace, "after"), namespace)
                await shelf.until("before", "unseen", "after")
                assert shelf.replaced == 2

    run(main())


def test_pages_that_are_compacted_away_are_gone(cluster: Cluster, namespace: str) -> None:
    manager = compactable(cluster)

    async def main() -> None:
        async with connected(cluster) as client:
            for number in range(3):
                await client.create(EVENTS, event(namespace, f"e{number}"), namespace)
            pages = client.pages(EVENTS, namespace=namespace, limit=2)
            first = await anext(pages)
            assert len(first.items) == 2
            await client.create(EVENTS, event(namespace, "e9"), namespace)
            await asyncio.to_thread(manager.compact)
            with pytest.raises(Gone):
                await anext(pages)

    run(main())


def test_a_bind_has_an_answer_of_its_own(cluster: Cluster, kube: Kube, namespace: str) -> None:
    async def main() -> None:
        first, second = cluster.nodes[:2]
        async with connected(cluster) as client:
            await client.create(PODS, pod("p"), namespace)
            uid = kube.get("Pod", "p", namespace)["metadata"]["uid"]
            with pytest.raises(ApiError) as another:
                await client.bind(namespace, "p", binding("p", "another-uid", first))
            assert another.value.status == 409
            await client.bind(namespace, "p", binding("p", uid, first))
            with pytest.raises(ApiError, match="already assigned") as again:
                await client.bind(namespace, "p", binding("p", uid, second))
            assert again.value.status == 409
            with pytest.raises(ApiError) as missing:
                await client.bind(namespace, "missing", binding("missing", uid, first))
            assert missing.value.status == 404
        bound = kube.get("Pod", "p", namespace)
        assert bound["spec"]["nodeName"] == first
        assert bound["metadata"]["annotations"]["test.podplacement.io/wire"] == "yes"

    run(main())


def test_each_of_a_burst_has_an_answer_of_its_own(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    """The API server takes requests that wait in the socket, and answers them in their order."""
    path = EVENTS.path(namespace)

    async def main() -> None:
        bodies = {name: event(namespace, name) for name in ("a", "b", "c")}
        wrong = event("another-namespace", "d")
        wanted = [bodies["a"], bodies["b"], bodies["a"], wrong, b"{", bodies["c"]]
        async with connected(cluster) as client:
            told = await client.burst([Request("POST", path, body) for body in wanted] * 2)
        reached = [getattr(error, "status", 201) for error in told]
        assert reached == [201, 201, 409, 400, 400, 201, 409, 409, 409, 400, 400, 409]

    run(main())
    found = kube.list("Event", namespace)
    assert {each["metadata"]["name"] for each in found} == {"a", "b", "c"}


@pytest.mark.parametrize("output", ["text", "json"])
def test_watch_prints_what_happens_to_pods(cluster: Cluster, namespace: str, output: str) -> None:
    def line(phase: str) -> str:
        if output == "text":
            return f"pod: '{namespace}/p', phase: '{phase}', scheduler: 'nobody'"
        told = {"namespace": namespace, "name": "p", "phase": phase, "schedulerName": "nobody"}
        return json.dumps(told | {"nodeName": ""}, separators=(",", ":"))

    async def main() -> None:
        out = Shelf()
        async with (
            connected(cluster) as client,
            working(watch(client, namespace=namespace, output=output, out=out)),
        ):
            await client.create(PODS, pod("p"), namespace)
            await out.until_told(line("Pending"))
            await client.delete(PODS, "p", namespace, {"gracePeriodSeconds": 0})
            await out.until_told(line("Deleted"))

    run(main())


def compactable(cluster: Cluster) -> Kwok:
    """The one who can tell etcd to forget."""
    manager = provider(cluster.name)
    if not isinstance(manager, Kwok):
        pytest.skip("this cluster's etcd is out of reach")
    return manager
