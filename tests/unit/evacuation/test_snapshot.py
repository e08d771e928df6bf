# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot asks once, and never writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    NotFound,
)
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.outline import outline
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.snapshot import Snapshot
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    MOVE_ID,
    MOVED_FROM_NAME,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    DEPLOYMENT,
    NODE,
    POD,
    PVC,
    REPLICA_SET,
    SERVICE,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.fit import View, node_free
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, controller, deployment, node, pod, service

ABOVE = deployment()
OWNER = controller(above=ABOVE)


def cluster(*more: Object) -> FakeApi:
    nodes = [node(name) for name in "abc"]
    return FakeApi(*nodes, ABOVE, OWNER, pod("old", owner=OWNER), pod("far", on="b"), *more)


def asked(api: FakeApi) -> Counter[tuple[str, str]]:
    return Counter((call.verb, call.resource) for call in api.calls)


def test_each_list_is_read_once_and_serves_single_reads() -> None:
    api = cluster(service())
    snapshot = Snapshot(api, "a")
    for _turn in range(3):
        assert snapshot.get(REPLICA_SET, "web-5d4f", NS)["metadata"]["uid"] == "uid-web-5d4f"
        assert snapshot.get(DEPLOYMENT, "web", NS)
        assert len(snapshot.list(SERVICE, NS)[0]) == 1
        assert snapshot.get(NODE, "b")
        assert snapshot.get(POD, "old", NS)
        assert [p["metadata"]["name"] for p in snapshot.pods()] == ["old"]
        with pytest.raises(NotFound):
            snapshot.get(REPLICA_SET, "none", NS)
        with pytest.raises(NotFound):
            snapshot.get(NODE, "none")
        with pytest.raises(NotFound):
            snapshot.get(PVC, "none", NS)
    counts = asked(api)
    assert counts.pop(("list", "pods")) == 1
    assert set(counts.values()) == {1}
    assert ("get", "pods") not in counts


def test_pods_are_known_from_any_list() -> None:
    api = cluster()
    snapshot = Snapshot(api, "", ["a"])
    snapshot.list(POD, NS, label_selector="app=web")
    assert snapshot.get(POD, "far", NS)["spec"]["nodeName"] == "b"
    assert asked(api) == {("list", "pods"): 1}


def test_only_chosen_pods_are_the_node_s() -> None:
    api = cluster(pod("db", labels={"app": "db"}))
    snapshot = Snapshot(api, "a", selector="app=db")
    assert [p["metadata"]["name"] for p in snapshot.pods()] == ["db"]


@pytest.mark.parametrize(("targets", "lists"), [(("b", "c"), 2), (None, 1)])
def test_other_nodes_are_listed_one_by_one_when_they_are_few(targets: Any, lists: int) -> None:
    api = cluster(pod("over", on="b", phase="Succeeded"))
    snapshot = Snapshot(api, "a", targets)
    for _turn in range(2):
        found, _version = snapshot.list(POD, field_selector="spec.nodeName=b,status.phase!=Failed")
        assert [p["metadata"]["name"] for p in found] == ["far"]
        assert snapshot.list(POD, field_selector="spec.nodeName=c")[0] == []
    assert asked(api)["list", "pods"] == lists


def test_a_node_that_is_no_target_is_asked_for() -> None:
    api = cluster()
    snapshot = Snapshot(api, "a", ["c"])
    assert snapshot.list(POD, field_selector="spec.nodeName=b")[0][0]["spec"]["containers"]
    assert snapshot.list(POD, field_selector="spec.nodeName=a")[0]


def test_who_may_everywhere_is_not_asked_about_each_namespace() -> None:
    api = cluster()
    snapshot = Snapshot(api, "a")
    for namespace in ("one", "two", "one"):
        assert snapshot.may("create", POD, namespace, "eviction")
    assert asked(api) == {("review", "pods/eviction"): 1}


def test_who_may_not_everywhere_may_in_a_namespace() -> None:
    class Local(FakeApi):
        def may(self, verb: str, kind: Any, namespace: Any = None, subresource: str = "") -> bool:
            super().may(verb, kind, namespace, subresource)
            return bool(namespace == "mine")

    api = Local()
    snapshot = Snapshot(api, "a")
    for _turn in range(2):
        assert snapshot.may("create", POD, "mine")
        assert not snapshot.may("create", POD, "other")
        assert not snapshot.may("list", NODE)
    assert asked(api) == {("review", "pods"): 3, ("review", "nodes"): 1}


