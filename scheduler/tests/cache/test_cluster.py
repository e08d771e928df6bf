# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every pod with a node counts, once, where it is, until it is gone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from podplacement_scheduler.api.kinds import CLAIMS, NODES, PODS, VOLUMES
from podplacement_scheduler.cache.sinks import fill
from podplacement_scheduler.framework.interface import Event

from .objects import OTHERS, World, node, pod, raw


def believed(world: World, uid: str) -> Any:
    return world.cluster.pods[uid]


def test_pods_of_every_scheduler_count_also_those_being_deleted() -> None:
    world = World(node("node-1"))
    world.pods(
        "ADDED",
        pod("a", node="node-1", phase="Running"),
        pod("b", node="node-1", scheduler=OTHERS),
        pod("c", node="node-1", deleted=True),
        pod("d", node="node-1", phase="Succeeded"),
        pod("e", node="node-1", phase="Failed"),
        pod("f"),
    )
    assert world.cpu("node-1") == 300
    info = world.cluster.node("node-1")
    assert info is not None
    assert info.requested["pods"] == 3
    assert {found.uid for found in info.pods} == {"a", "b", "c"}
    assert info.allocatable == {"cpu": 4000, "memory": 8 << 30, "pods": 10}


def test_a_pod_leaves_when_it_ends_or_is_deleted_and_others_are_told() -> None:
    world = World(node("node-1"))
    world.pods("ADDED", pod("a", node="node-1"), pod("b", node="node-1"))
    world.told.clear()
    world.pods("MODIFIED", pod("a", version=2, node="node-1", phase="Succeeded"))
    world.pods("DELETED", pod("b", version=3, node="node-1"))
    assert world.cpu("node-1") == 0
    assert world.told.events == [Event.POD_REMOVED, Event.POD_REMOVED]
    assert world.cluster.pods == {}


def test_an_assumed_pod_counts_until_it_is_forgotten() -> None:
    world = World(node("node-1"))
    world.pods("ADDED", pod("a"))
    world.cluster.assume(believed(world, "a"), "node-1")
    assert world.cpu("node-1") == 100
    assert world.cluster.assumed()["a"].node_name == "node-1"
    world.told.clear()
    world.cluster.forget("a")
    world.cluster.forget("a")
    assert world.cpu("node-1") == 0
    assert world.told.events == [Event.POD_REMOVED]


def test_the_watch_confirms_an_assumed_pod() -> None:
    world = World(node("node-1"))
    world.pods("ADDED", pod("a"))
    world.cluster.assume(believed(world, "a"), "node-1")
    version = world.cluster.table.version
    world.pods("MODIFIED", pod("a", version=2, node="node-1"))
    assert world.cluster.assumed() == {}
    assert world.cpu("node-1") == 100
    assert [gone.node_name for gone in world.told.gone] == ["node-1"]
    assert world.cluster.table.version == version, "nothing has changed for anybody else"
    world.cluster.forget("a")
    assert world.cpu("node-1") == 100, "what a watch has shown is not forgotten"


def test_a_pod_that_another_scheduler_was_faster_with_moves() -> None:
    world = World(node("node-1"), node("node-2"))
    world.pods("ADDED", pod("a"))
    world.cluster.assume(believed(world, "a"), "node-1")
    world.pods("MODIFIED", pod("a", version=2, node="node-2"))
    assert (world.cpu("node-1"), world.cpu("node-2")) == (0, 100)
    world.cluster.forget("a")
    assert (world.cpu("node-1"), world.cpu("node-2")) == (0, 100)


def test_nothing_is_assumed_of_a_pod_that_a_watch_has_shown_with_a_node() -> None:
    world = World(node("node-1"), node("node-2"))
    world.pods("ADDED", pod("a"))
    stale = believed(world, "a")
    world.pods("MODIFIED", pod("a", version=2, node="node-2"))
    world.cluster.assume(stale, "node-1")
    assert (world.cpu("node-1"), world.cpu("node-2")) == (0, 100)
    assert world.cluster.assumed() == {}


