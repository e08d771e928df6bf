# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks that cost no request, and writes that are seen at once."""

from __future__ import annotations

import queue
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    NotFound,
)
from ansible_collections.podplacement.core.plugins.module_utils.live import MEMORY_SECONDS, LiveApi
from ansible_collections.podplacement.core.plugins.module_utils.pacing import TokenBucket
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    DEPLOYMENT,
    LEASE,
    NODE,
    PDB,
    POD,
    SECRET,
    Kind,
)
from tests.unit.fake_api import FakeApi, VirtualClock
from tests.unit.moves.objects import NS, node, pod


class Server(FakeApi):
    """A FakeApi whose changes a test lets come by the watch when it wants."""

    bucket: TokenBucket | None = None

    def __init__(self, *objects: Any) -> None:
        super().__init__(*objects)
        self.coming: queue.Queue[dict[str, Any]] = queue.Queue()
        self.watched: list[tuple[str, str | None]] = []

    def events(
        self, kind: Kind, namespace: str | None, *, resource_version: str, seconds: int
    ) -> Generator[Mapping[str, Any], None, None]:
        self.watched.append((kind.kind, namespace))
        while True:
            try:
                yield self.coming.get(timeout=min(0.5, seconds))
            except queue.Empty:
                return

    def tell(self, event: str, name: str) -> None:
        """Let the watch tell of a pod as it is now."""
        found = self._objects[("Pod", NS, name)]
        self.coming.put({"type": event, "object": found})

    def asked(self, resource: str = "pods") -> list[str]:
        return [c.verb for c in self.calls if c.resource == resource]


@pytest.fixture
def server() -> Server:
    return Server(pod("p"), pod("q"), node("a"))


@pytest.fixture
def live(server: Server) -> Iterator[LiveApi]:
    found = LiveApi(server, VirtualClock())
    yield found
    found.close()


def names(live: LiveApi) -> list[str]:
    return [p["metadata"]["name"] for p in live.list(POD, NS)[0]]


def until(live: LiveApi, version: str) -> None:
    assert live.wait_change(POD, NS, resource_version=version, timeout=5.0)


def test_looking_costs_one_list(live: LiveApi, server: Server) -> None:
    for _look in range(5):
        assert names(live) == ["p", "q"]
        assert live.get(POD, "p", NS)["metadata"]["name"] == "p"
    assert server.asked() == ["list"]


def test_a_change_comes_by_the_watch(live: LiveApi, server: Server) -> None:
    _pods, version = live.list(POD, NS)
    server.change(POD, "p", NS, {"metadata": {"labels": {"app": "new"}}})
    server.tell("MODIFIED", "p")
    until(live, version)
    found = live.list(POD, NS, label_selector="app=new")[0]
    assert [p["metadata"]["name"] for p in found] == ["p"]


def test_subscribers_hear_of_it_while_they_listen(live: LiveApi, server: Server) -> None:
    heard: list[tuple[str, str, str]] = []
    with live.subscribed(lambda k, ns, obj: heard.append((k.kind, ns, obj["metadata"]["name"]))):
        names(live)
        live.create(POD, pod("r"), NS)
    live.create(POD, pod("s"), NS)
    assert heard == [("Pod", NS, "p"), ("Pod", NS, "q"), ("Pod", NS, "r")]


def test_own_writes_are_seen_at_once(live: LiveApi) -> None:
    assert names(live) == ["p", "q"]
    live.create(POD, pod("r"), NS)
    live.patch(POD, "p", {"metadata": {"labels": {"app": "mine"}}}, NS)
    live.delete(POD, "q", NS, uid="uid-q")
    assert names(live) == ["p", "r"]
    assert live.get(POD, "p", NS)["metadata"]["labels"]["app"] == "mine"


def test_a_dry_run_changes_nothing_that_is_seen(live: LiveApi) -> None:
    assert names(live) == ["p", "q"]
    live.create(POD, pod("r"), NS, dry_run=True)
    live.patch(POD, "p", {"metadata": {"labels": {"app": "mine"}}}, NS, dry_run=True)
    live.evict("q", NS, uid="uid-q", dry_run=True)
    assert names(live) == ["p", "q"]
    assert live.get(POD, "p", NS)["metadata"]["labels"]["app"] == "web"


def test_after_a_refusal_the_cache_has_what_is_true(live: LiveApi, server: Server) -> None:
    old = live.get(POD, "p", NS)
    assert names(live) == ["p", "q"]
    server.change(POD, "p", NS, {"metadata": {"labels": {"app": "others"}}})
    server.remove(POD, "q", NS)
    guard = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict):
        live.patch(POD, "p", guard, NS)
    with pytest.raises(NotFound):
        live.evict("q", NS, uid="uid-q")
    assert names(live) == ["p"]
    assert live.get(POD, "p", NS)["metadata"]["labels"]["app"] == "others"


