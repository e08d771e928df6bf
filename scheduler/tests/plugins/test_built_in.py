# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each built-in plugin says what kube-scheduler would say, in its words."""

from __future__ import annotations

from typing import Any

import pytest

from podplacement_scheduler.engine.entry import Entry
from podplacement_scheduler.errors import ConfigError
from podplacement_scheduler.framework.interface import Code, CycleState, Status

from .here import BOUND, Here, judge, plugin, pod_body

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
CLAIMS_FIRST = ("VolumeBinding", "VolumeZone", "VolumeRestrictions", "NodeVolumeLimits")


def pre_filter(judging: Any, pod: Any) -> Status:
    status: Status = judging.pre_filter(CycleState(), pod)
    return status


@pytest.fixture
def here() -> Here:
    found = Here()
    found.add_node("n1", labels={"zone": "a", "topology.kubernetes.io/zone": "a"})
    found.add_node("n2", labels={"zone": "b", "topology.kubernetes.io/zone": "b"})
    return found


def test_a_gated_pod_does_not_enter(here: Here) -> None:
    gates = plugin("SchedulingGates", here)
    gated = here.add_pod("gated", schedulingGates=[{"name": "quota"}, {"name": "audit"}])
    status = gates.pre_enqueue(gated)
    assert status.reasons == ("waiting for scheduling gates: [quota audit]",)
    assert status.code is Code.UNRESOLVABLE
    assert gates.pre_enqueue(here.add_pod("free")).ok


def test_the_highest_priority_goes_first_then_who_came_first(here: Here) -> None:
    sort = plugin("PrioritySort", here)
    high = Entry(here.add_pod("high", priority=10), 5.0)
    early, late = Entry(here.add_pod("early"), 1.0), Entry(here.add_pod("late"), 2.0)
    assert sorted([late, early, high], key=sort.sort_key) == [high, early, late]
    assert sort.less(high, early)
    assert sort.less(early, late)
    assert not sort.less(late, early)
    assert not sort.less(early, early)


@pytest.mark.parametrize(
    ("name", "node", "spec", "reason"),
    [
        ("NodeUnschedulable", {"unschedulable": True}, {}, "node(s) were unschedulable"),
        (
            "TaintToleration",
            {"taints": [{"key": "gpu", "effect": "NoSchedule"}]},
            {},
            "node(s) had untolerated taint(s)",
        ),
        (
            "NodeAffinity",
            {},
            {"nodeSelector": {"disk": "ssd"}},
            "node(s) didn't match Pod's node affinity/selector",
        ),
        (
            "NodePorts",
            {},
            {"ports": (80,)},
            "node(s) didn't have free ports for the requested pod ports",
        ),
        ("NodeResourcesFit", {}, {"requests": {"cpu": "9"}}, "Insufficient cpu"),
    ],
)
def test_a_filter_refuses_in_upstreams_words(
    here: Here, name: str, node: dict[str, Any], spec: dict[str, Any], reason: str
) -> None:
    here.add_node("here", **node)
    here.add_pod("other", "here", ports=(80,))
    judging = plugin(name, here)
    assert judge(judging, here.add_pod("mine", **spec), here, "here").reasons == (reason,)
    assert judge(judging, here.add_pod("plain"), here, "n1").ok


def test_a_refusal_that_no_eviction_cures_says_so(here: Here) -> None:
    fit = plugin("NodeResourcesFit", here)
    here.add_pod("other", "n1", requests={"cpu": "8"})
    full = judge(fit, here.add_pod("small", requests={"cpu": "1"}), here, "n1")
    assert full.code is Code.UNSCHEDULABLE
    never = judge(fit, here.add_pod("giant", requests={"cpu": "80"}), here, "n1")
    assert never.code is Code.UNRESOLVABLE


def test_a_pod_whose_affinity_names_its_nodes_is_narrowed_to_them(here: Here) -> None:
    judging = plugin("NodeAffinity", here)

    def named(*nodes: str) -> dict[str, Any]:
        fields = [{"key": "metadata.name", "operator": "In", "values": [node]} for node in nodes]
        return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchFields": fields}]}}}

    one = here.add_pod("one", affinity=named("n1"))
    assert judging.pre_filter_nodes(CycleState(), one) == {"n1"}
    assert judging.pre_filter_nodes(CycleState(), here.add_pod("any")) is None
    torn = here.add_pod("torn", affinity=named("n1", "n2"))
    assert pre_filter(judging, torn).reasons == ("pod affinity terms conflict",)
    assert pre_filter(judging, one).ok
    assert pre_filter(judging, here.add_pod("plain")).code is Code.SKIP