def test_an_assumed_pod_that_is_seen_unbound_stays_assumed_and_is_not_offered_again() -> None:
    world = World(node("node-1"))
    world.pods("ADDED", pod("a"))
    world.cluster.assume(believed(world, "a"), "node-1")
    world.told.clear()
    world.pods("MODIFIED", pod("a", version=2, cpu="300m"))
    assert world.cpu("node-1") == 300
    assert world.told.pending == []
    world.list_pods(pod("a", version=2, cpu="300m"))
    assert world.cpu("node-1") == 300
    assert world.told.pending == []
    assert believed(world, "a").resource_version == "2"


def test_a_pod_of_the_same_name_is_another_pod() -> None:
    world = World(node("node-1"))
    world.pods("ADDED", pod("web-0/old", node="node-1"), pod("web-0/new", version=5))
    world.pods("DELETED", pod("web-0/old", version=6, node="node-1"))
    assert list(world.cluster.pods) == ["web-0/new"]
    assert world.cpu("node-1") == 0
    world.pods("DELETED", pod("web-0/other", version=7))
    assert list(world.cluster.pods) == ["web-0/new"]


def test_pods_count_on_a_node_that_is_not_there_yet_or_any_more() -> None:
    world = World()
    world.pods("ADDED", pod("a", node="node-1"))
    assert world.cluster.node("node-1") is None
    world.nodes("ADDED", node("node-1"))
    assert world.cpu("node-1") == 100
    world.nodes("DELETED", node("node-1", version=2))
    assert (world.cluster.node("node-1"), world.cluster.node_count) == (None, 0)
    world.nodes("ADDED", node("node-1", version=3, uid="another"))
    assert world.cpu("node-1") == 100
    world.nodes("DELETED", node("node-1", version=4))
    assert world.cluster.node("node-1") is not None, "that was the one before"
    world.pods("DELETED", pod("a", version=5, node="node-1"))
    world.nodes("DELETED", node("node-1", version=6, uid="another"))
    assert world.cluster.table.index == {}


def test_a_list_is_the_truth_for_what_it_holds_and_for_what_it_does_not() -> None:
    world = World(node("node-1"))
    world.pods("ADDED", pod("a"), pod("b"), pod("c", node="node-1"), pod("d", node="node-1"))
    world.cluster.assume(believed(world, "a"), "node-1")
    world.cluster.assume(believed(world, "b"), "node-1")
    world.told.clear()
    world.list_pods(pod("a"), pod("d", node="node-1"), pod("e", version=9))
    assert set(world.cluster.pods) == {"a", "d", "e"}
    assert set(world.cluster.assumed()) == {"a"}
    assert world.cpu("node-1") == 200
    assert [found.uid for found in world.told.pending] == ["e"]
    assert [found.uid for found in world.told.gone] == ["b"]
    assert world.told.events == [Event.POD_REMOVED, Event.POD_REMOVED]
    assert world.cluster.fingerprint(PODS) == {"a": "1", "d": "1", "e": "9"}


def test_a_list_of_nodes_removes_those_it_does_not_hold() -> None:
    world = World(node("node-1"), node("node-2"))
    world.list_nodes(node("node-2"), node("node-3"))
    assert set(world.cluster.table.index) == {"node-2", "node-3"}
    assert world.cluster.fingerprint(NODES) == {"uid-of-node-2": "1", "uid-of-node-3": "1"}


def test_replays_and_older_events_change_nothing_and_an_older_list_does() -> None:
    world = World(node("node-1"))
    world.pods("ADDED", pod("a", version=9))
    world.pods("MODIFIED", pod("a", version=10, node="node-1"))
    version = world.cluster.table.version
    world.told.clear()
    world.pods("MODIFIED", pod("a", version=10, node="node-1"))
    world.pods("ADDED", pod("a", version=9))
    world.nodes("MODIFIED", node("node-1"))
    assert world.cpu("node-1") == 100
    assert world.cluster.table.version == version
    assert (world.told.pending, world.told.events) == ([], [])
    # As after a restore of the API server's storage.
    world.list_pods(pod("a", version=3))
    assert world.cpu("node-1") == 0
    assert [found.uid for found in world.told.pending] == ["a"]


