# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What k8s_placement_info says, read from an API server in memory."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.strategies import STRATEGIES
from ansible_collections.podplacement.core.plugins.module_utils.placement.run import placement_info
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, controller, deployment, node, pod

DEFAULTS: dict[str, Any] = {"gather": ["pods"], "label_selectors": []}


def info(api: FakeApi, **params: Any) -> dict[str, Any]:
    result = placement_info({**DEFAULTS, **params}, api, api.clock, False)
    assert result["changed"] is False
    assert api.writes() == []
    return result


def the_pod(api: FakeApi, **params: Any) -> dict[str, Any]:
    (item,) = info(api, **params)["pods"]
    return dict(item)


def event(about: Object, by: str, **more: Any) -> Object:
    told = {"kind": "Pod", "uid": about["metadata"]["uid"]}
    meta = {"name": f"e-{by}", "namespace": NS, "creationTimestamp": "2026-01-01T00:00:09Z"}
    return {
        "kind": "Event",
        "metadata": meta,
        "involvedObject": told,
        "reason": "Scheduled",
        **more,
    }


def claim(name: str, mode: str, volume: str = "") -> Object:
    spec = {"accessModes": [mode], "volumeName": volume}
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NS},
        "spec": spec,
    }


def volume(name: str, **spec: Any) -> Object:
    return {"kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


# ---- who placed it


@pytest.mark.parametrize(
    ("more", "placed"),
    [
        (
            {"reportingComponent": "mine", "eventTime": "2026-01-01T00:00:01.5Z"},
            {"by": "mine", "at": "2026-01-01T00:00:01.5Z", "source": "event"},
        ),
        (
            {"source": {"component": "old"}, "firstTimestamp": "2026-01-01T00:00:02Z"},
            {"by": "old", "at": "2026-01-01T00:00:02Z", "source": "event"},
        ),
        ({}, {"by": "", "at": "2026-01-01T00:00:09Z", "source": "event"}),
    ],
)
@pytest.mark.parametrize("params", [{}, {"namespace": NS}])
def test_an_event_says_who_placed_a_pod(
    more: dict[str, Any], placed: dict[str, str], params: dict[str, str]
) -> None:
    found = pod("p")
    assert the_pod(FakeApi(found, event(found, "x", **more)), **params)["placed"] == placed


def test_without_an_event_the_pod_s_own_marks_tell() -> None:
    bound = pod("p", annotations={"podplacement.io/scheduled-at": "2026-01-01T00:00:03Z"})
    assert the_pod(FakeApi(bound))["placed"] == {
        "by": "podplacement.io/k8s_pod_bind",
        "at": "2026-01-01T00:00:03Z",
        "source": "annotation",
    }
    static = pod("p", annotations={"kubernetes.io/config.mirror": "x"})
    assert the_pod(FakeApi(static))["placed"]["by"] == "kubelet"
    plain = pod("p")
    plain["status"]["conditions"].append(
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:04Z"}
    )
    assert the_pod(FakeApi(plain))["placed"] == {
        "by": "",
        "at": "2026-01-01T00:00:04Z",
        "source": "condition",
    }
    assert the_pod(FakeApi(pod("p", on="")))["placed"] == {"by": "", "at": "", "source": ""}


def test_events_that_may_not_be_read_are_a_warning() -> None:
    api = FakeApi(pod("p"))
    api.before("list", "events", Forbidden(403, "Forbidden", "user may not list events"))
    result = info(api)
    assert result["pods"][0]["placed"]["source"] == "condition"
    assert "may not list events" in result["warnings"][0]


# ---- how it would be moved


def test_the_options_of_a_move_change_its_verdict() -> None:
    forbidden = {"podplacement.io/do-not-move": "true"}
    out = pod("out", annotations=forbidden)
    scratch = pod("scratch", volumes=[{"name": "tmp", "emptyDir": {}}])
    critical = pod("critical", priorityClassName="system-node-critical")
    api = FakeApi(out, scratch, critical)

    def codes(**params: Any) -> dict[str, str]:
        return {i["name"]: i["move"]["code"] for i in info(api, **params)["pods"]}

    assert codes() == {"out": "OptedOut", "scratch": "LocalData", "critical": "SystemPod"}
    allowed = dict.fromkeys(["force", "delete_emptydir_data", "system_pods"], True)
    assert set(codes(**allowed).values()) == {""}


def test_an_owner_s_opt_out_is_named() -> None:
    above = deployment()
    above["metadata"]["annotations"] = {"podplacement.io/do-not-move": "true"}
    owner = controller(above=above)
    item = the_pod(FakeApi(above, owner, pod("p", owner=owner)))
    assert item["move"]["code"] == "OptedOut"
    assert item["opt_outs"] == [
        {
            "object": f"Deployment {NS}/web",
            "annotation": "podplacement.io/do-not-move",
            "value": "true",
        }
    ]


def test_rights_are_not_judged() -> None:
    api = FakeApi(pod("p"))
    api.denied.add(("create", "pods"))
    assert the_pod(api)["move"]["strategy"] == "recreate"
    assert "review" not in {call.verb for call in api.calls}


# ---- volumes


def test_volumes_that_hold_data() -> None:
    mounts = [
        {"name": "config", "configMap": {}},
        {"name": "token", "projected": {}},
        {"name": "host", "hostPath": {"path": "/"}},
        {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}},
        {"name": "local", "persistentVolumeClaim": {"claimName": "local"}},
        {"name": "zoned", "persistentVolumeClaim": {"claimName": "zoned"}},
        {"name": "lost", "persistentVolumeClaim": {"claimName": "lost"}},
        {"name": "own", "ephemeral": {}},
    ]
    api = FakeApi(
        pod("p", volumes=mounts),
        claim("shared", "ReadWriteMany", "v1"),
        claim("local", "ReadWriteOncePod", "v2"),
        claim("zoned", "ReadWriteOnce", "v3"),
        claim("p-own", "ReadWriteOnce"),
        volume("v1", nfs={}),
        volume("v2", local={"path": "/"}),
        volume("v3", csi={}, nodeAffinity={"required": {"nodeSelectorTerms": [{}]}}),
    )
    told = {
        v["name"]: (v["kind"], v["claim"], v["persistent_volume"], v["attaches"], v["node_bound"])
        for v in the_pod(api)["volumes"]
    }
    claimed = "persistentVolumeClaim"
    assert told == {
        "host": ("hostPath", "", "", "one_node", True),
        "shared": (claimed, "shared", "v1", "shared", False),
        "local": (claimed, "local", "v2", "one_pod", True),
        "zoned": (claimed, "zoned", "v3", "one_node", True),
        "lost": (claimed, "lost", "", "", False),
        "own": ("ephemeral", "p-own", "", "one_node", False),
    }