def test_an_added_affinity_holds_for_every_pod(here: Here) -> None:
    def term(value: str) -> dict[str, Any]:
        return {"matchExpressions": [{"key": "zone", "operator": "In", "values": [value]}]}

    added = {
        REQUIRED: {"nodeSelectorTerms": [term("a")]},
        PREFERRED: [{"weight": 3, "preference": term("a")}],
    }
    judging = plugin("NodeAffinity", here, addedAffinity=added)
    pod = here.add_pod("plain")
    assert judge(judging, pod, here, "n1").ok
    assert judge(judging, pod, here, "n2").reasons == (
        "node(s) didn't match scheduler-enforced node affinity",
    )
    assert judging.pre_score(CycleState(), pod).code is Code.SUCCESS
    assert judging.score(CycleState(), pod, here.node("n1")) == 3
    assert judging.facets(pod) == {"label:zone"}
    assert plugin("NodeAffinity", here).pre_score(CycleState(), pod).code is Code.SKIP


def test_scores_of_taints_and_affinity_are_made_comparable(here: Here) -> None:
    state, pod = CycleState(), here.add_pod("plain")
    raw = {"n1": 2, "n2": 1, "n3": 0}
    taints = plugin("TaintToleration", here).normalize_score(state, pod, raw)
    assert taints == {"n1": 0, "n2": 50, "n3": 100}
    affinity = plugin("NodeAffinity", here).normalize_score(state, pod, raw)
    assert affinity == {"n1": 100, "n2": 50, "n3": 0}


def test_a_pod_that_asks_for_nothing_has_no_balance(here: Here) -> None:
    judging = plugin("NodeResourcesBalancedAllocation", here)
    assert judging.pre_score(CycleState(), here.add_pod("empty")).code is Code.SKIP
    asking = here.add_pod("asking", requests={"memory": "1"})
    assert judging.pre_score(CycleState(), asking).ok


def test_an_extended_resource_that_the_pod_does_not_ask_for_is_no_matter(here: Here) -> None:
    offered = {"pods": "9", "cpu": "3500m", "memory": "40k"}
    here.add_node("with", allocatable={**offered, "example.com/gpu": "8"})
    here.add_node("without", allocatable=offered)
    here.add_pod("other", "with", requests={"example.com/gpu": "4"})
    pod = here.add_pod("mine", requests={"cpu": "3", "memory": "5k"})
    resources = [{"name": "cpu"}, {"name": "memory"}, {"name": "example.com/gpu"}]
    judging = plugin("NodeResourcesBalancedAllocation", here, resources=resources)
    # The shares go from (0, 0) to (0.857, 0.125): 50 + (50 + 63 - 100) / 2.
    scores = [judging.score(CycleState(), pod, here.node(name)) for name in ("with", "without")]
    assert scores == [56, 56]


def test_images_count_by_how_many_nodes_have_them(here: Here) -> None:
    here.add_node("n3", images={"app:1": 500 * 2**20})
    judging, pod = plugin("ImageLocality", here), here.add_pod("mine")
    # 500 MiB on one of three nodes: (166.7 - 23) / (1000 - 23) MiB.
    assert judging.score(CycleState(), pod, here.node("n3")) == 14
    assert judging.score(CycleState(), pod, here.node("n1")) == 0
    before = judging.sign(pod)
    here.add_node("n4", images={"app:1": 500 * 2**20})
    assert judging.sign(pod) != before
    assert judging.pre_score(CycleState(), pod).ok
    other = here.add_pod("other", image="nowhere:1")
    assert judging.pre_score(CycleState(), other).code is Code.SKIP


@pytest.mark.parametrize("name", CLAIMS_FIRST)
def test_a_pod_without_claims_is_not_asked_about_volumes(here: Here, name: str) -> None:
    assert pre_filter(plugin(name, here), here.add_pod("plain")).code is Code.SKIP


def test_what_is_wrong_with_a_claim_is_said_once(here: Here) -> None:
    judging = plugin("VolumeBinding", here)
    lost = pre_filter(judging, here.add_pod("lost", claims=("nowhere",)))
    assert lost.reasons == ('persistentvolumeclaim "nowhere" not found',)
    here.add_claim("unbound")
    unbound = pre_filter(judging, here.add_pod("unbound", claims=("unbound",)))
    assert unbound.reasons == ("pod has unbound immediate PersistentVolumeClaims",)


