# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets which node."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import Forbidden
from ansible_collections.podplacement.core.plugins.module_utils.evacuation import assign as module
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.assign import (
    assign,
)
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.seekers import (
    Seeker,
    seeker,
)
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.snapshot import Snapshot
from ansible_collections.podplacement.core.plugins.module_utils.preflight import (
    judge as real_judge,
)
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, controller, node, pod

OWNER = controller()


def small(name: str, cpu: str, **spec: Any) -> Object:
    """A node with so much of cpu."""
    found = node(name, **spec)
    found["status"]["allocatable"]["cpu"] = cpu
    return found


def seeking(name: str, cpu: str = "1", owner: Object | None = None) -> Seeker:
    """A pod of node a that needs so much."""
    found = pod(name, owner=owner)
    found["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
    return seeker(found, found)


def places(
    seekers: list[Seeker], *objects: Object, targets: Any = ("b", "c"), validate: str = "strict"
) -> dict[str, str]:
    snapshot = Snapshot(FakeApi(node("a"), *objects), "a", targets)
    found = assign(snapshot, seekers, validate=validate)
    return {uid.removeprefix("uid-"): name for uid, name in found.items()}


def test_a_body_is_a_replica_of_the_old_pod_s_controller_and_nowhere_yet() -> None:
    old = pod("old", owner=OWNER)
    one = seeker(old, pod("new", on="b"))
    assert (one.uid, one.workload) == ("uid-old", OWNER["metadata"]["uid"])
    assert "nodeName" not in one.body["spec"]
    assert seeker(pod("bare"), pod("bare")).workload == "uid-bare"


def test_replicas_are_kept_apart_and_others_go_where_most_is_left() -> None:
    replica = pod("there", on="b", owner=OWNER)
    crowd = [pod(f"other-{n}", on="c") for n in range(2)]
    nodes = node("b"), node("c")
    assert places([seeking("one", owner=OWNER)], *nodes, replica, *crowd) == {"one": "c"}
    two = [seeking(name, owner=OWNER) for name in ("one", "two")]
    assert sorted(places(two, node("b"), node("c")).values()) == ["b", "c"]
    stranger = seeking("stranger")
    assert places([stranger], node("b"), node("c"), pod("x", on="b")) == {"stranger": "c"}


def test_room_that_was_given_away_is_gone() -> None:
    seekers = [seeking(name) for name in ("one", "two", "three")]
    assert len(places(seekers, small("b", "1"), small("c", "1"))) == 2


def test_spread_gives_way_where_it_would_leave_one_without_room() -> None:
    """2 and 2 spread leave no node for 3; packed, all find room."""
    seekers = [seeking("small-1", "2"), seeking("small-2", "2"), seeking("large", "3")]
    found = places(seekers, small("b", "4"), small("c", "3"))
    assert found == {"large": "c", "small-1": "b", "small-2": "b"}
    # The largest chooses first: with the emptiest node for it, the small ones would not fit.
    assert next(iter(found)) == "large"


@pytest.mark.parametrize(
    ("bad", "fits"),
    [
        ({"unschedulable": True}, False),
        ({"taints": [{"key": "k", "effect": "NoSchedule"}]}, False),
        ({"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}, True),
    ],
)
def test_a_target_must_fit(bad: dict[str, Any], fits: bool) -> None:
    assert bool(places([seeking("one")], node("b", **bad), targets=("b",))) is fits
    for validate in ("warn", "none"):
        assert places([seeking("one")], node("b", **bad), targets=("b",), validate=validate)


def test_a_target_that_does_not_exist_takes_nothing() -> None:
    assert places([seeking("one")], targets=("nowhere",)) == {}


def test_anywhere_is_any_node_but_this_one() -> None:
    seekers = [seeking(name) for name in ("one", "two", "three")]
    nodes = [small("b", "1"), small("c", "1"), node("d", unschedulable=True)]
    found = places(seekers, *nodes, targets=None)
    assert sorted(found.values()) == ["b", "c"]
    assert places(seekers, targets=None) == {}


def test_where_one_replica_finds_nothing_the_others_are_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged: list[str] = []

    def judge(body: Object, view: Any, **how: Any) -> Any:
        judged.append(body["metadata"]["name"])
        return real_judge(body, view, **how)

    monkeypatch.setattr(module, "judge", judge)
    full = [small(name, "500m") for name in ("b", "c")]
    seekers = [seeking(f"web-{n}", owner=OWNER) for n in range(3)]
    assert places(seekers, *full, targets=None) == {}
    assert set(judged) == {"web-0"}


def claim(name: str, where: str) -> list[Object]:
    """A claim and its volume, which is on that node."""
    bound = {"pv.kubernetes.io/bind-completed": "yes"}
    term = {"matchExpressions": [{"key": "name", "operator": "In", "values": [where]}]}
    return [
        {
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": NS, "annotations": bound},
            "spec": {"volumeName": name},
        },
        {
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}},
        },
    ]


@pytest.mark.parametrize("targets", [("b", "c"), None])
def test_replicas_with_volumes_of_their_own_are_judged_each_for_itself(targets: Any) -> None:
    owner, seekers, objects = controller("StatefulSet", "db"), [], []
    for name, where in (("db-0", "b"), ("db-1", "c")):
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": name}}
        found = pod(name, owner=owner, volumes=[volume])
        seekers.append(seeker(found, found))
        labelled = node(where)
        labelled["metadata"]["labels"] = {"name": where}
        objects += [labelled, *claim(name, where)]
    assert places(seekers, *objects, targets=targets) == {"db-0": "b", "db-1": "c"}


HOST = "kubernetes.io/hostname"
SELECTED = {"matchLabels": {"app": "web"}}
EVEN = {"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "DoNotSchedule"}


def host(name: str, **spec: Any) -> Object:
    """A node with its name as label."""
    found = node(name, **spec)
    found["metadata"]["labels"] = {HOST: name}
    return found


def replica(name: str, on: str, **spec: Any) -> Object:
    """A pod of one controller."""
    return pod(name, on=on, owner=OWNER, labels={"app": "web"}, **spec)


def leave(count: int, *there: str, policy: str = "Ignore", **how: Any) -> dict[str, str]:
    """So many spread replicas leave node a, others are there already."""
    rule = {"topologySpreadConstraints": [{**EVEN, "labelSelector": SELECTED} | _taints(policy)]}
    leaving = [replica(f"web-{n}", "a", **rule) for n in range(count)]
    others = [replica(f"there-{n}", on) for n, on in enumerate(there)]
    api = FakeApi(host("a"), host("b"), host("c"), *leaving, *others)
    seekers = [seeker(p, p) for p in leaving]
    return assign(Snapshot(api, "a", ("b", "c")), seekers, validate=how.get("validate", "strict"))


def _taints(policy: str) -> Object:
    return {"nodeTaintsPolicy": policy}


def test_spread_replicas_leave_as_far_as_their_spread_allows() -> None:
    """The node that is left stays a domain, with nobody in it."""
    assert sorted(leave(2).values()) == ["b", "c"]
    assert len(leave(4)) == 3
    assert len(leave(4, validate="none")) == 4
    assert len(leave(4, validate="warn")) == 4


def test_a_cordoned_node_is_no_domain_for_who_honors_taints() -> None:
    assert sorted(leave(4, policy="Honor").values()) == ["b", "b", "c", "c"]


def test_one_that_was_given_a_place_counts_there() -> None:
    """b has one: the first goes to c; the second may go to b then, if the empty a is no domain."""
    assert list(leave(2, "b").values()) == ["c"]
    assert set(leave(2, "b", policy="Honor").values()) == {"b", "c"}


def test_pods_that_must_be_apart_get_a_node_each() -> None:
    term = {"labelSelector": SELECTED, "topologyKey": HOST}
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    away = {"affinity": {"podAntiAffinity": {key: [term]}}}
    leaving = [replica(f"web-{n}", "a", **away) for n in range(3)]
    seekers = [seeker(p, p) for p in leaving]
    found = places(seekers, host("b"), host("c"), host("d"), *leaving, replica("x", "d", **away))
    assert sorted(found.values()) == ["b", "c"]


def test_who_is_there_may_keep_strangers_away() -> None:
    term = {"labelSelector": SELECTED, "topologyKey": HOST}
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    guard = pod("guard", on="b", affinity={"podAntiAffinity": {key: [term]}})
    one = seeker(replica("web-0", "a"), replica("web-0", "a"))
    assert places([one], host("b"), host("c"), guard) == {"web-0": "c"}


def test_one_that_stays_still_counts_where_it_is() -> None:
    """With one pod on each node another may go to b; if a were empty, b would have too many."""
    rule = {"topologySpreadConstraints": [{**EVEN, "labelSelector": SELECTED}]}
    stays, goes = (replica(f"web-{n}", "a", **rule) for n in range(2))
    stays["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1000"}}
    there = [replica("x", "b"), replica("y", "c")]
    api = FakeApi(host("a"), host("b"), host("c"), stays, goes, *there)
    seekers = [seeker(p, p) for p in (stays, goes)]
    found = assign(Snapshot(api, "a", ("b", "c")), seekers, validate="strict")
    assert list(found) == ["uid-web-1"]


def near(labels: dict[str, str]) -> Object:
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": HOST}
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    return {"affinity": {"podAffinity": {key: [term]}}}


def test_who_must_be_near_another_goes_where_that_went_before_it() -> None:
    front = pod("front", labels={"app": "front"})
    front["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "2"}}
    back = pod("back", labels={"app": "back"}, **near({"app": "front"}))
    narrow = host("b")
    narrow["status"]["allocatable"]["cpu"] = "1"
    seekers = [seeker(p, p) for p in (front, back)]
    assert places(seekers, narrow, host("c"), front, back) == {"front": "c", "back": "c"}


def test_a_new_pod_beside_the_old_one_must_be_apart_from_it() -> None:
    """Nodes a and b are one zone."""
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    term = {"labelSelector": SELECTED, "topologyKey": "zone"}
    old = replica("web-0", "a", affinity={"podAntiAffinity": {key: [term]}})
    zones = {"a": "1", "b": "1", "c": "2"}
    nodes = {name: host(name) for name in zones}
    for name, zone in zones.items():
        nodes[name]["metadata"]["labels"]["zone"] = zone
    for beside, wanted in ((True, "c"), (False, "b")):
        snapshot = Snapshot(FakeApi(*nodes.values(), old), "a", ("b", "c"))
        found = assign(snapshot, [seeker(old, old, beside=beside)], validate="strict")
        assert found == {"uid-web-0": wanted}


# ---- without the right to see namespaces

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
ELSEWHERE = {
    "labelSelector": SELECTED,
    "topologyKey": HOST,
    "namespaceSelector": {"matchLabels": {"team": "x"}},
}
APART = {"affinity": {"podAntiAffinity": {REQUIRED: [ELSEWHERE]}}}


def unseen(verb: str, leaving: list[Object], *there: Object, validate: str = "strict") -> list[str]:
    """What a user is told who may not do this with namespaces."""
    api = FakeApi(host("a"), host("b"), host("c"), *leaving, *there)
    api.before(verb, "namespaces", Forbidden(403, "Forbidden", "no"))
    told: dict[str, list[str]] = {}
    seekers = [seeker(p, p) for p in leaving]
    found = assign(Snapshot(api, "a", ("b", "c")), seekers, validate=validate, unseen=told)
    assert len(found) == len(leaving), "the scheduler has the last word"
    return [text for texts in told.values() for text in texts]


def test_terms_that_select_by_namespaces_nobody_may_list_are_told_once_a_workload() -> None:
    leaving = [replica(f"web-{n}", "a", **APART) for n in range(3)]
    (text,) = unseen("list", leaving)
    assert text == (
        f"Pod {NS}/web-0 demands pod anti-affinity, which the preflight does not check: "
        "this user may not list namespaces"
    )
    assert unseen("list", leaving, validate="none") == [], "nothing was to be judged"
    assert unseen("list", [replica("web-0", "a")]) == [], "it demands nothing"


def test_terms_of_others_that_nobody_can_judge_are_told() -> None:
    leaving = [replica("web-0", "a")]
    guard = pod("guard", on="b", **APART)
    (text,) = unseen("get", leaving, guard)
    assert text == (
        f"whether pods of other namespaces must be apart from Pod {NS}/web-0 was not checked: "
        "this user may not get its namespace"
    )
    assert unseen("get", leaving, pod("x", on="b")) == [], "nobody asks for it"
    by_label = {"labelSelector": {"matchLabels": {"app": "other"}}, "topologyKey": HOST}
    near = pod("near", on="b", affinity={"podAntiAffinity": {REQUIRED: [by_label]}})
    assert unseen("get", leaving, near) == [], "it asks for its own namespace alone"