def replacement(name: str, target: str, cpu: str = "1") -> Object:
    found = pod(name, on="", labels={"app": "web", MOVE_ID: name})
    found["metadata"]["annotations"] = {MOVED_FROM_NAME: name}
    del found["metadata"]["uid"]  # the server's
    found["spec"]["affinity"] = {"nodeAffinity": target}
    found["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu
    return found


def test_a_dry_run_stands_for_all_replicas() -> None:
    api = cluster()
    snapshot = Snapshot(api, "a")
    one, two = (replacement(name, name) for name in ("one", "two"))
    snapshot.create(POD, one, NS, dry_run=True)
    made = snapshot.create(POD, two, NS, dry_run=True)
    assert asked(api) == {("create", "pods"): 1}
    for where in ("name", "labels", "annotations"):
        assert made["metadata"][where] == two["metadata"][where]
    assert made["spec"] == two["spec"]
    snapshot.create(POD, replacement("big", "x", cpu="2"), NS, dry_run=True)
    assert asked(api) == {("create", "pods"): 2}


def test_a_refusal_is_remembered_too() -> None:
    api = cluster()
    api.before("create", "pods", Forbidden(403, "Forbidden", "exceeded quota"))
    snapshot = Snapshot(api, "a")
    for name in ("one", "two"):
        with pytest.raises(Forbidden):
            snapshot.create(POD, replacement(name, "b"), NS, dry_run=True)
    assert asked(api) == {("create", "pods"): 1}


def test_dry_runs_pass_and_writes_do_not() -> None:
    api = cluster()
    snapshot = Snapshot(api, "a")
    guard = {"uid": "uid-old"}
    snapshot.patch(POD, "old", {"metadata": guard}, NS, dry_run=True)
    snapshot.delete(POD, "old", NS, uid="uid-old", dry_run=True)
    snapshot.evict("old", NS, uid="uid-old", dry_run=True)
    assert api.writes() == []
    writes: list[Callable[[], Any]] = [
        lambda: snapshot.create(POD, replacement("one", "b"), NS),
        lambda: snapshot.patch(POD, "old", {}, NS),
        lambda: snapshot.delete(POD, "old", NS, uid="uid-old"),
        lambda: snapshot.evict("old", NS, uid="uid-old"),
        lambda: snapshot.bind(
            "old", NS, "b", uid="u", resource_version="1", annotations={}, dry_run=False
        ),
        lambda: snapshot.wait_change(POD, NS, resource_version="1", timeout=1),
    ]
    for write in writes:
        with pytest.raises(AssertionError):
            write()
    assert api.writes() == []


@pytest.mark.parametrize("reason", ["Deferred", "Infeasible"])
def test_an_outline_takes_the_room_of_its_pod(reason: str) -> None:
    whole = pod(
        "p",
        owner=OWNER,
        initContainers=[
            {
                "name": "sidecar",
                "restartPolicy": "Always",
                "image": "x",
                "ports": [{"hostPort": 80}, {"containerPort": 1}],
                "resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}},
            }
        ],
        overhead={"cpu": "250m"},
        volumes=[
            {"name": "data", "persistentVolumeClaim": {"claimName": "c"}},
            {"name": "tmp", "emptyDir": {}},
        ],
    )
    whole["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "4"}}
    whole["status"]["containerStatuses"] = [
        {"name": "app", "resources": {"requests": {"cpu": "3"}}, "state": {"running": {}}}
    ]
    whole["status"]["conditions"].append({"type": "PodResizePending", "reason": reason})
    brief = outline(whole)
    here = node("a")
    assert node_free(View(here, [brief])) == node_free(View(here, [whole]))
    assert [v["name"] for v in brief["spec"]["volumes"]] == ["data"]
    assert brief["spec"]["initContainers"][0]["ports"] == [{"hostPort": 80}]
    assert "labels" not in brief["metadata"]
    assert outline(pod("q"))["metadata"].keys() == {"name", "namespace", "uid"}