def test_a_volume_pulls_its_pod_to_where_it_is(here: Here) -> None:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
    zone = {"topology.kubernetes.io/zone": "a"}
    here.add_claim(
        "data", {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}, labels=zone
    )
    pod = here.add_pod("mine", claims=("data",))
    binding, zones = plugin("VolumeBinding", here), plugin("VolumeZone", here)
    assert pre_filter(binding, pod).ok
    assert binding.facets(pod) == {"label:zone"}
    assert judge(binding, pod, here, "n1").ok
    assert judge(zones, pod, here, "n1").ok
    assert judge(binding, pod, here, "n2").reasons == (
        "node(s) didn't match PersistentVolume's node affinity",
    )
    assert judge(zones, pod, here, "n2").reasons == ("node(s) had no available volume zone",)


def test_a_change_of_its_volume_makes_another_signature(here: Here) -> None:
    here.add_claim("data", {})
    pod = here.add_pod("mine", claims=("data",))
    judging = plugin("VolumeBinding", here)
    before = judging.sign(pod)
    assert judging.sign(pod) == before
    here.add_claim("data", {"nodeAffinity": {}})
    assert judging.sign(pod) != before


def test_a_claim_for_one_pod_keeps_the_second_waiting(here: Here) -> None:
    here.add_claim("alone", {}, accessModes=["ReadWriteOncePod"])
    judging, pod = plugin("VolumeRestrictions", here), here.add_pod("mine", claims=("alone",))
    free = judging.sign(pod)
    assert judge(judging, pod, here, "n2").ok
    here.assume(here.add_pod("first", claims=("alone",)), "n1")
    status = judge(judging, pod, here, "n2")
    assert status.code is Code.UNSCHEDULABLE
    assert "ReadWriteOncePod access mode already in-use" in status.reasons[0]
    assert judging.sign(pod) != free
    assert judging.facets(pod) == frozenset()


def test_a_disk_that_a_neighbour_names_is_taken(here: Here) -> None:
    disk = {"name": "d", "gcePersistentDisk": {"pdName": "d1"}}
    here.add_pod("first", "n1", volumes=(disk,))
    judging, pod = plugin("VolumeRestrictions", here), here.add_pod("mine", volumes=(disk,))
    assert pre_filter(judging, pod).ok
    assert judge(judging, pod, here, "n1").reasons == ("node(s) had no available disk",)
    assert judge(judging, pod, here, "n2").ok
    # Such a verdict is about the pods there: nothing of it may be remembered.
    assert judging.facets(pod) is None
    assert judging.sign(pod) is None


def anti_affinity(key: str = "zone", **term: Any) -> dict[str, Any]:
    selector = {"labelSelector": {"matchLabels": {"app": "web"}}}
    return {"podAntiAffinity": {REQUIRED: [{"topologyKey": key, **selector, **term}]}}


def test_pods_that_are_there_keep_others_away(here: Here) -> None:
    here.add_node("n3", labels={"zone": "a"})
    judging = plugin("ExistingAntiAffinity", here)
    web, db = here.add_pod("web", labels={"app": "web"}), here.add_pod("db", labels={"app": "db"})
    assert pre_filter(judging, web).code is Code.SKIP
    here.add_pod("apart", "n1", affinity=anti_affinity())
    assert pre_filter(judging, web).ok
    assert pre_filter(judging, db).code is Code.SKIP
    assert judging.facets(web) == {"label:zone"}
    for name in ("n1", "n3"):
        status = judge(judging, web, here, name)
        assert status.reasons == ("node(s) didn't satisfy existing pods anti-affinity rules",)
        assert status.code is Code.UNSCHEDULABLE
    assert judge(judging, web, here, "n2").ok


def test_a_pod_outside_of_the_pool_keeps_others_away_too() -> None:
    class Pool(Here):
        """Only nodes of the pool are used."""

        def __init__(self) -> None:
            super().__init__()
            self._node_selector = {"pool": "mine"}

    here = Pool()
    here.add_node("inside", labels={"zone": "a", "pool": "mine"})
    here.add_node("outside", labels={"zone": "a"})
    here.add_pod("apart", "outside", affinity=anti_affinity())
    web = here.add_pod("web", labels={"app": "web"})
    assert not judge(plugin("ExistingAntiAffinity", here), web, here, "inside").ok


@pytest.mark.parametrize(
    ("term", "refused"),
    [
        ({"namespaces": ["elsewhere"]}, False),
        ({"namespaces": ["elsewhere", "ns"]}, True),
        # What the labels of namespaces are is not known: better no node than the wrong one.
        ({"namespaceSelector": {"matchLabels": {"team": "x"}}}, True),
        ({"namespaceSelector": {}}, True),
        ({"labelSelector": None}, False),
    ],
)
def test_a_term_is_about_some_namespaces(here: Here, term: dict[str, Any], refused: bool) -> None:
    here.add_pod("apart", "n1", affinity=anti_affinity(**term))
    web = here.add_pod("web", labels={"app": "web"})
    assert judge(plugin("ExistingAntiAffinity", here), web, here, "n1").ok is not refused


