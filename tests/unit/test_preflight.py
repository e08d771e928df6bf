# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight that binding and moving share."""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.preflight import (
    judge,
    not_judged,
    refuse_or_warn,
    require_rights,
    target_view,
    volumes_of,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import NODE, POD
from tests.unit.binding.objects import claim, mounts, node, pod, volume
from tests.unit.fake_api import FakeApi

BIND = ("create", POD, "binding", "shop")


def test_the_view_holds_the_pods_that_take_room_on_that_node_only() -> None:
    api = FakeApi(
        node("a"),
        pod("here", on="a"),
        pod("ended", on="a", phase="Failed"),
        pod("elsewhere", on="b"),
        pod("pending"),
    )
    view = target_view(api, "a")
    assert [p["metadata"]["name"] for p in view.pods_on_node] == ["here"]
    assert view.volumes == {}


def test_a_node_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(PlacementError) as caught:
        target_view(FakeApi(), "a")
    assert caught.value.code == "NodeNotFound"


def test_each_claim_comes_with_its_volume_as_far_as_they_exist() -> None:
    api = FakeApi(claim("bound", volume="pv"), claim("lost", volume="gone"), volume("pv"))
    found = volumes_of(api, pod("p", volumes=mounts("bound", "lost", "missing")))
    bound, lost = found["bound"], found["lost"]
    assert bound is not None
    assert bound[1] is not None
    assert lost is not None
    assert lost[1] is None
    assert found["missing"] is None


def test_judge_gives_every_reason_and_the_node_itself_comes_first() -> None:
    view = target_view(FakeApi(node("a", cpu="1", ready=False, unschedulable=True)), "a")
    codes = [r.code for r in judge(pod("p", cpu="2"), view)]
    assert codes == ["NodeNotReady", "NodeUnschedulable", "InsufficientCpu"]
    first = judge(pod("p", cpu="2"), view, stop_at_first=True)
    assert [r.code for r in first] == ["NodeNotReady"]


def test_pods_that_will_be_gone_do_not_count() -> None:
    view = target_view(FakeApi(node("a", cpu="1"), pod("old", on="a")), "a")
    assert [r.code for r in judge(pod("new"), view)] == ["InsufficientCpu"]
    assert judge(pod("new"), view, already_there={"uid-old"}) == []


def test_a_rule_can_be_left_out() -> None:
    view = target_view(FakeApi(node("a", unschedulable=True)), "a")
    assert judge(pod("p"), view, skip=frozenset({"NodeUnschedulable"})) == []


def test_strict_refuses_warn_warns_and_none_is_silent() -> None:
    view = target_view(FakeApi(node("a", cpu="1")), "a")
    waiting = pod("p", cpu="2")
    rejections = judge(waiting, view)
    assert refuse_or_warn("none", waiting, "a", rejections, step="preflight") == []
    (warning,) = refuse_or_warn("warn", waiting, "a", rejections, step="preflight")
    with pytest.raises(PlacementError) as caught:
        refuse_or_warn("strict", waiting, "a", rejections, step="preflight")
    assert caught.value.message == warning
    assert caught.value.as_dict() == {
        "code": "InsufficientCpu",
        "step": "preflight",
        "object": "Pod shop/p",
        "hint": caught.value.hint,
    }
    assert refuse_or_warn("strict", waiting, "a", [], step="preflight") == []


def test_missing_rights_are_told_all_at_once() -> None:
    api = FakeApi()
    api.denied |= {("create", "pods/binding"), ("list", "nodes")}
    with pytest.raises(PlacementError) as caught:
        require_rights(api, [BIND, ("get", POD, "", "shop"), ("list", NODE, "", None)])
    assert caught.value.code == "RbacDenied: pods/binding create"
    assert caught.value.message.endswith("pods/binding create in namespace shop, nodes list")


def test_who_may_not_even_ask_finds_out_by_trying() -> None:
    api = FakeApi()
    api.before("review", "pods/binding", Forbidden(403, "Forbidden", "no reviews"))
    require_rights(api, [BIND])


def test_spread_that_is_only_a_wish_is_not_warned_about() -> None:
    hard = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    soft = hard | {"whenUnsatisfiable": "ScheduleAnyway"}
    assert len(not_judged(pod("p", topologySpreadConstraints=[hard]))) == 1
    assert not_judged(pod("p", topologySpreadConstraints=[soft])) == []