def test_the_queue_is_told_what_may_be_placed() -> None:
    world = World(node("node-1"))
    gate = [{"name": "example.com/wait"}]
    world.pods("ADDED", pod("a", schedulingGates=gate), pod("b", scheduler=OTHERS))
    world.pods("ADDED", pod("c", deleted=True), pod("d", node="node-1"), pod("e"))
    assert [found.uid for found in world.told.pending] == ["a", "e"]
    world.told.clear()
    world.pods("MODIFIED", pod("a", version=2))
    world.pods("MODIFIED", pod("e", version=2, status={"conditions": [{"type": "Other"}]}))
    assert [found.uid for found in world.told.pending] == ["a", "e"]
    assert world.told.events == [Event.POD_CHANGED], "a status of ours is no change"
    world.pods("MODIFIED", pod("a", version=3, deleted=True))
    world.pods("DELETED", pod("e", version=3))
    assert [found.uid for found in world.told.gone] == ["a", "e"]


def test_a_resize_downwards_makes_room() -> None:
    world = World(node("node-1"))
    world.pods("ADDED", pod("a", node="node-1"))
    world.told.clear()
    world.pods("MODIFIED", pod("a", version=2, node="node-1", cpu="200m"))
    assert world.told.events == []
    world.pods("MODIFIED", pod("a", version=3, node="node-1", cpu="50m"))
    assert world.told.events == [Event.POD_REMOVED]
    assert world.cpu("node-1") == 50


def test_a_heartbeat_is_no_change_and_all_else_of_a_node_is() -> None:
    world = World(node("node-1"))
    assert world.told.events == [Event.NODE_ADDED]
    world.told.clear()
    version = world.cluster.table.version
    world.nodes("MODIFIED", node("node-1", version=2, heartbeat=1))
    assert (world.told.events, world.cluster.table.version) == ([], version)
    assert world.cluster.fingerprint(NODES) == {"uid-of-node-1": "2"}
    taint = {"key": "example.com/x", "effect": "NoSchedule"}
    changed: list[dict[str, Any]] = [
        {"taints": [taint]},
        {"unschedulable": True},
        {"labels": {"disk": "ssd"}},
        {"cpu": "8"},
    ]
    for number, change in enumerate(changed):
        world.told.clear()
        world.nodes("MODIFIED", node("node-1", version=3 + number, **change))
        assert world.told.events == [Event.NODE_CHANGED], change
    info = world.cluster.node("node-1")
    assert info is not None
    assert info.object["metadata"]["resourceVersion"] == "6"


def test_nodes_out_of_scope_are_counted_and_never_used() -> None:
    world = World(node("mine", labels={"pool": "ours"}), node("other"), selector={"pool": "ours"})
    world.pods("ADDED", pod("a", node="other"))
    assert [info.name for info in world.cluster.nodes] == ["mine"]
    assert (world.cluster.node("other"), world.cpu("other")) == (None, 100)
    world.nodes("MODIFIED", node("other", version=2, labels={"pool": "ours"}))
    assert world.cluster.node_count == 2


@pytest.mark.parametrize("event", ["ADDED", "MODIFIED", "DELETED"])
@pytest.mark.parametrize("text", [b"", b"[1]", b'{"metadata":{}}', b"\xff", b'{"spec":7}'])
def test_what_cannot_be_read_is_left_out(event: str, text: bytes) -> None:
    world = World(node("node-1"))
    for kind in (PODS, NODES, CLAIMS):
        world.cluster.sink(kind).apply(event, text)
    fill(world.cluster.sink(PODS), [text, raw(pod("a"))])
    assert set(world.cluster.pods) == {"a"}


def test_a_node_that_cannot_be_read_is_not_used() -> None:
    world = World(node("node-1", cpu="much"), node("node-2", taints=[]))
    broken = node("node-2", version=2)
    broken["metadata"]["labels"] = 7
    world.nodes("MODIFIED", broken)
    assert world.cluster.node_count == 0


def test_a_node_remembers_no_resource_that_it_no_longer_offers() -> None:
    world = World(node("node-1"))
    gpu = node("node-1", version=2)
    gpu["status"]["allocatable"]["example.com/gpu"] = "2"
    world.nodes("MODIFIED", gpu)
    info = world.cluster.node("node-1")
    assert info is not None
    assert info.allocatable["example.com/gpu"] == 2
    world.nodes("MODIFIED", node("node-1", version=3))
    assert "example.com/gpu" not in info.allocatable