# ---- how much is asked


def test_many_pods_cost_few_requests() -> None:
    owners = [controller(name=f"web-{n}", above=deployment(f"web{n}")) for n in range(20)]
    above = [deployment(f"web{n}") for n in range(20)]
    pods = [pod(f"p-{n}-{i}", owner=owners[n], on="a") for n in range(20) for i in range(10)]
    for name in pods:
        name["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]
    nodes = [node("a"), node("b")]
    api = FakeApi(*owners, *above, *pods, *nodes, claim("c", "ReadWriteMany", "v"), volume("v"))
    result = info(api, gather=["pods", "nodes"], explain={"pod": f"{NS}/p-0-0", "nodes": None})
    assert len(result["pods"]) == 200
    assert {item["move"]["strategy"] for item in result["pods"]} == {"adopt"}
    assert {n["name"]: n["pods"] for n in result["nodes"]} == {"a": 200, "b": 0}
    assert [e["fits"] for e in result["explain"]] == [False, True]
    calls = [(call.verb, call.resource) for call in api.calls]
    assert len(calls) == len(set(calls)) == 9, calls


# ---- pod and node


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"evict", "surge"}))
def test_the_pod_that_a_move_would_create_is_explained(strategy: str) -> None:
    kind = "StatefulSet" if strategy == "steer" else "ReplicaSet"
    owner = None if strategy == "recreate" else controller(kind)
    found = pod("web-0", owner=owner)
    if strategy == "replace":
        mount = {"name": "d", "persistentVolumeClaim": {"claimName": "c"}}
        found["spec"]["volumes"] = [mount]
    if strategy == "shadow":
        found["metadata"]["annotations"]["openshift.io/scc"] = "restricted"
    objects = [found, node("a"), node("b"), claim("c", "ReadWriteOnce", "v"), volume("v")]
    api = FakeApi(*objects, *([owner] if owner else []))
    assert the_pod(api)["move"]["strategy"] == strategy
    result = info(api, gather=[], explain={"pod": f"{NS}/web-0", "nodes": None})["explain"]
    assert [(e["judged"], e["node"], e["here"]) for e in result] == [
        ("replacement", "a", True),
        ("replacement", "b", False),
    ]
    assert [e["fits"] for e in result] == [True, True], result


def test_a_pod_makes_room_for_its_replacement() -> None:
    full = node("a")
    full["status"]["allocatable"]["cpu"] = "1"
    api = FakeApi(pod("p"), full)
    (told,) = info(api, gather=[], explain={"pod": f"{NS}/p", "nodes": ["a"]})["explain"]
    assert (told["judged"], told["here"], told["fits"]) == ("replacement", True, True)


def test_a_pod_that_cannot_be_moved_is_explained_as_it_is() -> None:
    api = FakeApi(pod("p", annotations={"podplacement.io/do-not-move": "true"}), node("b"))
    (told,) = info(api, gather=[], explain={"pod": f"{NS}/p", "nodes": ["b"]})["explain"]
    assert (told["judged"], told["fits"]) == ("pod", True)


def test_every_reason_of_a_rule_is_told() -> None:
    small = node("b", unschedulable=True)
    small["status"]["allocatable"] = {"cpu": "500m", "memory": "1Gi", "pods": "0"}
    api = FakeApi(pod("p"), small)
    (told,) = info(api, gather=[], explain={"pod": "p", "nodes": ["b"]}, namespace=NS)["explain"]
    rejected = {r["rule"]: r["rejections"] for r in told["rules"] if r["verdict"] == "rejected"}
    assert {rule: [r["code"] for r in found] for rule, found in rejected.items()} == {
        "NodeUnschedulable": ["NodeUnschedulable"],
        "NodeResourcesFit": ["TooManyPods", "InsufficientCpu"],
    }
    assert all(r["reason"] and r["detail"] for found in rejected.values() for r in found)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"gather": ["nodes"], "node": "nowhere"}, "NodeNotFound"),
        ({"explain": {"pod": "p", "nodes": None}}, "BadRequest"),
        ({"explain": {"pod": f"{NS}/", "nodes": None}}, "BadRequest"),
        ({"explain": {"pod": f"{NS}/nobody", "nodes": None}}, "PodNotFound"),
    ],
)
def test_what_cannot_be_answered(params: dict[str, Any], code: str) -> None:
    with pytest.raises(PlacementError) as caught:
        info(FakeApi(), **params)
    assert caught.value.code == code