def test_a_node_that_moves_to_another_zone_takes_the_ban_along(here: Here) -> None:
    here.add_pod("apart", "n1", affinity=anti_affinity())
    judging, web = plugin("ExistingAntiAffinity", here), here.add_pod("web", labels={"app": "web"})
    assert judging.sign(web) == {("zone", "a")}
    here.add_node("n1", labels={"zone": "b"})
    assert judging.sign(web) == {("zone", "b")}


def test_what_is_not_judged_yet_is_refused_in_words(here: Here) -> None:
    judging = plugin("UnsupportedFeatures", here)
    status = pre_filter(judging, here.add_pod("apart", affinity=anti_affinity()))
    assert status.code is Code.UNRESOLVABLE
    assert status.reasons == (
        f"not supported by this scheduler yet: spec.affinity.podAntiAffinity.{REQUIRED}",
    )
    assert pre_filter(judging, here.add_pod("plain")).ok


def test_a_wish_is_refused_unless_the_profile_lets_it_pass(here: Here) -> None:
    spread = [{"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}]
    pod = here.add_pod("spread", topologySpreadConstraints=spread)
    assert not pre_filter(plugin("UnsupportedFeatures", here), pod).ok
    assert pre_filter(plugin("UnsupportedFeatures", here, ignorePreferred=True), pod).ok


@pytest.mark.parametrize(
    ("mode", "ok"), [("WaitForFirstConsumer", False), ("Immediate", True), ("", True)]
)
def test_a_claim_that_waits_for_a_scheduler_is_refused_by_name(
    here: Here, mode: str, ok: bool
) -> None:
    if mode:
        here.add_class("slow", mode)
    here.add_claim("data", storageClassName="slow")
    status = pre_filter(plugin("UnsupportedFeatures", here), here.add_pod("mine", claims=("data",)))
    assert status.ok is ok
    assert ok or "unbound claim data (WaitForFirstConsumer)" in status.reasons[0]


def curved(*points: tuple[int, int]) -> dict[str, Any]:
    """Arguments of NodeResourcesFit: a score by points of utilization and score."""
    shape = [{"utilization": used, "score": score} for used, score in points]
    kind = "RequestedToCapacityRatio"
    return {"scoringStrategy": {"type": kind, "requestedToCapacityRatio": {"shape": shape}}}


@pytest.mark.parametrize(
    ("name", "args", "problem"),
    [
        ("NodePorts", {"port": 1}, "args of NodePorts: .*unknown field `port`"),
        ("UnsupportedFeatures", {"ignorePreferred": "yes"}, "Expected `bool`"),
        ("NodeResourcesFit", {"scoringStrategy": {"type": "Best"}}, "there is no Best; use Least"),
        (
            "NodeResourcesFit",
            {"scoringStrategy": {"type": "RequestedToCapacityRatio"}},
            "shape: at least one point",
        ),
        ("NodeResourcesFit", curved((0, 0), (50, 10), (50, 0)), "shape: utilization must rise"),
        ("NodeResourcesFit", curved((0, 0), (101, 10)), "<= 100"),
        ("NodeResourcesFit", curved((-1, 0)), ">= 0"),
        ("NodeResourcesFit", curved((0, 11)), "<= 10"),
        (
            "NodeResourcesFit",
            {"scoringStrategy": {"resources": [{"name": "cpu", "weight": 101}]}},
            "<= 100",
        ),
        (
            "NodeResourcesFit",
            {"scoringStrategy": {"resources": [{"name": "cpu"}, {"name": "cpu"}]}},
            "cpu is there twice",
        ),
        ("NodeResourcesFit", {"scoringStrategy": {"resources": []}}, "there are none"),
        (
            "NodeResourcesBalancedAllocation",
            {"resources": [{"name": "cpu", "weight": 2}]},
            "must be 1",
        ),
        ("NodeAffinity", {"addedAffinity": {"required": []}}, "unknown field `required`"),
        ("RandomScore", {"predicate": 0}, "> 0"),
    ],
)
def test_arguments_that_are_wrong_are_refused(
    here: Here, name: str, args: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        plugin(name, here, **args)


def test_the_harness_writes_what_the_rules_read() -> None:
    # A typing error in a fixture must not make a test pass for want of a field.
    assert pod_body(claims=("a",))["spec"]["volumes"][0]["persistentVolumeClaim"]
    assert "bind-completed" in next(iter(BOUND))