def test_the_numbers_of_a_row_know_of_a_resource_that_another_node_brings() -> None:
    world = World(node("node-1"))
    table = world.cluster.table
    row = table.index["node-1"]
    assert len(table.numbers(row).there) == len(table.columns)
    other = node("node-2")
    other["status"]["allocatable"]["example.com/gpu"] = "2"
    world.nodes("ADDED", other)
    column = table.columns["example.com/gpu"]
    assert (table.numbers(row).there[column], table.numbers(row).used[column]) == (0, 0)


def test_images_are_counted_over_the_nodes_in_use() -> None:
    world = World()
    for number in range(3):
        one = node(f"node-{number}")
        one["status"]["images"] = [{"names": ["app:1", "app@sha256:0"], "sizeBytes": 5}]
        world.nodes("ADDED", one)
    assert world.cluster.nodes_with_image("app:1") == 3
    world.nodes("MODIFIED", node("node-0", version=2))
    world.nodes("DELETED", node("node-1"))
    assert world.cluster.nodes_with_image("app:1") == 1


def claim(name: str, version: int = 1, volume: str = "") -> bytes:
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": str(version)}
    return raw({"metadata": metadata, "spec": {"volumeName": volume}})


def test_claims_their_volumes_and_their_users_are_known() -> None:
    world = World(node("node-1"))
    mounts = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    world.pods("ADDED", pod("a", volumes=mounts), pod("b", volumes=mounts, node="node-1"))
    found, storage = believed(world, "a"), world.cluster.storage
    assert storage.of(found) == {"data": None}
    stamps = [storage.stamp(found)]
    world.cluster.sink(CLAIMS).apply("ADDED", claim("data", volume="pv-1"))
    stamps.append(storage.stamp(found))
    metadata = {"name": "pv-1", "uid": "pv-1", "resourceVersion": "1"}
    world.cluster.sink(VOLUMES).apply("ADDED", raw({"metadata": metadata}))
    stamps.append(storage.stamp(found))
    assert len(set(stamps)) == 3
    known = storage.of(found)["data"]
    assert known is not None
    assert (known[0]["spec"]["volumeName"], known[1]) == ("pv-1", {"metadata": metadata})
    assert [user.uid for user in storage.users("data", "shop")] == ["b"]
    world.cluster.assume(found, "node-1")
    assert {user.uid for user in storage.users("data", "shop")} == {"a", "b"}
    world.cluster.forget("a")
    world.pods("DELETED", pod("b", version=2, volumes=mounts, node="node-1"))
    assert storage.users("data", "shop") == []


def test_a_change_of_storage_is_told_and_a_replay_is_not() -> None:
    world = World()
    sink, epochs = world.cluster.sink(CLAIMS), [world.cluster.epoch]
    sink.apply("ADDED", claim("data", 5))
    epochs.append(world.cluster.epoch)
    sink.apply("MODIFIED", claim("data", 5))
    sink.apply("MODIFIED", claim("data", 4))
    assert world.told.events == [Event.VOLUME_CHANGED]
    fill(sink, [claim("data", 5)])
    assert world.told.events == [Event.VOLUME_CHANGED]
    epochs.append(world.cluster.epoch)
    sink.replace([])
    epochs.append(world.cluster.epoch)
    assert [epoch == before for before, epoch in pairwise(epochs)] == [False, True, False]
    assert world.told.events == [Event.VOLUME_CHANGED] * 2
    assert world.cluster.fingerprint(CLAIMS) == {}


def test_pods_with_anti_affinity_are_kept_apart() -> None:
    world = World(node("node-1", labels={"zone": "a"}))
    terms = [{"topologyKey": "zone", "labelSelector": {}}]
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    world.pods("ADDED", pod("a", node="node-1", affinity=affinity), pod("b", node="node-1"))
    kept = world.cluster.anti_affinity
    assert [found.uid for found in kept.pods] == ["a"]
    assert world.cluster.node_labels("node-1")["zone"] == "a"
    version = kept.version
    world.nodes("MODIFIED", node("node-1", version=2, labels={"zone": "b"}))
    assert kept.version > version
    world.pods("DELETED", pod("a", version=3, node="node-1"))
    assert list(kept.pods) == []