def test_a_name_that_is_taken_shows_who_has_it(live: LiveApi, server: Server) -> None:
    assert names(live) == ["p", "q"]
    server.put(pod("r"))
    with pytest.raises(AlreadyExists):
        live.create(POD, pod("r"), NS)
    assert names(live) == ["p", "q", "r"]


def test_what_the_cache_lacks_is_asked_for(live: LiveApi, server: Server) -> None:
    assert names(live) == ["p", "q"]
    server.put(pod("r"))
    assert live.get(POD, "r", NS)["metadata"]["name"] == "r"
    assert names(live) == ["p", "q", "r"]
    with pytest.raises(NotFound):
        live.get(POD, "none", NS)


def test_a_fresh_look_goes_to_the_server(live: LiveApi, server: Server) -> None:
    assert names(live) == ["p", "q"]
    server.put(pod("r"))
    assert names(live) == ["p", "q"]
    for _time in range(2):
        with live.fresh(POD):
            for _look in range(2):
                assert names(live) == ["p", "q", "r"]
                assert live.get(POD, "r", NS)["metadata"]["name"] == "r"
    assert names(live) == ["p", "q", "r"]
    assert server.asked() == ["list", "list", "get", "list", "get"], "each once, each time anew"


def test_after_a_fresh_look_nothing_is_kept_of_it(live: LiveApi, server: Server) -> None:
    """Leases are in no cache."""
    server.put({"kind": "Lease", "metadata": {"name": "one", "namespace": NS}})
    with live.fresh(POD):
        live.get(LEASE, "one", NS)
    for _look in range(2):
        live.get(LEASE, "one", NS)
    assert server.asked("leases") == ["get"] * 3


def test_a_version_has_been_seen_when_the_watch_has_told_of_it(
    live: LiveApi, server: Server
) -> None:
    _pods, version = live.list(POD, NS)
    mine = live.patch(POD, "p", {"metadata": {"labels": {"app": "mine"}}}, NS)
    marked = mine["metadata"]["resourceVersion"]
    assert not live.has_seen(POD, NS, marked)
    server.tell("MODIFIED", "p")
    server.change(POD, "q", NS, {"metadata": {"labels": {"app": "x"}}})
    server.tell("MODIFIED", "q")
    while not live.has_seen(POD, NS, marked):
        _pods, version = live.list(POD, NS)
        live.wait_change(POD, NS, resource_version=version, timeout=0.1)


def test_who_may_not_watch_reads_as_before(live: LiveApi, server: Server) -> None:
    server.before("list", "poddisruptionbudgets", Forbidden(403, "Forbidden", "no"))
    assert live.list(PDB, NS)[0] == []
    assert live.list(PDB, NS)[0] == []
    assert server.asked("poddisruptionbudgets") == ["list", "list", "list"]


def test_nodes_and_rights_are_remembered(live: LiveApi, server: Server) -> None:
    for _look in range(3):
        live.get(NODE, "a")
        assert live.may("create", POD, NS)
    assert server.asked("nodes") == ["get"]
    assert [c for c in server.calls if c.verb == "review"] == [server.calls[-1]]
    live._clock.sleep(MEMORY_SECONDS + 1)
    live.get(NODE, "a")
    assert live.may("create", POD, NS)
    assert server.asked("nodes") == ["get", "get"]


def test_other_kinds_and_the_whole_cluster_are_the_servers(live: LiveApi, server: Server) -> None:
    for _look in range(2):
        live.list(SECRET, NS)
        live.list(POD, field_selector="spec.nodeName=a")
    assert server.asked("secrets") == ["list", "list"]
    assert server.asked() == ["list", "list"]
    assert server.watched == []


def test_a_kind_can_be_watched_over_the_whole_cluster(server: Server) -> None:
    live = LiveApi(server, VirtualClock(), wide=[POD, NODE])
    assert names(live) == ["p", "q"]
    assert len(live.list(POD, field_selector="spec.nodeName=a")[0]) == 2
    assert len(live.list(NODE)[0]) == 1
    assert server.asked() == ["list"]
    assert ("Pod", None) in server.watched
    live.close()


def test_watches_can_be_begun_beforehand(live: LiveApi, server: Server) -> None:
    live.watch([POD, DEPLOYMENT], [NS])
    assert names(live) == ["p", "q"]
    assert live.list(DEPLOYMENT, NS)[0] == []
    assert server.asked() == server.asked("deployments") == ["list"]


def test_requests_are_limited(server: Server) -> None:
    LiveApi(server, VirtualClock(), requests_per_second=10.0)
    assert server.bucket is not None
    clock = VirtualClock()
    bucket = TokenBucket(clock, 10.0)
    began = clock.now
    for _request in range(20):
        bucket.take()
    assert clock.now == began  # twice the rate at once
    for _request in range(10):
        bucket.take()
    assert clock.now - began == pytest.approx(1.0)
